#!/usr/bin/env python3
"""Speak the ten digits in many voices and accents with eSpeak NG: speakers that no corpus of five people has.

Writes <data>/wav/<voice>.wav (8 kHz, the ten digits one after another) and the Kaldi data directory <data>:
wav.scp, segments, text, utt2spk, spk2utt; utterances named <voice>-<digit>.
Example: local/make_voices.py --seed 1 data/voices

A voice is a variant of eSpeak's (the shape of the mouth and the larynx), a pitch, a rate and an accent: one of the
English of egs/digits, or the English of somebody who grew up with another language, for which the digits are respelled
as such a speaker would write down what he hears, and read by the rules of his own language.
"""

import ctypes
import multiprocessing
import pathlib
import shutil
import sys
import wave

import numpy as np
from endpoints import MARGIN, endpoints
from scipy.signal import fftconvolve, resample_poly
from sidamo.io import script

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "digits/local"))
import make_digits as digits  # noqa: E402  (the synthesizer, its English accents, the rooms and the noises)

RATE = 8000  # Hz, of what is written
WORDS = "zero one two three four five six seven eight nine".split()
FOREIGN = {
    "de": "siro uann tuh sri fohr feif ssix sewen ehit nein",
    "nl": "ziro wan toe srie for faiv siks seven eet nain",
    "fr": "ziro ouane tou sri for faïve sixe sévenne éïte naïne",
    "es": "siro uan tu zri for faiv sics seven eit nain",
    "it": "ziro uan tu tri for faiv sics seven eit nain",
    "el": "ζίροου ουάν του θρι φορ φάιβ σιξ σέβεν έιτ νάιν",
    "pl": "ziro łan tu fri for fajw siks sewen ejt najn",
    "ru": "зироу уан ту сри фор файв сикс сэвэн эйт найн",
    "tr": "ziro van tu tri for fayv siks sevın eyt nayn",
    "hi": "ज़ीरो वन टू थ्री फ़ोर फ़ाइव सिक्स सेवन एट नाइन",
}
ACCENTS = [(name, language, WORDS) for name, language in digits.ENGLISH.items()] + [
    (language, language, spelling.split()) for language, spelling in FOREIGN.items()
]
VARIANTS = [variant for part in digits.VARIANTS.values() for variant in part]


def voices(count: int, seed: int) -> list[dict]:
    """`count` speakers: variants and accents in turn, each pair a different one; English and foreign alternate."""
    random = np.random.default_rng([seed, 0])
    english, foreign = random.permutation(len(digits.ENGLISH)), len(digits.ENGLISH) + random.permutation(len(FOREIGN))
    speakers = []
    for i in range(count):
        variant, turn = VARIANTS[i % len(VARIANTS)], i + i // len(VARIANTS)
        accents = english if turn % 2 else foreign
        name, language, words = ACCENTS[accents[turn // 2 % len(accents)]]
        speakers.append({
            "speaker": f"voice{i:03d}_{name}_{variant.lower()}", "language": language, "variant": variant, "words": words,
            "pitch": int(random.integers(10, 81)), "rate": int(random.integers(100, 220)), "gap": 0, "seed": [seed, i + 1],
        })  # fmt: skip
    return speakers


def cut(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The word without the synthesizer's pauses, by the rule for the recordings; some are cut closer, as people do."""
    padded = np.pad(samples, round(MARGIN * RATE))
    begin, end = endpoints(padded, RATE)
    closer = random.uniform(0, MARGIN, 2)
    return padded[round((begin + closer[0]) * RATE) : round((end - closer[1]) * RATE)]


def make_voice(job: tuple[dict, pathlib.Path]) -> list[tuple[str, str, float, float]]:
    """Write one voice's recording -> (utterance, word, begin, end in seconds) of each digit."""
    voice, folder = job
    ctypes.CDLL(None).srand(1)  # the synthesizer's breath comes from libc's rand()
    random = np.random.default_rng(voice["seed"])
    synthesizer = digits.Synthesizer()
    synthesizer.set_voice(voice)
    parts = []
    for word in voice["words"]:
        speech = resample_poly(synthesizer.say(word).astype(np.float64), RATE, digits.SYNTH_RATE)
        parts.append(cut(speech, random))
    ends = np.cumsum([len(p) for p in parts]) / RATE
    heard = np.concatenate(parts)
    if random.random() < 0.5:  # one room and one microphone for each voice, as in a corpus
        heard = fftconvolve(heard, digits.room(random, float(random.uniform(0.1, 0.35))))[: len(heard)]
    noise = digits.noise_like(random, heard, str(random.choice(["white", "pink", "babble"])))
    heard += noise * np.sqrt(np.mean(heard**2) / np.mean(noise**2)) * 10 ** (-random.uniform(15, 35) / 20)
    heard *= 20000 / np.max(np.abs(heard))
    with wave.open(str(folder / f"{voice['speaker']}.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.round(heard).astype("<i2").tobytes())
    begins = np.concatenate([[0.0], ends[:-1]])
    return [(f"{voice['speaker']}-{d}", WORDS[d], begins[d], ends[d]) for d in range(10)]


def main() -> int:
    parser = script.argument_parser(__doc__)
    parser.add_argument("data", type=pathlib.Path, help="data directory")
    parser.add_argument("--num-voices", type=int, default=248, help="speakers (default 248)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other voices (default 1)")
    parser.add_argument("--nj", type=int, default=2, help="processes (default 2)")
    args = parser.parse_args()
    shutil.rmtree(args.data, ignore_errors=True)
    folder = args.data.resolve() / "wav"
    folder.mkdir(parents=True)
    speakers = voices(args.num_voices, args.seed)
    with multiprocessing.get_context("fork").Pool(args.nj, maxtasksperchild=1) as pool:
        rows = sum(pool.map(make_voice, [(voice, folder) for voice in speakers], chunksize=1), [])
    names = sorted(voice["speaker"] for voice in speakers)
    tables = {
        "wav.scp": [f"{name} {folder}/{name}.wav" for name in names],
        "segments": sorted(f"{utt} {utt.rpartition('-')[0]} {begin:.4f} {end:.4f}" for utt, _, begin, end in rows),
        "text": sorted(f"{utt} {word}" for utt, word, _, _ in rows),
        "utt2spk": sorted(f"{utt} {utt.rpartition('-')[0]}" for utt, _, _, _ in rows),
        "spk2utt": [f"{name} {' '.join(f'{name}-{d}' for d in range(10))}" for name in names],
    }
    for name, lines in tables.items():
        (args.data / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(f"make_voices.py: {len(names)} voices, {len(rows)} digits in {args.data}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
