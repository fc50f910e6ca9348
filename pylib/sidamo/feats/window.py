"""Frames: cutting a waveform into windows, and what is done to each before its spectrum.

Definitions are Kaldi's (src/feat/feature-window.cc). Per frame, in this order: dither, subtract the mean, raw log
energy, pre-emphasis, window function, zero padding.
"""

import dataclasses
import functools
import math
import zlib

import numpy as np

from sidamo.io.errors import DataError, OptionError

EPSILON = np.float32(1.1920928955078125e-07)  # FLT_EPSILON: energies are floored here before the logarithm
MAX_RATE_RATIO = 50.0  # beyond it no recording is resampled
WINDOW_TYPES = ("hamming", "hanning", "povey", "rectangular", "sine", "blackman")


def option(default, text):
    """A dataclass field that io.options turns into a command-line option with this help text."""
    return dataclasses.field(default=default, metadata={"help": text})


@dataclasses.dataclass(frozen=True)
class FrameOptions:
    """How a waveform is cut into frames; names and defaults are Kaldi's."""

    sample_frequency: float = option(16000.0, "Sample rate that the waveforms must have, Hz")
    frame_length: float = option(25.0, "Frame length, milliseconds")
    frame_shift: float = option(10.0, "Frame shift, milliseconds")
    preemphasis_coefficient: float = option(0.97, "Coefficient of the pre-emphasis x[n] - c x[n-1]")
    remove_dc_offset: bool = option(True, "Subtract the mean from each frame")
    dither: float = option(1.0, "Standard deviation of the noise added to each sample; 0 means none")
    window_type: str = option("povey", "hamming|hanning|povey|rectangular|sine|blackman")
    blackman_coeff: float = option(0.42, "Constant coefficient of the generalized Blackman window")
    round_to_power_of_two: bool = option(True, "Zero-pad each frame to a power of two")
    snip_edges: bool = option(True, "Only frames that lie completely inside the file; else the edges are reflected")
    allow_downsample: bool = option(False, "Accept waveforms of a higher sample rate, resampling them")
    allow_upsample: bool = option(False, "Accept waveforms of a lower sample rate, resampling them")
    max_feature_vectors: int = option(-1, "Memory optimization of Kaldi's online decoders; accepted, no effect")

    def __post_init__(self):
        if self.window_type not in WINDOW_TYPES:
            raise OptionError(f"Invalid window type {self.window_type}; one of {', '.join(WINDOW_TYPES)}")
        if not (self.sample_frequency > 0 and self.window_size > 0 and self.window_shift > 0):
            raise OptionError(
                f"--sample-frequency={self.sample_frequency:g} --frame-length={self.frame_length:g}"
                f" --frame-shift={self.frame_shift:g} give a window of {self.window_size} and a shift of"
                f" {self.window_shift} samples; both must be positive"
            )
        if not 0.0 <= self.preemphasis_coefficient <= 1.0:
            raise OptionError(f"--preemphasis-coefficient={self.preemphasis_coefficient:g} must lie in 0..1")

    @functools.cached_property
    def window_size(self) -> int:
        """Samples; truncated, not rounded."""
        return int(float(np.float32(self.sample_frequency)) * 0.001 * float(np.float32(self.frame_length)))

    @functools.cached_property
    def window_shift(self) -> int:
        """Samples; truncated, not rounded."""
        return int(float(np.float32(self.sample_frequency)) * 0.001 * float(np.float32(self.frame_shift)))

    @functools.cached_property
    def padded_size(self) -> int:
        """Length of the Fourier transform, samples."""
        if not self.round_to_power_of_two:
            return self.window_size
        return 1 << max(0, self.window_size - 1).bit_length()


def window_function(opts: FrameOptions) -> np.ndarray:
    """Window weights, shape (window_size,), float32."""
    size = opts.window_size
    angle = 2.0 * math.pi / max(1, size - 1) * np.arange(size)
    if opts.window_type == "hanning":
        window = 0.5 - 0.5 * np.cos(angle)
    elif opts.window_type == "sine":
        window = np.sin(0.5 * angle)
    elif opts.window_type == "hamming":
        window = 0.54 - 0.46 * np.cos(angle)
    elif opts.window_type == "povey":  # like Hamming, but it reaches zero at the edges
        window = (0.5 - 0.5 * np.cos(angle)) ** 0.85
    elif opts.window_type == "rectangular":
        window = np.ones(size)
    else:
        c = opts.blackman_coeff
        window = c - 0.5 * np.cos(angle) + (0.5 - c) * np.cos(2.0 * angle)
    return window.astype(np.float32)


