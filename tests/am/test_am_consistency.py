"""Two views of an utterance (CR-CTC), and the dropout that makes them differ."""

import numpy as np
import pytest
import torch
from sidamo.am import data
from sidamo.am.augment import Augment
from sidamo.am.criterion import disagreement
from sidamo.am.nets.layers import Dropout


def test_disagreement_is_the_sum_of_both_divergences_over_valid_frames():
    rng = np.random.default_rng(1)
    lengths = [5, 3]
    logits = rng.normal(0, 1, (4, 5, 6))
    p = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
    expected = 0.0
    for row, frames in enumerate(lengths):
        a, b = p[row, :frames], p[row + 2, :frames]
        expected += (a * np.log(a / b)).sum() + (b * np.log(b / a)).sum()
    found = disagreement(torch.from_numpy(logits), torch.tensor(lengths * 2))
    assert float(found) == pytest.approx(expected, rel=1e-9)
    assert float(disagreement(torch.from_numpy(np.tile(logits[:2], (2, 1, 1))), torch.tensor(lengths * 2))) == 0.0


def test_each_view_is_pulled_towards_the_other_one_which_is_held_fixed():
    # With KL(b, a) only the second argument moves, so the gradient of a's logits is softmax(a) - softmax(b).
    logits = torch.randn(2, 4, 3, dtype=torch.double, requires_grad=True)
    disagreement(logits, torch.tensor([4, 4])).backward()
    a, b = torch.softmax(logits.detach(), 2)
    torch.testing.assert_close(logits.grad[0], a - b)
    torch.testing.assert_close(logits.grad[1], b - a)


def test_views_share_the_time_axis_and_nothing_else():
    augment = Augment(seed=3, time_masks=1, time_mask_max=4, freq_masks=1, freq_mask_max=4, time_warp=0.3)
    feats = np.random.default_rng(2).normal(0, 1, (50, 8)).astype(np.float32)
    first, second, again = augment(feats, 1, 7, 0), augment(feats, 1, 7, 1), augment(feats, 1, 7, 1)
    assert first.shape == second.shape
    kept = (first != 0) & (second != 0)
    assert kept.any() and not np.array_equal(first, second)
    np.testing.assert_array_equal(first[kept], second[kept])  # warped alike; only the masks differ
    np.testing.assert_array_equal(second, again)


def test_a_batch_holds_all_first_views_before_all_second_ones():
    class Corpus:
        rows = [0, 1]
        feats = [np.full((4, 2), 1.0, np.float32), np.full((3, 2), 2.0, np.float32)]
        targets = [np.array([1], np.int32), np.array([2, 3], np.int32)]

    Corpus.feats = type("Feats", (list,), {"dim": 2})(Corpus.feats)
    batch = data.collate(Corpus, np.array([1, 0]), lambda m, epoch, i, view: m + 10 * view, views=2)
    assert batch.feats[:, 0, 0].tolist() == [2, 1, 12, 11]
    assert batch.lengths.tolist() == [3, 4, 3, 4]
    assert batch.targets.tolist() == [2, 3, 1, 2, 3, 1]
    assert batch.target_lengths.tolist() == [2, 1, 2, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_dropout_drops_its_share_and_keeps_the_mean(share, dtype):
    layer = Dropout(share)
    x = torch.ones(200, 1001, dtype=dtype, requires_grad=True)
    torch.manual_seed(5)
    y = layer(x)
    y.backward(torch.ones_like(y))
    values = y.detach().float()
    dropped = float((values == 0).double().mean())
    # 200,200 draws: four standard deviations; and the share itself is a multiple of 1/256.
    assert abs(dropped - share) < 1 / 512 + 4 * (share * (1 - share) / x.numel()) ** 0.5
    assert float(values.double().mean()) == pytest.approx(1.0, abs=0.01)
    assert len(values.unique()) == 2
    torch.testing.assert_close(x.grad, y.detach())
    torch.manual_seed(5)
    assert torch.equal(layer(x), y)
    assert not torch.equal(layer(x), y)
    layer.eval()
    assert layer(x) is x


def test_dropout_draws_are_independent_of_each_other():
    torch.manual_seed(1)
    kept = (Dropout(0.5)(torch.ones(1 << 20)) > 0).numpy().astype(np.float64) - 0.5
    for lag in (1, 2, 7, 8, 64):
        correlation = 4 * np.mean(kept[:-lag] * kept[lag:])
        assert abs(correlation) < 5 / np.sqrt(len(kept))
