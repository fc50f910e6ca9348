"""Sound for the page: a WAV file in base64, an envelope for the waveform, a log-mel spectrogram in bytes."""

from __future__ import annotations

import base64
import io
import struct

import numpy as np

ENVELOPE_POINTS = 600  # columns of the drawn waveform
WINDOW, SHIFT = 0.025, 0.010  # seconds, of the spectrogram
BINS = 64
RANGE_DB = 70.0  # below the loudest cell everything is drawn black


def wav_bytes(samples: np.ndarray, rate: int) -> bytes:
    """A mono 16-bit PCM file. `samples`: (num_samples,) in int16 scale."""
    data = np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()
    out = io.BytesIO()
    out.write(b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt ")
    out.write(struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16))
    out.write(b"data" + struct.pack("<I", len(data)) + data)
    return out.getvalue()


def envelope(samples: np.ndarray, points: int = ENVELOPE_POINTS) -> list[list[int]]:
    """Smallest and largest sample of each of `points` equal stretches, scaled to -100..100 of the loudest sample."""
    if len(samples) == 0:
        return [[], []]
    points = min(points, len(samples))
    edges = np.linspace(0, len(samples), points + 1).astype(int)[:-1]
    scale = 100.0 / max(1.0, float(np.abs(samples).max()))
    low, high = np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)
    return [np.rint(low * scale).astype(int).tolist(), np.rint(high * scale).astype(int).tolist()]


def mel_filters(num_bins: int, num_fft: int, rate: int) -> np.ndarray:
    """Triangles equally spaced on the mel scale 1127 ln(1 + f/700): (num_bins, num_fft // 2 + 1)."""
    mel = 1127.0 * np.log1p(np.arange(num_fft // 2 + 1) * rate / num_fft / 700.0)
    centres = np.linspace(1127.0 * np.log1p(20 / 700.0), mel[-1], num_bins + 2)
    width = centres[1] - centres[0]
    return np.maximum(0.0, 1.0 - np.abs(mel[None, :] - centres[1:-1, None]) / width)


def spectrogram(samples: np.ndarray, rate: int) -> dict:
    """Log-mel spectrogram in bytes, 0 (RANGE_DB below the peak) to 255 (the peak).

    Returns
    -------
    {"t": frames, "f": bins, "data": base64 of t * f bytes, frame after frame, low frequencies first}
    """
    window, shift = int(WINDOW * rate), int(SHIFT * rate)
    num_fft = 1 << (window - 1).bit_length()
    padded = np.pad(np.asarray(samples, np.float64), (window // 2, window))
    num = max(1, len(samples) // shift)
    frames = padded[np.arange(num)[:, None] * shift + np.arange(window)] * np.hanning(window)
    power = np.abs(np.fft.rfft(frames, num_fft)) ** 2
    bins = min(BINS, num_fft // 4)
    decibel = 10 * np.log10(power @ mel_filters(bins, num_fft, rate).T + 1e-3)
    level = np.clip(1 + (decibel - decibel.max()) / RANGE_DB, 0, 1)
    data = np.rint(255 * level).astype(np.uint8)
    return {"t": num, "f": bins, "data": base64.b64encode(data.tobytes()).decode()}


def sound(samples: np.ndarray, rate: int) -> dict:
    """All three, for the page. `samples`: (num_samples,) in int16 scale."""
    return {
        "seconds": round(len(samples) / rate, 3),
        "rate": rate,
        "wav": base64.b64encode(wav_bytes(samples, rate)).decode(),
        "envelope": envelope(samples),
        "spectrogram": spectrogram(samples, rate),
    }
