"""One utterance's search over LG with the CTC topology inside: the Python side of k."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sidamo.decode import kernel, topology_lattice
from sidamo.decode import topology_kernel as k
from sidamo.decode.graph import BLANK, ILABEL, OLABEL, WEIGHT, DecodingGraph, graph_of, make_graph, parts_of, recipe
from sidamo.decode.options import DecoderOptions
from sidamo.decode.utterance import UtteranceSearch, grouped, grown, ranks
from sidamo.io.errors import DataError
from sidamo.io.kept_arrays import kept_arrays
from sidamo.io.lattice import Lattice, empty_lattice

STRICT = ("correct", "compact")  # equal tokens need a blank between them
LASTING = ("correct", "compact", "modified")  # a token may last several frames
FIRST_TOKENS, FIRST_TRIES, FIRST_POINTERS, FIRST_NODES = 1 << 14, 1 << 15, 1 << 18, 1 << 19
PRUNE_AT = 1 << 20  # nodes and links from which a lattice is pruned on the way


@dataclass(eq=False)
class TopologyGraph:
    """LG ready for search with a CTC topology inside. Read-only once made, so threads share it.

    graph : DecodingGraph whose emitting arcs lead (column 3) to a unit token (d, q) instead of to d
    n_label : int32 (units,), token label q of each unit token
    topology : correct | compact (its language is the same), modified, minimal
    new_unit_table : function to a table of unit tokens that a search may write to (k.make_unit_table)
    """

    graph: DecodingGraph
    n_label: np.ndarray
    topology: str
    new_unit_table: Callable[[], np.ndarray]

    @property
    def num_labels(self) -> int:
        return self.graph.num_labels


def make_topology_graph(fst, topology: str = "correct", first_disambig: int = 2**31 - 1) -> TopologyGraph:
    """Arrange LG (a CsrFst) for the search.

    Parameters
    ----------
    topology : correct, compact, modified or minimal
    first_disambig : token label of #0; labels from here on are read as epsilon
    """
    check_topology(topology)
    parts = topology_parts(fst, first_disambig)
    return TopologyGraph(graph_of(parts), parts["n_label"], topology, parts["unit_table"].copy)


def load_topology_graph(path, topology: str, tokens_path: str) -> TopologyGraph:
    """Read LG.fst, as make_topology_graph does; tokens.txt says which labels are disambiguation symbols."""
    from sidamo.io.fst import read_fst
    from sidamo.io.symbols import SymbolTable

    check_topology(topology)
    first_disambig = SymbolTable.read(tokens_path).get("#0", 2**31 - 1)
    parts = kept_arrays(
        path, "decode-topology", recipe(first_disambig, __file__, k.__file__),
        lambda: topology_parts(read_fst(path), first_disambig),
    )  # fmt: skip
    return TopologyGraph(graph_of(parts), parts["n_label"], topology, lambda: parts.fresh("unit_table"))


def check_topology(topology: str) -> None:
    if topology not in {*STRICT, *LASTING, "minimal"}:
        raise DataError(
            f"CTC topology {topology!r} cannot be carried inside the decoder; expected correct, compact, modified or "
            "minimal", mend="decode with TLG.fst (steps/decode.sh --graph-type TLG)",
        )  # fmt: skip


def topology_parts(fst, first_disambig: int) -> dict:
    """Arrays and numbers that a TopologyGraph is made of, by name; they are the same for every topology."""
    graph = make_graph(fst, first_disambig)
    if (graph.arcs[:, ILABEL] == BLANK).any():
        raise DataError("LG has arcs labelled with the blank (1): it is a TLG", mend="leave --ctc-topo out")
    n_dest, n_label = k.number_units(graph.arcs, graph.num_states, graph.num_labels)
    table = np.empty((len(n_dest), k.TABLE), np.int32)
    k.make_unit_table(graph.states, n_dest, n_label, table)
    return {**parts_of(graph), "n_label": n_label, "unit_table": table}


class TopologySearch(UtteranceSearch):
    """As Search (same methods), over a TopologyGraph.

    Memory: 4 bytes a state of LG, 32 a unit token, 16 a back-pointer (only where an arc is taken); for lattices 20 a
    node and 16 a link, pruned when they outgrow their room.
    """

    def __init__(self, graph: TopologyGraph, options: DecoderOptions, acoustic_scale: float = 1.0, hot_words=None):
        if hot_words is not None and hot_words.num_contexts > 1:
            raise DataError("hot words need TLG.fst", mend="steps/decode.sh --graph-type TLG")
        super().__init__(graph, graph.graph, options, acoustic_scale, num_ends=4)  # nodes, units, emitting links, links
        self._hub_slot = np.full(graph.graph.num_states, -1, np.int32)
        self._unit_table = graph.new_unit_table()
        self._base = 0
        self._hubs = self._units = np.empty((2, 0, k.RECORD), np.int32)
        self._reserve_tokens(FIRST_TOKENS)
        self._pointers = np.empty((FIRST_POINTERS, k.POINTER_WORDS), np.int32)
        self._nodes = np.empty((FIRST_NODES if self.makes_lattice else 1, k.NODE), np.int32)
        self._tries = np.empty((FIRST_TRIES, k.TRY), np.int32)
        self._queue = np.empty(1 << 14, np.int32)
        self.reset()

    # ------------------------------------------------------------------------------------------------------- advancing

    def reset(self) -> None:
        """Begin a new utterance: a hub on the start state, and the epsilon closure."""
        self._forget_slots()
        self._forget_utterance()
        self._prune_at = PRUNE_AT
        cutoff = np.float32(self.options.beam if self.makes_lattice else np.inf)
        while True:
            self._position[[k.HUB_BASE, k.UNIT_BASE]] = self._base
            code, count, pointers = self._start(cutoff)
            links = 0
            if code == k.DONE and self.makes_lattice:
                code, links = self._start_nodes(count, cutoff)
            if code == k.DONE:
                break
            self._make_room(code)
        self._position[[k.HUBS, k.POINTERS, k.LINKS]] = count, pointers, links
        if self.makes_lattice:
            self._position[k.NODES] = count
            self._frame_ends[:, 0] = count, 0, 0, links

    def _start(self, cutoff):
        """The start's hub and those beyond its epsilon arcs: (code, hubs, back-pointers)."""
        start, rows = self._graph.start, self._graph.states
        hub, cost = self._hubs[0, 0], self._hubs[0, 0].view(np.float32)
        hub[:] = -1
        hub[[k.FRESH, k.STATE, k.LAST]] = k.WAITING, start, k.BLANK if self.graph.topology in STRICT else 0
        hub[k.EPSILONS : k.LOW + 1] = rows[start]
        cost[[k.COST, k.SECOND_COST]] = 0, np.inf
        self._hub_slot[start], self._queue[0] = self._base, 0
        return k.close_hubs(
            0, rows, self._graph.arcs, self._hubs, 0, 1, self._hubs.shape[1], self._hub_slot, self._base, cutoff,
            self._queue, 1, self._pointers, 0,
        )  # fmt: skip

    def _start_nodes(self, count: int, cutoff):
        """Nodes and links of the hubs at the start: (code, links)."""
        if not k.keep_nodes(self._units, 0, 0, self._hubs, 0, count, 0, 0, self._nodes, 0):
            return k.NODES_FULL, 0
        return k.link_epsilons(
            self._graph.arcs, self._hubs, 0, count, self._queue, self._hub_slot, self._base, 0, cutoff, self._links, 0,
            self._lattice_beam,
        )  # fmt: skip

    def _run(self, loglikes, blank_only, row) -> int:
        return k.advance(
            self._graph.states, self._graph.arcs, self.graph.topology in STRICT, self.graph.topology in LASTING,
            loglikes, blank_only, *self._pruning(), self._prune_at, self._hub_slot, self._unit_table, self._hubs,
            self._units, self._moved, self._queue, self._costs, self._bins, row, self._tries, self._pointers, self._nodes,
            self._links, *self._frame_ends, self._position, len(loglikes),
        )  # fmt: skip

    def _make_room(self, code: int) -> None:
        if code == k.QUEUE_FULL:
            self._queue = np.empty(2 * max(len(self._queue), self._hubs.shape[1]), np.int32)
        elif code == k.TRIES_FULL:
            self._tries = np.empty((2 * len(self._tries), k.TRY), np.int32)
        elif code == k.POINTERS_FULL:
            self._compact_pointers()
        elif code == k.LINKS_FULL:
            self._links = grown(self._links, 2 * len(self._links))
        elif code == k.NODES_FULL:
            self._nodes = grown(self._nodes, 2 * len(self._nodes))
        else:
            self._reserve_tokens(2 * self._hubs.shape[1])
        self._forget_slots()

    def _compact_pointers(self) -> None:
        end = int(self._position[k.POINTERS])
        ends, renumbered = self._living()[1], np.empty(end, np.int32)
        kept = kernel.compact(self._pointers, end, ends, renumbered)
        hubs, units = self._tokens()
        for records, field in ((hubs, k.POINTER), (hubs, k.SECOND_POINTER), (units, k.POINTER)):
            old = records[:, field]
            records[:, field] = np.where(old >= 0, renumbered[old], -1)
        self._position[k.POINTERS] = kept
        if 2 * kept > len(self._pointers) or 2 * end < len(self._pointers):  # or one frame needs more than half
            self._pointers = grown(self._pointers, 2 * len(self._pointers))

    def _prune(self) -> None:
        """Prune the lattice so far, as if every token of the last frame could still become the best."""
        if self.num_frames > 0:
            last = self._position[k.NODES] - self._frame_ends[0, self.num_frames - 1]
            self._prune_with(np.zeros(last, np.float32))
        self._prune_at = max(3 * int(self._position[k.NODES] + self._position[k.LINKS]), PRUNE_AT)

    def _prune_with(self, last: np.ndarray) -> None:
        """Prune the lattice; last: how much dearer than the best the paths are that end in the last frame's nodes."""
        n, ends, lattice = self.num_frames, self._frame_ends, (self._lattice_beam, self._links)
        extra, listed, renumbered = self._scratch(int(self._position[k.NODES]))
        extra[len(extra) - len(last) :] = last
        topology_lattice.find_extra(self._nodes, extra, *lattice, *ends, n, listed)
        self._position[[k.NODES, k.LINKS]] = topology_lattice.prune(
            self._nodes, extra, listed, renumbered, *lattice, *ends, n
        )
        self._position[k.UNIT_NODES] = ends[0, n - 1] if n > 0 else 0
        self._position[k.HUB_NODES] = ends[1, n]

    # --------------------------------------------------------------------------------------------------------- results

    def _tokens(self) -> tuple[np.ndarray, np.ndarray]:
        """Records of the last frame's hubs and units."""
        row = self._position[k.ROW]
        return self._hubs[row, : self._position[k.HUBS]], self._units[row, : self._position[k.UNITS]]

    def frontier(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hubs of the last frame: (index, cost relative to the best of the frame before, final cost or inf)."""
        hubs, _ = self._tokens()
        cost, final = hubs.view(np.float32)[:, k.COST], self._graph.final[hubs[:, k.STATE]]
        return np.arange(len(hubs)), cost.astype(np.float64), final.astype(np.float64)

    def _state_of(self, index: int) -> int:
        return int(self._tokens()[0][index, k.STATE])

    def _arcs_to(self, index: int):
        arcs, path = self._trace(self._pointers, int(self._tokens()[0][index, k.POINTER]))
        frames, units = self._pointers[path, k.POINTER_FRAME], self._graph.arcs[arcs, ILABEL]
        return arcs, frames, self._alignment(units[units != 0], frames[units != 0])

    def _living(self):
        hubs, units = self._tokens()
        second = hubs[np.isfinite(hubs.view(np.float32)[:, k.SECOND_COST]), k.SECOND_POINTER]
        ends = np.concatenate([hubs[:, k.POINTER], second, units[:, k.POINTER]])
        return self._pointers[: self._position[k.POINTERS]], np.unique(ends)

    def _alignment(self, units: np.ndarray, begins: np.ndarray) -> np.ndarray:
        """Label of each frame, given the tokens and the frames at which they begin."""
        labels = np.ones(self.num_frames, np.int32)
        skipped, topology = np.concatenate(self._blank_only or [np.zeros(0, bool)]), self.graph.topology
        k.align(
            self._loglikes(), skipped, np.ascontiguousarray(units), np.ascontiguousarray(begins), topology in STRICT,
            topology in LASTING, labels,
        )  # fmt: skip
        return labels

    def raw_lattice(self, acoustic_scale: float = 1.0) -> Lattice:
        """The state-level lattice of the utterance; see Search.raw_lattice."""
        t, n = topology_lattice, self.num_frames
        _, cost, final = self.frontier()
        any_final = bool(np.isfinite(final).any())
        if not any_final:
            final = np.zeros(len(final))
        last = np.full(self._position[k.NODES] - (self._frame_ends[0, n - 1] if n else 0), np.inf)
        dearer = cost + final - (cost + final).min()
        last[len(last) - len(dearer) :] = np.where(dearer <= self._lattice_beam, dearer, np.inf)
        self._prune_with(last)
        nodes, links = int(self._position[k.NODES]), int(self._position[k.LINKS])
        key, before, hub = self._nodes[:nodes, [k.KEY, k.BEFORE, k.NODE_HUB]].T
        node_end, unit_end, emit_end, link_end = (e[: n + 1] for e in self._frame_ends)
        times = np.arange(n + 1, dtype=np.int32)
        frame = np.repeat(times, np.diff(node_end, prepend=0))
        is_hub = key < 0
        node_label = np.where(is_hub, 0, self.graph.n_label[np.maximum(key, 0)])
        # All arcs, explicit and implicit: (from, to, kind, label, arc of LG or -1, frame entered).
        g = self._graph
        link_frame = np.repeat(times, np.diff(link_end, prepend=0))
        arc = self._links[:links, kernel.LINK_ARC]
        label = g.arcs[arc, ILABEL]
        to_hub, stays = (np.flatnonzero(a >= 0).astype(np.int32) for a in (hub, before))
        blank_or_unit = np.where(is_hub[stays], 1, node_label[stays])
        source = np.concatenate([self._links[:links, kernel.SOURCE], to_hub, before[stays]])
        target = np.concatenate([self._links[:links, kernel.TARGET], hub[to_hub], stays])
        kind = np.concatenate([
            np.where(label == 0, t.EPSILON, t.TAKE), np.full(len(to_hub), t.UNIT_TO_HUB),
            np.where(is_hub[stays], t.STAY_BLANK, t.STAY_UNIT),
        ]).astype(np.int32)  # fmt: skip
        label = np.concatenate([label, np.zeros(len(to_hub), np.int32), blank_or_unit]).astype(np.int32)
        arc = np.concatenate([arc, np.full(len(to_hub) + len(stays), -1, np.int32)])
        entered = np.concatenate([link_frame, frame[to_hub], frame[stays]])
        # Topological order: frame, units before hubs, hubs by their epsilon depth.
        rank = ranks(node_end, is_hub, source[kind == t.EPSILON], target[kind == t.EPSILON])
        arc_order, offsets = grouped(rank[source], nodes)
        source, target = rank[source[arc_order]], rank[target[arc_order]]
        kind, label, arc, entered = kind[arc_order], label[arc_order], arc[arc_order], entered[arc_order]
        graph_cost = np.where(arc >= 0, g.weights[arc, WEIGHT], 0).astype(np.float64)
        olabel = np.where(arc >= 0, g.arcs[arc, OLABEL], 0)
        acoustic_cost = np.zeros(len(arc))
        emits = label != 0
        loglikes = self._loglikes()[entered[emits] - 1, label[emits] - 1]
        acoustic_cost[emits] = -acoustic_scale * loglikes.astype(np.float64)
        node_final = np.full(nodes, np.inf)
        last_hubs = np.arange(unit_end[n], nodes)
        node_final[rank[last_hubs]] = g.final[-1 - key[last_hubs]] if any_final else 0.0
        state_node = np.arange(nodes)
        if self.graph.topology in STRICT and nodes:
            label_of_rank = np.empty(nodes, np.int32)
            label_of_rank[rank] = node_label
            state_node, source, target, old = _expand(offsets, target, kind, label, label_of_rank)
            label, olabel, graph_cost, acoustic_cost = label[old], olabel[old], graph_cost[old], acoustic_cost[old]
        return _trimmed(
            node_final[state_node], source, target, label, olabel, graph_cost, acoustic_cost,
            float(self.acoustic_scale) / acoustic_scale if acoustic_scale else 1.0, float(self._lattice_beam),
        )  # fmt: skip

    # ---------------------------------------------------------------------------------------------------------- arrays

    def _reserve_tokens(self, room: int) -> None:
        """Frontiers for `room` hubs and units; the tokens in them stay."""
        before = self._hubs.shape[1]
        for name in ("_hubs", "_units"):
            larger = np.empty((2, room, k.RECORD), np.int32)
            larger[:, :before] = getattr(self, name)
            setattr(self, name, larger)
        self._moved, self._costs = np.empty(room, np.int32), np.empty(2 * room, np.float32)

    def _forget_slots(self) -> None:
        """Make every entry of the slot tables stale by moving their zero beyond all that was entered."""
        position = self._position
        used = max(self._base, int(position[k.HUB_BASE]), int(position[k.UNIT_BASE]))
        self._base = used + 2 * self._hubs.shape[1]
        if self._base > 2**30:
            self._hub_slot.fill(-1)
            self._unit_table[:, k.SLOT] = -1
            self._base = 0
        position[k.HUB_BASE] = position[k.UNIT_BASE] = self._base


def _expand(offsets, target, kind, label, node_label):
    """Hubs split by their last frame: (node of each state, sources, targets, arc that each arc came from), sorted."""
    room = 4 * len(target) + 16
    while True:
        new_source, new_target, new_arc, state_node = (np.empty(room, np.int32) for _ in range(4))
        states, arcs = topology_lattice.expand(
            offsets, target, kind, label, node_label, new_source, new_target, new_arc, state_node
        )
        if states >= 0:
            break
        room *= 4
    by_node, _ = grouped(state_node[:states], len(node_label))
    rank = np.empty(states, np.int32)
    rank[by_node] = np.arange(states, dtype=np.int32)
    new_source = rank[new_source[:arcs]]
    order, _ = grouped(new_source, states)
    return state_node[by_node], new_source[order], rank[new_target[order]], new_arc[order]


def _trimmed(final, source, target, ilabel, olabel, graph_cost, acoustic_cost, scale: float, beam: float) -> Lattice:
    """A Lattice of the arcs on paths within the beam of the best; states stay in their order."""
    total = graph_cost + scale * acoustic_cost
    keep = np.flatnonzero(topology_lattice.forward_backward(source, target, total, final, 0, beam))
    source, target = source[keep], target[keep]
    used = np.zeros(len(final), bool)
    used[0] = True
    used[source] = used[target] = True
    states, number = np.flatnonzero(used), np.cumsum(used, dtype=np.int32) - np.int32(1)
    final = final[states]
    if not np.isfinite(final).any():
        return empty_lattice()
    offsets = np.searchsorted(source, np.append(states, len(used))).astype(np.int64)
    return Lattice(
        0, offsets, ilabel[keep], olabel[keep], graph_cost[keep], acoustic_cost[keep], number[target], final,
        np.where(np.isfinite(final), 0.0, np.inf),
    )  # fmt: skip
