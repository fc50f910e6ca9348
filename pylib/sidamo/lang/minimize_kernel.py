"""Minimization of a machine as an acceptor over (input, output, weight): partition refinement, compiled by numba.

Moore's algorithm, with what Hopcroft (1971) adds: only states an arc of which leads into a class that was split are
looked at again, the largest part of a split class keeps its number, and a class of one state is never looked at again.
In a determinized LG most states are alone after three rounds.

    class(q) = class(r)   if   final(q) = final(r)   and   {(i, o, w, class(to))} is the same set for both

The sets are compared by two independent sums of 64 bits: the chance that two of 10^7 states are merged wrongly is 10^-24.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sidamo.io.fst import CsrFst, arcsort, make_csr, within_states
from sidamo.lang.kernel_tools import mix, predecessors


@njit(cache=True, inline="always")
def _is_repeated(arc, first, ilabel, olabel, quanta, nextstate, number):
    """Is the arc, up to the class of its destination, that of an earlier one? Arcs are sorted by labels and weight."""
    k = arc - 1
    while k >= first and ilabel[k] == ilabel[arc] and olabel[k] == olabel[arc] and quanta[k] == quanta[arc]:
        if number[nextstate[k]] == number[nextstate[arc]]:
            return True
        k -= 1
    return False


@njit(cache=True)
def _split(
    todo, num_todo, offsets, ilabel, olabel, quanta, nextstate, number, size,
    slots, slot_group, group_of, group_hash, group_class, group_size, changed, looked_at, best,
):  # fmt: skip
    """One round: divide the states todo[:num_todo] of each class by the sets of their arcs.

    number : (S,) class of each state; size : (S,) states of each class
    looked_at, best : (S,) zeros, and -1; they are left so

    Returns how many states changed[:] have a new class. `size[-1]` holds the number of classes.
    """
    mask = slots - 1
    num_groups = 0
    for k in range(num_todo):
        state = todo[k]
        first, second = np.int64(0), np.int64(0)
        for arc in range(offsets[state], offsets[state + 1]):
            label = (np.int64(ilabel[arc]) << 32) ^ np.int64(olabel[arc])
            end = (np.int64(quanta[arc]) << 32) ^ np.int64(number[nextstate[arc]])
            if _is_repeated(arc, offsets[state], ilabel, olabel, quanta, nextstate, number):
                continue
            first += mix(mix(label) + end)
            second += mix(mix(end ^ 0x5851F42D4C957F2D) + label)
        own = number[state]
        slot = mix(first + own) & mask
        while slot_group[slot] >= 0:
            g = slot_group[slot]
            if group_hash[g, 0] == first and group_hash[g, 1] == second and group_class[g] == own:
                break
            slot = (slot + 1) & mask
        if slot_group[slot] < 0:
            slot_group[slot] = num_groups
            group_hash[num_groups, 0], group_hash[num_groups, 1] = first, second
            group_class[num_groups], group_size[num_groups] = own, 0
            num_groups += 1
        g = slot_group[slot]
        group_of[k] = g
        group_size[g] += 1
        looked_at[own] += 1
    for k in range(num_todo):  # empty the table again
        g = group_of[k]
        slot = mix(group_hash[g, 0] + group_class[g]) & mask
        while slot_group[slot] >= 0:
            slot_group[slot] = -1
            slot = (slot + 1) & mask
    # the largest group keeps the class, unless others of the class were not looked at: they keep it
    for g in range(num_groups):
        own = group_class[g]
        if looked_at[own] == size[own] and (best[own] < 0 or group_size[g] > group_size[best[own]]):
            best[own] = g
    classes = size[-1]
    for g in range(num_groups):
        own = group_class[g]
        if best[own] == g:
            group_hash[g, 0] = own
        else:
            group_hash[g, 0] = classes
            classes += 1
    num_changed = 0
    for k in range(num_todo):
        state, own, new = todo[k], number[todo[k]], group_hash[group_of[k], 0]
        looked_at[own], best[own] = 0, -1
        if new != own:
            changed[num_changed] = state
            num_changed += 1
    for k in range(num_changed):
        size[number[changed[k]]] -= 1
    for k in range(num_todo):
        new = group_hash[group_of[k], 0]
        if new != number[todo[k]]:
            number[todo[k]] = new
            size[new] += 1
    size[-1] = classes
    return num_changed


@njit(cache=True)
def _who_is_next(changed, num_changed, back, source, number, size, waiting, todo):
    """States with an arc to a changed one, each once, without those that are alone in their class. Returns how many."""
    count = 0
    for k in range(num_changed):
        for arc in range(back[changed[k]], back[changed[k] + 1]):
            s = source[arc]
            if not waiting[s] and size[number[s]] > 1:
                waiting[s] = True
                todo[count] = s
                count += 1
    for k in range(count):
        waiting[todo[k]] = False
    return count


def minimize_encoded(fst: CsrFst, quantum: float) -> CsrFst:
    """The smallest machine with the same paths of (input, output, quantized weight); arcs sorted by input label.

    Parameters
    ----------
    fst : every state on a path from the start to a final state (`sidamo.lang.arpa.connect`)
    quantum : weights are rounded to multiples of it, as Kaldi's fstminimizeencoded does
    """
    if fst.num_states == 0:
        return fst
    fst = _sorted_by_labels(fst)
    quanta, final = _quantize(fst.weight, quantum), _quantize(fst.final, quantum)
    _, classes = np.unique(final, return_inverse=True)
    number = refine(fst, quanta, classes)
    return _merge(fst, number, quanta.astype(np.float32) * np.float32(quantum),
                  np.where(np.isfinite(fst.final), final * np.float32(quantum), fst.final))  # fmt: skip


def _quantize(weight, quantum: float) -> np.ndarray:
    """Multiples of the quantum (OpenFst's WeightQuantize); infinity becomes the smallest number."""
    with np.errstate(invalid="ignore"):
        multiples = np.floor(weight.astype(np.float32) / np.float32(quantum) + np.float32(0.5))
    return np.where(np.isfinite(multiples), np.clip(multiples, -(2**31) + 1, 2**31 - 1), -(2**31)).astype(np.int32)


def _sorted_by_labels(fst: CsrFst) -> CsrFst:
    """Arcs sorted by (ilabel, olabel, weight); as they are where each input label is there once, in order."""
    if not np.any((fst.ilabel[1:] <= fst.ilabel[:-1]) & within_states(fst)):
        return fst
    order = np.argsort(fst.weight, kind="stable")
    order = order[np.argsort(fst.arc_sources()[order], kind="stable")]
    columns = (fst.ilabel, fst.olabel, fst.weight, fst.nextstate)
    return arcsort(CsrFst(fst.start, fst.final, fst.offsets, *(column[order] for column in columns)), "ilabel")


def _merge(fst: CsrFst, number, weight, final) -> CsrFst:
    """One state for each class, that of its first member; classes are numbered in the order of these."""
    first = np.full(int(number.max()) + 1, fst.num_states, np.int32)
    np.minimum.at(first, number, np.arange(fst.num_states, dtype=np.int32))
    chosen = np.sort(first)
    new = np.empty(len(first), np.int32)
    new[number[chosen]] = np.arange(len(chosen), dtype=np.int32)
    keep = np.zeros(fst.num_states, bool)
    keep[chosen] = True
    use = np.repeat(keep, np.diff(fst.offsets))
    offsets = np.zeros(len(chosen) + 1, np.int64)
    np.cumsum(np.diff(fst.offsets)[chosen], out=offsets[1:])
    merged = CsrFst(int(new[number[fst.start]]), final[chosen], offsets, fst.ilabel[use], fst.olabel[use], weight[use],
                    new[number[fst.nextstate[use]]])  # fmt: skip
    return _without_repeated_arcs(merged)


def _without_repeated_arcs(fst: CsrFst) -> CsrFst:
    if not np.any((fst.ilabel[1:] == fst.ilabel[:-1]) & within_states(fst)):
        return fst
    src = fst.arc_sources()
    columns = (fst.ilabel, fst.olabel, fst.weight, fst.nextstate)
    order = np.lexsort((fst.nextstate, fst.weight, fst.olabel, fst.ilabel, src))
    columns, src = [column[order] for column in columns], src[order]
    is_new = np.ones(len(src), bool)
    is_new[1:] = np.any([column[1:] != column[:-1] for column in (src, *columns)], axis=0)
    return make_csr(fst.num_states, src[is_new], *(column[is_new] for column in columns), fst.final, start=fst.start)


def refine(fst: CsrFst, quanta: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The coarsest stable partition.

    Parameters
    ----------
    fst : arcs sorted by (ilabel, olabel, quanta)
    quanta : (A,) int32 weights of the arcs; classes : (S,) int32 classes to begin with, 0, 1, ...

    Returns
    -------
    (S,) int32 class of each state
    """
    count = fst.num_states
    back, source = predecessors(fst.offsets, fst.nextstate)
    number, size = classes.astype(np.int32), np.zeros(count + 1, np.int32)
    used = int(number.max(initial=-1)) + 1
    size[:used], size[-1] = np.bincount(number, minlength=used), used
    slots = 1 << max(8, (2 * count).bit_length())
    slot_group = np.full(slots, -1, np.int32)
    todo, changed, group_of, group_class, group_size = (np.empty(count, np.int32) for _ in range(5))
    group_hash, waiting = np.empty((count, 2), np.int64), np.zeros(count, np.bool_)
    looked_at, best = np.zeros(count, np.int32), np.full(count, -1, np.int32)
    todo[:], num_todo = np.arange(count), count
    while num_todo:
        num_changed = _split(
            todo, num_todo, fst.offsets, fst.ilabel, fst.olabel, quanta, fst.nextstate, number, size,
            slots, slot_group, group_of, group_hash, group_class, group_size, changed, looked_at, best,
        )  # fmt: skip
        num_todo = _who_is_next(changed, num_changed, back, source, number, size, waiting, todo)
    return number
