"""ASG against enumeration of all paths; greedy decoding; edit distance; words."""

import itertools

import numpy as np
import pytest
import torch
from sidamo.am.asg import AsgCriterion, with_repetitions
from sidamo.am.greedy import collapse, collapse_asg, edit_distance, words_of


def brute_force(scores, transitions, target):
    """(loss, best path's columns) by enumeration of all V^T paths."""
    frames, size = scores.shape
    everything, right = [], []
    best, best_path = -np.inf, None
    for path in itertools.product(range(size), repeat=frames):
        score = sum(scores[t, v] for t, v in enumerate(path)) + sum(transitions[a, b] for a, b in zip(path, path[1:]))
        everything.append(score)
        if collapse(path, blank=-1) == with_repetitions(target):
            right.append(score)
        if score > best:
            best, best_path = score, path
    return np.logaddexp.reduce(everything) - np.logaddexp.reduce(right), best_path


@pytest.mark.parametrize("target", [[1], [1, 2], [2, 2], [1, 2, 2]])
def test_loss_and_best_path_agree_with_enumeration(target):
    rng = np.random.default_rng(len(target))
    frames, size = 5, 3
    scores = rng.normal(size=(2, frames + 2, size)).astype(np.float32)
    criterion = AsgCriterion(size)
    with torch.no_grad():
        criterion.transitions.copy_(torch.from_numpy(rng.normal(size=(size, size)).astype(np.float32)))
    g = criterion.transitions.detach().numpy()
    losses, objective = criterion(
        [(torch.from_numpy(scores), torch.tensor([frames, frames + 2]))], torch.tensor(target + [1]),
        torch.tensor([len(target), 1]),
    )  # fmt: skip
    expected, _ = brute_force(scores[0, :frames], g, target)
    assert float(losses[0].detach()) == pytest.approx(expected, abs=1e-4)
    assert float(objective.detach()) == pytest.approx(float(losses.detach().sum()), rel=1e-6)
    path = criterion.best_columns(torch.from_numpy(scores), torch.tensor([frames, frames + 2]))
    assert tuple(path[0, :frames]) == brute_force(scores[0, :frames], g, target)[1]


def test_gradient_of_asg_by_differences():
    torch.manual_seed(0)
    criterion = AsgCriterion(3).double()
    scores = torch.randn(1, 4, 3, dtype=torch.float64, requires_grad=True)

    def loss(x, g):
        criterion.transitions.data = g
        return criterion([(x, torch.tensor([4]))], torch.tensor([1, 2]), torch.tensor([2]))[1]

    assert torch.autograd.gradcheck(lambda x: loss(x, torch.randn(3, 3, dtype=torch.float64) * 0 + 0.3), (scores,))


def test_an_infeasible_target_has_no_loss():
    losses, objective = AsgCriterion(3)(
        [(torch.zeros(2, 2, 3), torch.tensor([2, 2]))], torch.tensor([1, 2, 1]), torch.tensor([3, 0])
    )
    assert torch.isinf(losses).all() and float(objective.detach()) == 0


def test_repetitions_and_back():
    for target in ([1, 1], [1, 1, 1], [2, 1, 1, 1, 1, 2], [1], [3, 3, 2, 2]):
        assert collapse_asg(np.repeat(with_repetitions(target), 3)) == target


@pytest.mark.parametrize("columns,expected", [
    ([], []), ([0, 0], []), ([1, 1, 0, 1], [1, 1]), ([1, 1, 1], [1]), ([0, 2, 2, 3, 0, 0, 3], [2, 3, 3]),
])  # fmt: skip
def test_collapse(columns, expected):
    assert collapse(columns) == expected


def test_edit_distance_against_the_plain_recursion():
    def plain(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(plain(a[1:], b) + 1, plain(a, b[1:]) + 1, plain(a[1:], b[1:]) + (a[0] != b[0]))

    rng = np.random.default_rng(0)
    for _ in range(60):
        a, b = ([int(x) for x in rng.integers(0, 3, rng.integers(0, 6))] for _ in range(2))
        assert edit_distance(a, b) == plain(a, b)
    assert edit_distance("the cat".split(), "a cat sat".split()) == 2


def test_words_of():
    assert words_of(["c", "a", "t", "|", "|", "s", "|", "x"], "|") == ["cat", "s", "x"]
