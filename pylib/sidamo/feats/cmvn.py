"""Cepstral mean and variance normalization (Kaldi, src/transform/cmvn.cc).

Statistics are a double matrix of shape (2, D + 1): row 0 the sums and the frame count, row 1 the sums of squares and 0.
"""

import numpy as np

from sidamo.io.errors import CheckFailed, DataError
from sidamo.io.log import warn

VARIANCE_FLOOR = 1e-20


def zero_stats(dim: int) -> np.ndarray:
    """Statistics of nothing, shape (2, dim + 1)."""
    return np.zeros((2, dim + 1))


def accumulate(stats: np.ndarray, feats: np.ndarray, weights: np.ndarray | None = None) -> None:
    """Add a matrix of frames to `stats` in place.

    Parameters
    ----------
    stats : ndarray, shape (2, D + 1), float64
    feats : ndarray, shape (T, D), float32
        Squared in float32, summed in double, as Kaldi does.
    weights : ndarray, shape (T,), optional
        Weight of each frame.

    Raises
    ------
    CheckFailed
        The dimensions do not fit.
    """
    if feats.shape[1] != stats.shape[1] - 1:
        raise CheckFailed(f"features of dimension {feats.shape[1]} after statistics of dimension {stats.shape[1] - 1}")
    if weights is not None:
        if len(weights) != len(feats):
            raise CheckFailed(f"{len(weights)} weights for {len(feats)} frames")
        weights = np.asarray(weights, np.float32)[:, np.newaxis]
        stats[0, :-1] += (feats * weights).sum(axis=0, dtype=np.float64)
        stats[1, :-1] += (feats * feats * weights).sum(axis=0, dtype=np.float64)
        stats[0, -1] += weights.sum(dtype=np.float64)
        return
    stats[0, :-1] += feats.sum(axis=0, dtype=np.float64)
    stats[1, :-1] += np.square(feats).sum(axis=0, dtype=np.float64)
    stats[0, -1] += len(feats)


def fake_stats(stats: np.ndarray, dims) -> np.ndarray:
    """A copy in which the given dimensions have mean 0 and variance 1. Raises DataError for one out of range."""
    stats = stats.copy()
    for dim in dims:
        if not 0 <= dim < stats.shape[1] - 1:
            raise DataError(f"--skip-dims has {dim}, the features have dimensions 0..{stats.shape[1] - 2}")
        stats[0, dim], stats[1, dim] = 0.0, stats[0, -1]
    return stats


def moments(stats: np.ndarray):
    """Mean and floored variance, each shape (D,), float64. Raises DataError for bad or too few statistics."""
    if stats.ndim != 2 or stats.shape[0] not in (1, 2) or stats.shape[1] < 2:
        raise DataError(f"CMVN statistics have shape {stats.shape}, expected (2, dimension + 1)")
    count = stats[0, -1]
    if count < 1.0:
        raise DataError(f"Insufficient stats for cepstral mean and variance normalization: count = {count:g}")
    mean = stats[0, :-1] / count
    if stats.shape[0] == 1:
        return mean, None
    variance = stats[1, :-1] / count - mean * mean
    return mean, variance


def _checked_variance(variance, stats):
    """Variance floored with a warning as in Kaldi; DataError where there is none or it is not a number."""
    if variance is None:
        raise DataError("variance normalization asked for, but the statistics have only one row, the sums")
    if not np.isfinite(variance).all():
        raise DataError("NaN or infinity in cepstral mean/variance computation")
    for value in variance[variance < VARIANCE_FLOOR]:
        warn(f"Flooring cepstral variance from {value:g} to {VARIANCE_FLOOR:g}")
    return np.maximum(variance, VARIANCE_FLOOR)


def normalize(feats: np.ndarray, stats: np.ndarray, norm_vars: bool = False, reverse: bool = False) -> np.ndarray:
    """Normalize to mean 0 (and variance 1), or with `reverse` undo that.

    Parameters
    ----------
    feats : ndarray, shape (T, D)
    stats : ndarray, shape (2, D + 1)
    norm_vars : bool
        Variances too.

    Returns
    -------
    ndarray, shape (T, D), float32
    """
    mean, variance = moments(stats)
    if feats.shape[1] != len(mean):
        raise DataError(f"features of dimension {feats.shape[1]}, statistics of dimension {len(mean)}")
    feats = np.asarray(feats, np.float32)
    if not norm_vars:
        offset = mean if reverse else -mean
        return feats + offset.astype(np.float32)
    deviation = np.sqrt(_checked_variance(variance, stats))
    if reverse:
        scale, offset = deviation, mean
    else:
        scale, offset = 1.0 / deviation, -mean / deviation
    return feats * scale.astype(np.float32) + offset.astype(np.float32)


def sliding_windows(num_frames: int, cmn_window: int, min_window: int, center: bool):
    """First frame and end of the window of each frame: two arrays of shape (T,), int64."""
    t = np.arange(num_frames)
    if center:
        start = t - cmn_window // 2
        end = start + cmn_window
    else:
        start, end = t - cmn_window, t + 1
    end = end + np.maximum(0, -start)
    start = np.maximum(0, start)
    if not center:
        end = np.where(end > t, np.maximum(t + 1, min_window), end)
    start = np.maximum(0, start - np.maximum(0, end - num_frames))
    return start, np.minimum(end, num_frames)


def normalize_sliding(feats: np.ndarray, cmn_window=600, min_window=100, norm_vars=False, center=False, name=""):
    """Normalization over a window that moves with the frame (Kaldi, SlidingWindowCmn).

    Parameters
    ----------
    feats : ndarray, shape (T, D)
    cmn_window, min_window : int
        Frames; the smallest window applies at the start, where the window is not centred.

    Returns
    -------
    ndarray, shape (T, D), float32
    """
    feats = np.asarray(feats)
    start, end = sliding_windows(len(feats), cmn_window, min_window, center)
    sums = np.zeros((len(feats) + 1, feats.shape[1]))
    np.cumsum(feats, axis=0, dtype=np.float64, out=sums[1:])
    count = (end - start)[:, np.newaxis].astype(np.float64)
    mean = (sums[end] - sums[start]) / count
    out = feats - mean
    if norm_vars:
        np.cumsum(np.square(feats, dtype=np.float64), axis=0, out=sums[1:])
        variance = (sums[end] - sums[start]) / count - mean * mean
        floored = int(np.count_nonzero((variance < 1e-10) & (count > 1)))
        if floored:
            warn(f"{name}: flooring {floored} variances when normalizing over a sliding window")
        out /= np.sqrt(np.maximum(variance, 1e-10))
        out[count[:, 0] == 1] = 0.0
    return out.astype(np.float32)
