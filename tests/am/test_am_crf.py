"""CTC-CRF against enumeration of all paths and against automatic differentiation."""

import itertools

import numpy as np
import pytest
import torch
from sidamo.am.crf import CrfCriterion, LogDenominator, log_denominator_by_torch
from sidamo.am.crf_kernel import LANES
from sidamo.am.greedy import collapse
from sidamo.am.options import TrainOptions
from sidamo.am.token_graph import TokenGraph
from sidamo.io.errors import DataError
from sidamo.io.fst import make_csr, write_fst

TOKENS = 4


def some_graph(seed=0, order=3, tokens=TOKENS):
    rng = np.random.default_rng(seed)
    targets = [rng.integers(1, tokens, size=size) for size in (0, 1, 2, 3, 5, 8, 8)]
    return TokenGraph.estimate(targets, tokens, order)


def paths_of(log_probs, graph):
    """All paths of an utterance (T, V): {columns: score}, by their definition."""
    frames, tokens = log_probs.shape
    return {
        path: sum(log_probs[t, c] for t, c in enumerate(path)) + graph.score(collapse(path))
        for path in itertools.product(range(tokens), repeat=frames)
    }


def log_sum(values):
    return float(np.logaddexp.reduce(list(values)))


@pytest.mark.parametrize("order", [2, 3, 4])
def test_denominator_gradient_and_best_path_agree_with_enumeration(order):
    graph = some_graph(order, order)
    torch.manual_seed(order)
    logits = torch.randn(3, 5, TOKENS, requires_grad=True)
    lengths = torch.tensor([5, 1, 4])
    logs = LogDenominator.apply(logits, lengths, graph)
    logs.sum().backward()
    best = CrfCriterion(TrainOptions(criterion="ctc-crf"), graph).best_columns(logits.detach(), lengths)
    for row, frames in enumerate(lengths.tolist()):
        log_probs = torch.log_softmax(logits.detach().double(), 2)[row, :frames].numpy()
        paths = paths_of(log_probs, graph)
        total = log_sum(paths.values())
        assert float(logs[row].detach()) == pytest.approx(total, abs=1e-5)
        occupancy = np.zeros((frames, TOKENS))
        for path, score in paths.items():
            for t, c in enumerate(path):
                occupancy[t, c] += np.exp(score - total)
        expected = occupancy - np.exp(log_probs)  # through the softmax
        np.testing.assert_allclose(logits.grad[row, :frames], expected, atol=2e-6)
        assert not logits.grad[row, frames:].any()
        assert paths[tuple(best[row, :frames])] == pytest.approx(max(paths.values()), abs=1e-5)


def test_loss_is_the_posterior_of_the_transcript():
    graph = some_graph()
    torch.manual_seed(1)
    logits = torch.randn(2, 4, TOKENS)
    targets = [[1, 2], [3, 3]]
    criterion = CrfCriterion(TrainOptions(criterion="ctc-crf", ctc_weight=0.25), graph)
    losses, objective = criterion(
        [(logits, torch.tensor([4, 4]))], torch.tensor([1, 2, 3, 3], dtype=torch.int32), torch.tensor([2, 2])
    )
    expected, plain = [], []
    for row, target in enumerate(targets):
        log_probs = torch.log_softmax(logits.double(), 2)[row].numpy()
        paths = paths_of(log_probs, graph)
        right = {path: score for path, score in paths.items() if collapse(path) == target}
        expected.append(log_sum(paths.values()) - log_sum(right.values()))
        plain.append(-log_sum(sum(log_probs[t, c] for t, c in enumerate(path)) for path in right))
    np.testing.assert_allclose(losses, expected, atol=1e-5)
    assert float(objective) == pytest.approx(0.75 * sum(expected) + 0.25 * sum(plain), abs=1e-4)


