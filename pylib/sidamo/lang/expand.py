"""T o LG without a general composition: the arcs of each pair (what was read last, state of LG) are known."""

from __future__ import annotations

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, make_csr
from sidamo.lang.topology import BLANK

SAME_AS_PYNINI = ("correct", "compact", "minimal", "modified")  # topologies that are expanded here
LARGE = 200_000  # arcs of LG from which the compiled kernel is worth its loading


def expand_topology(lg: CsrFst, topology: str) -> CsrFst:
    """T o LG for LG over token labels (0 epsilon, units from 2), input-sorted; see `sidamo.lang.topology`.

    A state of the result is a state q of LG together with what was read last: B (blank or nothing) or the unit u. All
    states of one q are neighbours, B first. Arcs are input-sorted.

        (B, q)  blank -> (B, q);  epsilon arcs q -> q' : (B, q');  unit arcs u:w q -> q' : (u, q')
        (u, q)  u -> (u, q) without output, and
                correct: blank -> (B, q), epsilon arcs -> (u, q'), arcs of units other than u -> (v, q')
                compact: epsilon -> (B, q), but as in `correct` where u can be read again after q (a repetition needs a
                blank between, which (B, q) does not ask for)
                modified: u -> (B, q) without output; the arcs of (B, q) lead to (B, q') too
        minimal has no (u, q): unit arcs lead to (B, q').
    """
    if topology not in SAME_AS_PYNINI:
        raise DataError(f"no direct expansion of the topology {topology!r}")
    if np.any(lg.ilabel == BLANK):
        raise DataError("a blank in LG: its input labels must be those of tokens.txt, units from 2")
    if lg.num_arcs < LARGE:
        return _Expander(lg, topology).build()
    from sidamo.lang import expand_kernel

    return expand_kernel.expand(lg, topology)


