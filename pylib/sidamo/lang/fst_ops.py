"""Operations on CSR machines that need numpy only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sidamo.io import log
from sidamo.io.fst import CsrFst, make_csr

MAX_PUSH_ITERATIONS = 200  # Kaldi's


def state_sums(fst: CsrFst, in_log: bool = True) -> np.ndarray:
    """(S,) float64: -log of the sum (or maximum) of the probabilities that leave a state, its final one included."""
    final = fst.final.astype(np.float64)
    best = final.copy()
    src = fst.arc_sources()
    np.minimum.at(best, src, fst.weight.astype(np.float64))
    if not in_log:
        return best
    floor = np.where(np.isfinite(best), best, 0.0)
    total = np.exp(floor - final)
    np.add.at(total, src, np.exp(floor[src] - fst.weight))
    with np.errstate(divide="ignore"):
        return floor - np.log(total)


def remove_symbols(fst: CsrFst, symbols, output: bool = False, remove_arcs: bool = False, penalty: float = 0.0) -> CsrFst:
    """Kaldi's fstrmsymbols: the symbols become epsilon, or their arcs go, or cost `penalty` more."""
    labels = fst.olabel if output else fst.ilabel
    found = np.isin(labels, symbols)
    if remove_arcs:
        columns = (column[~found] for column in (fst.arc_sources(), fst.ilabel, fst.olabel, fst.weight, fst.nextstate))
        kept = make_csr(fst.num_states, *columns, fst.final, fst.start)
        return replace(kept, isymbols=fst.isymbols, osymbols=fst.osymbols)
    if penalty != 0.0:
        return replace(fst, weight=fst.weight + np.float32(penalty) * found, properties=0)
    labels = np.where(found, 0, labels).astype(np.int32)
    return replace(fst, properties=0, **({"olabel": labels} if output else {"ilabel": labels}))


def push_special(fst: CsrFst, delta: float = 1.0 / 1024) -> CsrFst:
    """Weights pushed so that the sum of what leaves a state is the same for all (Kaldi's push-special.cc).

    With x the dominant right eigenvector of the matrix of transition probabilities, in which final probabilities lead
    back to the start, an arc q -> r of cost c gets c - log x_r + log x_q (Hannemann, Povey, Zweig 2013).
    """
    if fst.start < 0:
        return fst
    src, final = fst.arc_sources(), np.flatnonzero(np.isfinite(fst.final))
    rows, columns = np.concatenate([src, final]), np.concatenate([fst.nextstate, np.full(len(final), fst.start)])
    probability = np.exp(-np.concatenate([fst.weight, fst.final[final]]).astype(np.float64))
    x = np.full(fst.num_states, 1.0)
    for _ in range(MAX_PUSH_ITERATIONS):
        after = np.bincount(rows, probability * x[columns], minlength=fst.num_states)
        with np.errstate(divide="ignore", invalid="ignore"):
            sums = np.log(after) - np.log(x)
        if np.ptp(sums) <= delta:
            break
        x = after + 0.1 * x  # a part of the last one, so that a period of the matrix does no harm
        x /= x.max()
    else:
        log.warn(f"after {MAX_PUSH_ITERATIONS} iterations the sums of the states still differ by {np.ptp(sums):.3g}")
    cost = -np.log(np.maximum(x, 1e-300))
    weight = fst.weight + cost[fst.nextstate] - cost[src]
    return replace(
        fst, weight=weight.astype(np.float32), final=(fst.final + cost[fst.start] - cost).astype(np.float32), properties=0
    )
