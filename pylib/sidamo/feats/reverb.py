"""Room and noise: convolution with an impulse response, additive signals at given ratios (Kaldi, wav-reverberate)."""

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.log import warn

EARLY_BEFORE, EARLY_AFTER = 0.001, 0.05  # seconds around the peak of a response that count as the direct sound


def convolve(signal: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Full convolution by overlapping blocks of Fourier transforms: lengths N and M give N + M - 1, float32."""
    total = len(signal) + len(response) - 1
    size = 1 << max(14, (4 * len(response) - 1).bit_length())
    block = size - len(response) + 1
    spectrum = np.fft.rfft(np.asarray(response, np.float64), size)
    out = np.zeros(total + size)
    for begin in range(0, len(signal), block):
        part = np.fft.rfft(np.asarray(signal[begin : begin + block], np.float64), size)
        out[begin : begin + size] += np.fft.irfft(part * spectrum, size)
    return out[:total].astype(np.float32)


def power(signal: np.ndarray) -> float:
    """Mean square of a signal; 0 for an empty one."""
    return float(np.mean(np.square(signal, dtype=np.float64))) if len(signal) else 0.0


def early_power(signal: np.ndarray, response: np.ndarray, rate: float) -> float:
    """Power of the signal as the response's direct path and its first 50 ms transmit it."""
    peak = int(np.argmax(response))
    begin = max(0, int(peak - EARLY_BEFORE * rate))
    end = min(len(response), int(peak + EARLY_AFTER * rate))
    return power(convolve(signal, response[begin:end]))


def add_noise(signal: np.ndarray, noise: np.ndarray, snr: float, start: int, reference: float) -> None:
    """Add noise in place from sample `start` on, scaled to `snr` dB below the power `reference`; cut at the end."""
    noise_power = power(noise)
    if noise_power == 0.0:
        warn("an additive signal is silent: nothing is added")
        return
    scale = np.sqrt(10.0 ** (-snr / 10.0) * reference / noise_power)
    count = min(len(signal) - start, len(noise))
    if count > 0:
        signal[start : start + count] += np.float32(scale) * np.asarray(noise[:count], np.float32)


def corrupt(signal, rate, response=None, noises=(), snrs=(), starts=(), normalize=True, volume=0.0):
    """Reverberate and add noise.

    Parameters
    ----------
    signal : ndarray, shape (num_samples,), int16 scale
    rate : float
        Hz.
    response : ndarray, optional
        Room impulse response, full scale 1.
    noises : list of ndarray
    snrs : list of float
        dB, relative to the signal with its early reverberation.
    starts : list of float
        Seconds.
    normalize : bool
        Keep the power of the input.
    volume : float
        If positive, a factor to apply instead of normalizing.

    Returns
    -------
    ndarray, float32, longer than the input by the response's length - 1
    """
    signal = np.asarray(signal, np.float32)
    before = early = power(signal)
    out = signal.copy()
    if response is not None:
        early = early_power(signal, response, rate)
        out = convolve(signal, response)
    for noise, snr, start in zip(noises, snrs, starts):
        add_noise(out, noise, snr, int(start * rate), early)
    after = power(out)
    if volume > 0.0:
        out *= np.float32(volume)
    elif normalize and after > 0.0:
        out *= np.float32(np.sqrt(before / after))
    return out


def fit(signal: np.ndarray, first: int, natural: int, wanted: int) -> np.ndarray:
    """`wanted` samples of `signal` from `first` on; more than there are repeat the `natural` ones."""
    if wanted <= natural:
        return signal[first : first + wanted]
    piece = signal[first : first + natural]
    if len(piece) == 0:
        raise DataError("an empty signal cannot be repeated to fill the duration")
    return np.resize(piece, wanted)
