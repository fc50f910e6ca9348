"""Log power spectra (Kaldi, src/feat/feature-spectrogram.cc)."""

import dataclasses

import numpy as np

from sidamo.feats.spectral import SpectralFeature, energy_of, floor_energy, power_spectrum
from sidamo.feats.window import FrameOptions, log_floored, option
from sidamo.io.errors import CheckFailed


@dataclasses.dataclass(frozen=True)
class SpectrogramOptions:
    """What compute-spectrogram-feats adds to framing."""

    energy_floor: float = option(0.0, "Floor of the energy (absolute, not relative), 0 for none")
    raw_energy: bool = option(True, "Take the energy before pre-emphasis and windowing")
    return_raw_fft: bool = option(False, "Return the complex transform, N numbers a frame, instead")


class Spectrogram(SpectralFeature):
    """Features of dimension N/2 + 1 (column 0 is the log energy, not the DC bin), or N for the raw transform."""

    def __init__(self, opts: SpectrogramOptions, frames: FrameOptions):
        if frames.padded_size % 2:
            raise CheckFailed(f"the window has an odd number of samples, {frames.padded_size}: change --frame-length")
        super().__init__(frames, None)
        self.opts = opts
        self.raw_energy = opts.raw_energy and not opts.return_raw_fft
        self.dim = frames.padded_size if opts.return_raw_fft else frames.padded_size // 2 + 1

    def features_of(self, windows, log_energy, warp):
        if self.opts.return_raw_fft:
            return packed_transform(windows)
        if not self.opts.raw_energy:
            log_energy = energy_of(windows)
        feats = log_floored(power_spectrum(windows))
        feats[:, 0] = floor_energy(log_energy, self.opts.energy_floor)
        return feats


def packed_transform(windows: np.ndarray) -> np.ndarray:
    """Fourier transform in Kaldi's packing, (T, N) -> (T, N), float32: re_0, re_{N/2}, re_1, im_1, re_2, im_2, ..."""
    spectrum = np.fft.rfft(windows, axis=1).astype(np.complex64)
    packed = np.ascontiguousarray(spectrum[:, :-1]).view(np.float32)
    packed[:, 1] = spectrum[:, -1].real
    return packed
