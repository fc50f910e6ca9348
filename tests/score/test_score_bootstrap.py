"""The bootstrap: glibc's own rand() as oracle, and closed forms."""

import ctypes
import sys

import numpy as np
import pytest
from sidamo.score import bootstrap
from sidamo.score.bootstrap import GlibcRand, percentile_interval, probability_of_improvement, resampling, wer_interval


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs glibc")
@pytest.mark.parametrize("seed", [1, 2, 12345])
def test_random_numbers_are_glibcs(seed):
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        pytest.skip("the C library is not glibc")
    libc.srand(seed)
    expected = [libc.rand() for _ in range(5000)]
    rand = GlibcRand(seed)
    drawn = np.concatenate([rand.draw(n) for n in (1, 0, 30, 31, 32, 906, 4000)])
    assert drawn.tolist() == expected


def test_pieces_make_no_difference(monkeypatch):
    whole = GlibcRand().draw(5000)
    monkeypatch.setattr(bootstrap, "CHUNK", 999)
    assert np.array_equal(GlibcRand().draw(5000), whole)


def test_known_first_numbers():
    assert GlibcRand(1).draw(3).tolist() == [1804289383, 846930886, 1681692777]


def test_interval_of_equal_utterances_is_a_point():
    mean, half = wer_interval(np.full(50, 1), np.full(50, 4), 200, GlibcRand())
    assert mean == np.float32(0.25) and half < 1e-3
    assert percentile_interval(np.full(50, 1), np.full(50, 4)) == (25.0, 25.0)


def test_interval_has_the_width_of_the_binomial():
    # Single-word utterances are coin tosses: the standard error is sqrt(p (1 - p) / n).
    errors = np.array([1] * 60 + [0] * 340)
    mean, half = wer_interval(errors, np.ones(400, int), 4000, GlibcRand())
    assert mean == pytest.approx(0.15, abs=0.002)
    assert half == pytest.approx(1.96 * np.sqrt(0.15 * 0.85 / 400), rel=0.05)
    low, high = percentile_interval(errors, np.ones(400, int), 4000)
    assert (high - low) / 2 == pytest.approx(100 * half, rel=0.1)


def test_probability_of_improvement():
    errors = np.arange(40) % 5
    assert probability_of_improvement(errors, errors, 100, GlibcRand()) == 0
    assert probability_of_improvement(errors + 1, errors, 100, GlibcRand()) == 1


def test_resampling_draws_every_sample_full():
    weights = resampling(30, 200)
    assert weights.shape == (200, 30) and (weights.sum(axis=1) == 30).all()
    assert abs(weights.mean() - 1) < 1e-12
