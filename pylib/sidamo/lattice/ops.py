"""Elementary operations on lattices: scales, penalties, forward and backward costs, pruning, best path, times, depth.

All expect acyclic lattices and sort them topologically where need be. Costs are -log; best means lowest.
Both lattice types are taken unless the docstring says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.lattice import (
    INF,
    CompactLattice,
    Lattice,
    is_top_sorted,
    keep_arcs_and_states,
    properties_after_new_costs,
    top_sort,
)
from sidamo.lattice.kernels import kernel


def check_costs(lat, key: str | None = None) -> None:
    """Raise DataError where a cost is not a number, or an arc's cost is infinite."""
    for name in ("graph_cost", "acoustic_cost"):
        bad = np.flatnonzero(~np.isfinite(getattr(lat, name)))
        if len(bad):
            raise DataError(
                f"lattice has {name.replace('_', ' ')} {getattr(lat, name)[bad[0]]} on arc {bad[0]}",
                key=key, mend="look for NaN or infinity in the log-likelihoods, and decode the utterance again",
            )  # fmt: skip
    if np.any(np.isnan(lat.final_graph) | np.isnan(lat.final_acoustic)):
        raise DataError("lattice has a final cost that is not a number", key=key, mend="decode the utterance again")


def _words(lat) -> np.ndarray:
    return lat.label if isinstance(lat, CompactLattice) else lat.olabel


def rounded(cost):
    """float64 values that a float32 can hold."""
    return np.float64(np.float32(cost))


def scale(lat, *, lm_scale=1.0, acoustic_scale=1.0, acoustic2lm_scale=0.0, lm2acoustic_scale=0.0):
    """New graph cost = lm_scale * graph + acoustic2lm_scale * acoustic; likewise the acoustic cost.

    Results are rounded to float32, as Kaldi keeps them, so that a chain of tools and one tool choose the same path.
    """
    if (lm_scale, acoustic_scale, acoustic2lm_scale, lm2acoustic_scale) == (1.0, 1.0, 0.0, 0.0):
        return lat
    final = lat.is_final()

    def mixed(graph, acoustic):
        return (
            rounded(lm_scale * graph + acoustic2lm_scale * acoustic),
            rounded(lm2acoustic_scale * graph + acoustic_scale * acoustic),
        )

    graph, acoustic = mixed(np.float64(lat.graph_cost), np.float64(lat.acoustic_cost))
    final_graph, final_acoustic = np.full(lat.num_states, INF), np.full(lat.num_states, INF)
    final_graph[final], final_acoustic[final] = mixed(
        np.float64(lat.final_graph[final]), np.float64(lat.final_acoustic[final])
    )
    return replace(
        lat, graph_cost=graph, acoustic_cost=acoustic, final_graph=final_graph, final_acoustic=final_acoustic,
        properties=properties_after_new_costs(lat),
    )  # fmt: skip


def unscale(lat, *, lm_scale=1.0, acoustic_scale=1.0):
    """Undo `scale` of the same arguments (both not 0)."""
    return scale(lat, lm_scale=1.0 / lm_scale, acoustic_scale=1.0 / acoustic_scale)


def add_word_ins_penalty(lat, penalty: float):
    """Add `penalty` to the graph cost of every arc that carries a word."""
    if penalty == 0.0:
        return lat
    cost = rounded(lat.graph_cost + penalty * (_words(lat) != 0))
    return replace(lat, graph_cost=cost, properties=properties_after_new_costs(lat))


def final_cost(lat) -> np.ndarray:
    """Graph plus acoustic final cost, float64 (S,), inf where not final."""
    total = np.full(lat.num_states, INF)
    final = lat.is_final()
    total[final] = np.float64(lat.final_graph[final]) + lat.final_acoustic[final]
    return total


def arc_cost(lat) -> np.ndarray:
    """Graph plus acoustic cost of each arc, float64 (A,)."""
    return np.float64(lat.graph_cost) + lat.acoustic_cost


# ---------------------------------------------------------------- Viterbi


@kernel
def viterbi(offsets, nextstate, cost, start, best, back):
    # best[next] = min over arcs of best[source] + cost; back holds the arc (the first of equals).
    best[start] = 0.0
    for s in range(len(best)):
        mine = best[s]
        if mine == np.inf:
            continue
        for a in range(offsets[s], offsets[s + 1]):
            n = nextstate[a]
            total = mine + cost[a]
            if total < best[n]:
                best[n] = total
                back[n] = a


