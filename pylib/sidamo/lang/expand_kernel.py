"""The expansion of `sidamo.lang.expand` for large graphs: arc by arc, compiled by numba, in little memory."""

from __future__ import annotations

import numpy as np
from numba import njit

from sidamo.io.fst import CsrFst

CORRECT, COMPACT, MINIMAL, MODIFIED = 0, 1, 2, 3
_MODES = {"correct": CORRECT, "compact": COMPACT, "minimal": MINIMAL, "modified": MODIFIED}


@njit(cache=True)
def _can_read(offsets, ilabel, nextstate, state, unit, stack):
    """Is there an arc with this unit from the state, directly or after epsilon arcs? Arcs are input-sorted."""
    top = 0
    stack[0] = state
    while top >= 0:
        s = stack[top]
        top -= 1
        for arc in range(offsets[s], offsets[s + 1]):
            if ilabel[arc] == 0:
                if top + 1 < len(stack):
                    top += 1
                    stack[top] = nextstate[arc]
                else:
                    return True  # a strange graph: the strict expansion is always right
            elif ilabel[arc] == unit:
                return True
            elif ilabel[arc] > unit:
                break
    return False


@njit(cache=True)
def _find(head, following, pair_unit, state, unit):
    """Index of the pair (unit, state), -1 where there is none."""
    p = head[state]
    while p >= 0 and pair_unit[p] != unit:
        p = following[p]
    return p


@njit(cache=True)
def _collect_pairs(offsets, ilabel, nextstate, mode, head, following, pair_unit, pair_state, strict, stack):
    """All pairs (unit read last, state of LG). Returns their number, -1 where the arrays are too small."""
    count, capacity = 0, len(pair_unit)
    for s in range(len(offsets) - 1):
        for arc in range(offsets[s], offsets[s + 1]):
            unit, q = ilabel[arc], nextstate[arc]
            if unit != 0 and _find(head, following, pair_unit, q, unit) < 0:
                if count == capacity:
                    return -1
                pair_unit[count], pair_state[count], following[count] = unit, q, head[q]
                head[q] = count
                count += 1
    if mode == MODIFIED:
        return count
    p = 0
    while p < count:  # pairs added on the way are visited too
        q, unit = pair_state[p], pair_unit[p]
        strict[p] = mode == CORRECT or _can_read(offsets, ilabel, nextstate, q, unit, stack)
        if strict[p]:
            for arc in range(offsets[q], offsets[q + 1]):
                if ilabel[arc] != 0:
                    break
                to = nextstate[arc]
                if _find(head, following, pair_unit, to, unit) < 0:
                    if count == capacity:
                        return -1
                    pair_unit[count], pair_state[count], following[count] = unit, to, head[to]
                    head[to] = count
                    count += 1
        p += 1
    return count


@njit(cache=True)
def _number_states(num_states, head, following, blank_id, pair_id):
    """(B, q) and the pairs of q one after the other; returns how many there are."""
    number = 0
    for q in range(num_states):
        blank_id[q] = number
        number += 1
        p = head[q]
        while p >= 0:
            pair_id[p] = number
            number += 1
            p = following[p]
    return number


@njit(cache=True)
def _count_arcs(offsets, ilabel, mode, blank_id, pair_id, pair_unit, pair_state, strict, num_pairs, out_offsets):
    """out_offsets[s + 1] = number of arcs of state s of the result (not yet summed)."""
    for q in range(len(offsets) - 1):
        leaving = offsets[q + 1] - offsets[q]
        arcs = leaving + 1
        if mode == MODIFIED:
            for arc in range(offsets[q], offsets[q + 1]):
                arcs += ilabel[arc] != 0
        out_offsets[blank_id[q] + 1] = arcs
    for p in range(num_pairs):
        arcs = 2
        if mode != MODIFIED and strict[p]:
            q, unit = pair_state[p], pair_unit[p]
            for arc in range(offsets[q], offsets[q + 1]):
                arcs += ilabel[arc] != unit
        out_offsets[pair_id[p] + 1] = arcs