def test_an_infeasible_target_teaches_nothing():
    logits = torch.randn(2, 2, TOKENS, requires_grad=True)
    criterion = CrfCriterion(TrainOptions(criterion="ctc-crf"), some_graph())
    losses, objective = criterion(
        [(logits, torch.tensor([2, 2]))], torch.tensor([1, 1, 2], dtype=torch.int32), torch.tensor([2, 1])
    )
    objective.backward()
    assert torch.isinf(losses[0]) and torch.isfinite(losses[1])
    assert not logits.grad[0].any() and logits.grad[1].any() and torch.isfinite(objective)


def test_many_long_utterances_as_torch_computes_them():
    """More utterances than stand side by side, of different lengths, and probabilities next to nothing."""
    graph = some_graph(3, 3, 12)
    torch.manual_seed(2)
    count = LANES + 5
    logits = (8 * torch.randn(count, 60, 12)).requires_grad_()
    lengths = torch.randint(1, 61, (count,))
    grads, results = [], []
    threads = torch.get_num_threads()
    for function in (LogDenominator.apply, log_denominator_by_torch):
        torch.set_num_threads(2)
        logs = function(logits, lengths, graph)
        (grad,) = torch.autograd.grad((logs * torch.arange(1, count + 1)).sum(), logits)
        results.append(logs.detach())
        grads.append(grad)
    torch.set_num_threads(threads)
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(*grads, rtol=1e-3, atol=2e-4)


def test_token_graph_is_a_distribution_and_prefers_what_it_saw():
    targets = [np.array([1, 2, 1, 2, 3])] * 3
    for order in (2, 3):
        graph = TokenGraph.estimate(targets, 5, order)
        np.testing.assert_allclose(graph.weight.sum(1), 1, atol=1e-6)
        assert (graph.weight > 0).all()  # token 4 was never seen: a new transcript has a path, too
        assert graph.score([1, 2, 1, 2, 3]) > graph.score([1, 2, 1, 2, 1]) > graph.score([4, 4, 4, 4, 4])
    # By hand, bigram: after 1 stood 2 six times (one kind), and the unigram has 2 six times in 18 (four kinds).
    unigram = 6 / 22 + 4 / 22 / 5
    graph = TokenGraph.estimate(targets, 5, 2)
    state = graph.next_state[0, 1]
    assert graph.last[state] == 1
    assert graph.weight[state, 2] == pytest.approx(6 / 7 + unigram / 7, rel=1e-6)


def test_token_graph_as_a_file(tmp_path):
    graph = some_graph(order=3)
    path = tmp_path / "token_lm.fst"
    graph.write(path)
    again = TokenGraph.read(path)
    np.testing.assert_array_equal(again.next_state[:, 1:], graph.next_state[:, 1:])
    reached = np.unique(graph.next_state[:, 1:])  # a history whose longer ones were all seen is never come to
    np.testing.assert_array_equal(again.last[reached], graph.last[reached])
    np.testing.assert_allclose(again.weight, graph.weight, rtol=1e-5)
    # pynini reads it as the same distribution: the cost of a string is that of its only path.
    pynini = pytest.importorskip("pynini")
    fst = pynini.Fst.read(str(path))
    for target in ([], [1], [2, 3, 3], [1, 1, 2]):
        text = pynini.Fst()
        text.add_states(len(target) + 1)
        text.set_start(0).set_final(len(target))
        for i, column in enumerate(target):
            text.add_arc(i, pynini.Arc(column + 1, column + 1, 0, i + 1))
        cost = float(pynini.shortestdistance(pynini.compose(text, fst), reverse=True)[0])
        assert cost == pytest.approx(-graph.score(target), rel=1e-5)


def test_another_fst_is_refused(tmp_path):
    path = tmp_path / "other.fst"
    write_fst(path, make_csr(2, [0, 1], [2, 2], [2, 2], [0.5, 0.5], [1, 0], {1: 0.0}))
    TokenGraph.read(path)  # a bigram of one token
    write_fst(path, make_csr(2, [0, 0], [2, 3], [2, 3], [0.5, 0.5], [1, 1], {1: 0.0}))
    with pytest.raises(DataError, match="no n-gram of tokens"):
        TokenGraph.read(path)