@kernel
def _backward(offsets, nextstate, cost, best):
    # best[s] begins as the final cost.
    for s in range(len(best) - 1, -1, -1):
        for a in range(offsets[s], offsets[s + 1]):
            total = cost[a] + best[nextstate[a]]
            if total < best[s]:
                best[s] = total


def forward_costs(lat) -> tuple[np.ndarray, np.ndarray]:
    """Lowest cost from the start to each state, float64 (S,), and the last arc there, int64 (S,), -1 if none.

    The lattice must be sorted topologically.
    """
    best, back = np.full(lat.num_states, INF), np.full(lat.num_states, -1, np.int64)
    viterbi(lat.offsets, lat.nextstate, arc_cost(lat), lat.start, best, back, steps=3 * lat.num_arcs)
    return best, back


def backward_costs(lat) -> np.ndarray:
    """Lowest cost from each state to the end (final cost included), float64 (S,). Sorted topologically."""
    best = final_cost(lat)
    _backward(lat.offsets, lat.nextstate, arc_cost(lat), best, steps=3 * lat.num_arcs)
    return best


@dataclass(frozen=True)
class Path:
    """One path through a lattice.

    arcs : indices of its arcs in the lattice that `lattice` holds (sorted topologically), int64
    graph_cost, acoustic_cost : of the whole path, the final cost included
    """

    lattice: Lattice | CompactLattice
    arcs: np.ndarray
    graph_cost: float
    acoustic_cost: float

    @property
    def end(self) -> int:
        return int(self.lattice.nextstate[self.arcs[-1]]) if len(self.arcs) else self.lattice.start

    @property
    def words(self) -> list[int]:
        """Word labels, without epsilon."""
        words = _words(self.lattice)[self.arcs]
        return words[words != 0].tolist()

    @property
    def alignment(self) -> list[int]:
        """Labels passed, one a frame."""
        lat = self.lattice
        if isinstance(lat, Lattice):
            labels = lat.ilabel[self.arcs]
            return labels[labels != 0].tolist()
        strings = [lat.string(a) for a in self.arcs] + [lat.final_string(self.end)]
        return np.concatenate(strings).tolist()

    def to_compact(self) -> CompactLattice:
        """The path as a linear compact lattice (compact lattices only): one arc an arc, the final cost at its end."""
        lat, n = self.lattice, len(self.arcs)
        return CompactLattice.from_arcs(
            n + 1, 0, range(n), lat.label[self.arcs], lat.graph_cost[self.arcs], lat.acoustic_cost[self.arcs],
            range(1, n + 1), [lat.string(a) for a in self.arcs],
            {n: (lat.final_graph[self.end], lat.final_acoustic[self.end], lat.final_string(self.end))},
        )  # fmt: skip


def make_path(lat, arcs) -> Path:
    """Path of the given arcs, with its costs summed."""
    arcs = np.asarray(arcs, np.int64)
    end = int(lat.nextstate[arcs[-1]]) if len(arcs) else lat.start
    graph = float(np.sum(lat.graph_cost[arcs], dtype=np.float64) + lat.final_graph[end])
    acoustic = float(np.sum(lat.acoustic_cost[arcs], dtype=np.float64) + lat.final_acoustic[end])
    return Path(lat, arcs, graph, acoustic)


def best_path(lat, key: str | None = None) -> Path | None:
    """Path of the lowest graph + acoustic cost; None where no final state can be reached."""
    if lat.start < 0:
        return None
    lat = top_sort(lat, key)
    best, back = forward_costs(lat)
    total = best + final_cost(lat)
    state = int(np.argmin(total)) if lat.num_states else 0
    if not np.isfinite(total[state]):
        return None
    return make_path(lat, _trace(lat, back, state))


def _trace(lat, back, state: int) -> list[int]:
    arcs = []
    while back[state] >= 0:
        arc = int(back[state])
        arcs.append(arc)
        state = int(np.searchsorted(lat.offsets, arc, side="right")) - 1
    return arcs[::-1]


# ---------------------------------------------------------------- pruning


