"""A lattice as a small drawing: posteriors of its arcs, a place for each state."""

from __future__ import annotations

import math

import numpy as np

MAX_ARCS, LEAST = 40, 0.01  # arcs that are drawn: the most probable ones, and none below this posterior
MAX_LANES = 7  # rows of states above one another


def posteriors(lat, acoustic_scale: float, lm_scale: float = 1.0) -> np.ndarray:
    """Posterior of each arc of a topologically sorted compact lattice.

    Parameters
    ----------
    lat : sidamo.io.lattice.CompactLattice
    acoustic_scale, lm_scale : float, factors on the two costs

    Returns
    -------
    (A,) float64 in [0, 1], by the forward-backward recurrences on sums of exp(-cost)
    """
    source, target = lat.arc_source(), lat.nextstate
    cost = lm_scale * np.asarray(lat.graph_cost) + acoustic_scale * np.asarray(lat.acoustic_cost)
    final = np.where(lat.is_final(), lm_scale * lat.final_graph + acoustic_scale * lat.final_acoustic, np.inf)
    forward = np.full(lat.num_states, -np.inf)
    forward[lat.start] = 0.0
    for arc in range(lat.num_arcs):  # arcs are grouped by source, sources in topological order
        forward[target[arc]] = np.logaddexp(forward[target[arc]], forward[source[arc]] - cost[arc])
    backward = -final
    for arc in range(lat.num_arcs - 1, -1, -1):
        backward[source[arc]] = np.logaddexp(backward[source[arc]], backward[target[arc]] - cost[arc])
    total = backward[lat.start]
    return np.exp(forward[source] - cost + backward[target] - total)


def frame_of_states(lat) -> np.ndarray:
    """Number of frames before each state: (S,) int64. All paths to a state of a lattice have passed the same frames."""
    frame = np.zeros(lat.num_states, np.int64)
    lengths = lat.string_length
    for arc, (source, target) in enumerate(zip(lat.arc_source().tolist(), lat.nextstate.tolist())):
        frame[target] = frame[source] + lengths[arc]
    return frame


def best_path(lat, acoustic_scale: float) -> list[int]:
    """Arcs of the cheapest path of a topologically sorted lattice (graph cost + acoustic_scale * acoustic cost)."""
    source, target = lat.arc_source(), lat.nextstate
    cost = np.asarray(lat.graph_cost) + acoustic_scale * np.asarray(lat.acoustic_cost)
    final = np.where(lat.is_final(), lat.final_graph + acoustic_scale * lat.final_acoustic, np.inf)
    best, back = np.full(lat.num_states, np.inf), np.full(lat.num_states, -1)
    best[lat.start] = 0.0
    for arc in range(lat.num_arcs):
        through = best[source[arc]] + cost[arc]
        if through < best[target[arc]]:
            best[target[arc]], back[target[arc]] = through, arc
    state, path = int(np.argmin(best + final)), []
    while back[state] >= 0:
        path.append(int(back[state]))
        state = int(source[path[-1]])
    return path[::-1]


def view(lat, words, acoustic_scale: float) -> dict | None:
    """The drawing of one lattice for the page.

    Parameters
    ----------
    lat : CompactLattice, topologically sorted
    words : function, word id -> word

    Returns
    -------
    {"states": [[x in 0..1, lane, is final]], "arcs": [[from, to, word, posterior, bend]], "lanes", "columns", "arch"},
    or None where the lattice is empty.
    """
    if lat.num_arcs == 0:
        return None
    probability = posteriors(lat, acoustic_scale)
    # The best path is always drawn, so that what is left hangs together.
    likely = [arc for arc in np.argsort(-probability, kind="stable")[:MAX_ARCS].tolist() if probability[arc] >= LEAST]
    kept = _connected(lat, sorted({*likely, *best_path(lat, acoustic_scale)}))
    source, target = lat.arc_source(), lat.nextstate
    states = sorted({int(s) for arc in kept for s in (source[arc], target[arc])})
    number = {state: i for i, state in enumerate(states)}
    depth = _columns(states, [(int(source[arc]), int(target[arc])) for arc in kept])
    columns = max(1, max(depth.values()))
    lanes = _lanes(states, depth, probability, kept, source, target)
    parallel: dict[tuple[int, int], int] = {}
    arcs = []
    final = lat.is_final()
    for arc in kept:
        ends = number[int(source[arc])], number[int(target[arc])]
        count = parallel[ends] = parallel.get(ends, -1) + 1
        bend = (count + 1) // 2 * (-1 if count % 2 else 1)  # arcs between the same states fan out: 0, -1, 1, -2, ...
        span = depth[int(target[arc])] - depth[int(source[arc])]
        if span > 1 and lanes[int(source[arc])] == lanes[int(target[arc])]:
            bend += 0.7 * (span - 1)  # over the states between them
        label = int(lat.label[arc])
        arcs.append([*ends, words(label) if label else "ε", round(float(min(1.0, probability[arc])), 3), bend])
    places = [[round(depth[s] / columns, 4), lanes[s], bool(final[s])] for s in states]
    arch = max(0.0, *(arc[4] for arc in arcs))  # room above the first lane
    return {"states": places, "arcs": arcs, "lanes": 1 + max(lanes.values()), "columns": columns, "arch": arch}


def _connected(lat, kept: list[int]) -> list[int]:
    """Of the arcs `kept` (sorted) those that lie on a path of such arcs from the start to a final state."""
    source, target, final = lat.arc_source(), lat.nextstate, lat.is_final()
    from_start, to_end = {int(lat.start)}, set(np.nonzero(final)[0].tolist())
    for arc in kept:  # in topological order
        if source[arc] in from_start:
            from_start.add(int(target[arc]))
    for arc in reversed(kept):
        if target[arc] in to_end:
            to_end.add(int(source[arc]))
    return [arc for arc in kept if source[arc] in from_start and target[arc] in to_end]


def _columns(states: list[int], arcs: list[tuple[int, int]]) -> dict[int, int]:
    """Column of each state: the longest way to it, in arcs."""
    depth = dict.fromkeys(states, 0)
    for source, target in arcs:  # in topological order
        depth[target] = max(depth[target], depth[source] + 1)
    return depth


def _lanes(states, depth, probability, kept, source, target) -> dict[int, int]:
    """Row of each state: in each column the most probable state is on top."""
    weight = dict.fromkeys(states, 0.0)
    for arc in kept:
        weight[int(target[arc])] += float(probability[arc])
    taken: dict[int, int] = {}
    lanes = {}
    for state in sorted(states, key=lambda s: (depth[s], -weight[s])):
        row = taken.get(depth[state], 0)
        lanes[state] = row % MAX_LANES
        taken[depth[state]] = row + 1
    return lanes


def word_times(lat, words, acoustic_scale: float, seconds: float) -> list[dict]:
    """Words of the best path with rough times, where the lattice is not word-aligned.

    A determinized lattice puts a word's label somewhere near its frames; the times are those of the arc that bears it.
    """
    frame = frame_of_states(lat)
    path = best_path(lat, acoustic_scale)
    if not path:
        return []
    total = int(frame[lat.nextstate[path[-1]]] + lat.final_string_length[lat.nextstate[path[-1]]])
    scale = seconds / max(1, total)
    source, out = lat.arc_source(), []
    for arc in path:
        label = int(lat.label[arc])
        begin, end = frame[source[arc]] * scale, frame[lat.nextstate[arc]] * scale
        if label and not math.isnan(end):
            out.append(
                {"word": words(label), "start": round(begin, 3), "duration": round(end - begin, 3), "confidence": None}
            )
    return out
