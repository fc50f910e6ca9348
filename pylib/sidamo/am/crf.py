"""CTC-CRF (Xiang and Ou 2019): CTC's paths, weighed by an n-gram of tokens and normalized over all transcripts.

CTC takes the tokens of an utterance for independent given the sound, so a network must find out by itself which letter may
follow which, from the sound of few hours. Here an n-gram G of the training transcripts tells it, in training already:

    P(y | x) = p(y | x) G(y) / sum over all y' of p(y' | x) G(y'),    p(y | x) as in CTC

so that the network learns only what the sound adds. In other words it is lattice-free MMI (Povey et al. 2016) with CTC's
topology, one state a token and a blank. Neither priors nor scaled posteriors are needed in decoding.

The denominator sums over the graph of CTC's topology and G. A state of G is a history, whose last token is known, so two
states of the graph stand for each: "this token was just said" and "and then blank".
"""

import functools

import numpy as np
import torch
from torch import Tensor

from .criterion import CtcCriterion
from .loss import ctc_losses
from .token_graph import TokenGraph


class LogDenominator(torch.autograd.Function):
    """apply(logits (B, T, V), lengths (B,), graph) -> (B,): ln of the sum over all transcripts, in the compiled kernel."""

    @staticmethod
    def forward(ctx, logits, lengths, graph: TokenGraph):
        from .crf_kernel import denominator

        probs = torch.softmax(logits.detach(), dim=2)
        logs, occupancy = denominator(
            probs.numpy(), lengths.numpy(), graph.next_state, graph.weight, graph.last, ctx.needs_input_grad[0],
            torch.get_num_threads(),
        )  # fmt: skip
        if ctx.needs_input_grad[0]:
            grad = torch.from_numpy(occupancy)
            grad -= probs * (grad.sum(2, keepdim=True) > 0)
            ctx.save_for_backward(grad)
        return torch.from_numpy(logs)

    @staticmethod
    def backward(ctx, grad_logs):
        (grad,) = ctx.saved_tensors
        return grad * grad_logs[:, None, None], None, None


def log_denominator_by_torch(logits: Tensor, lengths: Tensor, graph: TokenGraph) -> Tensor:
    """The same in torch's operations: to be read, and for GPUs."""
    log_probs = torch.log_softmax(logits, dim=2)
    other, same, ends, last = dense_arcs(graph, logits.device)
    states = len(last)
    blank = torch.zeros(len(logits), states, device=logits.device)
    blank[:, 0] = 1.0  # a start state is one that said blank
    said = torch.zeros_like(blank)
    total = torch.zeros_like(blank[:, 0])
    for t in range(logits.size(1)):
        p = log_probs[:, t].exp()
        new_said = (said + (said + blank) @ other + blank @ same) * p[:, last] * (last > 0)
        new_blank = (said + blank) * p[:, :1]
        size = (new_said + new_blank).sum(1, keepdim=True)
        inside = (t < lengths.to(logits.device))[:, None]
        said, blank = torch.where(inside, new_said / size, said), torch.where(inside, new_blank / size, blank)
        total = total + torch.where(inside, size.log(), 0.0)[:, 0]
    return total + ((said + blank) @ ends).log()


@functools.lru_cache(maxsize=2)
def dense_arcs(graph: TokenGraph, device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Arcs to another token than the one just said and to the same one, (S, S) each; probability to end (S,); last (S,)."""
    states, tokens = graph.next_state.shape
    source, token = np.repeat(np.arange(states), tokens - 1), np.tile(np.arange(1, tokens), states)
    again = graph.last[source] == token
    arcs = np.zeros((2, states, states), dtype=np.float32)
    arcs[again.astype(int), source, graph.next_state[source, token]] = graph.weight[source, token]
    other, same = torch.from_numpy(arcs).to(device)
    return other, same, torch.from_numpy(graph.weight[:, 0].copy()).to(device), torch.from_numpy(graph.last).long().to(device)


class CrfCriterion(CtcCriterion):
    """CTC-CRF, with some plain CTC beside it, which steadies it (Xiang and Ou 2019, section 3)."""

    def __init__(self, options, graph: TokenGraph):
        super().__init__(options)
        self.graph, self.ctc_weight = graph, options.ctc_weight

    def final(self, logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor):
        """Losses of CTC-CRF alone, (B,); what is minimized has the plain CTC in it."""
        ctc = ctc_losses(logits, lengths, targets, target_lengths, self.kind)
        denominator = log_denominator(logits, lengths, self.graph)
        scores = [self.graph.score(part) for part in torch.split(targets, target_lengths.tolist())]
        losses = ctc - torch.tensor(scores, device=ctc.device) + denominator
        feasible = ~torch.isinf(ctc)
        return losses, torch.where(feasible, (1 - self.ctc_weight) * losses + self.ctc_weight * ctc, 0.0).sum()

    def best_columns(self, logits: Tensor, lengths: Tensor):
        """(B, T, V), (B,) -> (B, T) ndarray: the best path through the token graph."""
        scores = torch.log_softmax(logits, 2).cpu().numpy()
        columns = np.zeros(scores.shape[:2], dtype=np.int64)
        for row, frames in enumerate(lengths.tolist()):
            columns[row, :frames] = self.graph.best_path(scores[row, :frames])
        return columns


def log_denominator(logits: Tensor, lengths: Tensor, graph: TokenGraph) -> Tensor:
    """ln of the sum over all transcripts, (B, T, V), (B,) -> (B,): the kernel on a CPU, torch elsewhere."""
    if logits.device.type == "cpu":
        return LogDenominator.apply(logits, lengths, graph)
    return log_denominator_by_torch(logits, lengths, graph)
