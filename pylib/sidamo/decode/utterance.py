"""What the searches over TLG and over LG share: feeding them, making room, and reading off the best path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sidamo.decode import kernel
from sidamo.decode.graph import OLABEL, WEIGHT
from sidamo.decode.options import DecoderOptions, LatticeOptions
from sidamo.io.errors import DataError

FIRST_LINKS = 1 << 16  # links of a lattice (16 bytes each) reserved at first; doubled when needed


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


class UtteranceSearch:
    """One utterance at a time: `reset`, `advance` with chunks, then `best_path` or `raw_lattice`.

    A subclass gives `reset`, `frontier`, `raw_lattice`, and

    _run(loglikes, blank_only, row) : its kernel's advance; returns the code
    _make_room(code), _prune() : what a kernel asks for in the middle of a frame, and between two
    _arcs_to(index) : arcs of the path to an entry of the frontier, the frame of each, and the label of each frame
    _living() : records of paths, and those that living tokens end in

    Parameters
    ----------
    graph : DecodingGraph or TopologyGraph
    arcs_of : the DecodingGraph in it
    num_ends : arrays indexed by frame that the kernel keeps for a lattice
    """

    def __init__(self, graph, arcs_of, options: DecoderOptions, acoustic_scale: float, num_ends: int):
        self.graph, self._graph, self.options = graph, arcs_of, options
        self.acoustic_scale = np.float32(acoustic_scale)
        self.makes_lattice = isinstance(options, LatticeOptions)
        self._lattice_beam = np.float32(options.lattice_beam if self.makes_lattice else -1.0)
        self._links = np.empty((FIRST_LINKS if self.makes_lattice else 1, kernel.LINK), np.int32)
        self._bins = np.zeros(kernel.NUM_BINS, np.int64)
        self._path = np.empty(1 << 12, np.int32)
        self._pruning_room = np.empty((3, 0), np.int32)
        self._frame_ends = np.zeros((num_ends, 1 << 10), np.int64)
        self._position = np.zeros(kernel.POSITIONS, np.int64)
        self._forget_utterance()

    def _forget_utterance(self) -> None:
        self._chunks: list[np.ndarray] = []
        self._blank_only: list[np.ndarray] = []
        self.num_frames, self.alive = 0, True
        self._position[:] = 0

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
        if not self.alive:
            return
        blank_only = frames_of_blank(loglikes, self.options.blank_skip_thresh)
        self._chunks.append(loglikes)
        self._blank_only.append(blank_only)
        needed = self.num_frames + len(loglikes) + 1
        if self.makes_lattice and needed > self._frame_ends.shape[1]:
            self._frame_ends = np.ascontiguousarray(grown(self._frame_ends.T, 2 * needed).T)
        row = np.empty(loglikes.shape[1] + 1, np.float32)
        self._position[kernel.FRAME] = 0
        while True:
            code = self._run(loglikes, blank_only, row)
            self.num_frames = int(self._position[kernel.UTT_FRAME])
            if code == kernel.NO_TOKENS:
                self.alive = False
                return
            if code != kernel.DONE:
                self._make_room(code)
            elif self._position[kernel.FRAME] < len(loglikes):
                self._prune()
            else:
                return

    def _pruning(self) -> tuple:
        """Options in the order in which the kernels take them."""
        o = self.options
        beams = np.float32(o.beam), o.max_active, o.min_active, np.float32(o.beam_delta), self._lattice_beam
        return self.acoustic_scale, *beams

    def _scratch(self, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What pruning needs for so many tokens or nodes: extra costs, list, new numbers. Kept, for new memory is slow."""
        if self._pruning_room.shape[1] <= count:
            self._pruning_room = np.empty((3, 2 * count + 1), np.int32)
        extra, listed, renumbered = self._pruning_room
        return extra[:count].view(np.float32), listed, renumbered

    # --------------------------------------------------------------------------------------------------------- results

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
        arcs, frames, labels = self._arcs_to(int(index[best]))
        words = self._graph.arcs[arcs, OLABEL]
        return BestPath(
            words=words[words != 0],
            labels=labels,
            word_frames=frames[words != 0].astype(np.int32),
            graph_cost=self._graph_cost(arcs, words, int(index[best]), use_final),
            acoustic_cost=-float(self._loglikes_at(np.arange(len(labels)), labels).sum(dtype=np.float64)),
            reached_final=reached,
            num_frames=len(labels),
        )

    def _graph_cost(self, arcs, words, index: int, use_final: bool) -> float:
        cost = float(self._graph.weights[arcs, WEIGHT].sum(dtype=np.float64))
        return cost + (float(self._graph.final[self._state_of(index)]) if use_final else 0.0)

    def certain_words(self) -> np.ndarray:
        """Words that the paths of all living tokens begin with: no later frame can change them."""
        records, ends = self._living()
        if len(ends) == 0 or ends.min() < 0:
            return np.zeros(0, np.int32)
        ancestor = int(kernel.common_ancestor(records, ends, np.zeros(len(records), np.int32)))
        words = self._graph.arcs[self._trace(records, ancestor)[0], OLABEL]
        return words[words != 0]

    def _trace(self, records: np.ndarray, last: int) -> tuple[np.ndarray, np.ndarray]:
        """(arcs that lead to the record `last`, their records)."""
        begin = kernel.trace_back(records, last, self._path)
        while begin < 0:
            self._path = np.empty(2 * len(self._path), np.int32)
            begin = kernel.trace_back(records, last, self._path)
        path = self._path[begin:]
        path = path[records[path, kernel.TAKEN] >= 0]  # without the start
        return records[path, kernel.TAKEN], path

    def _loglikes_at(self, frames: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Log-likelihoods of labels (> 0) at frames of the utterance."""
        return self._loglikes()[frames, labels - 1]

    def _loglikes(self) -> np.ndarray:
        if len(self._chunks) > 1:
            self._chunks = [np.concatenate(self._chunks)]
        return self._chunks[0] if self._chunks else np.zeros((0, self.graph.num_labels), np.float32)


def grown(records: np.ndarray, room: int) -> np.ndarray:
    """A copy with room for more rows."""
    larger = np.empty((room, *records.shape[1:]), records.dtype)
    larger[: len(records)] = records
    return larger


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


def ranks(frame_ends: np.ndarray, late: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """rank[i] of lattice states in topological order: by frame, then `late`, then the epsilon arcs on the longest way.

    frame_ends : (T + 1,) end of each frame's states
    source, target : epsilon arcs, each within one frame
    """
    depth, rank = np.zeros(len(late), np.int32), np.empty(len(late), np.int32)
    arrays = (np.ascontiguousarray(a, np.int32) for a in (source, target))
    kernel.rank_states(np.ascontiguousarray(frame_ends), late, *arrays, depth, rank)
    return rank


def grouped(source: np.ndarray, num_states: int) -> tuple[np.ndarray, np.ndarray]:
    """(order of arcs by their source, int32; where each source's begin, (S + 1,) int64)."""
    order, offsets = np.empty(len(source), np.int32), np.zeros(num_states + 1, np.int64)
    kernel.group_arcs(np.ascontiguousarray(source, np.int32), offsets, order)
    return order, offsets
