"""Lattices as flat arrays, and Kaldi's binary and text forms of them.

A weight is a pair of costs (-log), the graph's and the acoustic one, kept apart: scales are swept after decoding.
Both types are acyclic in practice; nothing here demands it. Costs in memory are float64, in files float32.

Formats: Kaldi src/lat/kaldi-lattice.cc (what is read and written), OpenFst's `vector` layout with arc types `lattice4`
and `compactlattice44` (`lattice8`, `compactlattice84` with float64 costs are read too). All fields of the body are
multiples of 4 bytes, so that writing is one scatter into an int32 array.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from sidamo.io.errors import DataError

FST_MAGIC = 0x7EB2FDD6
INF = float("inf")
# OpenFst's property bits, as far as adding state by state and arc by arc establishes them.
_EXPANDED_MUTABLE = 0x3
_ACCEPTOR, _NOT_ACCEPTOR = 0x10000, 0x20000
_EPSILONS, _NO_EPSILONS = 0x400000, 0x800000
_I_EPSILONS, _NO_I_EPSILONS = 0x1000000, 0x2000000
_O_EPSILONS, _NO_O_EPSILONS = 0x4000000, 0x8000000
_I_SORTED, _NOT_I_SORTED = 0x10000000, 0x20000000
_O_SORTED, _NOT_O_SORTED = 0x40000000, 0x80000000
# Kept where the weight of an arc is set: whether it is an acceptor, and has epsilons (MutableArcIterator::SetValue).
_KEPT_WITH_NEW_COSTS = (
    _EXPANDED_MUTABLE | _ACCEPTOR | _NOT_ACCEPTOR | _EPSILONS | _NO_EPSILONS
    | _I_EPSILONS | _NO_I_EPSILONS | _O_EPSILONS | _NO_O_EPSILONS
)  # fmt: skip
_WEIGHTED, _UNWEIGHTED = 0x100000000, 0x200000000
_ACYCLIC, _INITIAL_ACYCLIC = 0x800000000, 0x2000000000
_TOP_SORTED, _NOT_TOP_SORTED = 0x4000000000, 0x8000000000


@dataclass(eq=False)
class Lattice:
    """State-level lattice: a transducer from token (or transition) labels, one a frame, to words.

    start : int, -1 where the lattice is empty
    offsets : int64 (S+1,), the arcs of state s are offsets[s] .. offsets[s+1]
    ilabel, olabel : int32 (A,), 0 is epsilon
    graph_cost, acoustic_cost : float (A,)
    nextstate : int32 (A,)
    final_graph, final_acoustic : float (S,), inf in both where the state is not final
    properties : OpenFst's property bits as read from a file, or None (they are computed where needed)
    """

    start: int
    offsets: np.ndarray
    ilabel: np.ndarray
    olabel: np.ndarray
    graph_cost: np.ndarray
    acoustic_cost: np.ndarray
    nextstate: np.ndarray
    final_graph: np.ndarray
    final_acoustic: np.ndarray
    properties: int | None = None

    @property
    def num_states(self) -> int:
        return len(self.final_graph)

    @property
    def num_arcs(self) -> int:
        return len(self.nextstate)

    def arc_source(self) -> np.ndarray:
        """Source state of each arc, int32 (A,)."""
        return np.repeat(np.arange(self.num_states, dtype=np.int32), np.diff(self.offsets))

    def is_final(self) -> np.ndarray:
        """bool (S,). A cost of inf in both halves means not final (Kaldi's Zero)."""
        return ~(np.isposinf(self.final_graph) & np.isposinf(self.final_acoustic))

    @classmethod
    def from_arcs(cls, num_states, start, source, ilabel, olabel, graph_cost, acoustic_cost, nextstate, finals):
        """Build from arcs in any order (arcs of one state keep their order) and {state: (graph, acoustic)}."""
        order, offsets = _group_by_source(source, num_states)
        final_graph, final_acoustic = np.full(num_states, INF), np.full(num_states, INF)
        for state, (graph, acoustic) in finals.items():
            final_graph[state], final_acoustic[state] = graph, acoustic
        return cls(
            int(start), offsets,
            np.asarray(ilabel, np.int32)[order], np.asarray(olabel, np.int32)[order],
            np.asarray(graph_cost, np.float64)[order], np.asarray(acoustic_cost, np.float64)[order],
            np.asarray(nextstate, np.int32)[order], final_graph, final_acoustic,
        )  # fmt: skip


@dataclass(eq=False)
class CompactLattice:
    """Word-level lattice: an acceptor over words whose weights carry the string of labels, one a frame, passed through.

    As Lattice, with one `label` an arc, and strings:
    the string of arc a is strings[string_offsets[a] : string_offsets[a+1]] (string_offsets int64 (A+1,)),
    that of a final state s is final_strings[final_string_offsets[s] : final_string_offsets[s+1]].
    """

    start: int
    offsets: np.ndarray
    label: np.ndarray
    graph_cost: np.ndarray
    acoustic_cost: np.ndarray
    nextstate: np.ndarray
    string_offsets: np.ndarray
    strings: np.ndarray
    final_graph: np.ndarray
    final_acoustic: np.ndarray
    final_string_offsets: np.ndarray
    final_strings: np.ndarray
    properties: int | None = None

    @property
    def num_states(self) -> int:
        return len(self.final_graph)

    @property
    def num_arcs(self) -> int:
        return len(self.nextstate)

    @property
    def string_length(self) -> np.ndarray:
        """Frames on each arc, int64 (A,)."""
        return np.diff(self.string_offsets)

    @property
    def final_string_length(self) -> np.ndarray:
        """Frames on each final weight, int64 (S,)."""
        return np.diff(self.final_string_offsets)

    def arc_source(self) -> np.ndarray:
        """Source state of each arc, int32 (A,)."""
        return np.repeat(np.arange(self.num_states, dtype=np.int32), np.diff(self.offsets))

    def is_final(self) -> np.ndarray:
        """bool (S,). A cost of inf in both halves means not final (Kaldi's Zero)."""
        return ~(np.isposinf(self.final_graph) & np.isposinf(self.final_acoustic))

    def string(self, arc: int) -> np.ndarray:
        """Labels passed on an arc, int32."""
        return self.strings[self.string_offsets[arc] : self.string_offsets[arc + 1]]

    def final_string(self, state: int) -> np.ndarray:
        """Labels passed on the final weight of a state, int32."""
        return self.final_strings[self.final_string_offsets[state] : self.final_string_offsets[state + 1]]

    @classmethod
    def from_arcs(cls, num_states, start, source, label, graph_cost, acoustic_cost, nextstate, strings, finals):
        """Build from arcs in any order; strings: one sequence an arc; finals: {state: (graph, acoustic, string)}."""
        order, offsets = _group_by_source(source, num_states)
        final_graph, final_acoustic = np.full(num_states, INF), np.full(num_states, INF)
        final_strings = [()] * num_states
        for state, (graph, acoustic, string) in finals.items():
            final_graph[state], final_acoustic[state], final_strings[state] = graph, acoustic, string
        arc_strings = pack_strings([strings[i] for i in order])
        packed_finals = pack_strings(final_strings)
        return cls(
            int(start), offsets, np.asarray(label, np.int32)[order],
            np.asarray(graph_cost, np.float64)[order], np.asarray(acoustic_cost, np.float64)[order],
            np.asarray(nextstate, np.int32)[order], *arc_strings, final_graph, final_acoustic, *packed_finals,
        )  # fmt: skip


def _group_by_source(source, num_states: int) -> tuple[np.ndarray, np.ndarray]:
    source = np.asarray(source, np.int64)
    order = np.argsort(source, kind="stable")
    offsets = np.zeros(num_states + 1, np.int64)
    np.cumsum(np.bincount(source, minlength=num_states), out=offsets[1:])
    return order, offsets


def pack_strings(strings) -> tuple[np.ndarray, np.ndarray]:
    """List of label sequences -> (offsets int64 (n+1,), labels int32)."""
    offsets = np.zeros(len(strings) + 1, np.int64)
    if len(strings) == 0:
        return offsets, np.zeros(0, np.int32)
    np.cumsum([len(s) for s in strings], out=offsets[1:])
    flat = [np.asarray(s, np.int32) for s in strings if len(s)]
    return offsets, (np.concatenate(flat) if flat else np.zeros(0, np.int32))


def gather_strings(offsets: np.ndarray, labels: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The strings with indices `which` of a packed list, packed again."""
    length = offsets[1:][which] - offsets[:-1][which]
    packed = np.zeros(len(which) + 1, np.int64)
    np.cumsum(length, out=packed[1:])
    return packed, labels[np.repeat(offsets[:-1][which] - packed[:-1], length) + np.arange(packed[-1])]


def empty_lattice() -> Lattice:
    """A lattice of no states (what Kaldi writes where everything was pruned)."""
    return Lattice.from_arcs(0, -1, [], [], [], [], [], [], {})


def empty_compact_lattice() -> CompactLattice:
    """A compact lattice of no states."""
    return CompactLattice.from_arcs(0, -1, [], [], [], [], [], [], {})


# ---------------------------------------------------------------- order of states


def depth_first(lat) -> tuple[list[int], list[int], bool]:
    """Depth-first search from the start, then from each unvisited state in order, arcs in order (as OpenFst visits).

    Returns (states in order of discovery, states in order of finishing, True where there is no cycle).
    """
    offsets, nextstate = lat.offsets.tolist(), lat.nextstate.tolist()
    num_states = lat.num_states
    colour = bytearray(num_states)  # 0 not seen, 1 on the stack, 2 finished
    discovered, finished, acyclic = [], [], True
    cursor = offsets[:-1]
    roots = ([lat.start] if lat.start >= 0 else []) + list(range(num_states))
    for root in roots:
        if colour[root]:
            continue
        colour[root] = 1
        discovered.append(root)
        stack = [root]
        while stack:
            state = stack[-1]
            position = cursor[state]
            if position < offsets[state + 1]:
                cursor[state] = position + 1
                following = nextstate[position]
                if colour[following] == 0:
                    colour[following] = 1
                    discovered.append(following)
                    stack.append(following)
                elif colour[following] == 1:
                    acyclic = False
            else:
                colour[state] = 2
                finished.append(state)
                stack.pop()
    return discovered, finished, acyclic


def is_top_sorted(lat) -> bool:
    """True where every arc leads to a higher-numbered state."""
    return bool(np.all(lat.nextstate > lat.arc_source()))


def renumber_states(lat, order):
    """Lattice with its states in the given order (a permutation: order[new] = old); the arcs of a state keep theirs."""
    order = np.asarray(order, np.int64)
    new_of_old = np.empty(lat.num_states, np.int32)
    new_of_old[order] = np.arange(lat.num_states, dtype=np.int32)
    counts = np.diff(lat.offsets)[order]
    offsets = np.zeros(lat.num_states + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    arcs = np.repeat(lat.offsets[:-1][order] - offsets[:-1], counts) + np.arange(lat.num_arcs)
    start = int(new_of_old[lat.start]) if lat.start >= 0 else -1
    return _select(lat, start, offsets, arcs, new_of_old[lat.nextstate[arcs]], order)


def _select(lat, start, offsets, arcs, nextstate, states):
    """New lattice of the given arcs (indices) and states (indices), with new offsets and destinations."""
    nextstate = np.asarray(nextstate, np.int32)
    if isinstance(lat, Lattice):
        return Lattice(
            start, offsets, lat.ilabel[arcs], lat.olabel[arcs], lat.graph_cost[arcs], lat.acoustic_cost[arcs],
            nextstate, lat.final_graph[states], lat.final_acoustic[states],
        )  # fmt: skip
    return CompactLattice(
        start, offsets, lat.label[arcs], lat.graph_cost[arcs], lat.acoustic_cost[arcs], nextstate,
        *gather_strings(lat.string_offsets, lat.strings, arcs), lat.final_graph[states], lat.final_acoustic[states],
        *gather_strings(lat.final_string_offsets, lat.final_strings, states),
    )  # fmt: skip


def keep_arcs_and_states(lat, arc_kept: np.ndarray, state_kept: np.ndarray):
    """Sub-lattice of the marked arcs and states (bool arrays); states keep their relative order.

    An arc that leads from or to a state not kept is dropped; an unkept start gives the empty lattice.
    """
    source = lat.arc_source()
    arc_kept = arc_kept & state_kept[source] & state_kept[lat.nextstate]
    if lat.start < 0 or not state_kept[lat.start]:
        return empty_lattice() if isinstance(lat, Lattice) else empty_compact_lattice()
    states = np.flatnonzero(state_kept)
    new_of_old = np.cumsum(state_kept) - 1
    arcs = np.flatnonzero(arc_kept)
    offsets = np.zeros(len(states) + 1, np.int64)
    np.cumsum(np.bincount(new_of_old[source[arcs]], minlength=len(states)), out=offsets[1:])
    return _select(lat, int(new_of_old[lat.start]), offsets, arcs, new_of_old[lat.nextstate[arcs]], states)


def top_sort(lat, key: str | None = None):
    """Lattice with states in topological order (reversed finishing order, as OpenFst's TopSort); itself if in order.

    As in Kaldi, a lattice read from a file whose header does not vouch for the order is sorted anew, so that states
    come out with the same numbers. Raises DataError where there is a cycle.
    """
    vouched = lat.properties is None or lat.properties & _TOP_SORTED
    if vouched and is_top_sorted(lat):
        return lat
    _, finished, acyclic = depth_first(lat)
    if not acyclic:
        raise DataError("lattice has a cycle", key=key, mend="lattices must be acyclic; decode the utterance again")
    return renumber_states(lat, finished[::-1])


# ---------------------------------------------------------------- between the two types


def to_lattice(clat: CompactLattice) -> Lattice:
    """Spell out the strings: states keep their numbers, each string becomes a chain of new states.

    Word and costs sit on the first arc of a chain (Kaldi fstext/lattice-utils-inl.h, ConvertLattice).
    """
    if isinstance(clat, Lattice):
        return clat
    num_states = clat.num_states
    # Items in the order in which Kaldi adds chains: per state its final weight, then its arcs.
    final_states = np.flatnonzero(clat.is_final())
    source = np.concatenate([final_states, clat.arc_source()]).astype(np.int64)
    is_arc = np.concatenate([np.zeros(len(final_states), bool), np.ones(clat.num_arcs, bool)])
    order = np.lexsort((is_arc, source))
    length = np.concatenate([clat.final_string_length[final_states], clat.string_length])[order]
    source, is_arc = source[order], is_arc[order]
    index = np.concatenate([final_states, np.arange(clat.num_arcs)])[order]
    word, graph, acoustic, destination = (np.zeros(len(index), t) for t in (np.int32, float, float, np.int64))
    arcs, finals = index[is_arc], index[~is_arc]
    word[is_arc], destination[is_arc] = clat.label[arcs], clat.nextstate[arcs]
    graph[is_arc], acoustic[is_arc] = clat.graph_cost[arcs], clat.acoustic_cost[arcs]
    graph[~is_arc], acoustic[~is_arc] = clat.final_graph[finals], clat.final_acoustic[finals]
    new_states = np.where(is_arc, np.maximum(length - 1, 0), length)
    num_arcs = np.where(is_arc, np.maximum(length, 1), length)
    first_new = num_states + np.concatenate([[0], np.cumsum(new_states)])
    total_states = int(first_new[-1])
    chain_end = first_new[:-1] + length - 1  # last state of a final's chain
    destination = np.where(is_arc, destination, np.where(length > 0, chain_end, source))
    # One row per arc of a chain.
    item = np.repeat(np.arange(len(index)), num_arcs)
    first_arc = np.concatenate([[0], np.cumsum(num_arcs)])
    position = np.arange(first_arc[-1]) - first_arc[item]
    head, tail = position == 0, position == num_arcs[item] - 1
    arc_source = np.where(head, source[item], first_new[item] + position - 1)
    nextstate = np.where(tail, destination[item], first_new[item] + position)
    ilabel = np.zeros(len(item), np.int32)
    spelled = length[item] > 0
    base = np.zeros(len(index), np.int64)
    base[is_arc] = clat.string_offsets[:-1][arcs]
    base[~is_arc] = clat.final_string_offsets[:-1][finals]
    from_arc = is_arc[item] & spelled
    ilabel[from_arc] = clat.strings[base[item[from_arc]] + position[from_arc]]
    from_final = ~is_arc[item] & spelled
    ilabel[from_final] = clat.final_strings[base[item[from_final]] + position[from_final]]
    final_graph, final_acoustic = np.full(total_states, INF), np.full(total_states, INF)
    ends = destination[~is_arc]
    plain = length[~is_arc] == 0
    final_graph[ends] = np.where(plain, graph[~is_arc], 0.0)
    final_acoustic[ends] = np.where(plain, acoustic[~is_arc], 0.0)
    order, offsets = _group_by_source(arc_source, total_states)
    return Lattice(
        clat.start, offsets, ilabel[order], np.where(head, word[item], 0).astype(np.int32)[order],
        np.where(head, graph[item], 0.0)[order], np.where(head, acoustic[item], 0.0)[order],
        nextstate.astype(np.int32)[order], final_graph, final_acoustic,
    )  # fmt: skip


def to_compact(lat: Lattice) -> CompactLattice:
    """Fold chains of states into arcs with strings, then sort topologically (Kaldi's ConvertLattice and Factor).

    A state is folded away where it is neither start nor final, has one arc in and one out, and puts out no word.
    """
    if isinstance(lat, CompactLattice):
        return lat
    if lat.start < 0:
        return empty_compact_lattice()
    num_states = lat.num_states
    arcs_in = np.bincount(lat.nextstate, minlength=num_states)
    has_word = np.zeros(num_states, bool)
    has_word[lat.arc_source()[lat.olabel != 0]] = True
    fold = (arcs_in == 1) & (np.diff(lat.offsets) == 1) & ~has_word & ~lat.is_final()
    fold[lat.start] = False
    source, label, graph, acoustic, nextstate, strings = [], [], [], [], [], []
    fold_list, offsets = fold.tolist(), lat.offsets.tolist()
    ilabel, destination = lat.ilabel.tolist(), lat.nextstate.tolist()
    graph_cost, acoustic_cost = lat.graph_cost.tolist(), lat.acoustic_cost.tolist()
    olabel = lat.olabel.tolist()
    new_of_old: dict[int, int] = {}
    for state in depth_first(lat)[0]:
        if fold_list[state]:
            continue
        new_state = new_of_old.setdefault(state, len(new_of_old))
        for arc in range(offsets[state], offsets[state + 1]):
            string = [ilabel[arc]] if ilabel[arc] else []
            total_graph, total_acoustic, following = graph_cost[arc], acoustic_cost[arc], destination[arc]
            while fold_list[following]:
                next_arc = offsets[following]
                if ilabel[next_arc]:
                    string.append(ilabel[next_arc])
                total_graph += graph_cost[next_arc]
                total_acoustic += acoustic_cost[next_arc]
                following = destination[next_arc]
            source.append(new_state)
            label.append(olabel[arc])
            graph.append(total_graph)
            acoustic.append(total_acoustic)
            nextstate.append(new_of_old.setdefault(following, len(new_of_old)))
            strings.append(string)
    finals = {
        new: (lat.final_graph[old], lat.final_acoustic[old], ())
        for old, new in new_of_old.items()
        if lat.final_graph[old] != INF or lat.final_acoustic[old] != INF
    }
    clat = CompactLattice.from_arcs(
        len(new_of_old), new_of_old[lat.start], source, label, graph, acoustic, nextstate, strings, finals
    )
    _, finished, acyclic = depth_first(clat)
    return renumber_states(clat, finished[::-1]) if acyclic else clat


# ---------------------------------------------------------------- properties


def fst_properties(lat) -> int:
    """OpenFst's property bits as they come out of building the lattice arc by arc (AddArcProperties and its kin)."""
    if isinstance(lat, CompactLattice):
        ilabel = olabel = lat.label
        has_string = np.any(lat.string_length) or np.any(lat.final_string_length[lat.is_final()])
    else:
        ilabel, olabel, has_string = lat.ilabel, lat.olabel, False
    source = lat.arc_source()
    final = lat.is_final()
    same = source[1:] == source[:-1]
    bits = _EXPANDED_MUTABLE
    bits |= _NOT_ACCEPTOR if np.any(ilabel != olabel) else _ACCEPTOR
    bits |= _I_EPSILONS if np.any(ilabel == 0) else _NO_I_EPSILONS
    bits |= _O_EPSILONS if np.any(olabel == 0) else _NO_O_EPSILONS
    bits |= _EPSILONS if np.any((ilabel == 0) & (olabel == 0)) else _NO_EPSILONS
    bits |= _NOT_I_SORTED if np.any(same & (ilabel[1:] < ilabel[:-1])) else _I_SORTED
    bits |= _NOT_O_SORTED if np.any(same & (olabel[1:] < olabel[:-1])) else _O_SORTED
    weighted = (
        has_string
        or np.any(lat.graph_cost != 0) or np.any(lat.acoustic_cost != 0)
        or np.any(lat.final_graph[final] != 0) or np.any(lat.final_acoustic[final] != 0)
    )  # fmt: skip
    bits |= _WEIGHTED if weighted else _UNWEIGHTED
    if np.any(lat.nextstate <= source):
        bits |= _NOT_TOP_SORTED
    else:
        bits |= _TOP_SORTED | _ACYCLIC | _INITIAL_ACYCLIC
    return bits


def properties_after_new_costs(lat) -> int:
    """The property bits of a copy with other costs, as OpenFst keeps them: nothing about the order is known."""
    computed = fst_properties(lat)
    known = computed if lat.properties is None else lat.properties
    return (known & _KEPT_WITH_NEW_COSTS) | (computed & _WEIGHTED)


# ---------------------------------------------------------------- writing


def encode_lattice(lat, binary: bool) -> list[bytes]:
    """What follows the key of an archive of Lattice (a compact lattice is converted)."""
    return [to_bytes(to_lattice(lat)) if binary else to_text(to_lattice(lat)).encode()]


def encode_compact_lattice(lat, binary: bool) -> list[bytes]:
    """What follows the key of an archive of CompactLattice (a state-level lattice is converted)."""
    return [to_bytes(to_compact(lat)) if binary else to_text(to_compact(lat)).encode()]


def write_lattice(stream, lat, *, compact: bool, binary: bool = True) -> None:
    """Write the lattice as it stands after the key of an archive: converted to the asked type if it is the other."""
    lat = to_compact(lat) if compact else to_lattice(lat)
    stream.write(to_bytes(lat) if binary else to_text(lat).encode())


def to_bytes(lat) -> bytes:
    """Kaldi's binary form (an OpenFst `vector` file of arc type lattice4 or compactlattice44)."""
    compact = isinstance(lat, CompactLattice)
    arc_type = b"compactlattice44" if compact else b"lattice4"
    properties = fst_properties(lat) if lat.properties is None else lat.properties
    header = struct.pack("<ii6si", FST_MAGIC, 6, b"vector", len(arc_type)) + arc_type
    header += struct.pack("<iiQqqq", 2, 0, properties, lat.start, lat.num_states, 0)
    return header + _body_words(lat, compact).tobytes()


def _body_words(lat, compact: bool) -> np.ndarray:
    """The body as int32 words: per state final weight, number of arcs (int64), then the arcs."""
    num_arcs = np.diff(lat.offsets)
    final_length = lat.final_string_length if compact else np.zeros(lat.num_states, np.int64)
    length = lat.string_length if compact else np.zeros(lat.num_arcs, np.int64)
    extra = 1 if compact else 0  # a compact weight has a string length word
    arc_words = 5 + extra + length
    arc_end = np.concatenate([[0], np.cumsum(arc_words)])
    state_words = 4 + extra + final_length
    state_end = np.concatenate([[0], np.cumsum(state_words)])
    state_at = state_end[:-1] + arc_end[lat.offsets[:-1]]
    arc_at = arc_end[:-1] + np.repeat(state_end[1:], num_arcs)
    words = np.empty(int(state_end[-1] + arc_end[-1]), np.int32)
    floats = words.view(np.float32)
    floats[state_at], floats[state_at + 1] = lat.final_graph, lat.final_acoustic
    if compact:
        words[state_at + 2] = final_length
        words[np.repeat(state_at + 3, final_length) + _within(final_length)] = lat.final_strings
        words[np.repeat(arc_at + 5, length) + _within(length)] = lat.strings
        words[arc_at + 4] = length
        words[arc_at], words[arc_at + 1] = lat.label, lat.label
    else:
        words[arc_at], words[arc_at + 1] = lat.ilabel, lat.olabel
    words[state_at + state_words - 2], words[state_at + state_words - 1] = num_arcs, 0
    floats[arc_at + 2], floats[arc_at + 3] = lat.graph_cost, lat.acoustic_cost
    words[arc_at + arc_words - 1] = lat.nextstate
    return words


def _within(length: np.ndarray) -> np.ndarray:
    """0 .. n-1 for each n of `length`, concatenated."""
    ends = np.cumsum(length)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - length, length)


def format_cost(value: float) -> str:
    """A cost as Kaldi prints it in lattice text: 6 significant digits of a float32."""
    if value == INF:
        return "Infinity"
    if value == -INF:
        return "-Infinity"
    return f"{value:g}" if value == value else "BadNumber"


def to_text(lat) -> str:
    """Kaldi's text form as it follows a key: a newline, the start state's lines first, an empty line at the end."""
    compact = isinstance(lat, CompactLattice)
    lines = [""]
    graph, acoustic = np.float32(lat.graph_cost).tolist(), np.float32(lat.acoustic_cost).tolist()
    final_graph, final_acoustic = np.float32(lat.final_graph).tolist(), np.float32(lat.final_acoustic).tolist()
    offsets, nextstate = lat.offsets.tolist(), lat.nextstate.tolist()
    if compact:
        label = [str(i) for i in lat.label.tolist()]
        strings = _joined(lat.string_offsets, lat.strings)
        final_strings = _joined(lat.final_string_offsets, lat.final_strings)
    else:
        label = [f"{i}\t{o}" for i, o in zip(lat.ilabel.tolist(), lat.olabel.tolist())]
    states = list(range(lat.num_states))
    if lat.start > 0:
        states = [lat.start] + states[: lat.start] + states[lat.start + 1 :]
    for s in states:
        for a in range(offsets[s], offsets[s + 1]):
            line = f"{s}\t{nextstate[a]}\t{label[a]}"
            if graph[a] != 0 or acoustic[a] != 0 or (compact and strings[a]):
                line += f"\t{format_cost(graph[a])},{format_cost(acoustic[a])}"
                line += "," + strings[a] if compact else ""
            lines.append(line)
        is_final = final_graph[s] != INF or final_acoustic[s] != INF
        if is_final or offsets[s] == offsets[s + 1]:
            line = str(s)
            if final_graph[s] != 0 or final_acoustic[s] != 0 or (compact and final_strings[s]):
                line += f"\t{format_cost(final_graph[s])},{format_cost(final_acoustic[s])}"
                line += "," + final_strings[s] if compact else ""
            lines.append(line)
    return "\n".join(lines) + "\n\n"


def _joined(offsets: np.ndarray, labels: np.ndarray) -> list[str]:
    ends, text = offsets.tolist(), [str(i) for i in labels.tolist()]
    return ["_".join(text[a:b]) for a, b in zip(ends[:-1], ends[1:])]


# ---------------------------------------------------------------- reading


def read_compact_lattice(stream, where: str = "") -> CompactLattice:
    """As read_lattice, converted to a CompactLattice if need be."""
    return read_lattice(stream, compact=True, where=where)


def read_lattice(stream, *, compact: bool | None = False, where: str = ""):
    """Read a lattice from where an archive's key (and its blank) ends, whatever its type and whether binary or text.

    stream : binary file object with read and readline
    compact : True for a CompactLattice, False for a Lattice (converted if need be), None as it comes
    where : name of the place, for messages

    Raises DataError where the data are not a lattice, are cut off, or point to states that are not there.
    """
    first = stream.read(1)
    if first == b"":
        raise DataError("expected a lattice, found the end of the data", file=where or None)
    if first.isspace():
        line = first if first == b"\n" else stream.readline()
        if line.strip():
            raise DataError(f"expected a lattice in text form on a new line, found {line[:40]!r}", file=where or None)
        lat = _read_text(stream, where, compact)
    elif first == b"\xd6":
        lat = _read_binary(stream, first, where)
    else:
        raise DataError(
            f"expected a lattice (binary, or text beginning on a new line), found byte {first!r}", file=where or None
        )
    if compact is None:
        return lat
    return to_compact(lat) if compact else to_lattice(lat)


class _Exact:
    """Reads exactly n bytes or says what was cut off."""

    def __init__(self, stream, where):
        self._read, self._where = stream.read, where

    def __call__(self, size: int) -> bytes:
        data = self._read(size)
        if len(data) != size:
            data = self._more(data, size)
        return data

    def _more(self, data: bytes, size: int) -> bytes:
        while len(data) < size:  # a raw pipe may return less than asked
            piece = self._read(size - len(data))
            if not piece:
                raise DataError(
                    f"lattice is cut off: expected {size - len(data)} more bytes",
                    file=self._where or None, mend="make the archive again; its writer did not finish",
                )  # fmt: skip
            data += piece
        return data


def _read_binary(stream, first: bytes, where: str):
    read = _Exact(stream, where)
    head = first + read(7)
    magic, length = struct.unpack("<ii", head)
    if magic != FST_MAGIC or not 0 < length < 64:
        raise DataError("expected an FST (magic number 7eb2fdd6) after the key", file=where or None)
    fst_type = read(length).decode("latin-1")
    (length,) = struct.unpack("<i", read(4))
    if not 0 < length < 64:
        raise DataError("bad FST header: the arc type has no name", file=where or None)
    arc_type = read(length).decode("latin-1")
    _, flags, properties, start, num_states, _ = struct.unpack("<iiQqqq", read(40))
    if fst_type != "vector":
        raise DataError(f"lattice has FST type {fst_type}, expected vector", file=where or None)
    if arc_type not in ("lattice4", "lattice8", "compactlattice44", "compactlattice84"):
        raise DataError(
            f"FST has arc type {arc_type}, expected lattice4 or compactlattice44 (a lattice, not a graph)",
            file=where or None,
        )
    if flags & 3:
        raise DataError("lattice carries symbol tables, which Kaldi's lattices never do", file=where or None)
    if num_states < 0 or not -1 <= start < max(num_states, 1):
        raise DataError(f"bad FST header: start {start}, {num_states} states", file=where or None)
    try:
        parse = _parse_compact if arc_type.startswith("compact") else _parse_plain
        lat = parse(read, num_states, start, "d" if arc_type.endswith(("8", "84")) else "f", where)
    except (MemoryError, OverflowError, struct.error) as e:
        raise DataError(f"lattice is damaged ({e})", file=where or None) from None
    lat.properties = properties
    _check_states(lat, where)
    return lat


def _check_states(lat, where: str) -> None:
    if lat.num_arcs and (lat.nextstate.min() < 0 or lat.nextstate.max() >= lat.num_states):
        raise DataError(
            f"lattice has an arc to state {int(lat.nextstate.max())} but only {lat.num_states} states",
            file=where or None,
        )


def _parse_plain(read, num_states: int, start: int, real: str, where: str) -> Lattice:
    # One read a state: its arcs together with the fixed-size head of the state after it.
    cost = np.dtype("<f4" if real == "f" else "<f8")
    arc = np.dtype([("i", "<i4"), ("o", "<i4"), ("g", cost), ("a", cost), ("n", "<i4")])
    head = struct.Struct("<ffq" if real == "f" else "<ddq")
    counts, finals, pieces = [], [], []
    data = read(head.size) if num_states else b""
    for s in range(num_states):
        graph, acoustic, num_arcs = head.unpack_from(data, len(data) - head.size)
        if not 0 <= num_arcs < 1 << 31:
            raise DataError(f"lattice is damaged: state {s} claims {num_arcs} arcs", file=where or None)
        finals.append((graph, acoustic))
        counts.append(num_arcs)
        size = num_arcs * arc.itemsize
        data = read(size + (head.size if s + 1 < num_states else 0))
        pieces.append(data[:size])
    arcs = np.frombuffer(b"".join(pieces), arc)
    offsets = np.zeros(num_states + 1, np.int64)
    np.cumsum(np.asarray(counts, np.int64), out=offsets[1:])
    final = np.asarray(finals, np.float64).reshape(-1, 2)
    return Lattice(
        start, offsets, arcs["i"].astype(np.int32), arcs["o"].astype(np.int32), arcs["g"].astype(np.float64),
        arcs["a"].astype(np.float64), arcs["n"].astype(np.int32), final[:, 0].copy(), final[:, 1].copy(),
    )  # fmt: skip


def _parse_compact(read, num_states: int, start: int, real: str, where: str) -> CompactLattice:
    # One read an arc: its string and destination together with the fixed-size head of what comes next.
    state_head = struct.Struct("<ffi" if real == "f" else "<ddi")
    arc_head = struct.Struct("<iiffi" if real == "f" else "<iiddi")
    unpack_state, unpack_arc = state_head.unpack_from, arc_head.unpack_from
    state_size, arc_size = state_head.size, arc_head.size
    unpack_next, unpack_count = struct.Struct("<i").unpack_from, struct.Struct("<q").unpack_from
    counts, finals, final_pieces, final_lengths = [], [], [], []
    arcs, nextstate, pieces = [], [], []
    data = read(state_size) if num_states else b""
    for s in range(num_states):
        graph, acoustic, length = unpack_state(data, len(data) - state_size)
        _check_count(length, "string", s, where)
        size = 4 * length
        data = read(size + 8)
        (num_arcs,) = unpack_count(data, size)
        _check_count(num_arcs, "arc", s, where)
        finals.append((graph, acoustic))
        final_lengths.append(length)
        final_pieces.append(data[:size])
        counts.append(num_arcs)
        tail = state_size if s + 1 < num_states else 0
        data = read(arc_size if num_arcs else tail)
        for left in range(num_arcs - 1, -1, -1):
            head = unpack_arc(data, len(data) - arc_size)
            arcs.append(head)
            size = 4 * head[4]
            _check_count(size, "string", s, where)
            data = read(size + 4 + (arc_size if left else tail))
            nextstate.append(unpack_next(data, size)[0])
            pieces.append(data[:size])
    return _assemble_compact(start, counts, finals, final_lengths, final_pieces, arcs, nextstate, pieces)


def _check_count(count: int, what: str, state: int, where: str) -> None:
    if not 0 <= count < 1 << 31:
        raise DataError(f"lattice is damaged: state {state} claims a {what} count of {count}", file=where or None)


def _assemble_compact(start, counts, finals, final_lengths, final_pieces, arcs, nextstate, pieces) -> CompactLattice:
    def running(numbers):
        total = np.zeros(len(numbers) + 1, np.int64)
        np.cumsum(np.asarray(numbers, np.int64), out=total[1:])
        return total

    columns = list(zip(*arcs)) if arcs else [()] * 5
    final = np.asarray(finals, np.float64).reshape(-1, 2)
    return CompactLattice(
        start, running(counts), np.asarray(columns[0], np.int32), np.asarray(columns[2], np.float64),
        np.asarray(columns[3], np.float64), np.asarray(nextstate, np.int32), running(columns[4]),
        np.frombuffer(b"".join(pieces), "<i4").astype(np.int32), final[:, 0].copy(), final[:, 1].copy(),
        running(final_lengths), np.frombuffer(b"".join(final_pieces), "<i4").astype(np.int32),
    )  # fmt: skip


def _parse_cost(text: str) -> float:
    if text in ("Infinity", "-Infinity"):
        return float(text)
    return float("nan") if text == "BadNumber" else float(np.float32(text))


def _parse_weight(text: str) -> tuple[float, float]:
    graph, acoustic = text.split(",")
    return _parse_cost(graph), _parse_cost(acoustic)


def _parse_compact_weight(text: str) -> tuple[float, float, list[int]]:
    graph, acoustic, string = text.split(",")
    return _parse_cost(graph), _parse_cost(acoustic), [int(i) for i in string.split("_")] if string else []


def _read_text(stream, where: str, compact: bool | None):
    """Lines up to an empty one. The type shows in the number of columns and of commas; undecided is what was asked."""
    rows = []
    while True:
        line = stream.readline()
        columns = line.decode("latin-1").split()
        if not columns:
            break
        rows.append(columns)
    if not rows:
        return empty_lattice() if compact is False else empty_compact_lattice()
    decided = next((kind for kind in map(_type_of_row, rows) if kind is not None), None)
    is_compact = decided if decided is not None else compact is not False
    try:
        lat = _compact_from_rows(rows) if is_compact else _lattice_from_rows(rows)
    except (ValueError, IndexError):
        bad = _first_bad_row(rows, is_compact)
        kind = "compact lattice (from to word graph,acoustic,t_t_t)" if is_compact else "lattice (from to in out g,a)"
        raise DataError(f"bad line in a {kind}: {' '.join(bad)[:100]!r}", file=where or None) from None
    if lat.num_states and (lat.final_graph.size and lat.nextstate.size and lat.nextstate.min() < 0):
        raise DataError("lattice has a negative state number", file=where or None)
    return lat


def _type_of_row(columns: list[str]) -> bool | None:
    """True: only a compact lattice has such a line; False: only a plain one; None: both may."""
    count, commas = len(columns), columns[-1].count(",")
    if count == 2:
        return {1: False, 2: True}.get(commas)
    if count == 4:
        return commas == 2
    return {3: True, 5: False}.get(count)


def _first_bad_row(rows, is_compact: bool) -> list[str]:
    for columns in rows:
        try:
            (_compact_from_rows if is_compact else _lattice_from_rows)([columns])
        except (ValueError, IndexError):
            return columns
    return rows[0]


def _states_of_rows(rows, source, nextstate, finals) -> tuple[int, int]:
    highest = max([*source, *nextstate, *finals])
    if min([*source, *nextstate, *finals]) < 0:
        raise ValueError("negative state")
    if highest > 10 * len(rows) + 100:  # damage must not make us allocate what it promises
        raise ValueError(f"state {highest} in a lattice of {len(rows)} lines")
    return highest + 1, int(rows[0][0])


def _compact_from_rows(rows) -> CompactLattice:
    source, nextstate, label, weights, finals = [], [], [], [], {}
    for columns in rows:
        state = int(columns[0])
        if len(columns) <= 2:
            finals[state] = _parse_compact_weight(columns[1]) if len(columns) == 2 else (0.0, 0.0, [])
            continue
        if len(columns) > 4:
            raise ValueError("too many columns")
        source.append(state)
        nextstate.append(int(columns[1]))
        label.append(int(columns[2]))
        weights.append(_parse_compact_weight(columns[3]) if len(columns) == 4 else (0.0, 0.0, []))
    num_states, start = _states_of_rows(rows, source, nextstate, finals)
    graph, acoustic, strings = zip(*weights) if weights else ((), (), ())
    return CompactLattice.from_arcs(num_states, start, source, label, graph, acoustic, nextstate, strings, finals)


def _lattice_from_rows(rows) -> Lattice:
    source, nextstate, ilabel, olabel, weights, finals = [], [], [], [], [], {}
    for columns in rows:
        state = int(columns[0])
        if len(columns) <= 2:
            finals[state] = _parse_weight(columns[1]) if len(columns) == 2 else (0.0, 0.0)
            continue
        if len(columns) not in (4, 5):
            raise ValueError("wrong number of columns")
        source.append(state)
        nextstate.append(int(columns[1]))
        ilabel.append(int(columns[2]))
        olabel.append(int(columns[3]))
        weights.append(_parse_weight(columns[4]) if len(columns) == 5 else (0.0, 0.0))
    num_states, start = _states_of_rows(rows, source, nextstate, finals)
    graph, acoustic = zip(*weights) if weights else ((), ())
    return Lattice.from_arcs(num_states, start, source, ilabel, olabel, graph, acoustic, nextstate, finals)
