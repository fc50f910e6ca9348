"""What fbank, MFCC, PLP and spectrogram share: the loop over blocks of frames, and the power spectrum."""

import numpy as np

from sidamo.feats.mel import MelOptions, mel_banks
from sidamo.feats.window import (
    EPSILON,
    FrameOptions,
    check_rate,
    frame_block,
    log_floored,
    num_frames,
    prepare_frames,
    window_function,
)

BLOCK_FRAMES = 256  # frames that are worked on together: 512 KiB at 512 samples, so that they stay in cache


class SpectralFeature:
    """Base of the feature kinds that are functions of one frame's spectrum.

    A subclass sets `dim` and `raw_energy` (whether the log energy before pre-emphasis is needed) and defines
    `features_of(windows, log_energy, warp) -> (T, dim)`, or, if it goes through mel energies,
    `from_mel(mel, log_energy, warp) -> (T, dim)`.
    """

    dim = 0
    raw_energy = False
    windowed_energy = False  # the log energy after pre-emphasis and windowing is needed instead
    use_power = True  # mel energies of the power spectrum, else of magnitudes

    def __init__(self, frames: FrameOptions, mel: MelOptions | None):
        self.frames = frames
        self.mel = mel
        self.window = window_function(frames)
        self.fast = None
        self._banks = {}
        if mel is not None:
            self.banks(1.0)  # bad options are reported before the first utterance

    def banks(self, warp: float):
        """Mel bank for a warp factor: (weights transposed and contiguous, (padded_size / 2, bins); centres in Hz)."""
        if warp not in self._banks:
            weights, centers = mel_banks(self.mel, self.frames, warp)
            self._banks[warp] = np.ascontiguousarray(weights.T), centers
        return self._banks[warp]

    def accelerate(self) -> bool:
        """Use the compiled kernels from now on, if they can serve these options; returns whether they can.

        Loading them takes as long as some minutes of audio; compiling them, the first time ever, some seconds.
        """
        if self.fast is None and self.mel is not None and not self.windowed_energy:
            from sidamo.feats.fast import lane_mel

            self.fast = lane_mel(self.frames, self.window, self.use_power)
        return self.fast is not None

    def features_of(self, windows, log_energy, warp):
        """Features of windowed frames, (T, padded_size) -> (T, dim)."""
        if self.windowed_energy:
            log_energy = energy_of(windows)
        power = power_spectrum(windows)
        if not self.use_power:
            power = np.sqrt(power)
        mel = power[:, :-1] @ self.banks(warp)[0]  # (T, N/2) @ (N/2, bins)
        return self.from_mel(mel, log_energy, warp)

    def blocks(self, wave, warp: float = 1.0):
        """Features of one channel, block by block, in bounded memory: yields arrays of shape (T_block, dim)."""
        total = num_frames(len(wave), self.frames)
        for first in range(0, total, BLOCK_FRAMES):
            last = min(total, first + BLOCK_FRAMES)
            if self.fast is not None:
                mel, energies = self.fast.mel(wave, first, last, self.banks(warp)[0], self.raw_energy)
                yield self.from_mel(mel, None if energies is None else log_floored(energies), warp)
                continue
            frames = frame_block(wave, self.frames, first, last)
            windows, energies = prepare_frames(frames, self.frames, self.window, self.raw_energy)
            yield self.features_of(windows, None if energies is None else log_floored(energies), warp)

    def compute(self, wave, warp: float = 1.0) -> np.ndarray:
        """Features of one channel.

        Parameters
        ----------
        wave : ndarray, shape (num_samples,), int16 or float32, int16 scale, at frames.sample_frequency
            Or what `window.dithered` makes of it: the dither is added there.
        warp : float
            VTLN warp factor.

        Returns
        -------
        ndarray, shape (T, dim), float32; (0, 0) where the wave is shorter than one frame, as in Kaldi
        """
        total = num_frames(len(wave), self.frames)
        if total == 0:
            return np.zeros((0, 0), dtype=np.float32)
        feats = np.empty((total, self.dim), dtype=np.float32)
        first = 0
        for block in self.blocks(wave, warp):
            feats[first : first + len(block)] = block
            first += len(block)
        return feats

    def at_rate(self, wave: np.ndarray, rate: float, name: str) -> np.ndarray:
        """The waveform at the rate of the options; resampled only where the options allow it. Raises DataError."""
        if not check_rate(rate, self.frames, name):
            return wave
        from sidamo.feats.resample import resample

        return resample(np.asarray(wave, np.float32), rate, self.frames.sample_frequency)


def power_spectrum(windows: np.ndarray) -> np.ndarray:
    """Squared magnitudes of the Fourier transform, (T, N) -> (T, N/2 + 1), float32."""
    spectrum = np.fft.rfft(windows, axis=1)
    if spectrum.dtype != np.complex64:  # numpy 1 transforms in double
        spectrum = spectrum.astype(np.complex64)
    return spectrum.real**2 + spectrum.imag**2


def floored_log_(values: np.ndarray) -> np.ndarray:
    """Natural logarithm of values floored at FLT_EPSILON, in place."""
    np.maximum(values, EPSILON, out=values)
    return np.log(values, out=values)


def floor_energy(log_energy: np.ndarray, energy_floor: float) -> np.ndarray:
    """Log energies not below log(energy_floor), if that is positive."""
    if energy_floor > 0.0:
        return np.maximum(log_energy, np.float32(np.log(energy_floor)))
    return log_energy


def energy_of(windows: np.ndarray) -> np.ndarray:
    """Log energy after pre-emphasis and windowing, shape (T,)."""
    return log_floored(np.einsum("ti,ti->t", windows, windows))


def energy_first_or_last(feats: np.ndarray, htk_compat: bool) -> np.ndarray:
    """Move column 0 to the end where HTK's order is asked for."""
    return np.roll(feats, -1, axis=1) if htk_compat else feats
