"""Perceptual linear prediction cepstra (Hermansky 1990, as in HTK; Kaldi, src/feat/feature-plp.cc)."""

import dataclasses
import math

import numpy as np

from sidamo.feats.mel import MelOptions
from sidamo.feats.mfcc import lifter
from sidamo.feats.spectral import SpectralFeature, energy_first_or_last, floor_energy
from sidamo.feats.window import FrameOptions, option
from sidamo.io.errors import OptionError


@dataclasses.dataclass(frozen=True)
class PlpOptions:
    """What compute-plp-feats adds to framing and the mel bank."""

    lpc_order: int = option(12, "Order of the linear prediction")
    num_ceps: int = option(13, "Number of cepstra, C0 included")
    use_energy: bool = option(True, "Put the log energy in place of C0")
    energy_floor: float = option(0.0, "Floor of the energy (absolute, not relative), 0 for none; only with energy")
    raw_energy: bool = option(True, "Take the energy before pre-emphasis and windowing")
    compress_factor: float = option(0.33333, "Exponent of the compression of the mel energies")
    cepstral_lifter: float = option(22.0, "Constant of the cepstral lifter; 0 for none")
    cepstral_scale: float = option(1.0, "Factor on all cepstra")
    htk_compat: bool = option(False, "Put energy or C0 last")


class Plp(SpectralFeature):
    """Features of dimension num_ceps."""

    def __init__(self, opts: PlpOptions, frames: FrameOptions, mel: MelOptions):
        if not 1 <= opts.num_ceps <= opts.lpc_order + 1:
            raise OptionError(f"--num-ceps={opts.num_ceps} must lie in 1..{opts.lpc_order + 1} (lpc-order + 1)")
        super().__init__(frames, mel)
        self.opts = opts
        self.raw_energy = opts.use_energy and opts.raw_energy
        self.windowed_energy = opts.use_energy and not opts.raw_energy
        self.dim = opts.num_ceps
        self.inverse_transform = inverse_dft_matrix(opts.lpc_order + 1, mel.num_mel_bins + 2)
        self.weights = lifter(opts.num_ceps, opts.cepstral_lifter) * np.float32(opts.cepstral_scale)

    def from_mel(self, mel, log_energy, warp):
        """Cepstra from mel energies, shape (T, bins), and log frame energies, shape (T,)."""
        opts = self.opts
        mel = mel * equal_loudness(self.banks(warp)[1])
        mel = np.power(mel, np.float32(opts.compress_factor))
        mel = np.hstack((mel[:, :1], mel, mel[:, -1:]))  # the end bins twice: they stand for 0 Hz and Nyquist
        lpc, residual = durbin(mel @ self.inverse_transform.T)
        feats = np.empty((len(mel), opts.num_ceps), dtype=np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_residual = np.log(np.maximum(residual, 0.0))
        feats[:, 0] = np.maximum(log_residual, np.finfo(np.float32).tiny)  # Kaldi floors the logarithm, not the energy
        feats[:, 1:] = lpc_to_cepstrum(lpc)[:, : opts.num_ceps - 1]
        feats *= self.weights
        if opts.use_energy:
            feats[:, 0] = floor_energy(log_energy, opts.energy_floor)
        return energy_first_or_last(feats, opts.htk_compat)


def inverse_dft_matrix(rows: int, columns: int) -> np.ndarray:
    """Real, symmetric inverse Fourier transform of a power spectrum: (rows, columns), float32.

    The end points are counted once, those between twice: they also stand for the negative frequencies.
    """
    angle = math.pi / (columns - 1)
    matrix = 2.0 * np.cos(angle * np.outer(np.arange(rows), np.arange(columns)))
    matrix[:, 0] = 1.0
    matrix[:, -1] *= 0.5
    return (matrix / (2.0 * (columns - 1))).astype(np.float32)


def equal_loudness(frequency: np.ndarray) -> np.ndarray:
    """Hermansky's equal-loudness weight of frequencies in Hz, float32."""
    square = np.asarray(frequency, np.float32) ** 2
    ratio = square / (square + np.float32(1.6e5))
    return ratio * ratio * ((square + np.float32(1.44e6)) / (square + np.float32(9.61e6)))


def durbin(autocorrelation: np.ndarray):
    """Levinson-Durbin recursion on a block of frames.

    Parameters
    ----------
    autocorrelation : ndarray, shape (T, order + 1), float32

    Returns
    -------
    lpc : ndarray, shape (T, order); NaN for a frame of exact silence, as in Kaldi
    residual : ndarray, shape (T,), the energy that the prediction leaves
    """
    count, order = autocorrelation.shape[0], autocorrelation.shape[1] - 1
    lpc = np.zeros((count, order), dtype=np.float32)
    residual = autocorrelation[:, 0].copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        for i in range(order):
            k = autocorrelation[:, i + 1].copy()
            for j in range(i):
                k += lpc[:, j] * autocorrelation[:, i - j]
            k /= residual
            gain = np.float32(1.0) - k * k
            residual *= np.where(gain < np.float32(1e-5), np.float32(1e-5), gain)
            lpc[:, :i] -= k[:, np.newaxis] * lpc[:, :i][:, ::-1].copy()
            lpc[:, i] = -k
    return lpc, residual


def lpc_to_cepstrum(lpc: np.ndarray) -> np.ndarray:
    """Cepstrum c_1.. of the all-pole model 1/A(z), (T, order) -> (T, order):
    c_n = -a_n - 1/n sum_{k<n} (n - k) a_k c_{n-k}."""
    cepstrum = np.zeros_like(lpc)
    for n in range(1, lpc.shape[1] + 1):
        total = np.zeros(len(lpc), dtype=np.float32)
        for k in range(1, n):
            total += np.float32(n - k) * lpc[:, k - 1] * cepstrum[:, n - k - 1]
        cepstrum[:, n - 1] = -lpc[:, n - 1] - total / np.float32(n)
    return cepstrum
