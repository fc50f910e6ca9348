#!/usr/bin/env python3
"""Speak a corpus of connected digits in the manner of TIDIGITS, with eSpeak NG's voices.

Writes <out>/{train,dev,test}/<speaker>/<utterance>.wav (16 kHz, 16 bit), <out>/{train,dev,test}.tsv (one line an
utterance: what was said, by which voice, in which noise and room), and <out>/.done last.
Example: local/make_digits.py --nj 4 --seed 1 data/corpus

The strings have 1, 2, 3, 4, 5 or 7 digits, with "oh" and "zero" both, as in TIDIGITS (Leonard 1984). A voice is a
language variant of English, one of eSpeak's voice variants (the shape of the mouth and the larynx), a pitch and a
rate. No variant of the test (or dev) voices is used in training: those are people whom the recognizer never heard.
Every recording has a little noise (15 to 30 dB below the speech) and some have a small room.

Each voice is made by a process of its own, so that the corpus is the same to the byte for a seed, whatever --nj is
(the synthesizer keeps state from one utterance to the next). A voice's folder appears when it is complete: after an
interrupt the rest is made.
"""

import ctypes
import json
import multiprocessing
import os
import pathlib
import shutil
import sys
import wave

import numpy as np
from sidamo.io import script

RATE = 16000  # Hz, of what is written
SYNTH_RATE = 22050  # Hz, of eSpeak NG's formant synthesizer
DIGITS = "zero oh one two three four five six seven eight nine".split()
LETTERS = dict(zip(DIGITS, "zo123456789"))  # for utterance names: s-…-3oz7
LENGTHS = (1, 2, 3, 4, 5, 7)  # TIDIGITS has no strings of six

ENGLISH = {
    "us": "gmw/en-US", "gb": "gmw/en", "rp": "gmw/en-GB-x-rp", "sc": "gmw/en-GB-scotland",
    "la": "gmw/en-GB-x-gbclan", "wm": "gmw/en-GB-x-gbcwmd", "ca": "gmw/en-029", "ny": "gmw/en-US-nyc",
}  # fmt: skip
# Variants with a "breath" are left out: eSpeak NG makes it from memory that it has not set, different at each run. Those
# of the test have their first three formants at 75 to 135% of the plain voice's, as a person's mouth would, and no loud
# echo; some of training's are caricatures.
VARIANTS = {
    "train": "m1 m2 m4 m5 m6 m8 f1 adam Alex Andy anika Annie Denis Diogo Gene gustave Henrique Hugo Jacky Lee Marco Mario "
    "Michael Mike Nguyen Tweaky announcer antonio aunty benjamin boris croak ed edward grandma grandpa ian iven4 john "
    "edward2 Gene2 iven kaukovalta klatt klatt3 klatt5 klatt6 linda marcelo michel norbert paul quincy rob shelby steph2 "
    "steph3 travis zac RicishayMax".split(),
    "dev": "klatt4 max robert steph".split(),
    "test": "m3 m7 f4 Andrea belinda david klatt2 miguel mike2 pablo pedro".split(),
}
ACCENTS = {"train": 3, "dev": 1, "test": 1}  # in how many variants of English each of these speaks
PITCH = {"train": (20, 81), "dev": (30, 71), "test": (30, 71)}  # eSpeak's scale, 0 to 99
RATES = {"train": (110, 250), "dev": (130, 176), "test": (130, 176)}  # words a minute; some variants speak a third faster
PER_VOICE = {"train": 10, "dev": 15, "test": 30}  # utterances


