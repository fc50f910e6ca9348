"""Resampling by a windowed sinc at any ratio of rates (as Kaldi, src/feat/resample.cc, LinearResample).

Output sample n is the band-limited signal at time n / rate_out: the inputs within `num_zeros` zero crossings of the
filter's sinc, weighted by that sinc under a Hann window. The weights repeat every rate_out / gcd output samples.
"""

import math

import numpy as np

NUM_ZEROS = 6  # Kaldi's filter width for audio
MAX_PHASES = 256  # beyond it the strided products become too small; then weights are gathered


def filter_weights(delta: np.ndarray, cutoff: float, num_zeros: int) -> np.ndarray:
    """Impulse response of the low-pass filter at times `delta`, seconds."""
    inside = np.abs(delta) < num_zeros / (2.0 * cutoff)
    window = np.where(inside, 0.5 * (1.0 + np.cos(2.0 * math.pi * cutoff / num_zeros * delta)), 0.0)
    return 2.0 * cutoff * np.sinc(2.0 * cutoff * delta) * window


class Resampler:
    """Resampler between two integer rates.

    Parameters
    ----------
    rate_in, rate_out : int
        Hz (or any common unit).
    cutoff : float
        Of the low-pass filter, Hz; below half of both rates.
    num_zeros : int
        Zero crossings on each side; more is sharper and slower.
    """

    def __init__(self, rate_in: int, rate_out: int, cutoff: float, num_zeros: int = NUM_ZEROS):
        if rate_in <= 0 or rate_out <= 0 or not 0.0 < 2.0 * cutoff <= min(rate_in, rate_out) or num_zeros <= 0:
            raise ValueError(f"cannot resample {rate_in} -> {rate_out} with cutoff {cutoff} and {num_zeros} zeros")
        divisor = math.gcd(rate_in, rate_out)
        self.unit_in, self.unit_out = rate_in // divisor, rate_out // divisor
        self.rate_in, self.rate_out = rate_in, rate_out
        self.half_width = num_zeros / (2.0 * cutoff)  # seconds
        times = np.arange(self.unit_out) / rate_out
        self.first = np.ceil((times - self.half_width) * rate_in).astype(np.int64)
        last = np.floor((times + self.half_width) * rate_in).astype(np.int64)
        self.width = int((last - self.first).max()) + 1
        index = self.first[:, np.newaxis] + np.arange(self.width)
        weights = filter_weights(index / rate_in - times[:, np.newaxis], cutoff, num_zeros) / rate_in
        self.weights = weights.astype(np.float32)  # (unit_out, width)

    def num_outputs(self, num_samples: int, flush: bool = True) -> int:
        """Output samples of `num_samples` inputs; without `flush` only those that no further input moves."""
        common = self.rate_in * self.unit_out  # the least common multiple of the rates, ticks per second
        ticks = num_samples * self.unit_out
        if not flush:
            ticks -= math.floor(self.half_width * common)
        return max(0, -(-ticks // self.unit_in))

    def __call__(self, wave: np.ndarray) -> np.ndarray:
        """Resample a whole signal, (num_samples,) to (num_outputs,), float32, with zeros beyond its ends."""
        total = self.num_outputs(len(wave))
        before = max(0, -int(self.first.min()))
        units = -(-total // self.unit_out)
        after = max(0, int(self.first.max()) + units * self.unit_in + self.width - len(wave))
        padded = np.pad(np.asarray(wave, np.float32), (before, after))
        if self.unit_out > MAX_PHASES:
            return self._gather(padded, before, total)
        out = np.empty((units, self.unit_out), dtype=np.float32)
        step = padded.strides[0]
        for phase in range(self.unit_out):
            begin = before + int(self.first[phase])
            rows = np.lib.stride_tricks.as_strided(
                padded[begin:], (units, self.width), (self.unit_in * step, step), writeable=False
            )
            out[:, phase] = rows @ self.weights[phase]
        return out.reshape(-1)[:total]

    def _gather(self, padded: np.ndarray, before: int, total: int, block: int = 16384) -> np.ndarray:
        """As __call__, for ratios with many phases: inputs and weights looked up per output sample."""
        out = np.empty(total, dtype=np.float32)
        for begin in range(0, total, block):
            n = np.arange(begin, min(total, begin + block))
            unit, phase = np.divmod(n, self.unit_out)
            start = before + unit * self.unit_in + self.first[phase]
            rows = padded[start[:, np.newaxis] + np.arange(self.width)]
            out[begin : begin + len(n)] = np.einsum("ij,ij->i", rows, self.weights[phase])
        return out


def resample(wave: np.ndarray, rate_in: float, rate_out: float, num_zeros: int = NUM_ZEROS) -> np.ndarray:
    """Resample a signal with the cutoff just below the lower Nyquist frequency, as Kaldi's ResampleWaveform.

    Parameters
    ----------
    wave : ndarray, shape (num_samples,)
    rate_in, rate_out : float
        Hz, integers in value.

    Returns
    -------
    ndarray, float32, about num_samples * rate_out / rate_in samples
    """
    if rate_in == rate_out:
        return np.asarray(wave, np.float32)
    cutoff = 0.99 * 0.5 * min(rate_in, rate_out)
    return Resampler(int(rate_in), int(rate_out), cutoff, num_zeros)(wave)
