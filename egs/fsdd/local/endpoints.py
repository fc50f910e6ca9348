"""Where in a recording of one word does the word begin and end?"""

import numpy as np

LOUD = 25.0  # dB below the loudest frame: what is softer at the ends of a recording is taken for a pause
MARGIN = 0.05  # seconds kept on both sides: the release of a "t", the begin of an "f"


def endpoints(samples: np.ndarray, rate: float) -> tuple[float, float]:
    """Begin and end of the word in `samples` (num_samples,), in seconds.

    Energy of 25 ms frames every 10 ms, with pre-emphasis so that a hiss (s, f) counts as much as a vowel.
    """
    flat = np.append(samples[0], samples[1:] - 0.97 * samples[:-1]).astype(np.float64)
    width, step = round(0.025 * rate), round(0.010 * rate)
    sums = np.concatenate([[0.0], np.cumsum(flat**2)])
    begins = np.arange(0, max(1, len(flat) - width + 1), step)
    energy = sums[np.minimum(begins + width, len(flat))] - sums[begins]
    loud = begins[energy > np.max(energy) * 10 ** (-LOUD / 10)]
    if not len(loud):  # digital silence
        return 0.0, len(samples) / rate
    return max(0.0, loud[0] / rate - MARGIN), min(len(samples) / rate, (loud[-1] + width) / rate + MARGIN)
