"""Noisy and reverberated copies of data directories: wav.scp lines that pipe the audio through wav-reverberate.

After Kaldi's steps/data/augment_data_dir.py and reverberate_data_dir.py. What is drawn for a recording depends on the
seed and the recording's name alone, so that a part of the data gets the same noises as the whole. A dict keyed by
recording holds the rxfilenames (str); files are read and written by io.datadir.
"""

import dataclasses
import os
import random
import re
import shlex
import tempfile

from sidamo.io import datadir
from sidamo.io.datadir_change import affix, combine_data
from sidamo.io.errors import DataError, OptionError

AUDIO_CHANGED = ("feats.scp", "cmvn.scp", "vad.scp", "utt2num_frames", "frame_shift")  # no longer true of the copy
SMOOTHING = 0.3  # weight of the uniform distribution in given probabilities


def draw(seed: int, *name) -> random.Random:
    """Random numbers of one recording."""
    return random.Random(" ".join([str(seed), *map(str, name)]))


def through(rxfilename: str, options: str) -> str:
    """An rxfilename that reads another one through wav-reverberate."""
    if rxfilename.endswith("|"):
        return f"{rxfilename[:-1].rstrip()} | wav-reverberate {options} - - |"
    return f"wav-reverberate {options} {shlex.quote(rxfilename)} - |"


@dataclasses.dataclass
class Addition:
    """The signals that are added to one recording."""

    signals: list = dataclasses.field(default_factory=list)
    starts: list = dataclasses.field(default_factory=list)
    snrs: list = dataclasses.field(default_factory=list)

    def add(self, rxfilename: str, start: float, snr: float):
        if "," in rxfilename:
            raise DataError("a comma in the name of a noise, where commas separate noises", file=rxfilename,
                            mend="rename the file, or link it under another name")  # fmt: skip
        self.signals.append(rxfilename)
        self.starts.append(start)
        self.snrs.append(snr)

    def options(self) -> str:
        """As options of wav-reverberate."""
        if not self.signals:
            return ""
        lists = [",".join(f"{value:g}" for value in values) for values in (self.starts, self.snrs)]
        signals = shlex.quote(",".join(self.signals))
        return f"--additive-signals={signals} --start-times='{lists[0]}' --snrs='{lists[1]}'"


def numbers(text: str, option: str, kind=float) -> list:
    """Numbers separated by colons. Raises OptionError."""
    try:
        values = [kind(word) for word in text.split(":")]
    except ValueError:
        raise OptionError(f"{option} {text}: expected numbers separated by colons, such as 20:10:0") from None
    return values


def read_wav_scp(path: str) -> dict:
    """wav.scp of a data directory, as a dict of str."""
    return {key.decode(): rest.decode() for key, rest in datadir.read_map(f"{path}/wav.scp").items()}


def durations(path: str) -> dict:
    """Seconds of each recording of a data directory; reco2dur is made where it is absent."""
    name = f"{path}/reco2dur"
    if not os.path.isfile(name):
        from sidamo.io.tables import SequentialReader

        with SequentialReader(f"scp:{path}/wav.scp", "wave") as waves:
            pairs = [(key.encode(), f"{wave.duration:.6g}".encode()) for key, wave in waves]
        datadir.write_pairs(name, pairs)
    return {key.decode(): float(value) for key, value in datadir.read_map(name, 1).items()}


def copy_changed(source: str, target: str, rename, wavs: dict) -> None:
    """Copy a data directory with other audio: `wavs` are the rxfilenames by the recordings' old names.

    `rename` maps utterances, speakers and recordings (three functions, bytes to bytes). What was made from the old
    audio is left out; utt2uniq says of which utterance each one is a variant.
    """
    utt, spk, reco = rename
    datadir.write_renamed(source, target, utt, spk, reco)
    for name in AUDIO_CHANGED:
        if os.path.isfile(f"{target}/{name}"):
            os.unlink(f"{target}/{name}")
    reco = reco if datadir.has_segments(source) else utt
    datadir.write_pairs(f"{target}/wav.scp", [(reco(key.encode()), value.encode()) for key, value in wavs.items()])
    if not os.path.isfile(f"{source}/utt2uniq"):
        pairs = [(utt(key), key) for key in datadir.keys_of(f"{source}/utt2spk")]
        datadir.write_pairs(f"{target}/utt2uniq", pairs)


