"""Decoding a batch of utterances at once with torch, on a GPU: every state of the graph, every frame, in step.

    cost(t, s') = min over arcs s -> s' reading l of  cost(t-1, s) + weight - acoustic_scale * loglike(t, l)

A GPU has no use for a frontier that differs from utterance to utterance: all arcs are gathered from, added to, and
scattered with a minimum, for all utterances of the batch. Nothing is pruned unless a beam is given, so the result does
not depend on any order. (It stands here and not in `decode`, since that package knows no torch.)

Memory: 4 bytes for each frame, utterance and state of the graph; work: each arc at each frame. For graphs of up to some
million arcs; sidamo.decode is for all others, and faster on a CPU. The tool is decode-batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from sidamo.io.errors import DataError


@dataclass(frozen=True)
class BatchPath:
    """Best path of one utterance: words, labels (int32), graph and (unscaled) acoustic cost, whether it ends finally."""

    words: np.ndarray
    labels: np.ndarray
    graph_cost: float
    acoustic_cost: float
    reached_final: bool

    @property
    def num_frames(self) -> int:
        return len(self.labels)


class BatchDecoder:
    """Exhaustive Viterbi search of a batch over one graph.

    Parameters
    ----------
    fst : CsrFst whose input label l reads column l - 1 (TLG)
    device : "cpu" or "cuda"
    beam : tokens dearer than the best by more than this are dropped at each frame; inf: none
    """

    def __init__(self, fst, device: str = "cpu", acoustic_scale: float = 1.0, beam: float = float("inf")):
        if fst.num_states == 0 or fst.start < 0:
            raise DataError("the graph is empty: nothing can be decoded")
        self.fst, self.device, self.acoustic_scale, self.beam = fst, device, acoustic_scale, beam
        source = fst.arc_sources()
        self._source_of = source
        emits = np.flatnonzero(fst.ilabel > 0)
        silent = np.flatnonzero(fst.ilabel == 0)
        self._emitting, self._silent = self._arcs(emits, source), self._arcs(silent, source)
        self._column = torch.as_tensor(fst.ilabel[emits].astype(np.int64) - 1, device=device)
        self._final = torch.as_tensor(np.array(fst.final), device=device)

    def _arcs(self, arcs: np.ndarray, source: np.ndarray):
        """(numbers, sources, targets, weights) of arcs on the device."""
        parts = arcs.astype(np.int32), source[arcs].astype(np.int64), self.fst.nextstate[arcs].astype(np.int64)
        weights = np.array(self.fst.weight[arcs], np.float32)
        return *(torch.as_tensor(p, device=self.device) for p in parts), torch.as_tensor(weights, device=self.device)

    @torch.inference_mode()
    def decode(self, matrices) -> list[BatchPath]:
        """Best path of each (T_i, V) matrix; None where no token is left.

        Raises
        ------
        DataError : a matrix with fewer columns than the graph has labels
        """
        columns = min(m.shape[1] for m in matrices)
        if len(self._column) and columns <= int(self._column.max()):
            raise DataError(f"a matrix has {columns} columns, the graph labels up to {int(self._column.max()) + 1}")
        batch, states = len(matrices), self.fst.num_states
        lengths = torch.tensor([len(m) for m in matrices], device=self.device)
        frames = max(len(m) for m in matrices)
        padded = np.zeros((batch, frames, columns), np.float32)
        for row, matrix in zip(padded, matrices, strict=True):
            row[: len(matrix)] = matrix[:, :columns]
        acoustic = torch.as_tensor(-self.acoustic_scale * padded, device=self.device)
        cost = torch.full((batch, states), float("inf"), device=self.device)
        cost[:, self.fst.start] = 0.0
        back = torch.full((frames + 1, batch, states), -1, dtype=torch.int32, device=self.device)
        cost = self._follow_silent(cost, back[0])
        for t in range(frames):
            running = (t < lengths)[:, None]
            entered = self._step(cost, acoustic[:, t], back[t + 1])
            cost = torch.where(running, entered, cost)
        return self._paths(cost, back, lengths, matrices)

    def _step(self, cost, acoustic, back):
        """(B, S) costs before a frame -> after it; writes the arcs taken into back (B, S)."""
        arcs, source, target, weight = self._emitting
        offered = cost[:, source] + weight + acoustic[:, self._column]
        entered = torch.full_like(cost, float("inf"))
        self._take(entered, offered, arcs, target, back)
        entered -= entered.amin(dim=1, keepdim=True).nan_to_num(posinf=0.0)
        entered[entered > self.beam] = float("inf")
        return self._follow_silent(entered, back)

    def _follow_silent(self, cost, back):
        """Arcs that read nothing, until no cost falls."""
        arcs, source, target, weight = self._silent
        while len(arcs):
            before = cost.clone()
            self._take(cost, before[:, source] + weight, arcs, target, back)
            if torch.equal(before, cost):
                break
        return cost

    def _take(self, cost, offered, arcs, target, back):
        """cost[s] becomes the least of itself and what arcs into s offer; back[s] an arc that offered that."""
        index = target.expand(len(cost), -1)
        before = cost.clone()
        cost.scatter_reduce_(1, index, offered, "amin")
        won = (offered == cost[:, target]) & (offered < before[:, target])
        winners = torch.where(won, arcs, torch.full_like(arcs, -1).expand(len(cost), -1))
        best = torch.full_like(back, -1).scatter_reduce_(1, index, winners, "amax")
        back.copy_(torch.where(best >= 0, best, back))

    def _paths(self, cost, back, lengths, matrices) -> list[BatchPath]:
        """Walk back from each utterance's best state."""
        final = cost + self._final
        reached = torch.isfinite(final).any(dim=1)
        state = torch.where(reached, final.argmin(dim=1), cost.argmin(dim=1))
        alive = torch.isfinite(cost).any(dim=1).tolist()
        ends = state.tolist()
        source = torch.as_tensor(self._source_of.astype(np.int64), device=self.device)
        emits = torch.as_tensor(np.array(self.fst.ilabel) > 0, device=self.device)
        rows, t, taken = torch.arange(len(cost), device=self.device), lengths.clone(), []
        while True:  # all utterances walk in step; one that has come to its start stays there
            arc = back[t, rows, state].long()
            if bool((arc < 0).all()):
                break
            taken.append(arc)
            state = torch.where(arc >= 0, source[arc.clamp(min=0)], state)
            t = torch.where((arc >= 0) & emits[arc.clamp(min=0)], t - 1, t)
        taken = torch.stack(taken).flip(0).cpu().numpy() if taken else np.zeros((0, len(cost)), np.int64)
        results = []
        for b, matrix in enumerate(matrices):
            arcs = taken[:, b][taken[:, b] >= 0]
            labels, words = self.fst.ilabel[arcs], self.fst.olabel[arcs]
            labels = labels[labels > 0]
            graph_cost = float(self.fst.weight[arcs].sum(dtype=np.float64))
            is_final = bool(reached[b])
            if is_final:
                graph_cost += float(self.fst.final[ends[b]])
            acoustic = -float(matrix[np.arange(len(labels)), labels - 1].sum(dtype=np.float64)) if alive[b] else np.inf
            path = BatchPath(words[words > 0], labels, graph_cost, acoustic, is_final)
            results.append(path if alive[b] else None)
        return results
