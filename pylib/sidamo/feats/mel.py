"""The mel filter bank, with vocal tract length normalization.

Definitions are Kaldi's (src/feat/mel-computations.cc), in float32 as there: the edges of a triangle decide whether a
frequency bin belongs to it.
"""

import dataclasses

import numpy as np

from sidamo.feats.window import FrameOptions, option
from sidamo.io.errors import CheckFailed, DataError, OptionError


@dataclasses.dataclass(frozen=True)
class MelOptions:
    """The mel bank; names are Kaldi's, the number of bins depends on the kind of feature."""

    num_mel_bins: int = option(23, "Number of triangular mel bins")
    low_freq: float = option(20.0, "Low cutoff of the mel bins, Hz")
    high_freq: float = option(0.0, "High cutoff of the mel bins, Hz (if <= 0, an offset from the Nyquist frequency)")
    vtln_low: float = option(100.0, "Low inflection point of the piecewise linear VTLN warping, Hz")
    vtln_high: float = option(-500.0, "High inflection point of the warping (if negative, offset from high-mel-freq)")
    debug_mel: bool = option(False, "Accepted for compatibility; no effect")


def mel_scale(frequency):
    """Hz to mel, float32: 1127 ln(1 + f/700)."""
    return np.float32(1127.0) * np.log(np.float32(1.0) + np.asarray(frequency, np.float32) / np.float32(700.0))


def inverse_mel_scale(mel):
    """Mel to Hz, float32."""
    return np.float32(700.0) * (np.exp(np.asarray(mel, np.float32) / np.float32(1127.0)) - np.float32(1.0))


def band_limits(mel: MelOptions, frames: FrameOptions):
    """Lower and upper cutoff of the bank in Hz, checked against the Nyquist frequency. Raises OptionError."""
    nyquist = 0.5 * frames.sample_frequency
    high = mel.high_freq if mel.high_freq > 0.0 else nyquist + mel.high_freq
    low = mel.low_freq
    if low < 0.0 or low >= nyquist or high <= 0.0 or high > nyquist or high <= low:
        raise OptionError(
            f"Bad values in options: low-freq {low:g} and high-freq {high:g} vs. nyquist {nyquist:g};"
            " expected 0 <= low < high <= nyquist"
        )
    return np.float32(low), np.float32(high)


def warp_frequency(frequency, vtln_low, vtln_high, low, high, warp):
    """Piecewise linear VTLN warping of frequencies in Hz.

    Identity at `low` and `high`, slope 1/warp in the middle; the inflection points are chosen so that the warped lower
    one does not go below vtln_low nor the upper one above vtln_high (Kaldi, MelBanks::VtlnWarpFreq).
    """
    one = np.float32(1.0)
    lower, upper = vtln_low * max(one, warp), vtln_high * min(one, warp)
    scale = one / warp
    left = low + (scale * lower - low) / (lower - low) * (frequency - low)
    right = high + (high - scale * upper) / (high - upper) * (frequency - high)
    warped = np.where(frequency < lower, left, np.where(frequency < upper, scale * frequency, right))
    return np.where((frequency < low) | (frequency > high), frequency, warped).astype(np.float32)


def mel_banks(mel: MelOptions, frames: FrameOptions, warp: float = 1.0):
    """Weights and centre frequencies of the bank.

    Returns
    -------
    weights : ndarray, shape (num_mel_bins, padded_size / 2), float32
        Rows sum over the first half of the power spectrum; the Nyquist bin is never used.
    centers : ndarray, shape (num_mel_bins,), float32, Hz, without the warping

    Raises
    ------
    OptionError
        Too few bins, or limits beyond the Nyquist frequency.
    CheckFailed
        Too many bins for the transform, or a transform of odd length.
    DataError
        A warp factor other than 1 with warping limits outside the band (in Kaldi a failure of the utterance).
    """
    if mel.num_mel_bins < 3:
        raise OptionError(f"Must have at least 3 mel bins, not --num-mel-bins={mel.num_mel_bins}")
    if frames.padded_size % 2:
        raise CheckFailed(
            f"the window has an odd number of samples, {frames.padded_size}:"
            " change --frame-length a little or use --round-to-power-of-two=true"
        )
    low, high = band_limits(mel, frames)
    warp = np.float32(warp)
    num_fft_bins = frames.padded_size // 2
    mel_low, mel_high = mel_scale(low), mel_scale(high)
    delta = (mel_high - mel_low) / np.float32(mel.num_mel_bins + 1)
    steps = np.arange(mel.num_mel_bins, dtype=np.float32)
    left, center, right = (mel_low + (steps + np.float32(k)) * delta for k in range(3))
    centers = inverse_mel_scale(center)
    if warp != 1.0:
        limits = _warp_limits(mel, frames, low, high)
        left, center, right = (
            mel_scale(warp_frequency(inverse_mel_scale(m), *limits, low, high, warp)) for m in (left, center, right)
        )
    width = np.float32(frames.sample_frequency) / np.float32(frames.padded_size)
    bins = mel_scale(width * np.arange(num_fft_bins, dtype=np.float32))
    left, center, right = left[:, np.newaxis], center[:, np.newaxis], right[:, np.newaxis]
    rising, falling = (bins - left) / (center - left), (right - bins) / (right - center)
    weights = np.where((bins > left) & (bins < right), np.where(bins <= center, rising, falling), np.float32(0.0))
    empty = np.flatnonzero(~weights.any(axis=1))
    if len(empty):
        raise CheckFailed(
            f"mel bin {empty[0]} of {mel.num_mel_bins} covers no frequency of the transform:"
            " You may have set --num-mel-bins too large."
        )
    return weights.astype(np.float32), centers


def _warp_limits(mel: MelOptions, frames: FrameOptions, low, high):
    """Inflection points of the warping in Hz, checked to lie inside the band."""
    vtln_low = mel.vtln_low
    vtln_high = mel.vtln_high if mel.vtln_high >= 0.0 else mel.vtln_high + 0.5 * frames.sample_frequency
    if not (0.0 <= vtln_low and low < vtln_low < high and 0.0 < vtln_high < high and vtln_low < vtln_high):
        raise DataError(
            f"Bad values in options: vtln-low {vtln_low:g} and vtln-high {vtln_high:g},"
            f" versus low-freq {low:g} and high-freq {high:g}"
        )
    return np.float32(vtln_low), np.float32(vtln_high)
