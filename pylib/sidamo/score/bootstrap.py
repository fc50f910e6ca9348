"""Confidence intervals of a WER by resampling utterances (the bootstrap).

Source: M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP 2004.

Kaldi draws from libc's rand() without seeding it. The same numbers are drawn here, so that compute-wer-bootci's output
is equal to the byte and a repeated run repeats: `GlibcRand` is the additive feedback generator that glibc calls TYPE_3.
"""

from __future__ import annotations

import numpy as np

DEGREE, LAG = 31, 3  # x[i] = x[i - 31] + x[i - 3] (mod 2^32)
DISCARDED = 310  # glibc throws away the first 10 * DEGREE sums
LANES = 1024  # generators run side by side, each on its own stretch of the sequence
CHUNK = 4_000_000  # random numbers held at once


class GlibcRand:
    """The sequence of rand() after srand(seed), in large pieces.

    The recurrence is linear in its 31 last words, so the state n steps ahead is a matrix power away. That lets numpy
    advance LANES stretches of the sequence at the same time instead of one number after the other.
    """

    def __init__(self, seed: int = 1):
        words = [seed]
        for _ in range(DEGREE - 1):  # Park and Miller's minimal standard generator fills the state
            words.append(16807 * words[-1] % 2147483647)
        # glibc's feedback starts with its front pointer LAG words ahead: the first three words count as the newest.
        state = np.array(words[LAG:] + words[:LAG], np.uint64)
        self._state = _jump(DISCARDED) @ state & MASK

    def draw(self, count: int) -> np.ndarray:
        """The next `count` values of rand(): (count,) int64 in [0, 2^31)."""
        pieces = []
        while count > 0:
            size = min(count, CHUNK)
            pieces.append(self._piece(size))
            count -= size
        return np.concatenate(pieces) if pieces else np.zeros(0, np.int64)

    def _piece(self, count: int) -> np.ndarray:
        lanes = min(LANES, max(1, count // 64))
        steps = -(-count // lanes)
        states = self._state[:, None]  # (31, lanes): column k is the state k * steps ahead
        jump = _jump(steps)
        while states.shape[1] < lanes:
            states = np.concatenate([states, jump @ states & MASK], axis=1)
            jump = jump @ jump & MASK
        states = states[:, :lanes]
        history = np.empty((steps + DEGREE, lanes), np.uint32)
        history[:DEGREE] = states
        for i in range(DEGREE, steps + DEGREE):
            np.add(history[i - DEGREE], history[i - LAG], out=history[i])
        self._state = _jump(count) @ self._state & MASK
        return (history[DEGREE:].T.reshape(-1)[:count] >> np.uint32(1)).astype(np.int64)


MASK = np.uint64(0xFFFFFFFF)


def _jump(steps: int) -> np.ndarray:
    """The (31, 31) matrix over the integers modulo 2^32 that moves the state `steps` ahead."""
    one = np.zeros((DEGREE, DEGREE), np.uint64)
    one[np.arange(DEGREE - 1), np.arange(1, DEGREE)] = 1
    one[-1, 0] = one[-1, DEGREE - LAG] = 1
    power, out = one, np.eye(DEGREE, dtype=np.uint64)
    while steps:
        if steps & 1:
            out = power @ out & MASK
        power = power @ power & MASK
        steps >>= 1
    return out


def resampled_sums(columns: np.ndarray, replications: int, rand: GlibcRand) -> np.ndarray:
    """Sums of utterances drawn with replacement.

    Parameters
    ----------
    columns : (N, K) int, K figures of each of N utterances
    replications : int, R

    Returns
    -------
    (R, K) int64; each row is the sum of N rows drawn by rand() % N
    """
    num = len(columns)
    sums = np.zeros((replications, columns.shape[1]), np.int64)
    if num == 0:
        return sums
    rows = max(1, CHUNK // num)
    for begin in range(0, replications, rows):
        size = min(rows, replications - begin)
        # Kaldi's RandInt returns its lower end without drawing where there is only one value to choose from.
        drawn = (rand.draw(size * num) % num).reshape(size, num) if num > 1 else np.zeros((size, 1), np.int64)
        sums[begin : begin + size] = np.stack([column[drawn].sum(axis=1) for column in columns.T], axis=1)
    return sums


def wer_interval(errors: np.ndarray, words: np.ndarray, replications: int, rand: GlibcRand) -> tuple[float, float]:
    """Bootstrap mean of the WER, and half the width of its 95% interval (1.96 standard deviations).

    Parameters
    ----------
    errors, words : (N,) int, per utterance

    Returns
    -------
    mean, half_width : float32 fractions (not percent), in Kaldi's single-precision arithmetic and order of summation
    """
    sums = resampled_sums(np.stack([errors, words], axis=1), replications, rand)
    with np.errstate(all="ignore"):
        wer = sums[:, 0].astype(np.float32) / sums[:, 1].astype(np.float32)
        # add.accumulate adds in order, as the C++ loop does; np.sum would add in pairs
        mean = np.add.accumulate(wer)[-1] / np.float32(replications)
        square = np.add.accumulate(wer * wer)[-1] / np.float32(replications)
        return mean, np.float32(1.96 * np.sqrt(np.float64(square - mean * mean)))


def probability_of_improvement(errors1: np.ndarray, errors2: np.ndarray, replications: int, rand: GlibcRand) -> float:
    """Fraction of resampled test sets on which system 2 makes fewer errors than system 1 (a float32)."""
    sums = resampled_sums((errors1 - errors2)[:, None], replications, rand)
    return np.float32(np.count_nonzero(sums[:, 0] > 0)) / np.float32(replications)


def resampling(num: int, replications: int, seed: int = 1) -> np.ndarray:
    """How often each of `num` utterances is drawn in each sample: (replications, num) float64, rows sum to `num`."""
    rand, out = GlibcRand(seed), np.empty((replications, num))
    for row in out:
        row[:] = np.bincount(rand.draw(num) % num, minlength=num)
    return out


def percentile_interval(
    errors: np.ndarray, words: np.ndarray, replications: int = 1000, seed: int = 1
) -> tuple[float, float]:
    """95% interval of the WER in percent by percentiles of the resampled WER: Bisani and Ney's own definition.

    It needs no normal distribution and never leaves [0, inf), which matters where a system is almost perfect.
    """
    sums = resampled_sums(np.stack([errors, words], axis=1), replications, GlibcRand(seed))
    wer = np.sort(100.0 * sums[:, 0] / np.maximum(sums[:, 1], 1))
    return float(np.percentile(wer, 2.5)), float(np.percentile(wer, 97.5))
