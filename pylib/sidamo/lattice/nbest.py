"""The n best paths of a lattice, paths as linear lattices, and back from linear archives.

Search: best-first over partial paths with the exact cost to the end as heuristic, so that paths come out in order of
their total cost and no partial path outside the n best is ever extended twice (A*, Hart et al. 1968).
"""

from __future__ import annotations

import heapq
from dataclasses import replace

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.lattice import CompactLattice, Lattice, to_compact, to_lattice, top_sort
from sidamo.lattice.ops import Path, arc_cost, backward_costs, final_cost, make_path


def nbest_paths(lat, n: int, key: str | None = None) -> list[Path]:
    """Up to n paths of lowest graph + acoustic cost, best first; [] where no final state can be reached.

    Paths are distinct; their word sequences are where the lattice is determinized.
    """
    if lat.start < 0 or lat.num_states == 0:
        return []
    lat = top_sort(lat, key)
    to_end, final, cost = backward_costs(lat).tolist(), final_cost(lat).tolist(), arc_cost(lat).tolist()
    offsets, nextstate = lat.offsets.tolist(), lat.nextstate.tolist()
    infinity = float("inf")
    if to_end[lat.start] == infinity:
        return []
    nodes = [(-1, -1)]  # (parent node, arc)
    heap = [(to_end[lat.start], 0, lat.start, 0, 0.0)]  # (estimate, order of birth, state or -1, node, cost so far)
    births, paths = 0, []
    while heap and len(paths) < n:
        _, _, state, node, so_far = heapq.heappop(heap)
        if state < 0:
            paths.append(make_path(lat, _arcs_to(nodes, node)))
            continue
        if final[state] != infinity:
            births += 1
            heapq.heappush(heap, (so_far + final[state], births, -1, node, 0.0))
        for arc in range(offsets[state], offsets[state + 1]):
            ahead = to_end[nextstate[arc]]
            if ahead == infinity:
                continue
            births += 1
            nodes.append((node, arc))
            total = so_far + cost[arc]
            heapq.heappush(heap, (total + ahead, births, nextstate[arc], len(nodes) - 1, total))
    return paths


def _arcs_to(nodes, node: int) -> list[int]:
    arcs = []
    while nodes[node][1] >= 0:
        node, arc = nodes[node]
        arcs.append(arc)
    return arcs[::-1]


def random_paths(lat, n: int, rng: np.random.Generator, key: str | None = None) -> list[Path]:
    """n paths, each continuation (arc or end) chosen with equal probability among those that lead to the end."""
    if lat.start < 0 or lat.num_states == 0:
        return []
    lat = top_sort(lat, key)
    alive, final = np.isfinite(backward_costs(lat)), lat.is_final()
    if not alive[lat.start]:
        return []
    paths = []
    for _ in range(n):
        state, arcs = lat.start, []
        while True:
            choices = [a for a in range(lat.offsets[state], lat.offsets[state + 1]) if alive[lat.nextstate[a]]]
            pick = int(rng.integers(len(choices) + int(final[state])))
            if pick == len(choices):
                break
            arcs.append(choices[pick])
            state = int(lat.nextstate[choices[pick]])
        paths.append(make_path(lat, arcs))
    return paths


def path_lattices(paths: list[Path], n: int):
    """Each path as a linear CompactLattice, in the form that Kaldi's lattice-to-nbest gives it.

    Where more than one path is asked for, OpenFst's n-best search puts an epsilon arc before each path and turns the
    final cost into an arc, so that it ends up on the path's last arc.
    """
    for path in paths:
        lat = to_lattice(path.to_compact())
        yield to_compact(lat if n == 1 else _with_epsilon_ends(lat))


def _with_epsilon_ends(lat: Lattice) -> Lattice:
    """Linear lattice with an epsilon arc before it, and its final cost on an epsilon arc after it."""
    order = _linear_order(lat)
    end = int(lat.nextstate[order[-1]]) if len(order) else lat.start
    n = len(order) + 2

    def between(middle, last=0):
        return np.concatenate([[0], middle[order], [last]])

    return Lattice.from_arcs(
        n + 1, 0, range(n), between(lat.ilabel), between(lat.olabel), between(lat.graph_cost, lat.final_graph[end]),
        between(lat.acoustic_cost, lat.final_acoustic[end]), range(1, n + 1), {n: (0.0, 0.0)},
    )  # fmt: skip


def _linear_order(lat) -> list[int]:
    """Arcs of a linear lattice from its start to its end."""
    state, arcs = lat.start, []
    while lat.offsets[state] < lat.offsets[state + 1]:
        arcs.append(int(lat.offsets[state]))
        state = int(lat.nextstate[arcs[-1]])
    return arcs


def linear_path(lat, key: str | None = None) -> Path:
    """The only path of a linear lattice.

    Raises DataError where it is empty, forks, or does not end in a final state without arcs.
    """
    if lat.start < 0 or lat.num_states == 0:
        raise DataError("lattice is empty, expected one path", key=key)
    counts, final = np.diff(lat.offsets), lat.is_final()
    arcs, state = [], lat.start
    while counts[state]:
        if counts[state] > 1 or final[state] or len(arcs) > lat.num_arcs:
            raise DataError(
                f"lattice is not linear: state {state} has {counts[state]} arcs" + " and is final" * bool(final[state]),
                key=key, mend="take one path first: lattice-1best, or lattice-to-nbest",
            )  # fmt: skip
        arcs.append(int(lat.offsets[state]))
        state = int(lat.nextstate[arcs[-1]])
    if not final[state]:
        raise DataError("the lattice's path does not end in a final state", key=key)
    return make_path(lat, arcs)


def linear_lattice(words, alignment=None, graph_cost: float = 0.0, acoustic_cost: float = 0.0) -> CompactLattice:
    """Linear compact lattice of a word sequence; costs and the whole alignment on the first arc (or the end)."""
    words = list(words)
    n = len(words)
    string = [] if alignment is None else list(alignment)
    if n == 0:
        return CompactLattice.from_arcs(1, 0, [], [], [], [], [], [], {0: (graph_cost, acoustic_cost, string)})
    first = [1.0] + [0.0] * (n - 1)
    return CompactLattice.from_arcs(
        n + 1, 0, range(n), words, [graph_cost * f for f in first], [acoustic_cost * f for f in first],
        range(1, n + 1), [string] + [[]] * (n - 1), {n: (0.0, 0.0, [])},
    )  # fmt: skip


def add_to_first(clat: CompactLattice, cost: float) -> CompactLattice:
    """A linear compact lattice with a graph cost added once: on its first arc, or its final cost where it has none."""
    first = int(clat.offsets[clat.start])
    if first == clat.offsets[clat.start + 1]:
        final_graph = clat.final_graph.copy()
        final_graph[clat.start] += cost
        return replace(clat, final_graph=final_graph, properties=None)
    graph_cost = clat.graph_cost.copy()
    graph_cost[first] += cost
    return replace(clat, graph_cost=graph_cost, properties=None)