def connect(lat):
    """Without the states that cannot be reached or from which no final state can; the others keep their order."""
    if lat.start < 0:
        return lat
    if is_top_sorted(lat):
        forward, backward = np.zeros(lat.num_states, np.bool_), lat.is_final()
        forward[lat.start] = True
        _reach_in_order(lat.offsets, lat.nextstate, forward, backward, steps=3 * lat.num_arcs)
    else:
        forward, backward = _reachable_both_ways(lat)
    kept = forward & backward
    if kept.all():
        return lat
    return keep_arcs_and_states(lat, np.ones(lat.num_arcs, bool), kept)


@kernel
def _reach_in_order(offsets, nextstate, forward, backward):
    # Spread the marks of the start forward, those of final states backward; states are sorted topologically.
    for s in range(len(forward)):
        if forward[s]:
            for a in range(offsets[s], offsets[s + 1]):
                forward[nextstate[a]] = True
    for s in range(len(backward) - 1, -1, -1):
        for a in range(offsets[s], offsets[s + 1]):
            if backward[nextstate[a]]:
                backward[s] = True


def _reachable_both_ways(lat) -> tuple[np.ndarray, np.ndarray]:
    forward = _reachable(lat.num_states, [lat.start], lat.offsets, lat.nextstate)
    order = np.argsort(lat.nextstate, kind="stable")
    incoming = np.searchsorted(lat.nextstate[order], np.arange(lat.num_states + 1))
    backward = _reachable(lat.num_states, np.flatnonzero(lat.is_final()), incoming, lat.arc_source()[order])
    return forward, backward


@kernel
def _reach(offsets, nextstate, stack, size, seen):
    # The first `size` entries of stack are the roots, already marked in seen.
    while size > 0:
        size -= 1
        s = stack[size]
        for a in range(offsets[s], offsets[s + 1]):
            n = nextstate[a]
            if not seen[n]:
                seen[n] = True
                stack[size] = n
                size += 1


def _reachable(num_states, roots, offsets, nextstate) -> np.ndarray:
    seen = np.zeros(num_states, np.bool_)
    seen[roots] = True
    stack = np.zeros(num_states, np.int64)
    stack[: len(roots)] = roots
    _reach(offsets, nextstate, stack, len(roots), seen, steps=2 * len(nextstate))
    return seen


def prune(lat, beam: float, key: str | None = None):
    """Without the arcs and final costs whose best path costs more than `beam` above the best of all.

    Beam 0 leaves the best paths; the result may be empty (Kaldi lat/lattice-functions.cc, PruneLattice).
    """
    if lat.start < 0:
        return lat
    lat = top_sort(lat, key)
    forward, _ = forward_costs(lat)
    final = final_cost(lat)
    cutoff = float(np.min(forward + final, initial=INF)) + beam
    if not np.isfinite(cutoff):
        return keep_arcs_and_states(lat, np.zeros(lat.num_arcs, bool), np.zeros(lat.num_states, bool))
    backward = backward_costs(lat)
    slack = 1e-6 * max(1.0, abs(cutoff))  # the best path must survive the rounding of its own sum
    arc_kept = forward[lat.arc_source()] + arc_cost(lat) + backward[lat.nextstate] <= cutoff + slack
    state_final = forward + final <= cutoff + slack
    if arc_kept.all() and np.array_equal(state_final, final < INF):
        return connect(lat)
    pruned = replace(
        keep_arcs_and_states(lat, arc_kept, np.ones(lat.num_states, bool)),
        final_graph=np.where(state_final, lat.final_graph, INF),
        final_acoustic=np.where(state_final, lat.final_acoustic, INF),
    )
    if isinstance(lat, CompactLattice):
        pruned = drop_strings_of_nonfinal(pruned)
    return connect(pruned)


def drop_strings_of_nonfinal(clat: CompactLattice) -> CompactLattice:
    """Strings belong to final states only: a state that stopped being final loses its own."""
    final, length = clat.is_final(), clat.final_string_length
    kept = np.repeat(final, length)
    offsets = np.concatenate([[0], np.cumsum(np.where(final, length, 0))]).astype(np.int64)
    return replace(clat, final_strings=clat.final_strings[kept], final_string_offsets=offsets)


