"""Augmentation of normalized features, on the fly: SpecAugment, warping of the frequency axis and of time, noise.

The random part is a function of (seed, epoch, utterance): one machine or many, broken off or not, an epoch sees the
same features.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Augment:
    """Callable (feats (T, D), epoch, utterance number) -> (T', D), a changed copy.

    Attributes
    ----------
    time_masks, time_mask_max : number of time masks, most frames of each (also at most `time_mask_share` of T)
    freq_masks, freq_mask_max : number of frequency masks, most bins of each
        Masks: Park et al. 2019, with the mean (0, since features are normalized) as filling.
    time_warp : most relative change of tempo, 0.1 for 0.9 to 1.1 (pitch unchanged)
    freq_warp : most relative warp of the bins' axis, as a vocal tract longer or shorter would (Jaitly and Hinton 2013)
    warp_bins : number of leading columns that freq_warp moves; 0 for all. Pitch behind a filter bank stays in place.
    noise : standard deviation of white noise, in units of the features' own
    tilt : most offset of a random smooth curve over the bins, as another microphone would add
    """

    seed: int
    time_masks: int = 0
    time_mask_max: int = 0
    time_mask_share: float = 0.2
    freq_masks: int = 0
    freq_mask_max: int = 0
    time_warp: float = 0.0
    freq_warp: float = 0.0
    noise: float = 0.0
    tilt: float = 0.0
    warp_bins: int = 0

    def __call__(self, feats: np.ndarray, epoch: int, utterance: int, view: int = 0) -> np.ndarray:
        rng = np.random.default_rng([self.seed, epoch, utterance, 2])
        feats = np.array(feats, dtype=np.float32)
        if self.time_warp > 0:
            feats = resample_rows(feats, 1.0 + self.time_warp * rng.uniform(-1, 1))
        if view:  # views of an utterance share the time axis and nothing else
            rng = np.random.default_rng([self.seed, epoch, utterance, 2, view])
        if self.freq_warp > 0:
            bins = self.warp_bins or feats.shape[1]
            feats[:, :bins] = warp_columns(feats[:, :bins], 1.0 + self.freq_warp * rng.uniform(-1, 1))
        if self.tilt > 0:
            feats += smooth_curve(rng, feats.shape[1], self.tilt)
        if self.noise > 0:
            feats += self.noise * rng.uniform(0, 1) * rng.standard_normal(feats.shape, dtype=np.float32)
        frames, dim = feats.shape
        for _ in range(self.freq_masks):
            width = int(rng.integers(0, min(self.freq_mask_max, dim) + 1))
            start = int(rng.integers(0, dim - width + 1))
            feats[:, start : start + width] = 0.0
        for _ in range(self.time_masks):
            width = int(rng.integers(0, min(self.time_mask_max, int(self.time_mask_share * frames)) + 1))
            start = int(rng.integers(0, frames - width + 1))
            feats[start : start + width] = 0.0
        return feats


def resample_rows(feats: np.ndarray, factor: float) -> np.ndarray:
    """Stretch time by `factor` with linear interpolation: (T, D) -> (round(T * factor), D)."""
    frames = len(feats)
    count = max(1, round(frames * factor))
    at = np.linspace(0.0, frames - 1.0, count)
    left = np.minimum(at.astype(np.int64), max(0, frames - 2))
    share = (at - left).astype(np.float32)[:, None]
    return feats[left] * (1 - share) + feats[np.minimum(left + 1, frames - 1)] * share


def warp_columns(feats: np.ndarray, factor: float) -> np.ndarray:
    """Read bin d at d * factor, with linear interpolation; beyond the last bin its value stays."""
    dim = feats.shape[1]
    at = np.clip(np.arange(dim) * factor, 0.0, dim - 1.0)
    left = np.minimum(at.astype(np.int64), max(0, dim - 2))
    share = (at - left).astype(np.float32)
    return feats[:, left] * (1 - share) + feats[:, np.minimum(left + 1, dim - 1)] * share


def smooth_curve(rng, dim: int, size: float) -> np.ndarray:
    """A random curve over the bins from three cosines, each of amplitude up to size / 3: (dim,) float32."""
    at = np.arange(dim) / dim * np.pi
    waves = [rng.uniform(-size, size) / 3 * np.cos((k + 1) * at) for k in range(3)]
    return np.sum(waves, axis=0).astype(np.float32)