# --- additive noise ----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class NoiseOptions:
    """augment_data_dir.py; the lists are drawn from."""

    fg_snrs: tuple = (20.0, 10.0, 0.0)  # dB, foreground: one noise after the other
    bg_snrs: tuple = (20.0, 10.0, 0.0)  # dB, background: over the whole recording, repeated
    num_bg_noises: tuple = (1,)  # background noises at once
    fg_interval: float = 0.0  # seconds between foreground noises
    seed: int = 123


def noisy(rxfilename: str, seconds: float, rng, foreground, background, opts: NoiseOptions) -> str:
    """One recording with noises, each of `foreground` and `background` a list of (rxfilename, seconds)."""
    addition = Addition()
    if background:
        for _ in range(rng.choice(opts.num_bg_noises)):
            noise, _ = rng.choice(background)
            addition.add(through(noise, f"--duration={seconds:g}"), 0.0, rng.choice(opts.bg_snrs))
    start = 0.0
    while foreground and start < seconds:
        noise, length = rng.choice(foreground)
        addition.add(noise, round(start, 2), rng.choice(opts.fg_snrs))
        start += length + opts.fg_interval
    return through(rxfilename, f"--shift-output=true {addition.options()}")


def read_noises(path: str) -> list:
    """The recordings of a noise directory as (rxfilename, seconds), sorted; those without length are left out."""
    if not path:
        return []
    seconds = durations(path)
    return [(rxfilename, seconds[key]) for key, rxfilename in sorted(read_wav_scp(path).items()) if seconds[key] > 0]


def augment(source: str, target: str, fg_dir: str, bg_dir: str, suffix: str, prefix: str, opts: NoiseOptions) -> int:
    """Make a noisy copy of a data directory; returns the number of recordings."""
    foreground, background = read_noises(fg_dir), read_noises(bg_dir)
    if not foreground and not background:
        raise OptionError("either --fg-noise-dir or --bg-noise-dir must be given, with a noise in it")
    datadir.require_dir(source)
    seconds = durations(source)
    wavs = {
        key: noisy(rxfilename, seconds[key], draw(opts.seed, key), foreground, background, opts)
        for key, rxfilename in read_wav_scp(source).items()
    }
    before, after = f"{prefix}-" if prefix else "", f"-{suffix}" if suffix else ""
    utt = affix(before, after)
    copy_changed(source, target, (utt, affix(before), utt), wavs)
    return len(wavs)


# --- rooms --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Item:
    """A line of a list of impulse responses or noises."""

    rxfilename: str
    probability: float
    fields: dict


def read_list(path: str, required) -> list:
    """A list of impulse responses or noises.

    Lines are `--rir-id 001 --room-id 1 [--name value ...] <rxfilename>` or `--noise-id 1 --noise-type
    point-source|isotropic [--bg-fg-type background|foreground] [--room-linkage 1] <rxfilename>`.

    Raises
    ------
    DataError
        With file and line, where an option in `required` or the rxfilename is missing.
    """
    items = []
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            fields = dict(re.findall(r"(?:^|\s)--([a-z0-9-]+)[= ](\S+)", line))
            rxfilename = re.sub(r"^\s*(--[a-z0-9-]+[= ]\S+\s+)*", "", line).strip()
            missing = [name for name in required if name not in fields]
            if not line.strip():
                continue
            if missing or not rxfilename:
                what = f"--{missing[0]}" if missing else "the file"
                raise DataError(f"{what} is missing in: {line.strip()}", file=path, line=number)
            items.append(Item(rxfilename, float(fields.get("probability", "nan")), fields))
    return items


def normalize(items: list) -> list:
    """Probabilities smoothed towards the uniform distribution, adding up to 1; equal ones where none is given."""
    if items:
        uniform = 1.0 / len(items)
        for item in items:
            given = item.probability == item.probability
            item.probability = (1 - SMOOTHING) * item.probability + SMOOTHING * uniform if given else uniform
        total = sum(item.probability for item in items)
        for item in items:
            item.probability /= total
    return items


