"""Speed and volume perturbation of waveforms (Ko et al., "Audio augmentation for speech recognition", 2015)."""

import fractions

import numpy as np

from sidamo.feats.resample import Resampler
from sidamo.io.errors import OptionError

NUM_ZEROS = 16  # of the filter: steep, so that nothing but the uppermost percent of the band is lost
MAX_DENOMINATOR = 1000  # the speed is taken as a fraction of small numbers: exact for 0.9, 1.1, 0.97


def change_speed(samples: np.ndarray, factor: float) -> np.ndarray:
    """Play a signal `factor` times as fast at the same sample rate: tempo and pitch change together, as with a tape.

    Parameters
    ----------
    samples : ndarray, shape (num_channels, num_samples)
    factor : float
        1.1 makes it shorter and higher.

    Returns
    -------
    ndarray, shape (num_channels, about num_samples / factor), float32
    """
    if not 0.1 <= factor <= 10.0:
        raise OptionError(f"--speed={factor:g} must lie between 0.1 and 10")
    ratio = fractions.Fraction(factor).limit_denominator(MAX_DENOMINATOR)
    if ratio == 1:
        return np.asarray(samples, np.float32)
    cutoff = 0.99 * 0.5 * min(ratio.numerator, ratio.denominator)
    resampler = Resampler(ratio.numerator, ratio.denominator, cutoff, NUM_ZEROS)
    return np.stack([resampler(channel) for channel in samples])


def change_volume(samples: np.ndarray, factor: float) -> np.ndarray:
    """Scale a signal; float32."""
    if factor < 0.0:
        raise OptionError(f"--volume={factor:g} must not be negative")
    return np.asarray(samples, np.float32) * np.float32(factor)
