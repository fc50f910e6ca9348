"""Composition of a lattice with an acceptor over words: another lattice, an FST grammar, or an n-gram model on demand.

All work on CompactLattice and keep its strings; costs add up. Output states are made as they are reached.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from sidamo.io.lattice import CompactLattice, properties_after_new_costs
from sidamo.lattice.ops import connect, with_super_final


class _Builder:
    """Collects arcs of the composed lattice; states are numbered as they are first asked for, and visited in turn."""

    def __init__(self, lat: CompactLattice):
        self.lat = lat
        self.numbers: dict = {}
        self.queue: deque = deque()
        self.source, self.label, self.graph, self.acoustic, self.nextstate = [], [], [], [], []
        self.string_of, self.finals = [], {}

    def number(self, state) -> int:
        n = self.numbers.get(state)
        if n is None:
            n = self.numbers[state] = len(self.numbers)
            self.queue.append(state)
        return n

    def add(self, source, label, graph, acoustic, state, arc) -> None:
        """arc : index of the lattice arc whose string the new arc carries, -1 for none."""
        self.source.append(source)
        self.label.append(label)
        self.graph.append(graph)
        self.acoustic.append(acoustic)
        self.nextstate.append(self.number(state))
        self.string_of.append(arc)

    def build(self, start) -> CompactLattice:
        strings = [self.lat.string(a) if a >= 0 else () for a in self.string_of]
        composed = CompactLattice.from_arcs(
            len(self.numbers), self.numbers[start], self.source, self.label, self.graph, self.acoustic,
            self.nextstate, strings, self.finals,
        )  # fmt: skip
        return connect(composed)


class _Rows:
    """Arcs of a lattice as Python rows, by state: (label, graph, acoustic, nextstate, arc)."""

    def __init__(self, lat: CompactLattice):
        columns = (lat.label, lat.graph_cost, lat.acoustic_cost, lat.nextstate)
        rows = list(zip(*(c.tolist() for c in columns), range(lat.num_arcs)))
        self.of = [rows[a:b] for a, b in zip(lat.offsets[:-1].tolist(), lat.offsets[1:].tolist())]
        self.final = lat.is_final().tolist()

    def by_label(self, state: int) -> dict[int, list]:
        found: dict[int, list] = {}
        for row in self.of[state]:
            found.setdefault(row[0], []).append(row)
        return found


def without_strings(lat: CompactLattice) -> CompactLattice:
    """The lattice without its alignments."""
    return replace(
        lat, strings=np.zeros(0, np.int32), string_offsets=np.zeros(lat.num_arcs + 1, np.int64),
        final_strings=np.zeros(0, np.int32), final_string_offsets=np.zeros(lat.num_states + 1, np.int64),
        properties=properties_after_new_costs(lat),
    )  # fmt: skip


def compose(lat: CompactLattice, other: CompactLattice) -> CompactLattice:
    """Paths of `lat` whose words `other` accepts; costs added, strings of `lat` alone. Connected, maybe empty.

    Epsilons move one side only; those of `lat` are taken first, so that no pair of paths comes out twice
    (the sequencing filter of Mohri, Pereira and Riley 2000).
    """
    if lat.start < 0 or other.start < 0:
        return connect(replace(lat, start=-1))
    lat = _plain_finals(lat)
    rows, others = _Rows(lat), _Rows(other)
    indexed: dict[int, dict] = {}
    out = _Builder(lat)
    start = (lat.start, other.start, False)
    out.number(start)
    while out.queue:
        state = out.queue.popleft()
        s, t, blocked = state
        here = out.numbers[state]
        words = indexed.get(t)
        if words is None:
            words = indexed[t] = others.by_label(t)
        for label, graph, acoustic, following, arc in rows.of[s]:
            if label == 0:
                if not blocked:
                    out.add(here, 0, graph, acoustic, (following, t, False), arc)
                continue
            for _, graph2, acoustic2, following2, _ in words.get(label, ()):
                out.add(here, label, graph + graph2, acoustic + acoustic2, (following, following2, False), arc)
        for _, graph2, acoustic2, following2, _ in words.get(0, ()):
            out.add(here, 0, graph2, acoustic2, (s, following2, True), -1)
        if rows.final[s] and others.final[t]:
            graph = lat.final_graph[s] + other.final_graph[t]
            out.finals[here] = (graph, lat.final_acoustic[s] + other.final_acoustic[t], lat.final_string(s))
    return out.build(start)


def _plain_finals(lat: CompactLattice) -> CompactLattice:
    return with_super_final(lat) if lat.final_string_length.any() else lat


def acceptor_of(fst) -> CompactLattice:
    """An FST (CsrFst) as a lattice without strings: input labels as words, weights as graph costs."""
    num_states, zeros = fst.num_states, np.zeros(fst.num_arcs)
    final = np.float64(fst.final)
    return CompactLattice(
        fst.start, np.asarray(fst.offsets, np.int64), fst.ilabel, np.float64(fst.weight), zeros, fst.nextstate,
        np.zeros(fst.num_arcs + 1, np.int64), np.zeros(0, np.int32), final, np.where(np.isfinite(final), 0.0, np.inf),
        np.zeros(num_states + 1, np.int64), np.zeros(0, np.int32),
    )  # fmt: skip


class Grammar:
    """An FST over words (G.fst), its arcs looked up by state and word as they are needed."""

    def __init__(self, fst):
        from sidamo.io.fst import arcsort

        self._fst = arcsort(fst, "ilabel")
        self.start = int(self._fst.start)
        self._arcs: dict[int, dict] = {}

    def arcs(self, state: int) -> dict[int, list]:
        """{word: [(cost, nextstate), ...]} of a state; word 0 holds its epsilons (back-off arcs)."""
        found = self._arcs.get(state)
        if found is None:
            fst, found = self._fst, {}
            span = slice(int(fst.offsets[state]), int(fst.offsets[state + 1]))
            for word, cost, following in zip(
                fst.ilabel[span].tolist(), fst.weight[span].tolist(), fst.nextstate[span].tolist()
            ):
                found.setdefault(word, []).append((cost, following))
            self._arcs[state] = found
        return found

    def final_cost(self, state: int) -> float:
        return float(self._fst.final[state])


def compose_grammar(lat: CompactLattice, grammar: Grammar) -> CompactLattice:
    """Add the costs of a grammar to graph costs; a word sequence keeps a path for each of its paths in the grammar."""
    if lat.start < 0 or grammar.start < 0:
        return connect(replace(lat, start=-1))
    lat = _plain_finals(lat)
    rows, out = _Rows(lat), _Builder(lat)
    start = (lat.start, grammar.start, False)
    out.number(start)
    while out.queue:
        state = out.queue.popleft()
        s, g, blocked = state
        here = out.numbers[state]
        words = grammar.arcs(g)
        for label, graph, acoustic, following, arc in rows.of[s]:
            if label == 0:
                if not blocked:
                    out.add(here, 0, graph, acoustic, (following, g, False), arc)
                continue
            for cost, following_g in words.get(label, ()):
                out.add(here, label, graph + cost, acoustic, (following, following_g, False), arc)
        for cost, following_g in words.get(0, ()):
            out.add(here, 0, cost, 0.0, (s, following_g, True), -1)
        if rows.final[s] and (final := grammar.final_cost(g)) != float("inf"):
            out.finals[here] = (lat.final_graph[s] + final, lat.final_acoustic[s], lat.final_string(s))
    return out.build(start)


def compose_model(lat: CompactLattice, model) -> CompactLattice:
    """Add the costs of a deterministic model on demand: `model.start`, `model.step(state, word) -> (cost, state)`,
    `model.final_cost(state)`. Arcs with a word that the model gives no probability are dropped."""
    if lat.start < 0:
        return lat
    lat = _plain_finals(lat)
    rows, out = _Rows(lat), _Builder(lat)
    start = (lat.start, model.start)
    out.number(start)
    infinity = float("inf")
    while out.queue:
        state = out.queue.popleft()
        s, h = state
        here = out.numbers[state]
        for label, graph, acoustic, following, arc in rows.of[s]:
            cost, history = model.step(h, label) if label else (0.0, h)
            if cost != infinity:
                out.add(here, label, graph + cost, acoustic, (following, history), arc)
        if rows.final[s] and (final := model.final_cost(h)) != infinity:
            out.finals[here] = (lat.final_graph[s] + final, lat.final_acoustic[s], lat.final_string(s))
    return out.build(start)