class _Expander:
    """With numpy; `expand_kernel` is the same for large graphs, arc by arc."""

    def __init__(self, lg: CsrFst, topology: str):
        self.lg, self.topology = lg, topology
        self.src = lg.arc_sources()
        self.is_eps = lg.ilabel == 0
        self.num_labels = int(lg.ilabel.max(initial=0)) + 1

    def build(self) -> CsrFst:
        lg = self.lg
        pairs = np.zeros(0, np.int64) if self.topology == "minimal" else self._pairs()
        self.unit, self.state = pairs % self.num_labels, pairs // self.num_labels
        self.pairs = pairs
        # (B, q) comes before the (u, q): its number is q + how many pairs belong to smaller states
        before = np.searchsorted(self.state, np.arange(lg.num_states + 1))
        self.blank_id = np.arange(lg.num_states) + before[:-1]
        self.pair_id = self.state + 1 + np.arange(len(pairs))
        num_states = lg.num_states + len(pairs)
        final = np.empty(num_states, np.float32)
        final[self.blank_id], final[self.pair_id] = lg.final, lg.final[self.state]
        parts = [self._blank_arcs(), *self._pair_arcs()]
        src, ilabel, olabel, weight, dst = (np.concatenate(column) for column in zip(*parts))
        del parts
        # ilabels fit in 32 bits: one key sorts by state, then label
        order = np.argsort((src.astype(np.int64) << 32) | ilabel, kind="stable")
        fst = make_csr(num_states, src[order], ilabel[order], olabel[order], weight[order], dst[order], final,
                       start=int(self.blank_id[lg.start]))  # fmt: skip
        return fst

    def _pairs(self) -> np.ndarray:
        """All (unit read last, state), as state * num_labels + unit, sorted: u-arcs into q, then along epsilon arcs."""
        lg = self.lg
        arcs = ~self.is_eps
        pairs = np.unique(lg.nextstate[arcs].astype(np.int64) * self.num_labels + lg.ilabel[arcs])
        if self.topology == "modified":
            return pairs
        if self.topology == "compact":
            return self._compact_pairs(pairs)
        return self._follow_epsilons(pairs)

    def _follow_epsilons(self, pairs: np.ndarray) -> np.ndarray:
        lg = self.lg
        eps = np.flatnonzero(self.is_eps)
        offsets = np.searchsorted(self.src[eps], np.arange(lg.num_states + 1))
        new = pairs
        while len(new):
            state, unit = new // self.num_labels, new % self.num_labels
            index, owner = ranges(offsets[state], offsets[state + 1])
            reached = lg.nextstate[eps[index]].astype(np.int64) * self.num_labels + unit[owner]
            new = np.setdiff1d(reached, pairs)
            pairs = np.union1d(pairs, new)
        return pairs

    def _compact_pairs(self, pairs: np.ndarray) -> np.ndarray:
        """self.strict tells which pairs can meet their unit again; only those go along epsilon arcs."""
        everything = self._follow_epsilons(pairs)
        again = self._repeats(everything)
        strict = everything[again]
        reached = self._follow_epsilons(pairs[np.isin(pairs, strict)]) if len(strict) else strict
        return np.union1d(pairs, reached)

    def _repeats(self, pairs: np.ndarray) -> np.ndarray:
        """(P,) bool: u can be read from q, directly or after epsilon arcs. `pairs` is closed under epsilon arcs."""
        lg = self.lg
        state, unit = pairs // self.num_labels, pairs % self.num_labels
        keys = np.unique(self.src[~self.is_eps].astype(np.int64) * self.num_labels + lg.ilabel[~self.is_eps])
        again = np.isin(pairs, keys)
        eps = np.flatnonzero(self.is_eps)
        offsets = np.searchsorted(self.src[eps], np.arange(lg.num_states + 1))
        index, owner = ranges(offsets[state], offsets[state + 1])
        target = np.searchsorted(pairs, lg.nextstate[eps[index]].astype(np.int64) * self.num_labels + unit[owner])
        while True:
            more = np.unique(owner[again[target]])
            if np.all(again[more]):
                return again
            again[more] = True

    def _find(self, unit, state) -> np.ndarray:
        """Numbers of the states (u, q)."""
        at = np.searchsorted(self.pairs, state.astype(np.int64) * self.num_labels + unit)
        return self.pair_id[at]

    def _destination(self, arcs: np.ndarray) -> np.ndarray:
        """Where the LG arcs lead once their unit was read."""
        lg = self.lg
        if self.topology == "minimal":
            return self.blank_id[lg.nextstate[arcs]]
        return self._find(lg.ilabel[arcs], lg.nextstate[arcs])

    def _blank_arcs(self):
        """Arcs of the states (B, q)."""
        lg = self.lg
        units, eps = np.flatnonzero(~self.is_eps), np.flatnonzero(self.is_eps)
        rows = [
            (self.blank_id, np.full(lg.num_states, BLANK, np.int32), *_silent(lg.num_states), self.blank_id),
            (self.blank_id[self.src[eps]], *self._labels(eps), self.blank_id[lg.nextstate[eps]]),
            (self.blank_id[self.src[units]], *self._labels(units), self._destination(units)),
        ]
        if self.topology == "modified":
            rows.append((self.blank_id[self.src[units]], *self._labels(units), self.blank_id[lg.nextstate[units]]))
        return [np.concatenate(column) for column in zip(*rows)]

    def _labels(self, arcs):
        return self.lg.ilabel[arcs], self.lg.olabel[arcs], self.lg.weight[arcs]

    def _pair_arcs(self):
        """Arcs of the states (u, q)."""
        if len(self.pairs) == 0:
            return []
        lg, count = self.lg, len(self.pairs)
        unit = self.unit.astype(np.int32)
        parts = [(self.pair_id, unit, *_silent(count), self.pair_id)]
        back = self.blank_id[self.state]
        if self.topology == "modified":
            return [*parts, (self.pair_id, unit, *_silent(count), back)]
        strict = np.ones(count, bool)
        if self.topology == "compact":
            strict = self._strict_pairs()
        label = np.where(strict, BLANK, 0).astype(np.int32)
        parts.append((self.pair_id, label, *_silent(count), back))
        rows = np.flatnonzero(strict)
        arcs, owner = ranges(lg.offsets[self.state[rows]], lg.offsets[self.state[rows] + 1])
        owner = rows[owner]
        use = lg.ilabel[arcs] != unit[owner]
        arcs, owner = arcs[use], owner[use]
        dst = np.empty(len(arcs), np.int64)
        eps = self.is_eps[arcs]
        dst[~eps] = self._destination(arcs[~eps])
        dst[eps] = self._find(unit[owner[eps]], lg.nextstate[arcs[eps]])
        parts.append((self.pair_id[owner], *self._labels(arcs), dst))
        return parts

    def _strict_pairs(self) -> np.ndarray:
        """(P,) bool, for `compact`: pairs that must not fall back to (B, q) without a blank."""
        everything = self._follow_epsilons(self.pairs)
        again = everything[self._repeats(everything)]
        return np.isin(self.pairs, again)


def ranges(first, last) -> tuple[np.ndarray, np.ndarray]:
    """All integers of the ranges first[k] : last[k] in a row, and for each the k it belongs to."""
    counts = np.asarray(last) - np.asarray(first)
    owner = np.repeat(np.arange(len(counts)), counts)
    begins = np.concatenate([[0], np.cumsum(counts)[:-1]]) if len(counts) else np.zeros(0, np.int64)
    return np.repeat(first - begins, counts) + np.arange(int(counts.sum())), owner


def _silent(count: int):
    """Columns of arcs without output and cost."""
    return np.zeros(count, np.int32), np.zeros(count, np.float32)
