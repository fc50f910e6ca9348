"""Best paths for all LM weights and word insertion penalties of a scoring sweep in one pass over a lattice."""

from __future__ import annotations

import numpy as np

from sidamo.io.lattice import INF, CompactLattice, top_sort
from sidamo.lattice.kernels import kernel
from sidamo.lattice.ops import rounded


@kernel
def _forward_all(offsets, nextstate, cost, best, back):
    # One Viterbi per column: best[n, k] = min over arcs into n of best[source, k] + cost[arc, k].
    for s in range(best.shape[0]):
        if best[s, 0] == np.inf:
            continue
        for a in range(offsets[s], offsets[s + 1]):
            n = nextstate[a]
            total = best[s] + cost[a]
            better = total < best[n]
            best[n] = np.where(better, total, best[n])
            back[n] = np.where(better, a, back[n])


def sweep_words(clat: CompactLattice, lm_weights, penalties, key: str | None = None) -> list[list[list[int]]] | None:
    """Words of the best path at acoustic scale 1/lm_weight and each word insertion penalty.

    lm_weights : (L,) positive; penalties : (P,) added to the graph cost of each word
    Returns words[p][l], a list of int each; None where no final state can be reached.

    The same as scaling by --inv-acoustic-scale, adding the penalty and taking the best path for each pair.
    """
    if clat.start < 0:
        return None
    clat = top_sort(clat, key)
    penalty, lm_weight = (x.ravel() for x in np.meshgrid(np.float32(penalties), np.float64(lm_weights), indexing="ij"))
    acoustic_scale = rounded(1.0 / lm_weight)
    # Rounded where a chain of Kaldi's tools rounds, so that near ties fall the same way.
    graph = rounded(clat.graph_cost[:, None] + penalty * (clat.label[:, None] != 0))
    cost = graph + rounded(acoustic_scale * clat.acoustic_cost[:, None])  # (A, K)
    best = np.full((clat.num_states, len(penalty)), INF)
    best[clat.start] = 0.0
    back = np.full(best.shape, -1, np.int64)
    _forward_all(clat.offsets, clat.nextstate, cost, best, back, steps=50 * clat.num_arcs)
    final = np.flatnonzero(clat.is_final())
    if not len(final):
        return None
    total = best[final] + clat.final_graph[final, None] + rounded(acoustic_scale * clat.final_acoustic[final, None])
    ends = np.argmin(total, axis=0)
    if not np.isfinite(total[ends, np.arange(len(ends))]).all():
        return None
    paths = _trace_all(clat, back, final[ends])
    width = len(lm_weights)
    return [paths[i : i + width] for i in range(0, len(paths), width)]


def _trace_all(clat, back, ends) -> list[list[int]]:
    source, label = clat.arc_source().tolist(), clat.label.tolist()
    known: dict[tuple, list[int]] = {}  # neighbouring settings mostly share their path
    paths = []
    for k, state in enumerate(ends.tolist()):
        column, arcs = back[:, k], []
        while (arc := int(column[state])) >= 0:
            arcs.append(arc)
            state = source[arc]
        signature = tuple(arcs)
        if signature not in known:
            known[signature] = [label[a] for a in reversed(arcs) if label[a]]
        paths.append(known[signature])
    return paths
