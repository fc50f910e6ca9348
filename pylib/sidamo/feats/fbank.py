"""Log mel filter bank energies (Kaldi, src/feat/feature-fbank.cc)."""

import dataclasses

import numpy as np

from sidamo.feats.mel import MelOptions
from sidamo.feats.spectral import SpectralFeature, floor_energy, floored_log_
from sidamo.feats.window import FrameOptions, option


@dataclasses.dataclass(frozen=True)
class FbankOptions:
    """What compute-fbank-feats adds to framing and the mel bank."""

    use_energy: bool = option(False, "Add a dimension with the log energy")
    energy_floor: float = option(0.0, "Floor of the energy (absolute, not relative), 0 for none; only with energy")
    raw_energy: bool = option(True, "Take the energy before pre-emphasis and windowing")
    htk_compat: bool = option(False, "Put the energy last")
    use_log_fbank: bool = option(True, "Natural logarithm of the energies, else linear")
    use_power: bool = option(True, "Energies of the power spectrum, else of magnitudes")


class Fbank(SpectralFeature):
    """Features of dimension num_mel_bins, and one more with the energy."""

    def __init__(self, opts: FbankOptions, frames: FrameOptions, mel: MelOptions):
        super().__init__(frames, mel)
        self.opts = opts
        self.raw_energy = opts.use_energy and opts.raw_energy
        self.windowed_energy = opts.use_energy and not opts.raw_energy
        self.use_power = opts.use_power
        self.dim = mel.num_mel_bins + opts.use_energy

    def from_mel(self, mel, log_energy, warp):
        """Features from mel energies, shape (T, bins), overwritten, and log frame energies, shape (T,)."""
        opts = self.opts
        feats = floored_log_(mel) if opts.use_log_fbank else mel
        if not opts.use_energy:
            return feats
        column = floor_energy(log_energy, opts.energy_floor)[:, np.newaxis]
        return np.hstack((feats, column) if opts.htk_compat else (column, feats))
