"""The C library's rand() as Kaldi uses it, so that seeded noise repeats Kaldi's to the bit."""

import numpy as np

RAND_MAX = 2147483647


class GlibcRandom:
    """glibc's srand() and rand(): an additive feedback generator x_n = x_{n-3} + x_{n-31}, its lowest bit dropped.

    Parameters
    ----------
    seed : int
        As for srand(); 0 is taken as 1.
    """

    def __init__(self, seed: int = 0):
        state = [seed or 1]
        for _ in range(30):  # Park and Miller's generator fills the table
            value = 16807 * state[-1]
            value = abs(value) % RAND_MAX * (1 if value >= 0 else -1)
            state.append(value + RAND_MAX if value < 0 else value)
        self._state = state + state[:3]  # x_31..x_33 repeat x_0..x_2
        del self._state[:3]
        self.integers(310)

    def integers(self, count: int) -> list:
        """The next `count` values of rand(), each in 0..RAND_MAX."""
        state = self._state
        for _ in range(count):
            state.append((state[-3] + state[-31]) & 0xFFFFFFFF)
        self._state = state[-31:]
        return [value >> 1 for value in state[-count:]] if count else []

    def uniform(self, count: int) -> np.ndarray:
        """Numbers in (0, 1), float32: (rand() + 1) / (RAND_MAX + 2)."""
        return ((np.array(self.integers(count), np.float64) + 1.0) / (RAND_MAX + 2.0)).astype(np.float32)

    def gauss(self, count: int) -> np.ndarray:
        """Standard normal numbers, float32 (Box and Muller; Kaldi, RandGauss)."""
        pairs = self.uniform(2 * count).reshape(-1, 2).astype(np.float64)
        radius = np.sqrt(np.float32(-2.0) * c_float_function("logf", np.log, pairs[:, 0]))
        return radius * c_float_function("cosf", np.cos, 2.0 * np.pi * pairs[:, 1])


def c_float_function(name: str, fallback, values: np.ndarray) -> np.ndarray:
    """The C library's function of floats, whose last bit numpy does not always meet; numpy's where there is none."""
    import ctypes

    try:
        function = getattr(ctypes.CDLL("libm.so.6"), name)
    except (OSError, AttributeError):
        return fallback(values.astype(np.float32).astype(np.float64)).astype(np.float32)
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    return np.array([function(value) for value in values.tolist()], dtype=np.float32)