def voices(part: str, seed: int) -> list[dict]:
    """The speakers of one part: every voice variant with an accent (in training two), a pitch and a rate of its own."""
    random = np.random.default_rng([seed, sorted(VARIANTS).index(part), 0])
    speakers = []
    for i, variant in enumerate(VARIANTS[part] * ACCENTS[part]):
        accent = list(ENGLISH)[(i + 3 * (i // len(VARIANTS[part])) + int(random.integers(2))) % len(ENGLISH)]
        speakers.append({
            "part": part, "speaker": f"{accent}_{variant.lower()}", "language": ENGLISH[accent], "variant": variant,
            "pitch": int(random.integers(*PITCH[part])), "rate": int(random.integers(*RATES[part])),
            "gap": int(random.integers(3, 9)), "seed": [seed, sorted(VARIANTS).index(part), i + 1],
        })  # fmt: skip
    seen: dict[str, int] = {}
    for voice in speakers:  # the same accent twice: another person all the same
        seen[voice["speaker"]] = seen.get(voice["speaker"], 0) + 1
        if seen[voice["speaker"]] > 1:
            voice["speaker"] += f"x{seen[voice['speaker']]}"
    return speakers


class Synthesizer:
    """eSpeak NG through its C interface (speak_lib.h), from the wheel espeakng-loader. One per process."""

    RETRIEVE_SYNCHRONOUSLY, CHARS_UTF8, OK = 2, 1, 0
    PARAMETERS = {"rate": 1, "pitch": 3, "gap": 7}

    def __init__(self):
        import espeakng_loader

        self.lib = ctypes.CDLL(espeakng_loader.get_library_path())
        data = os.fsencode(str(espeakng_loader.get_data_path()))
        rate = self.lib.espeak_Initialize(self.RETRIEVE_SYNCHRONOUSLY, 0, data, 0)
        if rate != SYNTH_RATE:
            raise SystemExit(f"make_digits.py: eSpeak NG speaks at {rate} Hz, expected {SYNTH_RATE}")
        self.chunks: list[np.ndarray] = []
        callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self.callback = callback(self._collect)  # kept: the library holds only its address
        self.lib.espeak_SetSynthCallback(self.callback)

    def _collect(self, samples, count, _events) -> int:
        if samples and count > 0:
            self.chunks.append(np.ctypeslib.as_array(samples, (count,)).astype(np.float32))
        return self.OK

    def set_voice(self, voice: dict) -> None:
        name = f"{voice['language']}+{voice['variant']}"
        if self.lib.espeak_SetVoiceByName(name.encode()) != self.OK:
            raise SystemExit(f"make_digits.py: eSpeak NG has no voice {name}; is espeakng-loader complete?")
        for parameter, number in self.PARAMETERS.items():
            self.lib.espeak_SetParameter(number, voice[parameter], 0)

    def say(self, text: str) -> np.ndarray:
        """Samples of `text`: shape (num_samples,), float32, int16 scale, at SYNTH_RATE."""
        self.chunks.clear()
        utf8 = text.encode() + b"\0"
        self.lib.espeak_Synth(utf8, len(utf8), 0, 1, 0, self.CHARS_UTF8, None, None)
        return np.concatenate(self.chunks)


def room(random: np.random.Generator, t60: float) -> np.ndarray:
    """An impulse response: the direct sound, then noise that falls by 60 dB in `t60` seconds; 12 dB below in all."""
    n = int(t60 * RATE)
    tail = random.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    tail[: int(0.002 * RATE)] = 0  # nothing comes back within 2 ms
    tail *= 10 ** (-12 / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1
    return tail


def noise_like(random: np.random.Generator, speech: np.ndarray, kind: str) -> np.ndarray:
    """Noise as long as `speech`: "white", "pink" (-3 dB an octave), or "babble" with the spectrum of the speech."""
    spectrum = np.fft.rfft(random.standard_normal(len(speech)))
    if kind == "pink":
        spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 20))
    elif kind == "babble":
        power = np.abs(np.fft.rfft(speech)) ** 2
        width = max(1, len(power) // 200)
        spectrum *= np.sqrt(np.convolve(power, np.ones(width) / width, "same"))
    return np.fft.irfft(spectrum, len(speech))


def record(clean: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, dict]:
    """What a microphone in a room would have heard: resampled, reverberated, noisy, at some level; int16."""
    from scipy.signal import fftconvolve, resample_poly

    speech = resample_poly(clean.astype(np.float64), 320, 441)  # 22050 Hz to 16000 Hz
    margins = (random.uniform(0.08, 0.25, 2) * RATE).astype(int)
    speech = np.concatenate([np.zeros(margins[0]), speech, np.zeros(margins[1])])
    snr, kind = round(float(random.uniform(15, 30)), 1), str(random.choice(["white", "pink", "babble"]))
    condition = {"snr": snr, "t60": 0.0, "noise": kind}
    if random.random() < 0.5:
        condition["t60"] = round(float(random.uniform(0.1, 0.35)), 2)
        speech = fftconvolve(speech, room(random, condition["t60"]))[: len(speech)]
    noise = noise_like(random, speech, condition["noise"])
    noise *= np.sqrt(np.mean(speech**2) / np.mean(noise**2)) * 10 ** (-condition["snr"] / 20)
    heard = speech + noise
    level = 10 ** (random.uniform(-32, -20) / 20) * 32768  # root mean square, -32 to -20 dB below full scale
    heard *= min(level / np.sqrt(np.mean(heard**2)), 32000 / np.max(np.abs(heard)))
    return np.round(heard).astype("<i2"), condition


def digit_strings(random: np.random.Generator, count: int) -> list[list[str]]:
    """`count` different strings; lengths in turn, so that each is as frequent as the other."""
    strings: list[list[str]] = []
    while len(strings) < count:
        string = [str(d) for d in random.choice(DIGITS, LENGTHS[len(strings) % len(LENGTHS)])]
        if string not in strings:
            strings.append(string)
    return strings


def make_voice(job: tuple[dict, str]) -> str:
    """Write every recording of one voice; its folder gets its name when all is there."""
    voice, out = job
    folder = pathlib.Path(out, voice["part"], voice["speaker"])
    if folder.is_dir():
        return voice["speaker"]
    ctypes.CDLL(None).srand(1)  # the synthesizer's breath comes from libc's rand()
    random = np.random.default_rng(voice["seed"])
    synthesizer = Synthesizer()
    synthesizer.set_voice(voice)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    rows = []
    for string in sorted(digit_strings(random, PER_VOICE[voice["part"]])):
        samples, condition = record(synthesizer.say(" ".join(string)), random)
        utterance = f"{voice['speaker']}-{''.join(LETTERS[d] for d in string)}"
        with wave.open(str(partial / f"{utterance}.wav"), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(samples.tobytes())
        about = {"utt": utterance, "spk": voice["speaker"], "text": " ".join(string), "seconds": len(samples) / RATE}
        rows.append({**about, **condition})
    (partial / "utterances.json").write_text(json.dumps({"voice": voice, "utterances": rows}, indent=1))
    partial.rename(folder)
    return voice["speaker"]


def write_tables(out: pathlib.Path) -> None:
    """<part>.tsv of every part, from what each voice's folder says of itself."""
    columns = "utt spk text language variant pitch rate seconds snr noise t60".split()
    for part in VARIANTS:
        lines = ["\t".join(columns)]
        for path in sorted((out / part).glob("*/utterances.json")):
            about = json.loads(path.read_text())
            for row in about["utterances"]:
                lines.append("\t".join(str({**about["voice"], **row}[c]) for c in columns))
        (out / f"{part}.tsv").write_text("\n".join(lines) + "\n")


def main() -> int:
    parser = script.argument_parser(__doc__)
    parser.add_argument("out", type=pathlib.Path, help="folder of the corpus")
    parser.add_argument("--seed", type=int, default=1, help="another seed, another corpus (default 1)")
    parser.add_argument("--nj", type=int, default=2, help="processes (default 2); no influence on what is written")
    args = parser.parse_args()

    jobs = [voice for part in VARIANTS for voice in voices(part, args.seed)]
    stamp = json.dumps({"seed": args.seed, "voices": jobs, "per_voice": PER_VOICE})
    done, made_for = args.out / ".done", args.out / ".made_for"
    if done.is_file() and done.read_text() == stamp:
        print(f"make_digits.py: {args.out} is complete (seed {args.seed})")
        return 0
    if args.out.is_dir() and not (made_for.is_file() and made_for.read_text() == stamp):
        for part in VARIANTS:  # of another seed, or by another version of this file
            shutil.rmtree(args.out / part, ignore_errors=True)
    done.unlink(missing_ok=True)
    args.out.mkdir(parents=True, exist_ok=True)
    made_for.write_text(stamp)

    import scipy.signal  # noqa: F401  (before the fork: each process would pay for it)
    from tqdm import tqdm

    context = multiprocessing.get_context("fork")
    terminal = sys.stderr.isatty()
    with context.Pool(args.nj, maxtasksperchild=1) as pool:
        finished = pool.imap_unordered(make_voice, [(voice, str(args.out)) for voice in jobs], chunksize=1)
        for i, speaker in enumerate(tqdm(finished, "voices", len(jobs), disable=not terminal), 1):
            if not terminal and (i % 10 == 0 or i == len(jobs)):
                print(f"make_digits.py: {i}/{len(jobs)} voices spoken, the last one {speaker}")
    write_tables(args.out)
    temporary = args.out / ".done.tmp"
    temporary.write_text(stamp)
    temporary.rename(done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