def with_super_final(clat: CompactLattice) -> CompactLattice:
    """The lattice with one final state without costs: final costs and strings become epsilon arcs to it."""
    final = np.flatnonzero(clat.is_final())
    only = final[0] if len(final) == 1 else -1
    if only >= 0 and clat.final_graph[only] == clat.final_acoustic[only] == 0 and not clat.final_string_length[only]:
        return clat
    n = clat.num_states
    strings = [clat.string(a) for a in range(clat.num_arcs)] + [clat.final_string(s) for s in final]
    zeros = np.zeros(len(final), np.int32)
    whole = CompactLattice.from_arcs(
        n + 1, clat.start, np.concatenate([clat.arc_source(), final]), np.concatenate([clat.label, zeros]),
        np.concatenate([clat.graph_cost, clat.final_graph[final]]),
        np.concatenate([clat.acoustic_cost, clat.final_acoustic[final]]),
        np.concatenate([clat.nextstate, zeros + n]), strings, {n: (0.0, 0.0, [])},
    )  # fmt: skip
    whole.properties = clat.properties  # what is known of the order holds on
    return whole


def union(first: CompactLattice, second: CompactLattice) -> CompactLattice:
    """Paths of either lattice: an epsilon arc leads from the first's start to the second's, as OpenFst's Union has it."""
    if first.start < 0 or second.start < 0:
        return second if first.start < 0 else first
    new = int(first.offsets[first.start + 1])  # where the new arc stands, the last of the first's start

    def arcs(name, value):
        return np.concatenate([np.insert(getattr(first, name), new, value), getattr(second, name)])

    def states(name):
        return np.concatenate([getattr(first, name), getattr(second, name)])

    def run_on(a, b):
        return np.concatenate([a, a[-1] + b[1:]])

    offsets = first.offsets + (np.arange(first.num_states + 1) > first.start)
    string_offsets = np.insert(first.string_offsets, new, first.string_offsets[new])
    nextstate = np.insert(first.nextstate, new, first.num_states + second.start)
    return CompactLattice(
        first.start, run_on(offsets, second.offsets), arcs("label", 0), arcs("graph_cost", 0.0), arcs("acoustic_cost", 0.0),
        np.concatenate([nextstate, second.nextstate + first.num_states]).astype(np.int32),
        run_on(string_offsets, second.string_offsets), states("strings"), states("final_graph"), states("final_acoustic"),
        run_on(first.final_string_offsets, second.final_string_offsets), states("final_strings"),
    )  # fmt: skip


# ---------------------------------------------------------------- times and depth


def state_times(lat, key: str | None = None) -> tuple[np.ndarray, int]:
    """Frame at which each state of a topologically sorted lattice lies, int64 (S,), and the utterance's frames.

    Paths that disagree about a state's time (as where strings were pushed about by determinization) are let be: the
    latest wins for a compact lattice, as they all come out equal at the end.
    """
    length = lat.string_length if isinstance(lat, CompactLattice) else (lat.ilabel != 0).astype(np.int64)
    times = np.full(lat.num_states, -1, np.int64)
    if lat.start < 0:
        return times, 0
    _times(lat.offsets, lat.nextstate, length, lat.start, times, steps=3 * lat.num_arcs)
    ends = times.copy()
    if isinstance(lat, CompactLattice):
        ends += lat.final_string_length
    ends = ends[lat.is_final() & (times >= 0)]
    return np.maximum(times, 0), int(ends.max(initial=0))


@kernel
def _times(offsets, nextstate, length, start, times):
    times[start] = 0
    for s in range(len(times)):
        if times[s] < 0:
            continue
        for a in range(offsets[s], offsets[s + 1]):
            n = nextstate[a]
            if times[n] < 0:
                times[n] = times[s] + length[a]


def depth(clat: CompactLattice, key: str | None = None) -> tuple[float, int]:
    """(arcs crossing a frame on average, number of frames) (Kaldi's CompactLatticeDepth); (1.0, 0) if empty."""
    if clat.start < 0:
        return 1.0, 0
    clat = top_sort(clat, key)
    _, num_frames = state_times(clat, key)
    if num_frames == 0:
        return 1.0, 0
    arc_frames = int(clat.string_length.sum() + clat.final_string_length[clat.is_final()].sum())
    return arc_frames / num_frames, num_frames