def pick(rng, items: list) -> Item:
    """An item by its probability."""
    return rng.choices(items, [item.probability for item in items])[0]


@dataclasses.dataclass(frozen=True)
class RoomOptions:
    """reverberate_data_dir.py."""

    foreground_snrs: tuple = (20.0, 10.0, 0.0)
    background_snrs: tuple = (20.0, 10.0, 0.0)
    speech_rvb_probability: float = 1.0
    pointsource_noise_addition_probability: float = 1.0
    isotropic_noise_addition_probability: float = 1.0
    max_noises_per_minute: float = 2.0
    shift_output: bool = True
    seed: int = 0


def reverberated(rxfilename: str, seconds: float, rng, rirs: list, noises: list, opts: RoomOptions) -> str:
    """One recording in a room: speech from one place, noises from others in the same room."""
    rir = pick(rng, rirs)
    room = [other for other in rirs if other.fields["room-id"] == rir.fields["room-id"]]
    options = []
    if rng.random() < opts.speech_rvb_probability:
        options.append(f"--impulse-response={shlex.quote(rir.rxfilename)}")
    addition = Addition()
    isotropic = [noise for noise in noises if is_isotropic(noise) and same_room(noise, rir)]
    if isotropic and rng.random() < opts.isotropic_noise_addition_probability:
        noise = pick(rng, isotropic)
        addition.add(through(noise.rxfilename, f"--duration={seconds:g}"), 0.0, rng.choice(opts.background_snrs))
    points = [noise for noise in noises if not is_isotropic(noise)]
    most = int(opts.max_noises_per_minute * seconds / 60.0)
    if points and most >= 1 and rng.random() < opts.pointsource_noise_addition_probability:
        for _ in range(rng.randint(1, most)):
            add_point_source(addition, rng, pick(rng, points), pick(rng, room), seconds, opts)
    options.append(addition.options())
    options = " ".join(option for option in options if option)
    if not options:
        return rxfilename
    return through(rxfilename, f"--shift-output={str(opts.shift_output).lower()} {options}")


def is_isotropic(noise: Item) -> bool:
    return noise.fields["noise-type"] == "isotropic"


def same_room(noise: Item, rir: Item) -> bool:
    """Whether an isotropic noise was recorded where the response was."""
    linked = noise.fields.get("room-linkage")
    return linked == rir.fields["room-id"] if linked else noise.fields.get("rir-id") == rir.fields["rir-id"]


def add_point_source(addition: Addition, rng, noise: Item, rir: Item, seconds: float, opts: RoomOptions) -> None:
    """A noise heard through a response: a background over the whole recording, or a foreground at some time."""
    options = f"--impulse-response={shlex.quote(rir.rxfilename)}"
    if noise.fields.get("bg-fg-type", "background") == "background":
        options = f"--duration={seconds:g} {options}"
        addition.add(through(noise.rxfilename, options), 0.0, rng.choice(opts.background_snrs))
    else:
        start = round(rng.random() * seconds, 2)
        addition.add(through(noise.rxfilename, options), start, rng.choice(opts.foreground_snrs))


def reverberate(source, target, rirs, noises, prefix, num_replicas, include_original, opts: RoomOptions) -> int:
    """Make reverberated copies of a data directory; returns the number of recordings.

    Copies are numbered from 1 and prefixed `<prefix><number>-`; with one copy and no prefix the names stay.
    """
    datadir.require_dir(source)
    seconds, originals = durations(source), read_wav_scp(source)
    several = num_replicas > 1 or include_original
    if several and not prefix:
        prefix = "rvb"
    with tempfile.TemporaryDirectory() as folder:
        parts = [source] if include_original else []
        for copy in range(1, num_replicas + 1):
            wavs = {
                key: reverberated(rxfilename, seconds[key], draw(opts.seed, copy, key), rirs, noises, opts)
                for key, rxfilename in originals.items()
            }
            rename = affix(f"{prefix}{copy}-") if prefix else bytes
            parts.append(f"{folder}/{copy}" if several else target)
            copy_changed(source, parts[-1], (rename, rename, rename), wavs)
        if several:
            combine_data(target, parts, say=lambda *_: None)
    return len(originals) * len(parts)
