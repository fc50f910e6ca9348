"""The loop that compute-fbank-feats, compute-mfcc-feats, compute-plp-feats and compute-spectrogram-feats share."""

import dataclasses
import math
import os

from sidamo.bin import _inline
from sidamo.feats.blocks import LONG_FRAMES, FeatureBlocks
from sidamo.feats.window import dithered, num_frames, option
from sidamo.io.errors import DataError, OptionError
from sidamo.io.log import info, vlog, warn
from sidamo.io.options import Options
from sidamo.io.streams import classify_rxfilename
from sidamo.io.tables import MappedReader, SequentialReader, Writer, parse_rspecifier, read_script

FAST_SECONDS = 300.0  # of audio, from which loading the compiled kernels pays
HTK_CEPSTRA_ZERO, HTK_ENERGY = 0o20000, 0o100  # HTK's qualifiers _0 and _E
FRAME_SHIFT_HTK = 100000  # in units of 100 ns


@dataclasses.dataclass(frozen=True)
class LoopOptions:
    """What the tools have in common beside the features' own options."""

    output_format: str = option("kaldi", "Format of the output: kaldi or htk")
    subtract_mean: bool = option(False, "Subtract the mean of each file (better done with apply-cmvn)")
    channel: int = option(-1, "Channel to use (-1: expect mono, 0: left, 1: right)")
    min_duration: float = option(0.0, "Shorter files are left out, seconds")
    write_utt2dur: str = option("", "wspecifier of the durations")
    write_num_frames: str = option("", "wspecifier of the numbers of frames (here as in copy-feats)")
    compress: bool = option(False, "Write compressed matrices (here as in copy-feats; saves a pipe)")
    compression_method: int = option(1, "Kind of compression: 1 automatic, 2 to 7 as in copy-feats")
    srand: int = option(0, "Seed of the dither; each utterance draws from it and its own key")

    def __post_init__(self):
        if self.output_format not in ("kaldi", "htk"):
            raise OptionError(f"Invalid output_format string {self.output_format}; kaldi or htk is expected")


@dataclasses.dataclass(frozen=True)
class WarpOptions:
    """Vocal tract length normalization of the tools that have mel bins."""

    vtln_warp: float = option(1.0, "Warp factor of all utterances (only without vtln-map)")
    vtln_map: str = option("", "rspecifier of the warp factors by utterance or, with utt2spk, by speaker")
    utt2spk: str = option("", "rspecifier of the map from utterance to speaker, for vtln-map")

    def __post_init__(self):
        if self.utt2spk and not self.vtln_map:
            raise OptionError("The --utt2spk option is only needed if the --vtln-map option is used.")


class Warps:
    """Warp factor of each utterance."""

    def __init__(self, opts: WarpOptions | None):
        self.constant = opts.vtln_warp if opts else 1.0
        self.reader = MappedReader(opts.vtln_map, "float", opts.utt2spk) if opts and opts.vtln_map else None

    def of(self, key: str):
        """The factor, or None (with a warning) where the map has none."""
        if self.reader is None:
            return self.constant
        if key not in self.reader:
            warn(f"No vtln-map entry for utterance-id (or speaker-id) {key}")
            return None
        return self.reader[key]


def pick_channel(wave, key: str, channel: int):
    """Samples of the wanted channel, or None with a warning."""
    if channel == -1:
        if wave.num_channels != 1:
            warn(f"{key}: Channel not specified but you have data with {wave.num_channels} channels; taking channel 0")
        return wave.channel(0)
    if not 0 <= channel < wave.num_channels:
        warn(f"File with id {key} has {wave.num_channels} channels but you specified channel {channel}, producing no output.")
        return None
    return wave.channel(channel)


def features_of(computer, wave, key: str, loop: LoopOptions, warp: float):
    """Features of one utterance, or None with a warning that says why there are none."""
    if wave.duration < loop.min_duration:
        warn(f"File: {key} is too short ({wave.duration:g} sec): producing no output.")
        return None
    samples = pick_channel(wave, key, loop.channel)
    if samples is None:
        return None
    try:
        samples = dithered(computer.at_rate(samples, wave.rate, key), computer.frames, loop.srand, key)
        if not loop.subtract_mean and num_frames(len(samples), computer.frames) > LONG_FRAMES:
            computer.banks(warp)  # an impossible warp factor shows here, not in the middle of writing
            return FeatureBlocks(computer, samples, warp)
        feats = computer.compute(samples, warp)
    except DataError as error:
        warn(f"Failed to compute features for utterance {key}: {error}")
        return None
    if not math.isfinite(feats.sum()):
        warn(f"{key}: the features hold NaN or infinity (digital silence, say; --dither=1 avoids it)")
    if len(feats) == 0:
        warn(f"{key}: {len(samples)} samples are less than one frame: an empty matrix is written")
    elif loop.subtract_mean:
        feats -= feats.mean(axis=0)
    return feats


