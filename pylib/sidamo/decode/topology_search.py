"""One utterance's search over LG with the CTC topology inside: the Python side of topology_kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sidamo.decode import topology_kernel
from sidamo.decode.graph import BLANK, ILABEL, OLABEL, WEIGHT, DecodingGraph, graph_of, make_graph, parts_of, recipe
from sidamo.decode.options import DecoderOptions, LatticeOptions
from sidamo.decode.search import PRUNE_AT, BestPath, _grow, check_loglikes, frames_of_blank
from sidamo.io.errors import DataError
from sidamo.io.kept_arrays import kept_arrays
from sidamo.io.lattice import Lattice

STRICT = ("correct", "compact")  # equal tokens need a blank between them
LASTING = ("correct", "compact", "modified")  # a token may last several frames
FIRST_TOKENS, FIRST_POINTERS, FIRST_NODES, FIRST_LINKS = 1 << 14, 1 << 18, 1 << 19, 1 << 19


@dataclass(eq=False)
class TopologyGraph:
    """LG ready for search with a CTC topology inside. Read-only once made, so threads share it.

    graph : DecodingGraph whose emitting arcs lead (column 3) to a unit token (d, q) instead of to d
    n_label : int32 (units,), token label q of each unit token
    topology : correct | compact (its language is the same), modified, minimal
    new_unit_table : function to a table of unit tokens that a search may write to (topology_kernel.make_unit_table)
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
        path, "decode-topology", recipe(first_disambig, __file__, topology_kernel.__file__),
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
    n_dest, n_label = topology_kernel.number_units(graph.arcs, graph.num_states, graph.num_labels)
    table = topology_kernel.make_unit_table(graph.first, graph.weights, n_dest, n_label)
    return {**parts_of(graph), "n_label": n_label, "unit_table": table}


