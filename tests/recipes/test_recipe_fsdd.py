"""egs/fsdd: where a word begins and ends, and hypotheses under the promise that every digit is equally frequent."""

import pathlib
import sys

import numpy as np
import pytest

LOCAL = pathlib.Path(__file__).resolve().parents[2] / "egs/fsdd/local"


@pytest.fixture
def local(monkeypatch):
    """Import a module of the recipe."""
    monkeypatch.syspath_prepend(str(LOCAL))
    yield lambda name: __import__(name)
    for name in ("endpoints", "balanced_hypotheses"):
        sys.modules.pop(name, None)


def test_endpoints_of_a_tone_between_pauses(local):
    endpoints = local("endpoints")
    rate = 8000
    random = np.random.default_rng(1)
    samples = random.normal(0, 3, 2 * rate)
    samples[rate // 2 : rate] += 3000 * np.sin(np.arange(rate // 2) * 2.0)
    begin, end = endpoints.endpoints(samples, rate)
    assert begin == pytest.approx(0.5 - endpoints.MARGIN, abs=0.026)
    assert end == pytest.approx(1.0 + endpoints.MARGIN, abs=0.026)


def test_endpoints_stay_inside_the_recording(local):
    endpoints = local("endpoints")
    tone = 1000 * np.sin(np.arange(2000) * 1.5)
    assert endpoints.endpoints(tone, 8000) == (0.0, 0.25)
    assert endpoints.endpoints(np.zeros(800), 8000) == (0.0, 0.1)
    assert endpoints.endpoints(tone[:50], 8000)[1] == pytest.approx(50 / 8000)  # shorter than a frame


def test_balanced_hypotheses_undo_a_bias(local):
    balanced = local("balanced_hypotheses").balanced
    random = np.random.default_rng(2)
    truth = np.repeat(np.arange(4), 25)
    scores = random.normal(0, 0.5, (100, 4)) + 4.0 * np.eye(4)[truth]
    scores[:, 2] += 5.0  # everything sounds like word 2
    assert np.mean(np.argmax(scores, 1) == truth) < 0.5
    assert np.mean(balanced(scores) == truth) > 0.97


def test_balanced_hypotheses_with_a_word_that_never_fits(local):
    balanced = local("balanced_hypotheses").balanced
    scores = np.array([[0.0, -np.inf], [-5.0, -np.inf], [-1.0, -3.0]])
    assert balanced(scores).tolist() == [0, 0, 1]


def test_log_probabilities_against_all_paths(local):
    import itertools

    log_probabilities = local("balanced_hypotheses").log_probabilities
    loglikes = np.log(np.random.default_rng(3).dirichlet(np.ones(3), 4)).astype(np.float32)
    spellings = [[1], [1, 2], [2, 2]]
    expected = []
    for word in spellings:
        total = 0.0
        for path in itertools.product(range(3), repeat=4):
            merged = [k for k, _ in itertools.groupby(path) if k]
            if merged == word:
                total += np.exp(sum(loglikes[t, k] for t, k in enumerate(path)))
        expected.append(np.log(total))
    np.testing.assert_allclose(log_probabilities(loglikes, spellings), expected, rtol=1e-4)
