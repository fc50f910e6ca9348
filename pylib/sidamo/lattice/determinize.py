"""Lattice determinization with pruning: one arc per word out of a state, the best alignment kept as a string.

Povey et al., Generating exact lattices in the WFST framework, ICASSP 2012; the pruned form as in Kaldi
(lat/determinize-lattice-pruned.cc). A state of the result is a weighted subset of states of the input, each with the
string of labels that it still owes; subsets are made of the states reached by a word, closed over arcs without word,
and reduced to the states that matter for what follows. Arcs are taken best first, until the beam is passed.

`reference` is that, to be read; the compiled one in `determinize_kernel` does the same on arrays.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from sidamo.io.lattice import INF, CompactLattice, empty_compact_lattice, top_sort
from sidamo.lattice.ops import arc_cost, backward_costs, connect, final_cost, forward_costs, prune, with_super_final

SECONDS_AN_ARC = 8e-6  # of `reference`
MAX_RETRIES = 10
_arcs_seen = 0


@dataclass(frozen=True)
class DeterminizeOptions:
    """Options of pruned determinization (Kaldi's DeterminizeLatticePrunedOptions)."""

    delta: float = field(default=1 / 1024, metadata={"help": "Tolerance used in determinization"})
    max_mem: int = field(
        default=50_000_000,
        metadata={"help": "Maximum approximate memory usage in determinization (real usage might be many times this)"},
    )
    max_arcs: int = field(default=-1, metadata={"help": "Maximum number of arcs in the output (-1: no limit)"})
    max_states: int = field(default=-1, metadata={"help": "Maximum number of states in the output (-1: no limit)"})
    retry_cutoff: float = field(
        default=0.5,
        metadata={"help": "Where limits cut the beam below this times the asked one, prune the input and try again"},
    )


def determinize(lat, beam: float = INF, options=DeterminizeOptions(), key: str | None = None, as_decoded=False):  # noqa: B008
    """Determinize a lattice on its words, keeping what lies within `beam` of the best path.

    lat : Lattice or CompactLattice, acyclic
    as_decoded : it comes straight from the decoder: connected, sorted, and pruned by this beam
    Returns (CompactLattice, beam reached): the second is less than `beam` where max_mem, max_arcs or max_states cut
    the search short. Empty where no path reaches a final state.
    Raises DataError where the lattice has a cycle.
    """
    global _arcs_seen
    if not as_decoded:
        lat = _prepared(lat, beam, key)
    if lat.start < 0:
        return empty_compact_lattice(), beam
    _arcs_seen += lat.num_arcs
    from sidamo.lattice import determinize_kernel as compiled

    run = compiled.run if compiled._search.pays(_arcs_seen * SECONDS_AN_ARC) else reference
    for _ in range(MAX_RETRIES):
        clat, reached = run(lat, beam, options)
        if reached >= options.retry_cutoff * beam or not np.isfinite(reached):
            break
        best = float(np.min(backward_costs(lat)[lat.start]))
        spread = beam if beam < INF else float(_longest(lat) - best)
        beam = spread * np.sqrt(max(reached, 0.01 * spread) / spread)
        lat = prune(lat, beam, key)
    return clat, min(beam, reached)


def _prepared(lat, beam: float, key: str | None):
    """The lattice connected, without strings on final states, sorted and pruned."""
    lat = connect(lat)
    if lat.start < 0:
        return lat
    if isinstance(lat, CompactLattice) and lat.final_string_length.any():
        lat = with_super_final(lat)
    lat = top_sort(lat, key)
    return prune(lat, beam, key) if beam < INF else lat


def words_and_strings(lat):
    """Per arc its word, int32 (A,), and its string of labels, packed as offsets, int64 (A+1,), and labels, int32."""
    if isinstance(lat, CompactLattice):
        return lat.label, lat.string_offsets, lat.strings
    offsets = np.zeros(lat.num_arcs + 1, np.int64)
    np.cumsum(lat.ilabel != 0, out=offsets[1:])
    return lat.olabel, offsets, lat.ilabel[lat.ilabel != 0]


def _longest(lat) -> float:
    """Highest finite forward plus backward cost of an arc: an upper bound for a useful beam."""
    through = forward_costs(lat)[0][lat.arc_source()] + arc_cost(lat) + backward_costs(lat)[lat.nextstate]
    return float(np.max(through[np.isfinite(through)], initial=0.0))


# ---------------------------------------------------------------- the readable one


@dataclass
class _State:
    elements: dict  # input state -> (graph, acoustic, string), relative to what was put out so far
    forward: float  # cost of the best path to here
    arcs: list  # (word, (graph, acoustic, string), next)


def _better(a, b) -> bool:
    """a and b: (graph, acoustic, string). Lower total first, then lower graph cost, then the shorter string."""
    return (a[0] + a[1], a[0], len(a[2]), a[2]) < (b[0] + b[1], b[0], len(b[2]), b[2])


def _times(a, b):
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _divide_common(elements: dict):
    """Take the best weight and the longest common prefix out of a subset: (that weight, the rest)."""
    best = min(elements.values(), key=lambda w: (w[0] + w[1], w[0]))
    strings = [w[2] for w in elements.values()]
    low, high = min(strings), max(strings)
    length = next((i for i, (x, y) in enumerate(zip(low, high)) if x != y), min(len(low), len(high)))
    rest = {s: (w[0] - best[0], w[1] - best[1], w[2][length:]) for s, w in elements.items()}
    return (best[0], best[1], low[:length]), rest


class _Subsets:
    """Subsets seen, found again by their states and strings, and by their weights within delta."""

    def __init__(self, delta: float):
        self._delta, self._found = delta, {}

    def find(self, elements: dict):
        for weights, value in self._found.get(self._key(elements), ()):
            if all(abs(sum(elements[s][:2]) - weights[s]) <= self._delta for s in weights):
                return value
        return None

    def add(self, elements: dict, value) -> None:
        weights = {s: w[0] + w[1] for s, w in elements.items()}
        self._found.setdefault(self._key(elements), []).append((weights, value))

    @staticmethod
    def _key(elements: dict):
        return tuple(sorted((s, w[2]) for s, w in elements.items()))


def reference(lat, beam: float, options: DeterminizeOptions):
    """(CompactLattice, beam reached) of a connected, topologically sorted lattice."""
    search = _Search(lat, beam, options)
    reached = search.run()
    return search.output(), reached


class _Search:
    def __init__(self, lat, beam, options):
        self.lat, self.options = lat, options
        self.backward = backward_costs(lat).tolist()
        self.final = final_cost(lat).tolist()
        self.best = self.backward[lat.start]
        self.cutoff = self.best + beam
        self.has_word = np.zeros(lat.num_states, bool)
        words, offsets, labels = words_and_strings(lat)
        self.has_word[lat.arc_source()[words != 0]] = True
        self.initial, self.minimal = _Subsets(options.delta), _Subsets(options.delta)
        self.states: list[_State] = []
        self.queue, self.births = [], 0
        labels, ends = labels.tolist(), offsets.tolist()
        strings = [tuple(labels[a:b]) for a, b in zip(ends[:-1], ends[1:])]
        columns = (words, lat.nextstate, lat.graph_cost, lat.acoustic_cost)
        rows = list(zip(*(c.tolist() for c in columns), strings))
        self.arcs_of = [rows[a:b] for a, b in zip(lat.offsets[:-1].tolist(), lat.offsets[1:].tolist())]

    def run(self) -> float:
        subset = {self.lat.start: (0.0, 0.0, ())}
        # The start has nobody to put out its common string, so it keeps it (as if already put out: strings stay whole).
        self._new_state(self._reduce(self._close(subset)), 0.0)
        num_arcs, limits = 0, self.options
        while self.queue:
            priority, _, source, word, elements = heapq.heappop(self.queue)
            if priority > self.cutoff:
                break
            too_many_states = 0 < limits.max_states <= len(self.states)
            if too_many_states or 0 < limits.max_arcs <= num_arcs or 100 * num_arcs > limits.max_mem > 0:
                return priority - self.best
            common, rest = _divide_common(elements)
            forward = self.states[source].forward + common[0] + common[1]
            target, remaining = self._state_of(rest, forward)
            self.states[source].arcs.append((word, _times(common, remaining), target))
            num_arcs += 1
        return self.cutoff - self.best

    def _close(self, elements: dict) -> dict:
        """Add the states that arcs without a word reach; the input is sorted, so each state is complete when taken."""
        closed = dict(elements)
        heap = sorted(closed)
        while heap:
            state = heapq.heappop(heap)
            weight = closed[state]
            for word, following, graph, acoustic, string in self.arcs_of[state]:
                if word != 0:
                    continue
                new = _times(weight, (graph, acoustic, string))
                if following not in closed:
                    heapq.heappush(heap, following)
                    closed[following] = new
                elif _better(new, closed[following]):
                    closed[following] = new
        return closed

    def _reduce(self, elements: dict) -> dict:
        """Only states that are final or have an arc with a word matter for what follows."""
        return {s: w for s, w in elements.items() if self.has_word[s] or self.final[s] < INF}

    def _state_of(self, subset: dict, forward: float):
        """The state for a subset after a word: (state, weight and string that its arc takes along)."""
        found = self.initial.find(subset)
        if found is not None:
            return found
        remaining, reduced = _divide_common(self._reduce(self._close(subset)))
        target = self.minimal.find(reduced)
        if target is None:
            target = self._new_state(reduced, forward + remaining[0] + remaining[1])
        self.initial.add(subset, (target, remaining))
        return target, remaining

    def _new_state(self, elements: dict, forward: float) -> int:
        number = len(self.states)
        self.states.append(_State(elements, forward, []))
        self.minimal.add(elements, number)
        by_word: dict[int, dict] = {}
        for state in sorted(elements):
            for word, following, graph, acoustic, string in self.arcs_of[state]:
                if word == 0:
                    continue
                new = _times(elements[state], (graph, acoustic, string))
                subset = by_word.setdefault(word, {})
                if following not in subset or _better(new, subset[following]):
                    subset[following] = new
        for word in sorted(by_word):
            subset = by_word[word]
            priority = forward + min(w[0] + w[1] + self.backward[s] for s, w in subset.items())
            if priority <= self.cutoff:
                self.births += 1
                heapq.heappush(self.queue, (priority, self.births, number, word, subset))
        return number

    def output(self) -> CompactLattice:
        source, label, graph, acoustic, nextstate, strings, finals = [], [], [], [], [], [], {}
        for number, state in enumerate(self.states):
            for word, weight, following in state.arcs:
                source.append(number)
                label.append(word)
                graph.append(weight[0])
                acoustic.append(weight[1])
                strings.append(weight[2])
                nextstate.append(following)
            ends = [
                _times(w, (self.lat.final_graph[s], self.lat.final_acoustic[s], ()))
                for s, w in state.elements.items()
                if self.final[s] < INF
            ]
            if ends:
                best = min(ends, key=lambda w: (w[0] + w[1], w[0]))
                if state.forward + best[0] + best[1] <= self.cutoff:
                    finals[number] = best
        clat = CompactLattice.from_arcs(
            len(self.states), 0, source, label, graph, acoustic, nextstate, strings, finals
        )
        return connect(clat)
