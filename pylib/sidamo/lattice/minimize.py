"""Pushing and minimization of determinized compact lattices (Kaldi lat/push-lattice.cc, minimize-lattice.cc).

Pushing moves strings and costs as far towards the start as they go, so that states that differ only in where these sat
become equal; minimization then merges states from which the same paths lead on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sidamo.io.lattice import INF, CompactLattice, pack_strings, top_sort
from sidamo.lattice.ops import backward_costs, connect

DELTA = 1 / 1024  # costs this near are equal


def minimize(clat: CompactLattice, delta: float = DELTA, key: str | None = None) -> CompactLattice:
    """Push strings, push weights, merge equivalent states; the paths and their costs (within delta) stay."""
    clat = connect(clat)
    if clat.start < 0:
        return clat
    clat = top_sort(clat, key)
    return merge_states(push_weights(push_strings(clat)), delta)


def _common_prefix(strings) -> tuple:
    low, high = min(strings), max(strings)
    n = next((i for i, (a, b) in enumerate(zip(low, high)) if a != b), min(len(low), len(high)))
    return low[:n]


def push_strings(clat: CompactLattice) -> CompactLattice:
    """What all strings out of a state begin with moves to the arcs into it (the start keeps its own)."""
    offsets, nextstate = clat.offsets.tolist(), clat.nextstate.tolist()
    strings = [tuple(clat.string(a).tolist()) for a in range(clat.num_arcs)]
    final = clat.is_final().tolist()
    finals = [tuple(clat.final_string(s).tolist()) for s in range(clat.num_states)]
    pushed = [()] * clat.num_states
    for s in range(clat.num_states - 1, -1, -1):
        arcs = range(offsets[s], offsets[s + 1])
        for a in arcs:
            strings[a] += pushed[nextstate[a]]
        if s == clat.start:
            continue
        outgoing = [strings[a] for a in arcs] + ([finals[s]] if final[s] else [])
        prefix = pushed[s] = _common_prefix(outgoing) if outgoing else ()
        if prefix:
            for a in arcs:
                strings[a] = strings[a][len(prefix) :]
            if final[s]:
                finals[s] = finals[s][len(prefix) :]
    string_offsets, labels = pack_strings(strings)
    final_offsets, final_labels = pack_strings(finals)
    return replace(
        clat, string_offsets=string_offsets, strings=labels, final_string_offsets=final_offsets,
        final_strings=final_labels, properties=None,
    )  # fmt: skip


def push_weights(clat: CompactLattice) -> CompactLattice:
    """The best cost from a state to the end moves to the arcs into it, as a pair (the start keeps its own)."""
    total = backward_costs(clat)
    offsets = clat.offsets
    graph, acoustic = np.zeros(clat.num_states), np.zeros(clat.num_states)
    final = clat.is_final()
    for s in range(clat.num_states - 1, -1, -1):
        arcs = np.arange(offsets[s], offsets[s + 1])
        ahead = clat.nextstate[arcs]
        costs = clat.graph_cost[arcs] + clat.acoustic_cost[arcs] + total[ahead]
        best = int(np.argmin(costs)) if len(arcs) else -1
        end = clat.final_graph[s] + clat.final_acoustic[s] if final[s] else INF
        if best >= 0 and costs[best] < end:
            graph[s] = clat.graph_cost[arcs[best]] + graph[ahead[best]]
            acoustic[s] = clat.acoustic_cost[arcs[best]] + acoustic[ahead[best]]
        elif final[s]:
            graph[s], acoustic[s] = clat.final_graph[s], clat.final_acoustic[s]
    own_graph, own_acoustic = graph.copy(), acoustic.copy()
    own_graph[clat.start] = own_acoustic[clat.start] = 0.0
    source = clat.arc_source()
    return replace(
        clat, graph_cost=clat.graph_cost + graph[clat.nextstate] - own_graph[source],
        acoustic_cost=clat.acoustic_cost + acoustic[clat.nextstate] - own_acoustic[source],
        final_graph=clat.final_graph - own_graph, final_acoustic=clat.final_acoustic - own_acoustic, properties=None,
    )  # fmt: skip


def merge_states(clat: CompactLattice, delta: float = DELTA) -> CompactLattice:
    """One state for all from which the same words, strings and (within delta) costs lead on."""
    offsets, final = clat.offsets.tolist(), clat.is_final().tolist()
    total = clat.graph_cost + clat.acoustic_cost
    representative = np.arange(clat.num_states)
    known: dict[tuple, list[tuple[int, np.ndarray]]] = {}
    for s in range(clat.num_states - 1, -1, -1):
        arcs = sorted(range(offsets[s], offsets[s + 1]), key=lambda a: int(clat.label[a]))
        shape = [(int(clat.label[a]), clat.string(a).tobytes(), int(representative[clat.nextstate[a]])) for a in arcs]
        costs = total[arcs]
        if final[s]:
            shape.append((-1, clat.final_string(s).tobytes(), -1))
            costs = np.append(costs, clat.final_graph[s] + clat.final_acoustic[s])
        alike = known.setdefault(tuple(shape), [])
        for other, other_costs in alike:
            if np.all(np.abs(costs - other_costs) <= delta):
                representative[s] = other
                break
        else:
            alike.append((s, costs))
    merged = replace(clat, nextstate=representative[clat.nextstate].astype(np.int32), properties=None)
    return connect(merged)
