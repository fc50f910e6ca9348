"""Random small lattices and brute force over all their paths: the oracles of tests/lattice."""

import numpy as np
from sidamo.io.lattice import CompactLattice, Lattice


def random_lattice(rng, num_states=7, num_arcs=14, num_words=3, num_labels=3, eps=0.4) -> Lattice:
    """Acyclic, topologically sorted; epsilons on both sides; not every state is useful."""
    source = rng.integers(0, num_states - 1, num_arcs)
    nextstate = np.array([rng.integers(s + 1, num_states) for s in source])
    ilabel = rng.integers(1, num_labels + 1, num_arcs) * (rng.random(num_arcs) > 0.2)
    olabel = rng.integers(1, num_words + 1, num_arcs) * (rng.random(num_arcs) > eps)
    finals = {int(s): tuple(rng.random(2) * 3) for s in rng.choice(num_states, 2, replace=False)}
    finals[num_states - 1] = tuple(rng.random(2) * 3)
    graph, acoustic = rng.random(num_arcs) * 4, rng.normal(size=num_arcs) * 4
    return Lattice.from_arcs(num_states, 0, source, ilabel, olabel, graph, acoustic, nextstate, finals)


def random_compact(rng, num_states=6, num_arcs=12, num_words=4, frames_of_state=True) -> CompactLattice:
    """Acyclic; strings agree with state times 2 * state, and the last state is the only one that ends the utterance."""
    source = rng.integers(0, num_states - 1, num_arcs)
    nextstate = np.array([rng.integers(s + 1, num_states) for s in source])
    source = np.concatenate([source, np.arange(num_states - 1)])
    nextstate = np.concatenate([nextstate, np.arange(1, num_states)])
    n = len(source)
    strings = [rng.integers(1, 4, 2 * (d - s)) for s, d in zip(source, nextstate)]
    label = rng.integers(1, num_words + 1, n) * (rng.random(n) > 0.2)
    return CompactLattice.from_arcs(
        num_states, 0, source, label, rng.random(n) * 3, rng.normal(size=n) * 2, nextstate, strings,
        {num_states - 1: (rng.random(), rng.random(), rng.integers(1, 4, 2))},
    )  # fmt: skip


def all_paths(lat):
    """Every path: (words, labels, graph cost, acoustic cost, arcs)."""
    compact = isinstance(lat, CompactLattice)
    paths = []

    def walk(state, words, labels, graph, acoustic, arcs):
        if lat.is_final()[state]:
            tail = tuple(lat.final_string(state).tolist()) if compact else ()
            ends = graph + lat.final_graph[state], acoustic + lat.final_acoustic[state]
            paths.append((words, labels + tail, *ends, arcs))
        for a in range(lat.offsets[state], lat.offsets[state + 1]):
            word = int(lat.label[a] if compact else lat.olabel[a])
            string = lat.string(a).tolist() if compact else [int(lat.ilabel[a])]
            walk(
                int(lat.nextstate[a]), words + ((word,) if word else ()), labels + tuple(i for i in string if i),
                graph + lat.graph_cost[a], acoustic + lat.acoustic_cost[a], arcs + (a,),
            )  # fmt: skip

    if lat.start >= 0:
        walk(lat.start, (), (), 0.0, 0.0, ())
    return paths


def best_by_words(lat) -> dict:
    """{words: (lowest cost, labels, graph, acoustic)} over all paths."""
    best = {}
    for words, labels, graph, acoustic, _ in all_paths(lat):
        if words not in best or graph + acoustic < best[words][0]:
            best[words] = (graph + acoustic, labels, graph, acoustic)
    return best


def edit_distance(a, b) -> int:
    """Levenshtein distance of two sequences."""
    row = list(range(len(b) + 1))
    for x in a:
        previous, row[0] = row[0], row[0] + 1
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]