@njit(cache=True)
def _fill(
    offsets, ilabel, olabel, weight, nextstate, mode, head, following, pair_unit, pair_state, strict, num_pairs,
    blank_id, pair_id, out_offsets, out_ilabel, out_olabel, out_weight, out_next,
):  # fmt: skip
    """The arcs of all states, each state's sorted by input label."""
    for q in range(len(offsets) - 1):
        at = out_offsets[blank_id[q]]
        looped = False
        for arc in range(offsets[q], offsets[q + 1]):
            unit, to = ilabel[arc], nextstate[arc]
            if unit != 0 and not looped:
                out_ilabel[at], out_olabel[at], out_weight[at], out_next[at] = 1, 0, 0.0, blank_id[q]
                at += 1
                looped = True
            out_ilabel[at], out_olabel[at], out_weight[at] = unit, olabel[arc], weight[arc]
            if unit == 0 or mode == MINIMAL:
                out_next[at] = blank_id[to]
            else:
                out_next[at] = pair_id[_find(head, following, pair_unit, to, unit)]
                if mode == MODIFIED:
                    at += 1
                    out_ilabel[at], out_olabel[at], out_weight[at] = unit, olabel[arc], weight[arc]
                    out_next[at] = blank_id[to]
            at += 1
        if not looped:
            out_ilabel[at], out_olabel[at], out_weight[at], out_next[at] = 1, 0, 0.0, blank_id[q]
    for p in range(num_pairs):
        q, unit = pair_state[p], pair_unit[p]
        at = out_offsets[pair_id[p]]
        if mode == MODIFIED or not strict[p]:
            # modified: the unit itself leads back; compact: an epsilon does
            back = unit if mode == MODIFIED else 0
            out_ilabel[at], out_olabel[at], out_weight[at], out_next[at] = back, 0, 0.0, blank_id[q]
            at += 1
            out_ilabel[at], out_olabel[at], out_weight[at], out_next[at] = unit, 0, 0.0, pair_id[p]
            continue
        blank_done, self_done = False, False
        for arc in range(offsets[q], offsets[q + 1]):
            label, to = ilabel[arc], nextstate[arc]
            if label != 0 and not blank_done:
                out_ilabel[at], out_olabel[at], out_weight[at], out_next[at] = 1, 0, 0.0, blank_id[q]
                at += 1
                blank_done = True
            if label >= unit and not self_done:
                out_ilabel[at], out_olabel[at], out_weight[at], out_next[at] = unit, 0, 0.0, pair_id[p]
                at += 1
                self_done = True
            if label == unit:
                continue
            out_ilabel[at], out_olabel[at], out_weight[at] = label, olabel[arc], weight[arc]
            out_next[at] = pair_id[_find(head, following, pair_unit, to, unit if label == 0 else label)]
            at += 1
        if not blank_done:
            out_ilabel[at], out_olabel[at], out_weight[at], out_next[at] = 1, 0, 0.0, blank_id[q]
            at += 1
        if not self_done:
            out_ilabel[at], out_olabel[at], out_weight[at], out_next[at] = unit, 0, 0.0, pair_id[p]


def expand(lg: CsrFst, topology: str) -> CsrFst:
    """As `sidamo.lang.expand.expand_topology`; LG input-sorted."""
    mode, capacity = _MODES[topology], 0 if topology == "minimal" else lg.num_states + lg.num_arcs // 4 + 1000
    graph = lg.offsets, lg.ilabel, lg.nextstate
    while True:
        head = np.full(lg.num_states, -1, np.int32)
        following, pair_unit, pair_state = (np.empty(capacity, np.int32) for _ in range(3))
        strict = np.zeros(capacity, np.bool_)
        count = 0
        if topology != "minimal":
            stack = np.empty(1024, np.int64)
            count = _collect_pairs(*graph, mode, head, following, pair_unit, pair_state, strict, stack)
        if count >= 0:
            break
        capacity *= 2
    blank_id, pair_id = np.empty(lg.num_states, np.int32), np.empty(count, np.int32)
    num_states = _number_states(lg.num_states, head, following, blank_id, pair_id)
    offsets = np.zeros(num_states + 1, np.int64)
    _count_arcs(lg.offsets, lg.ilabel, mode, blank_id, pair_id, pair_unit, pair_state, strict, count, offsets)
    np.cumsum(offsets, out=offsets)
    num_arcs = int(offsets[-1])
    out = [np.empty(num_arcs, kind) for kind in (np.int32, np.int32, np.float32, np.int32)]
    _fill(lg.offsets, lg.ilabel, lg.olabel, lg.weight, lg.nextstate, mode, head, following, pair_unit, pair_state,
          strict, count, blank_id, pair_id, offsets, *out)  # fmt: skip
    final = np.empty(num_states, np.float32)
    final[blank_id], final[pair_id] = lg.final, lg.final[pair_state[:count]]
    ilabel, olabel, weight, nextstate = out
    return CsrFst(int(blank_id[lg.start]), final, offsets, ilabel, olabel, weight, nextstate)
