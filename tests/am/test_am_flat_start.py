"""Flat start: where labels are expected before CTC takes over."""

import pytest

torch = pytest.importorskip("torch")

from sidamo.am.criterion import CtcCriterion, equal_alignment  # noqa: E402
from sidamo.am.options import TrainOptions  # noqa: E402


def test_labels_lie_in_the_loud_parts_whatever_the_pauses():
    loudness = torch.tensor([0.0] * 9 + [5.0] * 4 + [0.0] * 2 + [5.0] * 4 + [0.0])
    expected = [0] * 10 + [7, 7] + [0] * 4 + [8, 8] + [0] * 2
    assert equal_alignment(torch.tensor([7, 8]), loudness).tolist() == expected


def test_without_loud_parts_labels_are_evenly_spaced():
    assert equal_alignment(torch.tensor([3, 4]), torch.zeros(8)).tolist() == [0, 3, 3, 0, 0, 4, 4, 0]


def test_more_labels_than_loud_frames_is_no_error():
    found = equal_alignment(torch.arange(1, 9), torch.tensor([0.0, 1.0, 0.0]))
    assert len(found) == 3 and set(found.tolist()) <= set(range(9))


@pytest.mark.parametrize("factor", [1, 3, 4])
def test_objective_is_cross_entropy_per_frame_times_labels(factor):
    """Against the sum written out, with padding and subsampling; an empty target is all blank."""
    torch.manual_seed(0)
    frames, labels = [23, 16], [3, 0]
    feats = torch.randn(2, 23, 5)
    feats[1, 16:] = 0.0
    lengths = torch.tensor([-(-n // factor) for n in frames])
    logits = torch.randn(2, -(-23 // factor), 6)
    targets = torch.tensor([2, 3, 5], dtype=torch.int32)
    found = CtcCriterion(TrainOptions()).flat_start([(logits, lengths)], targets, torch.tensor(labels), feats)
    loudness = feats[0].mean(1)[::factor]
    where = equal_alignment(targets.long(), loudness)
    log_probs = torch.log_softmax(logits[0], 1)
    expected = -3 * sum(log_probs[t, where[t]] for t in range(len(loudness))) / len(loudness)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
