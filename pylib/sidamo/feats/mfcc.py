"""Mel-frequency cepstral coefficients (Kaldi, src/feat/feature-mfcc.cc)."""

import dataclasses
import math

import numpy as np

from sidamo.feats.mel import MelOptions
from sidamo.feats.spectral import SpectralFeature, energy_first_or_last, floor_energy, floored_log_
from sidamo.feats.window import FrameOptions, option
from sidamo.io.errors import OptionError


@dataclasses.dataclass(frozen=True)
class MfccOptions:
    """What compute-mfcc-feats adds to framing and the mel bank."""

    num_ceps: int = option(13, "Number of cepstra, C0 included")
    use_energy: bool = option(True, "Put the log energy in place of C0")
    energy_floor: float = option(0.0, "Floor of the energy (absolute, not relative), 0 for none; only with energy")
    raw_energy: bool = option(True, "Take the energy before pre-emphasis and windowing")
    cepstral_lifter: float = option(22.0, "Constant of the cepstral lifter; 0 for none")
    htk_compat: bool = option(False, "Put energy or C0 last; C0 times sqrt(2)")


class Mfcc(SpectralFeature):
    """Features of dimension num_ceps."""

    def __init__(self, opts: MfccOptions, frames: FrameOptions, mel: MelOptions):
        if opts.num_ceps > mel.num_mel_bins:
            raise OptionError(
                "num-ceps cannot be larger than num-mel-bins. It should be smaller or equal."
                f" You provided num-ceps: {opts.num_ceps}  and num-mel-bins: {mel.num_mel_bins}"
            )
        if opts.num_ceps < 1:
            raise OptionError(f"--num-ceps={opts.num_ceps} must be at least 1")
        super().__init__(frames, mel)
        self.opts = opts
        self.raw_energy = opts.use_energy and opts.raw_energy
        self.windowed_energy = opts.use_energy and not opts.raw_energy
        self.dim = opts.num_ceps
        cosines = dct_matrix(opts.num_ceps, mel.num_mel_bins) * lifter(opts.num_ceps, opts.cepstral_lifter)[:, None]
        self.transform = np.ascontiguousarray(cosines.T.astype(np.float32))  # (bins, num_ceps)

    def from_mel(self, mel, log_energy, warp):
        """Cepstra from mel energies, shape (T, bins), overwritten, and log frame energies, shape (T,)."""
        opts = self.opts
        feats = floored_log_(mel) @ self.transform
        if opts.use_energy:
            feats[:, 0] = floor_energy(log_energy, opts.energy_floor)
        elif opts.htk_compat:
            feats[:, 0] *= np.float32(math.sqrt(2.0))  # HTK's C0 has this scale
        return energy_first_or_last(feats, opts.htk_compat)


def dct_matrix(rows: int, columns: int) -> np.ndarray:
    """First rows of the orthonormal DCT-II, shape (rows, columns), float32: sqrt(2/N) cos(pi/N (n + 1/2) k)."""
    k, n = np.arange(rows)[:, np.newaxis], np.arange(columns)[np.newaxis]
    matrix = math.sqrt(2.0 / columns) * np.cos(math.pi / columns * (n + 0.5) * k)
    matrix[0] = math.sqrt(1.0 / columns)
    return matrix.astype(np.float32)


def lifter(count: int, constant: float) -> np.ndarray:
    """Weights 1 + Q/2 sin(pi k / Q) of the cepstra, shape (count,), float32; ones where Q is 0."""
    if constant == 0.0:
        return np.ones(count, dtype=np.float32)
    return (1.0 + 0.5 * constant * np.sin(math.pi * np.arange(count) / constant)).astype(np.float32)