def num_frames(num_samples: int, opts: FrameOptions) -> int:
    """Number of frames that `num_samples` samples give."""
    size, shift = opts.window_size, opts.window_shift
    if opts.snip_edges:
        return 0 if num_samples < size else 1 + (num_samples - size) // shift
    return (num_samples + shift // 2) // shift


def first_sample(frame: int, opts: FrameOptions) -> int:
    """Where a frame begins, in samples; negative near the start if the edges are not snipped."""
    if opts.snip_edges:
        return frame * opts.window_shift
    return frame * opts.window_shift + opts.window_shift // 2 - opts.window_size // 2


class DitheredWave:
    """A waveform with noise on it, made where it is asked for: `dithered[begin:end]` is float32.

    Kaldi draws anew for every frame; here the noise belongs to the sample, so that overlapping frames share it, as if
    the recording had it. It depends on the seed and the name alone, not on the order or the split of the list.

    Parameters
    ----------
    wave : ndarray, shape (num_samples,), int16 or float32
    amount : float
        Standard deviation of the noise.
    seed : int
    name : str
        The utterance.
    """

    CELL = 1 << 16  # samples that one generator makes: any stretch can be made without those before it

    def __init__(self, wave: np.ndarray, amount: float, seed: int = 0, name: str = ""):
        self.wave, self.amount = wave, np.float32(amount)
        self.seed = [seed & 0xFFFFFFFF, zlib.crc32(name.encode("utf-8", "surrogateescape"))]
        self.cells = {}

    def __len__(self) -> int:
        return len(self.wave)

    def _cell(self, index: int) -> np.ndarray:
        if index not in self.cells:
            while len(self.cells) > 1:
                self.cells.pop(next(iter(self.cells)))
            count = min(self.CELL, len(self.wave) - index * self.CELL)
            noise = np.random.Generator(np.random.SFC64([*self.seed, index])).standard_normal(count, dtype=np.float32)
            begin = index * self.CELL
            self.cells[index] = noise * self.amount + self.wave[begin : begin + count]
        return self.cells[index]

    def __getitem__(self, part: slice) -> np.ndarray:
        begin, end, _ = part.indices(len(self.wave))
        if end <= begin:
            return np.zeros(0, dtype=np.float32)
        first, last = begin // self.CELL, (end - 1) // self.CELL
        cells = [self._cell(index) for index in range(first, last + 1)]
        joined = cells[0] if len(cells) == 1 else np.concatenate(cells)
        return joined[begin - first * self.CELL : end - first * self.CELL]


def dithered(wave: np.ndarray, opts: FrameOptions, seed: int = 0, name: str = ""):
    """`wave` with the noise that the options ask for; itself where they ask for none."""
    return DitheredWave(wave, opts.dither, seed, name) if opts.dither != 0.0 else wave


def frame_samples(wave, opts: FrameOptions, first: int, last: int) -> np.ndarray:
    """The samples that frames first..last-1 cover, a view where they lie inside the file.

    Where frames overhang (edges not snipped) the signal is reflected: sample -1 is sample 0, sample n is sample n-1,
    again and again for files shorter than the overhang.
    """
    begin, end = first_sample(first, opts), first_sample(last - 1, opts) + opts.window_size
    if begin >= 0 and end <= len(wave):
        return wave[begin:end]
    index = np.arange(begin, end) % (2 * len(wave))
    index = np.minimum(index, 2 * len(wave) - 1 - index)
    low = int(index.min())
    return wave[low : int(index.max()) + 1][index - low]


def frame_block(wave, opts: FrameOptions, first: int, last: int) -> np.ndarray:
    """Frames first..last-1 of a waveform, shape (last - first, window_size), same type as `wave`; overlapping views."""
    if last <= first:
        return np.empty((0, opts.window_size), dtype=np.float32)
    part = frame_samples(wave, opts, first, last)
    step = part.strides[0]
    return np.lib.stride_tricks.as_strided(
        part, (last - first, opts.window_size), (opts.window_shift * step, step), writeable=False
    )


def prepare_frames(frames: np.ndarray, opts: FrameOptions, window: np.ndarray, raw_energy: bool = False):
    """Turn raw frames into windowed ones.

    Parameters
    ----------
    frames : ndarray, shape (T, window_size), int16 or float32, int16 scale
    window : ndarray, shape (window_size,), from window_function
    raw_energy : bool
        Whether the energies before pre-emphasis and windowing are asked for.

    Returns
    -------
    windows : ndarray, shape (T, padded_size), float32
    energies : ndarray, shape (T,), float32, or None; sums of squares, not logarithms
    """
    count, size = frames.shape
    windows = np.empty((count, opts.padded_size), dtype=np.float32)
    windows[:, size:] = 0.0
    x = windows[:, :size]
    x[...] = frames
    if opts.remove_dc_offset:
        # In double, so that the mean of equal samples is exact and a constant signal becomes exact silence.
        x -= (x.sum(axis=1, dtype=np.float64) / size).astype(np.float32)[:, np.newaxis]
    energies = np.einsum("ti,ti->t", x, x) if raw_energy else None
    if opts.preemphasis_coefficient != 0.0:
        c = np.float32(opts.preemphasis_coefficient)
        first = x[:, 0] - c * x[:, 0]
        x[:, 1:] -= c * x[:, :-1]
        x[:, 0] = first
    x *= window
    return windows, energies


def log_floored(energies: np.ndarray) -> np.ndarray:
    """Natural logarithm of energies floored at FLT_EPSILON."""
    return np.log(np.maximum(energies, EPSILON))


def check_rate(rate: float, opts: FrameOptions, name: str) -> bool:
    """Whether a waveform of this rate has to be resampled; refuses where that was not allowed.

    Raises
    ------
    DataError
        The rates differ and neither --allow-downsample nor --allow-upsample (as fits) is set.
    """
    if rate == opts.sample_frequency:
        return False
    down = rate > opts.sample_frequency
    if opts.allow_downsample if down else opts.allow_upsample:
        if not 1.0 / MAX_RATE_RATIO <= rate / opts.sample_frequency <= MAX_RATE_RATIO:
            raise DataError(f"a sample rate of {rate:g} Hz: the header must be damaged", key=name)
        return True
    flag = "--allow-downsample=true" if down else "--allow-upsample=true"
    raise DataError(
        f"Waveform and config sample Frequency mismatch: {rate:g} .vs {opts.sample_frequency:g}",
        key=name,
        mend=f"set --sample-frequency={rate:g} if all your audio has that rate, or {flag} to resample this one",
    )