class TopologySearch:
    """As Search (same methods), over a TopologyGraph.

    Memory: 4 bytes a state of LG, 32 a unit token, 12 a back-pointer (only where an arc is taken); for lattices 20 a
    node and 16 a link, pruned when they outgrow their room.
    """

    def __init__(self, graph: TopologyGraph, options: DecoderOptions, acoustic_scale: float = 1.0, hot_words=None):
        if hot_words is not None and hot_words.num_contexts > 1:
            raise DataError("hot words need TLG.fst", mend="steps/decode.sh --graph-type TLG")
        self._kernel = topology_kernel
        self.graph, self.options = graph, options
        self.acoustic_scale = np.float32(acoustic_scale)
        self.makes_lattice = isinstance(options, LatticeOptions)
        self._lattice_beam = np.float32(options.lattice_beam if self.makes_lattice else -1.0)
        self._hub_slot = np.full(graph.graph.num_states, -1, np.int32)
        self._unit_table = graph.new_unit_table()
        self._base = 0
        self._reserve_tokens(FIRST_TOKENS)
        self._pointers = [np.empty(FIRST_POINTERS, np.int32) for _ in range(3)]
        self._reserve_nodes(FIRST_NODES if self.makes_lattice else 1)
        self._reserve_links(FIRST_LINKS if self.makes_lattice else 1)
        self._queue = np.empty(1 << 14, np.int32)
        self._bins = np.zeros(topology_kernel.NUM_BINS, np.int64)
        self._frame_ends = np.zeros((4, 1 << 10), np.int64)  # nodes, unit nodes, emitting links, all links
        self._position = np.zeros(12, np.int64)
        self.reset()

    # ------------------------------------------------------------------------------------------------------- advancing

    def reset(self) -> None:
        """Begin a new utterance: a hub on the start state, and the epsilon closure."""
        k, g = self._kernel, self.graph.graph
        self._chunks: list[np.ndarray] = []
        self._blank_only: list[np.ndarray] = []
        self.num_frames, self.alive = 0, True
        self._prune_at = PRUNE_AT
        cutoff = np.float32(self.options.beam if self.makes_lattice else np.inf)
        while True:
            self._forget_slots()
            position = self._position
            position[:] = 0
            base = position[k.HUB_BASE] = position[k.UNIT_BASE] = self._base
            hubs = [a[0] for a in self._hub_arrays()[:6]] + [self._hub_from, self._hub_fresh]
            start_last = np.int32(k.BLANK if self.graph.topology in STRICT else 0)
            _, count, _ = k.enter_hub(
                g.first, g.weights, np.int32(g.start), np.float32(0), np.int32(-1), start_last, self._hub_slot,
                base, 0, *hubs,
            )  # fmt: skip
            code, count, pointers = k.close_hubs(
                g.first, g.arcs, g.weights, 0, self._hub_slot, base, *hubs, count, cutoff, self._queue,
                *self._pointers, 0,
            )  # fmt: skip
            links = 0
            if code == k.DONE and self.makes_lattice:
                code, links = k.keep_nodes(
                    g.arcs, g.weights, 0, self._unit[0], self._unit_cost[0], self._unit_from, self._unit_stay, 0,
                    self._hub_state[0], self._hub_cost[0], self._hub_arcs[0], self._hub_from, self._hub_stay,
                    self._hub_fresh, count, self._queue, self._hub_slot, base, 0, 0, *self._nodes, cutoff,
                    *self._links, 0, self._lattice_beam,
                )  # fmt: skip
            if code == k.DONE:
                break
            self._make_room(code)
        position[k.HUBS], position[k.POINTERS], position[k.LINKS] = count, pointers, links
        if self.makes_lattice:
            position[k.NODES] = count
            self._frame_ends[:, 0] = count, 0, 0, links

    def advance(self, loglikes: np.ndarray) -> None:
        """Advance over a chunk (T, V) float32; see Search.advance."""
        loglikes = np.require(loglikes, np.float32, ["C", "W"])  # one type of array: one compilation
        if len(loglikes) == 0:
            return
        check_loglikes(loglikes, self.graph.num_labels)
        if not self.alive:
            return
        k, g, options = self._kernel, self.graph.graph, self.options
        self._chunks.append(loglikes)
        blank_only = frames_of_blank(loglikes, options.blank_skip_thresh)
        self._blank_only.append(blank_only)
        needed = self.num_frames + len(loglikes) + 1
        if self.makes_lattice and needed > self._frame_ends.shape[1]:
            grown = np.zeros((4, 2 * needed), np.int64)
            grown[:, : self._frame_ends.shape[1]] = self._frame_ends
            self._frame_ends = grown
        row = np.empty(loglikes.shape[1] + 1, np.float32)
        self._position[k.FRAME] = 0
        while True:
            code = k.advance(
                g.first, g.arcs, g.weights, self._unit_table.view(np.float32), self.graph.topology in STRICT,
                self.graph.topology in LASTING, loglikes, blank_only, self.acoustic_scale, np.float32(options.beam),
                options.max_active, options.min_active, np.float32(options.beam_delta), self._lattice_beam,
                self._prune_at, self._hub_slot, self._unit_table, *self._hub_arrays(), self._hub_from, self._hub_stay,
                self._hub_fresh, self._moved, self._unit, self._unit_low, self._unit_cost, self._unit_pointer, self._unit_arc,
                self._unit_from, self._unit_stay, self._queue, self._bins, row, *self._tries, *self._pointers, *self._nodes,
                *self._links, *self._frame_ends, self._position, len(loglikes),
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
        k = self._kernel
        if code == k.QUEUE_FULL:
            self._queue = np.empty(2 * max(len(self._queue), len(self._hub_from)), np.int32)
        elif code == k.POINTERS_FULL:
            self._compact_pointers()
        elif code == k.LINKS_FULL:
            self._reserve_links(2 * len(self._links[0]))
        else:  # tokens of a frame, or nodes of all frames: which of them is told by their number
            if self.makes_lattice and self._position[k.NODES] + 2 * len(self._hub_from) > len(self._nodes[0]):
                self._prune()
                if 2 * self._position[k.NODES] + 4 * len(self._hub_from) > len(self._nodes[0]):
                    self._reserve_nodes(2 * len(self._nodes[0]))
            else:
                self._reserve_tokens(2 * len(self._hub_from))
        self._forget_slots()

    def _compact_pointers(self) -> None:
        k, row = self._kernel, self._position[self._kernel.ROW]
        end = int(self._position[k.POINTERS])
        hubs, units = int(self._position[k.HUBS]), int(self._position[k.UNITS])
        kept = k.compact_pointers(
            *self._pointers, end, self._hub_pointer[row], hubs, self._unit_pointer[row], units, np.empty(end, np.int32)
        )
        self._position[k.POINTERS] = kept
        if 2 * kept > len(self._pointers[0]) or 2 * end < len(self._pointers[0]):  # or one frame needs more than half
            self._pointers = [_grow(p, 2 * len(p), np.int32) for p in self._pointers]

    def _prune(self) -> None:
        """Prune the lattice so far, as if every token of the last frame could still become the best."""
        k, n = self._kernel, self.num_frames
        if n > 0:
            extra = np.zeros(int(self._position[k.NODES]), np.float32)
            self._prune_with(extra)
        self._prune_at = max(3 * int(self._position[k.LINKS]), PRUNE_AT)
        if self._prune_at > len(self._links[0]) // 2:
            self._reserve_links(2 * self._prune_at)

    def _prune_with(self, extra: np.ndarray) -> None:
        from sidamo.decode import topology_lattice

        k, n = self._kernel, self.num_frames
        _, cost, before, stay, hub = self._nodes
        link_from, link_to, _, link_cost = self._links
        topology_lattice.find_extra(
            cost, before, stay, hub, extra, self._lattice_beam, link_from, link_to, link_cost, *self._frame_ends, n
        )
        nodes, links = topology_lattice.prune(
            *self._nodes, extra, np.empty(len(extra), np.int32), self._lattice_beam, *self._links, *self._frame_ends, n
        )
        self._position[k.NODES], self._position[k.LINKS] = nodes, links
        self._position[k.UNIT_NODES] = self._frame_ends[0, n - 1] if n > 0 else 0
        self._position[k.HUB_NODES] = self._frame_ends[1, n]

    # --------------------------------------------------------------------------------------------------------- results

    def frontier(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hubs of the last frame: (index, cost relative to the best of the frame before, final cost or inf)."""
        k, row = self._kernel, self._position[self._kernel.ROW]
        hubs = int(self._position[k.HUBS])
        state, cost = self._hub_state[row, :hubs], self._hub_cost[row, 0, :hubs]
        return np.arange(hubs), cost.astype(np.float64), self.graph.graph.final[state].astype(np.float64)

    @property
    def reached_final(self) -> bool:
        return bool(np.isfinite(self.frontier()[2]).any())

    def final_relative_cost(self) -> float:
        """Best cost with final costs minus best cost without; inf where no token is final."""
        _, cost, final = self.frontier()
        return float((cost + final).min() - cost.min()) if len(cost) else float("inf")

    def best_path(self, use_final: bool = True) -> BestPath:
        """The best path; see Search.best_path."""
        _, cost, final = self.frontier()
        reached = bool(np.isfinite(final).any())
        use_final = use_final and reached
        best = int(np.argmin(cost + final if use_final else cost))
        row, (prev, arc, frame) = self._position[self._kernel.ROW], self._pointers
        arcs, frames = [], []
        pointer = int(self._hub_pointer[row, 0, best])
        while pointer >= 0:
            arcs.append(arc[pointer])
            frames.append(frame[pointer])
            pointer = int(prev[pointer])
        arcs, frames = np.array(arcs[::-1], np.int64), np.array(frames[::-1], np.int64)
        g = self.graph.graph
        emits = g.arcs[arcs, ILABEL] != 0
        words = g.arcs[arcs, OLABEL]
        labels = self._alignment(g.arcs[arcs[emits], ILABEL], frames[emits])
        graph_cost = float(g.weights[arcs, WEIGHT].sum(dtype=np.float64)) + (float(final[best]) if use_final else 0.0)
        loglikes = self._loglikes()
        return BestPath(
            words=words[words != 0],
            labels=labels,
            word_frames=frames[words != 0].astype(np.int32),
            graph_cost=graph_cost,
            acoustic_cost=-float(loglikes[np.arange(len(labels)), labels - 1].sum(dtype=np.float64)),
            reached_final=reached,
            num_frames=len(labels),
        )

    def certain_words(self) -> np.ndarray:
        """Words that the paths of all living tokens begin with: no later frame can change them."""
        from sidamo.decode.kernel import common_ancestor

        k, row = self._kernel, self._position[self._kernel.ROW]
        hubs, units = int(self._position[k.HUBS]), int(self._position[k.UNITS])
        second = self._hub_pointer[row, 1, :hubs][np.isfinite(self._hub_cost[row, 1, :hubs])]
        pointers = np.concatenate([self._hub_pointer[row, 0, :hubs], second, self._unit_pointer[row, :units]])
        prev, arc, _ = self._pointers
        if len(pointers) == 0 or pointers.min() < 0:
            return np.zeros(0, np.int32)
        seen = np.zeros(int(self._position[k.POINTERS]), np.int32)
        pointer, words = int(common_ancestor(prev, np.unique(pointers), seen)), []
        while pointer >= 0:
            words.append(self.graph.graph.arcs[arc[pointer], OLABEL])
            pointer = int(prev[pointer])
        words = np.array(words[::-1], np.int32)
        return words[words != 0]

    def _alignment(self, units: np.ndarray, begins: np.ndarray) -> np.ndarray:
        """Label of each frame, given the tokens and the frames at which they begin.

        Between two beginnings a token lasts for some frames (at least one) and blanks follow; the best split is where
        the running sum of loglike(token) - loglike(blank) is highest. Equal neighbours need a blank, where the
        topology says so; frames that were skipped as blank are blank.
        """
        labels = np.ones(self.num_frames, np.int32)
        loglikes, skipped = self._loglikes(), np.concatenate(self._blank_only or [np.zeros(0, bool)])
        lasting, strict = self.graph.topology in LASTING, self.graph.topology in STRICT
        ends = np.append(begins[1:], self.num_frames)[: len(units)]
        for i, (unit, begin, end) in enumerate(zip(units, begins, ends, strict=True)):
            if not lasting:
                end = begin + 1
            elif strict and i + 1 < len(units) and units[i + 1] == unit:
                end -= 1
            if end > begin + 1:
                blanks = np.flatnonzero(skipped[begin + 1 : end])
                if len(blanks):
                    end = begin + 1 + int(blanks[0])
                gain = np.cumsum(loglikes[begin + 1 : end, unit - 1] - loglikes[begin + 1 : end, 0], dtype=np.float64)
                end = begin + 1 + (int(np.argmax(gain)) + 1 if len(gain) and gain.max() > 0 else 0)
            labels[begin:end] = unit
        return labels

    def _loglikes(self) -> np.ndarray:
        if len(self._chunks) > 1:
            self._chunks = [np.concatenate(self._chunks)]
        return self._chunks[0] if self._chunks else np.zeros((0, 1), np.float32)

    def raw_lattice(self, acoustic_scale: float = 1.0) -> Lattice:
        """The state-level lattice of the utterance; see Search.raw_lattice."""
        from sidamo.decode import topology_lattice as t

        k, n = self._kernel, self.num_frames
        _, cost, final = self.frontier()
        any_final = bool(np.isfinite(final).any())
        if not any_final:
            final = np.zeros(len(final))
        extra = np.full(int(self._position[k.NODES]), np.inf, np.float32)
        last = cost + final - (cost + final).min()
        extra[len(extra) - len(last) :] = np.where(last <= self._lattice_beam, last, np.inf)
        self._prune_with(extra)
        nodes, links = int(self._position[k.NODES]), int(self._position[k.LINKS])
        key, before, hub = self._nodes[0][:nodes], self._nodes[2][:nodes], self._nodes[4][:nodes]
        node_end, unit_end, emit_end, link_end = (e[: n + 1] for e in self._frame_ends)
        frame = np.repeat(np.arange(n + 1), np.diff(node_end, prepend=0))
        is_hub = key < 0
        node_label = np.where(is_hub, 0, self.graph.n_label[np.maximum(key, 0)])
        # All arcs, explicit and implicit: (from, to, kind, label, arc of LG or -1, frame entered).
        g = self.graph.graph
        link_frame = np.repeat(np.arange(n + 1), np.diff(link_end, prepend=0))
        arc = self._links[2][:links]
        label = g.arcs[arc, ILABEL]
        to_hub, stays = np.flatnonzero(hub >= 0), np.flatnonzero(before >= 0)
        blank_or_unit = np.where(is_hub[stays], 1, node_label[stays])
        source = np.concatenate([self._links[0][:links], to_hub, before[stays]])
        target = np.concatenate([self._links[1][:links], hub[to_hub], stays])
        kind = np.concatenate([
            np.where(label == 0, t.EPSILON, t.TAKE), np.full(len(to_hub), t.UNIT_TO_HUB),
            np.where(is_hub[stays], t.STAY_BLANK, t.STAY_UNIT),
        ])  # fmt: skip
        label = np.concatenate([label, np.zeros(len(to_hub), np.int32), blank_or_unit]).astype(np.int32)
        arc = np.concatenate([arc, np.full(len(to_hub) + len(stays), -1)])
        entered = np.concatenate([link_frame, frame[to_hub], frame[stays]])
        # Topological order: frame, units before hubs, hubs by their epsilon depth.
        depth = _epsilon_depth(nodes, source[kind == t.EPSILON], target[kind == t.EPSILON])
        order = np.lexsort((depth, is_hub, frame))
        rank = np.empty(nodes, np.int64)
        rank[order] = np.arange(nodes)
        arc_order = np.argsort(rank[source], kind="stable")
        source, target = rank[source][arc_order], rank[target][arc_order]
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
            state_node, source, target, old = _expand(
                nodes, source, target, kind.astype(np.int32), label, node_label[order].astype(np.int32)
            )
            label, olabel, graph_cost, acoustic_cost = label[old], olabel[old], graph_cost[old], acoustic_cost[old]
        return _trimmed(
            node_final[state_node], source, target, label, olabel, graph_cost, acoustic_cost,
            float(self.acoustic_scale) / acoustic_scale if acoustic_scale else 1.0, float(self._lattice_beam),
        )  # fmt: skip

    # ---------------------------------------------------------------------------------------------------------- arrays

    def _reserve_tokens(self, room: int) -> None:
        """Frontiers; the tokens in them stay (grown on the last axis)."""
        fields = {
            "hub_state": (2,), "hub_cost": (2, 2), "hub_pointer": (2, 2), "hub_last": (2, 2), "hub_arcs": (2, 3),
            "hub_low": (2,), "hub_from": (), "hub_stay": (), "hub_fresh": (), "moved": (), "unit": (2, 7), "unit_low": (2,),
            "unit_cost": (2,), "unit_pointer": (2,), "unit_arc": (), "unit_from": (), "unit_stay": (),
        }  # fmt: skip
        types = {"cost": np.float32, "low": np.float32, "stay": np.float32, "fresh": np.bool_}
        for name, shape in fields.items():
            old = getattr(self, f"_{name}", None)
            new = np.empty((*shape, room), types.get(name.rpartition("_")[2], np.int32))
            if old is not None:
                new[..., : old.shape[-1]] = old
            setattr(self, f"_{name}", new)
        self._tries = np.empty(4 * room, np.int32), np.empty(4 * room, np.int32), np.empty(4 * room, np.float32)

    def _hub_arrays(self):
        return self._hub_state, self._hub_cost, self._hub_pointer, self._hub_last, self._hub_arcs, self._hub_low

    def _reserve_nodes(self, room: int) -> None:
        types = (np.int32, np.float32, np.int32, np.float32, np.int32)  # key, cost, before, stay, hub
        old = getattr(self, "_nodes", [None] * 5)
        self._nodes = [_grow(a, room, dtype) for a, dtype in zip(old, types, strict=True)]

    def _reserve_links(self, room: int) -> None:
        types = (np.int32, np.int32, np.int32, np.float32)  # from, to, arc, cost
        old = getattr(self, "_links", [None] * 4)
        self._links = [_grow(a, room, dtype) for a, dtype in zip(old, types, strict=True)]

    def _forget_slots(self) -> None:
        """Make every entry of the slot tables stale by moving their zero beyond all that was entered."""
        k, position = self._kernel, self._position
        self._base = max(self._base, int(position[k.HUB_BASE]), int(position[k.UNIT_BASE])) + 2 * len(self._hub_from)
        if self._base > 2**30:
            self._hub_slot.fill(-1)
            self._unit_table[:, 0] = -1
            self._base = 0
        position[k.HUB_BASE] = position[k.UNIT_BASE] = self._base


def _epsilon_depth(nodes: int, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Number of epsilon arcs on the longest way to a node within its frame."""
    depth = np.zeros(nodes, np.int64)
    for _ in range(nodes):
        deeper = depth.copy()
        np.maximum.at(deeper, target, depth[source] + 1)
        if np.array_equal(deeper, depth):
            break
        depth = deeper
    return depth


def _expand(nodes: int, source, target, kind, label, node_label):
    """Hubs split by their last frame: (node of each state, sources, targets, arc that each arc came from), sorted."""
    from sidamo.decode import topology_lattice

    offsets = np.zeros(nodes + 1, np.int64)
    np.cumsum(np.bincount(source, minlength=nodes), out=offsets[1:])
    room = 4 * len(source) + 16
    while True:
        new_source, new_target, new_arc, state_node = (np.empty(room, np.int32) for _ in range(4))
        states, arcs = topology_lattice.expand(
            offsets, target.astype(np.int32), kind, label, node_label, new_source, new_target, new_arc, state_node
        )
        if states >= 0:
            break
        room *= 4
    state_node = state_node[:states]
    rank = np.empty(states, np.int64)
    rank[np.argsort(state_node, kind="stable")] = np.arange(states)
    new_source, new_target = rank[new_source[:arcs]], rank[new_target[:arcs]]
    order = np.argsort(new_source, kind="stable")
    return np.sort(state_node), new_source[order], new_target[order], new_arc[:arcs][order]


def _trimmed(final, source, target, ilabel, olabel, graph_cost, acoustic_cost, scale: float, beam: float) -> Lattice:
    """A Lattice of the arcs on paths within the beam of the best; states stay in their order."""
    from sidamo.decode import topology_lattice
    from sidamo.io.lattice import empty_lattice

    total = graph_cost + scale * acoustic_cost
    keep = topology_lattice.forward_backward(source, target, total, final, 0, beam)
    source, target = source[keep], target[keep]
    used = np.zeros(len(final), bool)
    used[0] = True
    used[source] = used[target] = True
    number = np.cumsum(used) - 1
    finals = {int(number[s]): (float(final[s]), 0.0) for s in np.flatnonzero(used & np.isfinite(final))}
    if not finals:
        return empty_lattice()
    return Lattice.from_arcs(
        int(used.sum()), 0, number[source], ilabel[keep], olabel[keep], graph_cost[keep], acoustic_cost[keep],
        number[target], finals,
    )  # fmt: skip
