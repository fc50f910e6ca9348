"""One utterance's search over a graph, advanced by chunks of log-likelihoods: the Python side of the fast kernel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sidamo.decode import kernel
from sidamo.decode.graph import ILABEL, OLABEL, WEIGHT, DecodingGraph
from sidamo.decode.hotwords import NO_HOT_WORDS
from sidamo.decode.options import DecoderOptions, LatticeOptions
from sidamo.io.errors import DataError
from sidamo.io.lattice import Lattice

FIRST_TOKENS = 1 << 18  # tokens (24 bytes each) reserved at first; doubled when needed
FIRST_LINKS = 1 << 19  # links (16 bytes each)
PRUNE_AT = 1 << 18  # links from which a lattice is pruned on the way


class BadMatrix(DataError):
    """Log-likelihoods that cannot be decoded (NaN, inf): a matter of one utterance, not of the graph."""


@dataclass(frozen=True)
class BestPath:
    """The best path of one utterance.

    words, labels : int32, output labels, and input labels (one a frame)
    word_frames : int32, the frame at which each word's label stands on the path
    graph_cost, acoustic_cost : -log, the acoustic one without the acoustic scale
    reached_final : the path ends in a final state; its final cost is in graph_cost
    num_frames : frames on the path; less than the matrix has where no token survived
    """

    words: np.ndarray
    labels: np.ndarray
    word_frames: np.ndarray
    graph_cost: float
    acoustic_cost: float
    reached_final: bool
    num_frames: int


class Search:
    """Token passing over a graph for one utterance at a time.

    Parameters
    ----------
    graph : DecodingGraph (shared, read-only)
    options : DecoderOptions for the best path only, LatticeOptions to keep what a lattice needs
    acoustic_scale : factor of the log-likelihoods
    hot_words : HotWords, optional

    One object decodes many utterances: `reset`, `advance` with chunks, then `best_path` or `raw_lattice`. It belongs to
    one thread. Memory: 4 bytes a state of the graph, 24 a token, 16 a link; the best path's tokens are compacted and a
    lattice's pruned when they outgrow their room, so both stay bounded on long audio.
    """

    def __init__(self, graph: DecodingGraph, options: DecoderOptions, acoustic_scale: float = 1.0, hot_words=None):
        self._kernel = kernel
        self.graph, self.options = graph, options
        self.acoustic_scale = np.float32(acoustic_scale)
        self.hot = hot_words or NO_HOT_WORDS
        self.makes_lattice = isinstance(options, LatticeOptions)
        self._lattice_beam = np.float32(options.lattice_beam if self.makes_lattice else -1.0)
        num_keys = graph.num_states * self.hot.num_contexts
        if num_keys >= 2**31:
            raise DataError(
                f"{graph.num_states} states times {self.hot.num_contexts} places in hot phrases is too much",
                mend="give fewer or shorter hot phrases",
            )
        self._slot = np.full(num_keys, -1, np.int32)
        self._offset = 0
        self._reserve_tokens(FIRST_TOKENS)
        self._reserve_links(FIRST_LINKS if self.makes_lattice else 1)
        self._queue, self._leaving = np.empty(1 << 14, np.int32), np.empty(1 << 14, np.int32)
        self._reserve_tries(FIRST_TOKENS)
        self._bins = np.zeros(kernel.NUM_BINS, np.int64)
        self._path = np.empty(1 << 12, np.int32)
        self._frame_ends = np.zeros((3, 1 << 10), np.int64)  # tokens, emitting links, all links
        self._position = np.zeros(7, np.int64)
        self.reset()

    # ------------------------------------------------------------------------------------------------------- advancing

    def reset(self) -> None:
        """Begin a new utterance: a token on the start state, and the epsilon closure."""
        k = self._kernel
        self._forget_slots(len(self._key))
        self._chunks: list[np.ndarray] = []
        self.num_frames = 0
        self.alive = True
        self._prune_at = PRUNE_AT
        self._position[:] = 0
        self._key[0] = self.graph.start * self.hot.num_contexts
        self._cost[0], self._prev[0], self._arc[0] = 0.0, -1, -1
        self._slot[self._key[0]] = self._offset
        cutoff = np.float32(self.options.beam if self.makes_lattice else np.inf)
        while True:
            code, end, listed = k.close(
                *self._graph_arrays(), *self._token_arrays(), self._slot, self._offset, 0, 1, cutoff, self._queue,
                self._leaving,
            )  # fmt: skip
            if code == k.DONE:
                break
            self._make_room(code)
            self._slot[self._key[0]] = self._offset
        self._position[k.END], self._position[k.OFFSET] = end, self._offset
        if self.makes_lattice:
            self._link_start(end, cutoff, listed)

    def _link_start(self, end: int, cutoff, listed: int) -> None:
        k = self._kernel
        g = self._graph_arrays()
        links = k.link_epsilons(
            *g, self._key, self._cost, self._slot, self._offset, 0, cutoff, self._leaving, listed,
            *self._link_arrays(), 0, self._lattice_beam,
        )  # fmt: skip
        if links < 0:
            self._reserve_links(2 * len(self._link_from))
            return self._link_start(end, cutoff, listed)
        self._frame_ends[:, 0] = end, 0, links
        self._position[k.NUM_LINKS] = links

    def advance(self, loglikes: np.ndarray) -> None:
        """Advance over a chunk.

        Parameters
        ----------
        loglikes : (T, V) float32, log-likelihoods (or log-posteriors); column v is label v + 1

        Raises
        ------
        DataError : fewer columns than the graph has labels, NaN, or +inf
        """
        loglikes = np.require(loglikes, np.float32, ["C", "W"])  # one type of array: one compilation
        if len(loglikes) == 0:
            return
        check_loglikes(loglikes, self.graph.num_labels)
        k, options = self._kernel, self.options
        if not self.alive:
            return
        self._chunks.append(loglikes)
        blank_only = frames_of_blank(loglikes, options.blank_skip_thresh)
        if self.makes_lattice and self.num_frames + len(loglikes) + 1 > self._frame_ends.shape[1]:
            grown = np.zeros((3, 2 * (self.num_frames + len(loglikes) + 1)), np.int64)
            grown[:, : self._frame_ends.shape[1]] = self._frame_ends
            self._frame_ends = grown
        row = np.empty(loglikes.shape[1] + 1, np.float32)
        self._position[k.FRAME] = 0
        while True:
            self._position[k.OFFSET] = self._offset
            code = k.advance(
                *self._graph_arrays(), np.float32(self.hot.lowest), np.float32(self.hot.highest),
                loglikes, blank_only, self.acoustic_scale, np.float32(options.beam), options.max_active,
                options.min_active, np.float32(options.beam_delta), self._lattice_beam, self._prune_at,
                *self._token_arrays(), self._slot, self._queue, self._leaving, self._bins, row, *self._tries,
                *self._link_arrays(), *self._frame_ends, self._position, len(loglikes),
            )  # fmt: skip
            self.num_frames = int(self._position[k.UTT_FRAME])
            if code == k.NO_TOKENS:
                self.alive = False
                return
            if code != k.DONE:
                self._make_room(code)
            elif self._position[k.FRAME] < len(loglikes):
                self._prune()
            else:
                return

    def _make_room(self, code: int) -> None:
        """What a kernel asked for when it stopped in the middle of a frame."""
        k = self._kernel
        if code == k.QUEUE_FULL:
            room = 2 * max(len(self._queue), len(self._key) // 8)
            self._queue, self._leaving = np.empty(room, np.int32), np.empty(room, np.int32)
        elif code == k.TRIES_FULL:
            self._reserve_tries(2 * len(self._tries[0]))
        elif code == k.LINKS_FULL:
            self._reserve_links(2 * len(self._link_from))
        elif self.makes_lattice or len(self._key) < 1 << 21:
            self._reserve_tokens(2 * len(self._key))
        else:
            begin, end = int(self._position[k.BEGIN]), int(self._position[k.END])
            kept = k.compact(*self._token_arrays(), begin, end, np.empty(end, np.int32))
            self._position[k.BEGIN], self._position[k.END] = kept - (end - begin), kept
            if 2 * kept > len(self._key) or 2 * end < len(self._key):  # or one frame needs more than half of it
                self._reserve_tokens(2 * len(self._key))
        self._forget_slots(len(self._key))

    def _prune(self) -> None:
        """Prune the lattice so far, as if every token of the last frame could still become the best."""
        k = self._kernel
        begin, end = self._position[k.BEGIN], self._position[k.END]
        if self.num_frames > 0:
            extra = np.empty(end, np.float32)
            extra[begin:] = 0.0
            self._prune_with(extra)
        self._prune_at = max(3 * int(self._position[k.NUM_LINKS]), PRUNE_AT)
        if self._prune_at > len(self._link_from) // 2:
            self._reserve_links(2 * self._prune_at)
        self._forget_slots(len(self._key))

    def _prune_with(self, extra: np.ndarray) -> None:
        k, n = self._kernel, self.num_frames
        links = self._link_arrays()
        k.find_extra(self._cost, extra, self._lattice_beam, links[0], links[1], links[3], *self._frame_ends, n)
        tokens, num_links = k.prune(
            *self._token_arrays(), extra, np.empty(len(extra), np.int32), self._lattice_beam, *links,
            *self._frame_ends, n,
        )  # fmt: skip
        self._position[k.BEGIN] = self._frame_ends[0, n - 1] if n > 0 else 0
        self._position[k.END], self._position[k.NUM_LINKS] = tokens, num_links

    # --------------------------------------------------------------------------------------------------------- results

    def frontier(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tokens of the last frame: (index, cost relative to the best of the frame before, final cost or inf)."""
        k = self._kernel
        index = np.arange(self._position[k.BEGIN], self._position[k.END])
        contexts = self.hot.num_contexts
        key = self._key[index]
        final = self.graph.final[key // contexts].astype(np.float64)
        if contexts > 1:
            final += self.hot.final_cost[key % contexts]
        return index, self._cost[index].astype(np.float64), final

    @property
    def reached_final(self) -> bool:
        return bool(np.isfinite(self.frontier()[2]).any())

    def final_relative_cost(self) -> float:
        """Best cost with final costs minus best cost without (Kaldi's FinalRelativeCost); inf where none is final."""
        _, cost, final = self.frontier()
        return float((cost + final).min() - cost.min()) if len(cost) else float("inf")

    def best_path(self, use_final: bool = True) -> BestPath:
        """The best path: to a final state where one is reached (unless told not to), else to the best token."""
        index, cost, final = self.frontier()
        reached = bool(np.isfinite(final).any())
        use_final = use_final and reached
        best = int(np.argmin(cost + final if use_final else cost))
        arcs = self._arcs_to(int(index[best]))
        graph_cost = self.graph.weights[arcs, WEIGHT].sum(dtype=np.float64)
        labels_of_arcs, words_of_arcs = self.graph.arcs[arcs, ILABEL], self.graph.arcs[arcs, OLABEL]
        if self.hot.num_contexts > 1:
            graph_cost += self.hot.cost_of(words_of_arcs, complete=use_final)
            if use_final:
                graph_cost += float(self.graph.final[self._key[index[best]] // self.hot.num_contexts])
        elif use_final:
            graph_cost += float(final[best])
        frame_of_arc = np.maximum(np.cumsum(labels_of_arcs != 0) - 1, 0)
        labels = labels_of_arcs[labels_of_arcs != 0]
        return BestPath(
            words=words_of_arcs[words_of_arcs != 0],
            labels=labels,
            word_frames=frame_of_arc[words_of_arcs != 0].astype(np.int32),
            graph_cost=float(graph_cost),
            acoustic_cost=-float(self._loglikes_at(np.arange(len(labels)), labels).sum(dtype=np.float64)),
            reached_final=reached,
            num_frames=len(labels),
        )

    def certain_words(self) -> np.ndarray:
        """Words that the paths of all living tokens begin with: no later frame can change them."""
        index = self.frontier()[0].astype(np.int32)
        seen = np.zeros(int(self._position[self._kernel.END]), np.int32)
        ancestor = int(self._kernel.common_ancestor(self._prev, index, seen))
        words = self.graph.arcs[self._arcs_to(ancestor) if ancestor >= 0 else [], OLABEL]
        return words[words != 0]

    def _arcs_to(self, token: int) -> np.ndarray:
        begin = self._kernel.trace_back(self._prev, self._arc, token, self._path)
        while begin < 0:
            self._path = np.empty(2 * len(self._path), np.int32)
            begin = self._kernel.trace_back(self._prev, self._arc, token, self._path)
        return self._path[begin:]

    def _loglikes_at(self, frames: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Log-likelihoods of labels (> 0) at frames of the utterance."""
        if len(self._chunks) > 1:
            self._chunks = [np.concatenate(self._chunks)]
        if not len(labels):
            return np.zeros(0, np.float32)
        return self._chunks[0][frames, labels - 1]

    def raw_lattice(self, acoustic_scale: float = 1.0) -> Lattice:
        """The state-level lattice of the utterance, pruned with the lattice beam; ends the utterance.

        acoustic_scale multiplies its acoustic costs (Kaldi determinizes scaled ones). States are in topological order,
        frame by frame. Where no final state was reached all last tokens are final at no cost (as in Kaldi), so that a
        partial result is kept.
        """
        k = self._kernel
        n, contexts = self.num_frames, self.hot.num_contexts
        index, cost, final = self.frontier()
        any_final = bool(np.isfinite(final).any())
        if not any_final:
            final = np.zeros(len(index))
        extra = np.empty(int(self._position[k.END]), np.float32)
        last = cost + final - (cost + final).min()
        extra[index] = np.where(last <= self._lattice_beam, last, np.inf)
        self._prune_with(extra)
        tokens, links = int(self._position[k.END]), int(self._position[k.NUM_LINKS])
        token_end, emit_end, link_end = (self._frame_ends[i, : n + 1] for i in range(3))
        source, target = self._link_from[:links], self._link_to[:links]
        arc, frame = self._link_arc[:links], np.repeat(np.arange(n + 1), np.diff(link_end, prepend=0))
        graph_cost = self.graph.weights[arc, WEIGHT].astype(np.float64)
        ilabel, olabel = self.graph.arcs[arc, ILABEL], self.graph.arcs[arc, OLABEL]
        if contexts > 1:
            earned = self.hot.cost[self._key[source] % contexts, self.hot.class_of(olabel)]
            graph_cost += np.where(olabel > 0, earned, 0)
        emits = ilabel != 0
        acoustic_cost = np.zeros(links)
        acoustic_cost[emits] = -acoustic_scale * self._loglikes_at(frame[emits] - 1, ilabel[emits]).astype(np.float64)
        order = self._topological_rank(tokens, token_end, source[~emits], target[~emits])
        index, _, final = self.frontier()
        final = final if any_final else np.zeros(len(index))
        finals = {int(order[i]): (float(f), 0.0) for i, f in zip(index, final, strict=True) if np.isfinite(f)}
        return Lattice.from_arcs(
            tokens, 0 if tokens else -1, order[source], ilabel, olabel, graph_cost, acoustic_cost, order[target], finals
        )

    @staticmethod
    def _topological_rank(tokens, token_end, source, target) -> np.ndarray:
        """rank[token]: by frame, within a frame by the number of epsilon links on the longest way to it."""
        frame = np.repeat(np.arange(len(token_end)), np.diff(token_end, prepend=0))
        depth = np.zeros(tokens, np.int64)
        for _ in range(tokens):
            deeper = depth.copy()
            np.maximum.at(deeper, target, depth[source] + 1)
            if np.array_equal(deeper, depth):
                break
            depth = deeper
        rank = np.empty(tokens, np.int32)
        rank[np.lexsort((depth, frame))] = np.arange(tokens, dtype=np.int32)
        return rank

    # ---------------------------------------------------------------------------------------------------------- arrays

    def _graph_arrays(self):
        g, h = self.graph, self.hot
        return g.first, g.arcs, g.weights, h.word_class, h.next, h.cost

    def _token_arrays(self):
        return self._key, self._cost, self._prev, self._arc

    def _link_arrays(self):
        return self._link_from, self._link_to, self._link_arc, self._link_cost

    def _reserve_tokens(self, room: int) -> None:
        for name, dtype in (("_key", np.int32), ("_cost", np.float32), ("_prev", np.int32), ("_arc", np.int32)):
            setattr(self, name, _grow(getattr(self, name, None), room, dtype))

    def _reserve_tries(self, room: int) -> None:
        self._tries = *(np.empty(room, np.int32) for _ in range(3)), np.empty(room, np.float32)

    def _reserve_links(self, room: int) -> None:
        for name, dtype in (("from", np.int32), ("to", np.int32), ("arc", np.int32), ("cost", np.float32)):
            setattr(self, f"_link_{name}", _grow(getattr(self, f"_link_{name}", None), room, dtype))

    def _forget_slots(self, used: int) -> None:
        """Make every entry of the slot table stale by moving its zero beyond all that was entered."""
        self._offset += used
        if self._offset + 2 * len(self._key) >= 2**31:
            self._slot.fill(-1)
            self._offset = 0


def _grow(array, room: int, dtype) -> np.ndarray:
    grown = np.empty(room, dtype)
    if array is not None:
        grown[: len(array)] = array
    return grown


def check_loglikes(loglikes: np.ndarray, num_labels: int) -> None:
    """Raise DataError where a matrix cannot be decoded with a graph of num_labels input labels."""
    if loglikes.ndim != 2:
        raise DataError(f"log-likelihoods of shape {loglikes.shape}; expected a matrix (frames, labels)")
    if loglikes.shape[1] < num_labels:
        raise DataError(
            f"Invalid (frame, index - 1) = (0, {loglikes.shape[1]}) for matrix of size "
            f"{loglikes.shape[0]} x {loglikes.shape[1]}: the graph has labels up to {num_labels}",
            mend="make graph and log-likelihoods from one tokens.txt",
        )
    # One pass: the sum of a matrix without NaN and +inf is finite or -inf.
    total = np.sum(loglikes, dtype=np.float64)
    if np.isnan(total) or total == np.inf:
        frame, column = np.argwhere(~(loglikes < np.inf))[0]
        raise BadMatrix(
            f"log-likelihood {loglikes[frame, column]} at frame {frame}, column {column}; expected a number below inf",
            mend="look at the network's training log: its weights are probably NaN",
        )


def frames_of_blank(loglikes: np.ndarray, threshold: float) -> np.ndarray:
    """bool (T,): frames whose blank has a posterior above the threshold (rows are normalized to sum to one)."""
    if threshold >= 1:
        return np.zeros(len(loglikes), np.bool_)
    likely = loglikes[:, 0] >= np.log(threshold) + loglikes.max(axis=1)
    likely[likely] = np.exp(loglikes[likely] - loglikes[likely, :1]).sum(axis=1) < 1 / threshold
    return likely
