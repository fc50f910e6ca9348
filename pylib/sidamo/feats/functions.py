"""Functions of a feature matrix: deltas, splicing, subsampling, pasting, energy-based voice activity.

Definitions are Kaldi's (src/feat/feature-functions.cc, src/ivector/voice-activity-detection.cc, src/featbin).
"""

import dataclasses

import numpy as np

from sidamo.feats.window import option
from sidamo.io.errors import CheckFailed


def delta_filters(order: int, window: int) -> list:
    """Coefficients of the 0th to `order`th time derivative: a list of odd-sized float32 arrays, centre in the middle.

    The first derivative is the regression sum_j j x[t+j] / sum_j j^2 over -window..window; each further one applies it
    to the filter before.
    """
    j = np.arange(-window, window + 1)
    regression = (j / float((j * j).sum() or 1)).astype(np.float32)
    filters = [np.ones(1, dtype=np.float32)]
    for _ in range(order):
        filters.append(np.convolve(filters[-1], regression).astype(np.float32))
    return filters


def add_deltas(feats: np.ndarray, order: int = 2, window: int = 2) -> np.ndarray:
    """Append time derivatives: (T, D) -> (T, D * (order + 1)), float32; the end frames count for what is beyond."""
    if not 0 < window < 1000 or not 0 <= order < 1000:
        raise CheckFailed(f"--delta-order={order} --delta-window={window}: expected 0 <= order and 0 < window, both < 1000")
    feats = np.asarray(feats, np.float32)
    blocks = [feats]
    for coefficients in delta_filters(order, window)[1:]:
        half = len(coefficients) // 2
        padded = np.pad(feats, ((half, half), (0, 0)), mode="edge")
        total = np.zeros_like(feats)
        for shift, value in enumerate(coefficients):
            if value != 0.0:
                total += value * padded[shift : shift + len(feats)]
        blocks.append(total)
    return np.hstack(blocks)


def splice(feats: np.ndarray, left: int, right: int) -> np.ndarray:
    """Each frame with its neighbours, (T, D) -> (T, D * (left + 1 + right)); end frames are repeated."""
    if left < 0 or right < 0:
        raise CheckFailed(f"--left-context={left} --right-context={right} must not be negative")
    index = np.arange(len(feats))[:, np.newaxis] + np.arange(-left, right + 1)
    return feats[np.clip(index, 0, len(feats) - 1)].reshape(len(feats), -1)


def subsample(feats: np.ndarray, n: int, offset: int = 0) -> np.ndarray:
    """Every n-th frame from `offset` on; for negative n each frame -n times."""
    if n == 0 or (n < 0 and offset != 0) or offset < 0:
        raise CheckFailed(f"--n={n} --offset={offset}: expected n > 0 and offset >= 0, or n < 0 and offset 0")
    return feats[offset::n] if n > 0 else np.repeat(feats, -n, axis=0)


@dataclasses.dataclass(frozen=True)
class VadOptions:
    """Energy-based voice activity; names are Kaldi's."""

    vad_energy_threshold: float = option(5.0, "Constant term of the energy threshold")
    vad_energy_mean_scale: float = option(0.5, "Factor of the file's mean log energy in the threshold")
    vad_frames_context: int = option(0, "Frames on each side that are looked at, too")
    vad_proportion_threshold: float = option(0.6, "Share of those frames that must be above the threshold")

    def __post_init__(self):
        if self.vad_energy_mean_scale < 0 or self.vad_frames_context < 0 or not 0 < self.vad_proportion_threshold < 1:
            raise CheckFailed(
                f"--vad-energy-mean-scale={self.vad_energy_mean_scale:g}"
                f" --vad-frames-context={self.vad_frames_context}"
                f" --vad-proportion-threshold={self.vad_proportion_threshold:g}:"
                " expected no negative values and a proportion between 0 and 1"
            )


def voice_activity(feats: np.ndarray, opts: VadOptions) -> np.ndarray:
    """1 for frames judged as speech, else 0; shape (T,), float32. Column 0 of `feats` is a log energy."""
    energy = np.asarray(feats[:, 0], np.float32)
    threshold = np.float32(opts.vad_energy_threshold)
    if opts.vad_energy_mean_scale != 0.0:
        threshold += np.float32(opts.vad_energy_mean_scale * energy.sum(dtype=np.float64) / len(energy))
    above = np.concatenate(([0], np.cumsum(energy > threshold)))
    t = np.arange(len(energy))
    begin = np.maximum(0, t - opts.vad_frames_context)
    end = np.minimum(len(energy), t + opts.vad_frames_context + 1)
    share = np.float32(opts.vad_proportion_threshold) * (end - begin).astype(np.float32)
    return (above[end] - above[begin] >= share).astype(np.float32)
