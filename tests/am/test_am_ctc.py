"""The CTC loss: reference, torch's and the fused kernel against enumeration, hand-worked sums and golden answers."""

import itertools
import json

import numpy as np
import pytest
import torch
from sidamo.am import ctc_kernel, ctc_reference
from sidamo.am.greedy import collapse
from sidamo.am.loss import ctc_losses
from sidamo.io.errors import DataError, OptionError


def by_enumeration(log_probs, target, blank=0):
    """-ln of the sum over all V^T frame strings that collapse to the target, and the occupancies (T, V)."""
    frames, size = log_probs.shape
    total, occupancy = 0.0, np.zeros((frames, size))
    for path in itertools.product(range(size), repeat=frames):
        if collapse(path, blank) == list(target):
            p = np.exp(sum(log_probs[t, v] for t, v in enumerate(path)))
            total += p
            for t, v in enumerate(path):
                occupancy[t, v] += p
    return (-np.log(total), occupancy / total) if total > 0 else (np.inf, occupancy)


def fused(activations, target, blank=0):
    """The kernel on one utterance, in a batch with a longer one to its right and padding behind it."""
    x = np.asarray(activations, dtype=np.float32)
    frames, size = x.shape
    batch = np.full((2, frames + 3, size), 3.0, dtype=np.float32)
    batch[0, :frames] = x
    other = 1 if blank != 1 else 0
    losses, grad = ctc_kernel.ctc_loss_and_grad(
        batch, [frames, frames + 3], np.r_[np.asarray(target, np.int64), other], [len(target), 1], blank
    )
    assert not grad[0, frames:].any()
    return float(losses[0]), grad[0, :frames]


def by_torch(activations, target, dtype=torch.float32):
    x = torch.tensor(np.asarray(activations), dtype=dtype)[None].requires_grad_()
    losses = ctc_losses(x, torch.tensor([x.size(1)]), torch.tensor(target, dtype=torch.int32),
                        torch.tensor([len(target)]), "torch")  # fmt: skip
    if torch.isfinite(losses).all():
        losses.sum().backward()
    return float(losses.detach()), x.grad[0].numpy() if x.grad is not None else np.zeros(x.shape[1:])


@pytest.mark.parametrize("frames,size,target", [
    (1, 2, []), (1, 2, [1]), (2, 2, [1, 1]), (3, 2, [1, 1]), (3, 3, [1, 2]), (4, 3, [2, 2]), (4, 3, []),
    (5, 3, [1, 2, 1]), (5, 3, [1, 1, 2]), (6, 3, [2, 2, 2]), (2, 3, [1, 2, 1]), (5, 4, [3, 1, 1]),
])  # fmt: skip
def test_all_agree_with_enumeration(frames, size, target):
    rng = np.random.default_rng(frames * 100 + size)
    x = rng.normal(0, 1.5, (frames, size)).astype(np.float32)
    log_probs = ctc_reference.log_softmax(x)
    loss, occupancy = by_enumeration(log_probs, target)
    expected = np.exp(log_probs) - occupancy if np.isfinite(loss) else np.zeros((frames, size))
    for function, tolerance in ((ctc_reference.ctc_loss_and_grad, 1e-12), (fused, 2e-6), (by_torch, 1e-5)):
        got, grad = function(x, target)
        np.testing.assert_allclose(got, loss, rtol=tolerance, err_msg=function.__name__)
        np.testing.assert_allclose(grad, expected, atol=tolerance, err_msg=function.__name__)


def test_the_five_alignments_of_ab_in_three_frames():
    # a b over 3 frames: aab, abb, -ab, a-b, ab-; with uniform thirds each has probability 1/27.
    loss, occupancy = ctc_reference.ctc_loss(np.log(np.full((3, 3), 1 / 3)), [1, 2])
    assert loss == pytest.approx(-np.log(5 / 27), abs=1e-12)
    np.testing.assert_allclose(occupancy[0], [1 / 5, 4 / 5, 0], atol=1e-12)
    np.testing.assert_allclose(occupancy[1], [1 / 5, 2 / 5, 2 / 5], atol=1e-12)
    np.testing.assert_allclose(occupancy[2], [1 / 5, 0, 4 / 5], atol=1e-12)