def run(argv, usage: str, groups, make, htk_kind=None) -> int:
    """Parse, loop over the waves, write, count.

    Parameters
    ----------
    usage : str
    groups : list of dataclass instances
        The features' own options; mel options among them bring the warping options in.
    make : function of the parsed groups, in the same order, that returns a SpectralFeature
    htk_kind : function of the computer that returns HTK's parameter kind
    """
    parser = Options(usage)
    has_mel = any(type(group).__name__ == "MelOptions" for group in groups)
    extra = [LoopOptions()] + ([WarpOptions()] if has_mel else [])
    for group in [*groups, *extra]:
        parser.group(group)
    opts, (rspecifier, wspecifier) = parser.parse(argv, num_args=2)
    _inline.enable()
    computer = make(*(opts.make(group) for group in groups))
    loop = opts.make(LoopOptions)
    warps = Warps(opts.make(WarpOptions) if has_mel else None)
    htk = htk_kind(computer) if loop.output_format == "htk" else None
    total = done = 0
    seconds = seconds_at_least(rspecifier, computer.frames.sample_frequency)
    if seconds >= FAST_SECONDS:
        computer.accelerate()
    with SequentialReader(rspecifier, "wave") as reader, Outputs(wspecifier, loop, htk) as outputs:
        for key, wave in reader:
            total += 1
            if seconds < FAST_SECONDS:  # it may be a pipe, whose length shows only now
                seconds += wave.duration
                if seconds >= FAST_SECONDS:
                    computer.accelerate()
            warp = warps.of(key)
            feats = None if warp is None else features_of(computer, wave, key, loop, warp)
            if feats is None:
                continue
            outputs.write(key, feats, wave.duration)
            done += 1
            if total % 100 == 0:
                vlog(1, f"Processed {total} utterances")
    info(f" Done {done} out of {total} utterances.")
    return 0 if done else 1


def seconds_at_least(rspecifier: str, rate: float) -> float:
    """Audio in the plain files of a table, by their sizes as 16-bit samples; counts no further than FAST_SECONDS."""
    specifier = parse_rspecifier(rspecifier)
    if specifier is None or classify_rxfilename(specifier.archive or specifier.script) != "file":
        return 0.0
    size = 0.0
    try:
        if specifier.kind == "ark":
            return os.path.getsize(specifier.archive) / (2.0 * rate)
        for _, name in read_script(specifier.script):
            if classify_rxfilename(name) == "file":
                size += os.path.getsize(name)
            if size >= FAST_SECONDS * 2.0 * rate:
                break
    except (OSError, DataError):
        pass  # the reader will say what is wrong
    return size / (2.0 * rate)


class Outputs:
    """The features and what goes along with them."""

    def __init__(self, wspecifier: str, loop: LoopOptions, htk):
        self.htk = htk
        options = {"compression_method": loop.compression_method} if loop.compress and htk is None else {}
        self.feats = Writer(wspecifier, "matrix" if htk is None else "htk", **options)
        self.durations = Writer(loop.write_utt2dur, "float") if loop.write_utt2dur else None
        self.lengths = Writer(loop.write_num_frames, "int") if loop.write_num_frames else None

    def write(self, key: str, feats, duration: float):
        """One utterance."""
        self.feats.write(key, feats if self.htk is None else to_htk(feats, self.htk))
        if self.durations:
            self.durations.write(key, duration)
        if self.lengths:
            self.lengths.write(key, len(feats))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for writer in (self.durations, self.lengths, self.feats):
            if writer:
                writer.close() if kind is None else writer.abort()


def to_htk(feats, kind: int):
    """A feature matrix as HTK stores it."""
    import numpy as np

    from sidamo.io.htk import HtkFeatures

    return HtkFeatures(np.asarray(feats), FRAME_SHIFT_HTK, kind)
