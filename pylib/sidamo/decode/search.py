"""One utterance's search over a graph, advanced by chunks of log-likelihoods: the Python side of the fast kernel."""

from __future__ import annotations

import numpy as np

from sidamo.decode import kernel
from sidamo.decode.graph import ILABEL, OLABEL, WEIGHT, DecodingGraph
from sidamo.decode.hotwords import NO_HOT_WORDS
from sidamo.decode.options import DecoderOptions
from sidamo.decode.utterance import BadMatrix, UtteranceSearch, grouped, grown, ranks
from sidamo.io.errors import DataError
from sidamo.io.lattice import Lattice

__all__ = ["BadMatrix", "Search"]

FIRST_TOKENS = 1 << 18  # tokens (16 bytes each) reserved at first; doubled when needed
FIRST_TRIES = 1 << 15  # arcs of one frame
PRUNE_AT = 1 << 20  # tokens and links from which a lattice is pruned on the way


class Search(UtteranceSearch):
    """Token passing over a graph for one utterance at a time.

    Parameters
    ----------
    graph : DecodingGraph (shared, read-only)
    options : DecoderOptions for the best path only, LatticeOptions to keep what a lattice needs
    acoustic_scale : factor of the log-likelihoods
    hot_words : HotWords, optional

    It belongs to one thread. Memory: 4 bytes a state of the graph, 16 a token, 16 a link; the best path's tokens are
    compacted and a lattice's pruned when they outgrow their room, so both stay bounded on long audio.
    """

    def __init__(self, graph: DecodingGraph, options: DecoderOptions, acoustic_scale: float = 1.0, hot_words=None):
        super().__init__(graph, graph, options, acoustic_scale, num_ends=3)  # tokens, emitting links, all links
        self.hot = hot_words or NO_HOT_WORDS
        num_keys = graph.num_states * self.hot.num_contexts
        if num_keys >= 2**31:
            raise DataError(
                f"{graph.num_states} states times {self.hot.num_contexts} places in hot phrases is too much",
                mend="give fewer or shorter hot phrases",
            )
        self._slot = np.full(num_keys, -1, np.int32)
        self._offset = 0
        self._tokens = np.empty((FIRST_TOKENS, kernel.TOKEN), np.int32)
        self._queue, self._leaving = np.empty(1 << 14, np.int32), np.empty(1 << 14, np.int32)
        self._reserve_tries(FIRST_TRIES)
        self.reset()

    # ------------------------------------------------------------------------------------------------------- advancing

    def reset(self) -> None:
        """Begin a new utterance: a token on the start state, and the epsilon closure."""
        self._forget_utterance()
        self._forget_slots()
        self._prune_at = PRUNE_AT
        cutoff = np.float32(self.options.beam if self.makes_lattice else np.inf)
        while True:
            key = self.graph.start * self.hot.num_contexts
            self._tokens[0] = -1, -1, key, 0
            self._slot[key], self._leaving[0] = self._offset, 0
            code, end, listed, links = kernel.close(
                *self._graph_arrays(), self._tokens, self._slot, self._offset, 0, 1, cutoff, self._queue, self._leaving,
                1, self._links, 0, self._lattice_beam,
            )  # fmt: skip
            if code == kernel.DONE and self.makes_lattice:
                links = kernel.link_epsilons(
                    *self._graph_arrays(), self._tokens, self._slot, self._offset, 0, cutoff, self._leaving, listed,
                    self._links, 0, self._lattice_beam,
                )  # fmt: skip
                code = kernel.LINKS_FULL if links < 0 else code
            if code == kernel.DONE:
                break
            self._make_room(code)
        self._position[[kernel.END, kernel.NUM_LINKS]] = end, links
        self._frame_ends[:, 0] = end, 0, links

    def _run(self, loglikes, blank_only, row) -> int:
        self._position[kernel.OFFSET] = self._offset
        return kernel.advance(
            *self._graph_arrays(), np.float32(self.hot.lowest), np.float32(self.hot.highest), loglikes, blank_only,
            *self._pruning(), self._prune_at, self._tokens, self._slot, self._queue, self._leaving, self._costs,
            self._bins, row, self._tries, self._links, *self._frame_ends, self._position, len(loglikes),
        )  # fmt: skip

    def _make_room(self, code: int) -> None:
        if code == kernel.QUEUE_FULL:
            room = 2 * max(len(self._queue), len(self._tokens) // 8)
            self._queue, self._leaving = np.empty(room, np.int32), np.empty(room, np.int32)
        elif code == kernel.TRIES_FULL:
            self._reserve_tries(2 * len(self._tries))
        elif code == kernel.LINKS_FULL:
            self._links = grown(self._links, 2 * len(self._links))
        elif self.makes_lattice or len(self._tokens) < 1 << 21:
            self._tokens = grown(self._tokens, 2 * len(self._tokens))
        else:
            begin, end = int(self._position[kernel.BEGIN]), int(self._position[kernel.END])
            kept = kernel.compact(self._tokens, end, np.arange(begin, end, dtype=np.int32), np.empty(end, np.int32))
            self._position[[kernel.BEGIN, kernel.END]] = kept - (end - begin), kept
            if 2 * kept > len(self._tokens) or 2 * end < len(self._tokens):  # or one frame needs more than half of it
                self._tokens = grown(self._tokens, 2 * len(self._tokens))
        self._forget_slots()

    def _prune(self) -> None:
        """Prune the lattice so far, as if every token of the last frame could still become the best."""
        begin, end = self._position[kernel.BEGIN], self._position[kernel.END]
        if self.num_frames > 0:
            self._prune_with(np.zeros(end - begin, np.float32))
        self._prune_at = max(3 * int(self._position[kernel.END] + self._position[kernel.NUM_LINKS]), PRUNE_AT)
        self._forget_slots()

    def _prune_with(self, last: np.ndarray) -> None:
        """Prune the lattice; last: how much dearer than the best the paths are that end in the last frame's tokens."""
        n, ends, lattice = self.num_frames, self._frame_ends, (self._lattice_beam, self._links)
        extra, listed, renumbered = self._scratch(int(self._position[kernel.END]))
        extra[len(extra) - len(last) :] = last
        kernel.find_extra(self._tokens, extra, *lattice, *ends, n, listed)
        self._position[[kernel.END, kernel.NUM_LINKS]] = kernel.prune(
            self._tokens, extra, listed, renumbered, *lattice, *ends, n
        )
        self._position[kernel.BEGIN] = ends[0, n - 1] if n > 0 else 0

    # --------------------------------------------------------------------------------------------------------- results

    def frontier(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tokens of the last frame: (index, cost relative to the best of the frame before, final cost or inf)."""
        index = np.arange(self._position[kernel.BEGIN], self._position[kernel.END])
        tokens = self._tokens[index]
        key, contexts = tokens[:, kernel.KEY], self.hot.num_contexts
        final = self.graph.final[key // contexts].astype(np.float64)
        if contexts > 1:
            final += self.hot.final_cost[key % contexts]
        return index, tokens.view(np.float32)[:, kernel.COST].astype(np.float64), final

    def _state_of(self, index: int) -> int:
        return int(self._tokens[index, kernel.KEY]) // self.hot.num_contexts

    def _arcs_to(self, index: int):
        arcs, _ = self._trace(self._tokens, index)
        labels = self.graph.arcs[arcs, ILABEL]
        return arcs, np.maximum(np.cumsum(labels != 0) - 1, 0), labels[labels != 0]

    def _graph_cost(self, arcs, words, index: int, use_final: bool) -> float:
        cost = super()._graph_cost(arcs, words, index, use_final)
        return cost + (self.hot.cost_of(words, complete=use_final) if self.hot.num_contexts > 1 else 0.0)

    def _living(self):
        begin, end = int(self._position[kernel.BEGIN]), int(self._position[kernel.END])
        return self._tokens[:end], np.arange(begin, end, dtype=np.int32)

    def raw_lattice(self, acoustic_scale: float = 1.0) -> Lattice:
        """The state-level lattice of the utterance, pruned with the lattice beam; ends the utterance.

        acoustic_scale multiplies its acoustic costs (Kaldi determinizes scaled ones). States are in topological order,
        frame by frame. Where no final state was reached all last tokens are final at no cost (as in Kaldi), so that a
        partial result is kept.
        """
        contexts = self.hot.num_contexts
        index, cost, final = self.frontier()
        any_final = bool(np.isfinite(final).any())
        if not any_final:
            final = np.zeros(len(index))
        last = cost + final - (cost + final).min()
        self._prune_with(np.where(last <= self._lattice_beam, last, np.inf))
        tokens, links = (a[: self._position[n]] for a, n in ((self._tokens, kernel.END), (self._links, kernel.NUM_LINKS)))
        reached = np.flatnonzero(tokens[:, kernel.PREV] >= 0)  # all but the start: their best ways in are arcs too
        source = np.concatenate([tokens[reached, kernel.PREV], links[:, kernel.SOURCE]])
        target = np.concatenate([reached, links[:, kernel.TARGET]])
        arc = np.concatenate([tokens[reached, kernel.TAKEN], links[:, kernel.LINK_ARC]])
        frame_ends = self._frame_ends[0, : self.num_frames + 1]
        frame = np.repeat(np.arange(len(frame_ends)), np.diff(frame_ends, prepend=0))
        graph_cost = self.graph.weights[arc, WEIGHT].astype(np.float64)
        ilabel, olabel = self.graph.arcs[arc, ILABEL], self.graph.arcs[arc, OLABEL]
        if contexts > 1:
            earned = self.hot.cost[tokens[source, kernel.KEY] % contexts, self.hot.class_of(olabel)]
            graph_cost += np.where(olabel > 0, earned, 0)
        emits = ilabel != 0
        acoustic_cost = np.zeros(len(arc))
        acoustic_cost[emits] = -acoustic_scale * self._loglikes_at(frame[target[emits]] - 1, ilabel[emits])
        rank = ranks(frame_ends, np.zeros(len(tokens), bool), source[~emits], target[~emits])
        order, offsets = grouped(rank[source], len(tokens))
        index, _, final = self.frontier()
        final_cost = np.full(len(tokens), np.inf)
        final_cost[rank[index]] = final if any_final else 0.0
        return Lattice(
            0 if len(tokens) else -1, offsets, ilabel[order], olabel[order], graph_cost[order], acoustic_cost[order],
            rank[target][order], final_cost, np.where(np.isfinite(final_cost), 0.0, np.inf),
        )  # fmt: skip

    # ---------------------------------------------------------------------------------------------------------- arrays

    def _graph_arrays(self):
        g, h = self.graph, self.hot
        return g.states, g.arcs, h.word_class, h.next, h.cost

    def _reserve_tries(self, room: int) -> None:
        self._tries, self._costs = np.empty((room, kernel.TRY), np.int32), np.empty(room, np.float32)

    def _forget_slots(self) -> None:
        """Make every entry of the slot table stale by moving its zero beyond all that was entered."""
        self._offset += len(self._tokens)
        if self._offset + 2 * len(self._tokens) >= 2**31:
            self._slot.fill(-1)
            self._offset = 0