def test_an_empty_target_is_the_all_blank_path():
    x = np.array([[1.0, 0.0, -1.0], [0.5, 0.5, 0.5]])
    expected = -ctc_reference.log_softmax(x)[:, 0].sum()
    for function in (ctc_reference.ctc_loss_and_grad, fused, by_torch):
        assert function(x, [])[0] == pytest.approx(expected, rel=1e-6)


def test_an_infeasible_target_costs_infinity_and_teaches_nothing():
    x = np.random.default_rng(0).normal(size=(3, 4))
    for function in (ctc_reference.ctc_loss_and_grad, fused, by_torch):
        loss, grad = function(x, [2, 2, 3])  # needs four frames
        assert loss == np.inf and not np.asarray(grad).any(), function.__name__


def test_no_number_in_gives_no_number_out():
    x = np.zeros((4, 5), np.float32)
    for value in (np.nan, -np.float32(np.nan), np.inf):
        for column in range(5):
            y = x.copy()
            y[2, column] = value
            loss, grad = fused(y, [1, 2])
            assert np.isnan(loss) and np.isnan(grad).all()


def test_no_path_is_lost_where_blank_leads_by_far():
    """Scaled probabilities underflow here: the kernel has to notice and to use logarithms."""
    rng = np.random.default_rng(5)
    for frames, lead in ((60, 25.0), (300, 25.0), (300, 60.0), (40, 80.0)):
        x = rng.normal(size=(frames, 12)).astype(np.float32)
        x[:, 0] += lead
        target = rng.integers(1, 12, frames // 3)
        expected, expected_grad = ctc_reference.ctc_loss_and_grad(x, target)
        loss, grad = fused(x, target)
        assert loss == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(grad, expected_grad, atol=1e-4)


def test_fused_and_reference_agree_on_sharp_and_random_posteriors():
    rng = np.random.default_rng(6)
    for _ in range(150):
        frames, size = int(rng.integers(1, 80)), int(rng.integers(2, 40))
        target = rng.integers(1, size, int(rng.integers(0, frames // 2 + 1)))
        x = (rng.normal(size=(frames, size)) * rng.choice([0.1, 1, 5, 20, 60])).astype(np.float32)
        if rng.random() < 0.3:
            x[:, int(rng.integers(0, size))] += rng.choice([10, 40])
        expected, expected_grad = ctc_reference.ctc_loss_and_grad(x, target)
        loss, grad = fused(x, target)
        np.testing.assert_allclose(loss, expected, rtol=2e-5, atol=1e-4)
        # Steep logits: float32 exponents are off by 6e-8 of their size, and so are probabilities near 1/2.
        np.testing.assert_allclose(grad, expected_grad, atol=5e-5)


def test_known_answers_of_warp_ctc(golden):
    cases = json.loads((golden / "ctcloss/warpctc_known_answers.json").read_text())["cases"]
    checked = 0
    for case in cases:
        if "probabilities" in case:
            x = np.log(np.array(case["probabilities"]))
        elif isinstance(case.get("activations"), list):
            x = np.array(case["activations"])
        else:
            continue
        if "labels" not in case or x.ndim != 2:
            continue
        loss, grad = fused(x, case["labels"], case["blank"])
        reference, reference_grad = ctc_reference.ctc_loss_and_grad(x, case["labels"], case["blank"])
        if "brute_force_loss" in case:
            assert reference == pytest.approx(case["brute_force_loss"], abs=1e-6 if "probabilities" in case else 1e-9)
        if "expected_loss" in case:
            assert loss == pytest.approx(case["expected_loss"], abs=1e-4)
        if "expected_grad" in case:
            np.testing.assert_allclose(grad, case["expected_grad"], atol=1e-4)
        if "brute_force_grad" in case:
            np.testing.assert_allclose(reference_grad, case["brute_force_grad"], atol=1e-5)
            np.testing.assert_allclose(grad, case["brute_force_grad"], atol=1e-5)
        checked += 1
    assert checked >= 3


def test_random_cases_of_golden(golden):
    count = 0
    for line in (golden / "ctcloss/random_cases.jsonl").read_text().splitlines():
        case = json.loads(line)
        x, labels, blank = np.array(case["activations"]), case["labels"], case["blank"]
        loss, grad = ctc_reference.ctc_loss_and_grad(x, labels, blank)
        fast, fast_grad = fused(x, labels, blank)
        if not case["feasible"]:
            assert loss == np.inf and fast == np.inf and not fast_grad.any()
            continue
        assert loss == pytest.approx(case["loss"], abs=1e-9)
        np.testing.assert_allclose(grad, case["grad_activations"], atol=1e-9)
        np.testing.assert_allclose(-ctc_reference.ctc_loss(ctc_reference.log_softmax(x), labels, blank)[1],
                                   case["grad_logprobs"], atol=1e-9)  # fmt: skip
        assert fast == pytest.approx(case["loss"], abs=1e-5, rel=1e-6)
        np.testing.assert_allclose(fast_grad, case["grad_activations"], atol=1e-5)
        count += 1
    assert count > 10


def test_threads_give_the_same_numbers():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(7, 40, 9)).astype(np.float32)
    lengths, sizes = rng.integers(20, 41, 7), rng.integers(0, 9, 7)
    targets = rng.integers(1, 9, sizes.sum())
    one = ctc_kernel.ctc_loss_and_grad(x, lengths, targets, sizes, threads=1)
    three = ctc_kernel.ctc_loss_and_grad(x, lengths, targets, sizes, threads=3)
    np.testing.assert_array_equal(one[0], three[0])
    np.testing.assert_array_equal(one[1], three[1])


def test_gradient_flows_through_torch():
    torch.manual_seed(0)
    x = torch.randn(3, 20, 6, requires_grad=True)
    lengths, sizes = torch.tensor([20, 11, 3]), torch.tensor([5, 0, 4])  # the last is infeasible
    targets = torch.tensor([1, 2, 2, 3, 1, 4, 4, 4, 4], dtype=torch.int32)
    weights = torch.tensor([2.0, 0.5, 1.0])
    grads = []
    for kind in ("fused", "torch"):
        losses = ctc_losses(x, lengths, targets, sizes, kind)
        assert torch.isinf(losses[2])
        (torch.where(torch.isinf(losses), 0.0, losses) * weights).sum().backward()
        grads.append(x.grad.clone())
        x.grad = None
    torch.testing.assert_close(grads[0], grads[1], atol=1e-5, rtol=1e-4)
    assert not grads[0][2].any()


def test_bad_input_is_refused():
    x = np.zeros((1, 4, 3), np.float32)
    with pytest.raises(DataError, match="targets from 3 to 3, expected columns below 3"):
        ctc_kernel.ctc_loss_and_grad(x, [4], [3], [1])
    with pytest.raises(DataError, match="lengths from 5 to 5, expected 0 to 4"):
        ctc_kernel.ctc_loss_and_grad(x, [5], [1], [1])
    with pytest.raises(DataError, match="1 utterances, but 1 lengths, 1 target lengths that sum to 2, 1 targets"):
        ctc_kernel.ctc_loss_and_grad(x, [4], [1], [2])


def test_the_fused_loss_says_where_it_runs():
    lengths = torch.tensor([3])
    with pytest.raises(OptionError, match="--ctc=fused runs on a CPU"):
        ctc_losses(torch.zeros(1, 3, 4, device="meta"), lengths, torch.tensor([1]), lengths - 2, "fused")
