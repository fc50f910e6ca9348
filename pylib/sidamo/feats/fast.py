"""Mel energies at speed: the same numbers as spectral.py, to rounding, by compiled kernels (kernels.py) for large jobs.

spectral.py is the readable reference. Here LANES frames are worked on side by side, from the signal to the mel
energies, without leaving the cache; the logarithm is numpy's, which is as fast as can be.
"""

import numpy as np

from sidamo.feats import kernels
from sidamo.feats.kernels import LANES
from sidamo.feats.window import FrameOptions, frame_samples
from sidamo.io.log import vlog


def digit_reversal(n: int) -> np.ndarray:
    """Where kernels.fourier_lanes leaves the value of frequency k, shape (n,), int64."""
    k = np.arange(n)
    position = np.zeros(n, dtype=np.int64)
    size = n
    while size > 1:
        radix = 4 if size >= 4 else 2
        size //= radix
        position += k % radix * size
        k //= radix
    return position


def unit_roots(count: int, n: int) -> np.ndarray:
    """exp(-2 pi i k / n) for k < count, shape (count, 2), float32."""
    roots = np.exp(-2j * np.pi * np.arange(count) / n)
    return np.stack((roots.real, roots.imag), axis=1).astype(np.float32)


def can_serve(frames: FrameOptions) -> bool:
    """Whether the kernels know the transform's length."""
    n = frames.padded_size
    return n >= 16 and n & (n - 1) == 0


def lane_mel(frames: FrameOptions, window: np.ndarray, use_power: bool = True):
    """A LaneMel, or None where the kernels cannot serve: another length of transform, no compiler."""
    if not can_serve(frames):
        return None
    try:
        return LaneMel(frames, window, use_power)
    except ImportError as error:  # numpy does the work without them
        vlog(1, f"no compiled kernels, plain numpy instead: {error}")
        return None


class LaneMel:
    """Mel energies, block of frames by block of frames, for one set of options.

    Parameters
    ----------
    frames : FrameOptions
    window : ndarray, shape (window_size,), float32
    use_power : bool
        Energies of the power spectrum, else of magnitudes.
    """

    def __init__(self, frames: FrameOptions, window: np.ndarray, use_power: bool):
        self.frames, self.use_power = frames, use_power
        size, shift, half = frames.window_size, frames.window_shift, frames.padded_size // 2
        rows = LANES + (size - 1) // shift + 1
        self.signal = np.zeros(rows * shift, dtype=np.float32)
        self.turned = np.empty((shift, rows), dtype=np.float32)
        self.even, self.odd, self.power = (np.empty((half, LANES), dtype=np.float32) for _ in range(3))
        mean, self.energy = (np.zeros(LANES, dtype=np.float32) for _ in range(2))
        self.order, self.real_twiddles = digit_reversal(half), unit_roots(half // 2 + 1, 2 * half)
        self.banks = {}
        centered = np.empty((size, LANES), dtype=np.float32)
        preemphasis = np.float32(frames.preemphasis_coefficient)
        self.subtract_means = kernels.frame_means.bind(self.signal, shift, size, mean)
        self.apply_window = {
            want: kernels.window_lanes.bind(
                self.turned, mean, want, preemphasis, window, centered, self.even, self.odd, self.energy
            )
            for want in (False, True)
        }  # fmt: skip
        self.fourier = kernels.fourier_lanes.bind(self.even, self.odd, unit_roots(half, half))

    def mel(self, wave, first: int, last: int, weights: np.ndarray, want_energy: bool):
        """Mel energies of frames first..last-1.

        Parameters
        ----------
        wave : ndarray or DitheredWave, shape (num_samples,)
        weights : ndarray, shape (N / 2, bins), float32
            The bank; it must stay the same array for the same bank.
        want_energy : bool

        Returns
        -------
        mel : ndarray, shape (last - first, bins), float32
        energies : ndarray, shape (last - first,), float32, sums of squares before pre-emphasis; or None
        """
        to_mel, block = self.bank(weights)
        out = np.empty((last - first, weights.shape[1]), dtype=np.float32)
        energies = np.empty(last - first, dtype=np.float32) if want_energy else None
        for begin in range(0, len(out), LANES):
            end = min(len(out), begin + LANES)
            self.load(wave, first + begin, first + end)
            self.transform(want_energy)
            to_mel()
            out[begin:end] = block[: end - begin]
            if want_energy:
                energies[begin:end] = self.energy[: end - begin]
        return out, energies

    def bank(self, weights: np.ndarray):
        """The last kernel bound to a mel bank, and the (LANES, bins) array that it fills."""
        if id(weights) not in self.banks:
            rows = weights.T
            first = np.array([np.flatnonzero(row)[0] for row in rows], dtype=np.int64)
            last = np.array([np.flatnonzero(row)[-1] + 1 for row in rows], dtype=np.int64)
            values = np.concatenate([row[a:b] for row, a, b in zip(rows, first, last)]).astype(np.float32)
            sums, block = np.empty((len(rows), LANES), np.float32), np.empty((LANES, len(rows)), np.float32)
            call = kernels.lanes_to_mel.bind(
                self.even, self.odd, self.order, self.real_twiddles, self.use_power, first, last, values, sums,
                self.power, block,
            )  # fmt: skip
            # The weights themselves are kept, too: while they live, no other array can have their id.
            self.banks[id(weights)] = (call, block, weights)
        return self.banks[id(weights)][:2]

    def transform(self, want_energy: bool):
        """From `signal` to the Fourier transform of its frames in `even` and `odd`."""
        half = self.frames.window_size // 2
        self.turned[...] = self.signal.reshape(self.turned.shape[::-1]).T
        if self.frames.remove_dc_offset:
            self.subtract_means()
        self.even[half:] = 0.0
        self.odd[half:] = 0.0
        self.apply_window[want_energy]()
        self.fourier()

    def load(self, wave, first: int, last: int):
        """Put the samples of frames first..last-1 into `signal`."""
        samples = frame_samples(wave, self.frames, first, last)
        self.signal[: len(samples)] = samples
        self.signal[len(samples) :] = 0.0
