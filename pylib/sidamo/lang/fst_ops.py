"""Operations on CSR machines that need numpy only."""

from __future__ import annotations

import numpy as np

from sidamo.io.fst import CsrFst


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
