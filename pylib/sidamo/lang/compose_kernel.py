"""Composition of two large machines, compiled by numba: what pynini.compose does, in a fraction of time and memory.

A state is a pair of states and a bit: has the right side read epsilons since the left side last moved? Then the left
side may not write epsilons before both have met at a symbol, so that of all orders of epsilons one is left (the
sequence filter of Mohri, Pereira, Riley 2002; OpenFst compose-filter.h).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sidamo.io.fst import CsrFst, only_states
from sidamo.lang.kernel_tools import enlarged, predecessors, reach

DONE, FULL_STATES, FULL_ARCS, TOO_MANY = 0, 1, 2, -1


@njit(cache=True, inline="always")
def _find(left, right, filter_bit, num_right, keys, slots, at):
    """The number of the pair, made where it is new; keys : (capacity,) of all pairs."""
    key = (np.int64(left) * num_right + right) * 2 + filter_bit
    mask = len(slots) - 1
    code = key * -7046029254386353131
    slot = (code ^ ((code >> 32) & 0xFFFFFFFF)) & mask
    while slots[slot] >= 0 and keys[slots[slot]] != key:
        slot = (slot + 1) & mask
    if slots[slot] < 0:
        slots[slot] = at[1]
        keys[at[1]] = key
        at[1] += 1
    return slots[slot]


@njit(cache=True)
def _fill_slots(slots, keys, count):
    mask = len(slots) - 1
    for k in range(count):
        code = keys[k] * -7046029254386353131
        slot = (code ^ ((code >> 32) & 0xFFFFFFFF)) & mask
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = k


@njit(cache=True, inline="always")
def _first_at_least(labels, lo, hi, label):
    while lo < hi:
        middle = (lo + hi) // 2
        if labels[middle] < label:
            lo = middle + 1
        else:
            hi = middle
    return lo


@njit(cache=True)
def _run(
    offsets1, ilabel1, olabel1, weight1, next1, final1, offsets2, ilabel2, olabel2, weight2, next2, final2,
    max_states, at, keys, slots, out_offsets, out_final, out_ilabel, out_olabel, out_weight, out_next,
):  # fmt: skip
    """Work off the pairs at[0], at[0] + 1, ...; at: pair in work, pairs, arcs. Returns DONE or what is full."""
    num_right = np.int64(len(final2))
    while at[0] < at[1]:
        pair = at[0]
        bit, both = keys[pair] & 1, keys[pair] >> 1
        q1, q2 = both // num_right, both % num_right
        lo1, hi1, lo2, hi2 = offsets1[q1], offsets1[q1 + 1], offsets2[q2], offsets2[q2 + 1]
        words1, words2 = _first_at_least(olabel1, lo1, hi1, 1), _first_at_least(ilabel2, lo2, hi2, 1)
        arc = at[2]
        # what both sides bring on symbols is bounded only by counting: make sure of the room as it is written
        if arc + (words1 - lo1) + (words2 - lo2) > len(out_ilabel):
            return FULL_ARCS
        if at[1] + (words1 - lo1) + (words2 - lo2) > len(keys):
            return FULL_STATES
        if bit == 0:
            for a in range(lo1, words1):
                out_ilabel[arc], out_olabel[arc], out_weight[arc] = ilabel1[a], 0, weight1[a]
                out_next[arc] = _find(next1[a], q2, 0, num_right, keys, slots, at)
                arc += 1
        only_epsilons = words1 == hi1 and final1[q1] == np.inf
        if not only_epsilons:
            for b in range(lo2, words2):
                out_ilabel[arc], out_olabel[arc], out_weight[arc] = 0, olabel2[b], weight2[b]
                out_next[arc] = _find(q1, next2[b], np.int64(words1 > lo1), num_right, keys, slots, at)
                arc += 1
        few_left = hi1 - words1 < hi2 - words2
        lo, hi = (words1, hi1) if few_left else (words2, hi2)
        begin, end = (words2, hi2) if few_left else (words1, hi1)
        a = lo
        while a < hi:
            label = olabel1[a] if few_left else ilabel2[a]
            begin = _first_at_least(ilabel2, begin, end, label) if few_left else _first_at_least(olabel1, begin, end, label)
            b = begin
            while b < end and (ilabel2[b] if few_left else olabel1[b]) == label:
                if arc == len(out_ilabel):
                    return FULL_ARCS
                if at[1] == len(keys):
                    return FULL_STATES
                x, y = (a, b) if few_left else (b, a)
                out_ilabel[arc], out_olabel[arc], out_weight[arc] = ilabel1[x], olabel2[y], weight1[x] + weight2[y]
                out_next[arc] = _find(next1[x], next2[y], 0, num_right, keys, slots, at)
                arc += 1
                b += 1
            a += 1
        out_final[pair] = final1[q1] + final2[q2]
        at[2] = arc
        at[0] += 1
        out_offsets[pair + 1] = arc
        if at[1] > max_states:
            return TOO_MANY
    return DONE


def compose(left: CsrFst, right: CsrFst, max_states: int = 1 << 62, trimmed: bool = True) -> CsrFst:
    """left o right.

    Parameters
    ----------
    left : arcs sorted by output label; right : arcs sorted by input label
    max_states : the composition stops above this number of states, and is then worthless but for its size
    trimmed : without states that lead nowhere (no state at all where nothing is accepted)
    """
    size = 1 << 16
    keys, slots, final = np.empty(size, np.int64), np.full(2 * size, -1, np.int32), np.empty(size, np.float32)
    offsets, columns = np.zeros(size + 1, np.int64), [np.empty(size, kind) for kind in (np.int32, np.int32, np.float32, np.int32)]
    at = np.array([0, 1, 0])
    keys[0] = (left.start * right.num_states + right.start) * 2
    if left.start < 0 or right.start < 0:
        at[1] = 0
    _fill_slots(slots, keys, int(at[1]))
    sides = [column for fst in (left, right)
             for column in (fst.offsets, fst.ilabel, fst.olabel, fst.weight, fst.nextstate, fst.final)]  # fmt: skip
    while True:
        code = _run(*sides, max_states, at, keys, slots, offsets, final, *columns)
        if code == FULL_STATES:
            keys, final, offsets = (enlarged(array, 2 * len(array)) for array in (keys, final, offsets))
            slots = np.full(2 * len(slots), -1, np.int32)
            _fill_slots(slots, keys, int(at[1]))
        elif code == FULL_ARCS:
            for k in range(4):
                columns[k] = enlarged(columns[k], 2 * len(columns[k]))
        else:
            break
    num_states, num_arcs = int(at[0]), int(at[2])
    del keys, slots, sides
    for k in range(4):
        columns[k] = columns[k][:num_arcs].copy()
    fst = CsrFst(0 if num_states else -1, final[:num_states].copy(), offsets[: num_states + 1].copy(), *columns)
    return trim(fst) if trimmed and code != TOO_MANY else fst


def trim(fst: CsrFst) -> CsrFst:
    """Without the states from which no final state is reached; those that are not reached themselves stay."""
    if fst.num_states == 0:
        return fst
    good = reach(*predecessors(fst.offsets, fst.nextstate), np.isfinite(fst.final))
    return only_states(fst, good)
