"""Determinization with removal of input epsilons (Kaldi's fstdeterminizestar), compiled by numba.

The algorithm is the subset construction of Mohri (1997) for transducers with weights. A state of the result is a set
of elements (state q, outputs not yet written, residual cost):

    closure    elements reached by arcs without input join the set; costs that meet are added (log) or the smaller stays
    arcs       for each input label: the elements that it leads to; what their outputs begin with in common and their
               total cost go on the arc, the rest stays with the elements
    the same   two sets are one state if states and outputs agree and costs differ by less than delta

Outputs are lists (head, tail) that are kept once each. States are worked off in the order of their numbers, so the
arrays of the result are filled from front to back; when one is full, the kernel returns, the array grows, and the
kernel goes on with the same state.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit

from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, make_csr
from sidamo.lang.kernel_tools import enlarged, mix

DONE, FULL_STATES, FULL_ELEMENTS, FULL_ARCS, FULL_STRINGS, FULL_WORK = range(6)
NOT_FUNCTIONAL, ENDLESS, TOO_MANY = -1, -2, -3
# fields of the array `at`: state in work, states, elements, arcs, strings
MAX_CLOSURE_STEPS = 100_000_000
MANY_LABELS = 100_000


@njit(cache=True)
def _plus(a, b, in_log):
    """The sum of two costs."""
    if a == np.inf or b == np.inf or not in_log:
        return min(a, b)
    return min(a, b) - np.log1p(np.exp(-abs(a - b)))


@njit(cache=True)
def _cons(head, tail, strings, string_slots, at):
    """The number of the list (head, *tail); strings : (capacity, 2). Lists of one symbol have its number, 0 is empty."""
    if tail == 0:
        return head
    mask = len(string_slots) - 1
    slot = mix((np.int64(head) << 32) | np.int64(tail)) & mask
    while string_slots[slot] > 0:
        k = string_slots[slot]
        if strings[k, 0] == head and strings[k, 1] == tail:
            return k
        slot = (slot + 1) & mask
    k = at[4]
    at[4] += 1
    string_slots[slot], strings[k, 0], strings[k, 1] = k, head, tail
    return k


@njit(cache=True)
def _length(string, strings):
    length = 0
    while string != 0:
        string = strings[string, 1]
        length += 1
    return length


@njit(cache=True)
def _copy_list(string, length, tail, strings, string_slots, at):
    """The first `length` symbols, then the list `tail`."""
    symbols, k = np.empty(length, np.int32), string
    for n in range(length):
        symbols[n], k = strings[k, 0], strings[k, 1]
    for n in range(length - 1, -1, -1):
        tail = _cons(symbols[n], tail, strings, string_slots, at)
    return tail


@njit(cache=True, inline="always")
def _append(string, symbol, strings, string_slots, at):
    """The list with one more symbol at its end."""
    if symbol == 0:
        return string
    if string == 0:
        return symbol
    return _copy_list(string, _length(string, strings), symbol, strings, string_slots, at)


@njit(cache=True)
def _common(a, b, strings):
    """How many symbols both lists begin with."""
    length = 0
    while a != 0 and b != 0 and strings[a, 0] == strings[b, 0]:
        a, b = strings[a, 1], strings[b, 1]
        length += 1
    return length


@njit(cache=True)
def _sort(keys, order, count):
    """Order of the first `count` keys (Shell 1959); at once where they are in order."""
    is_sorted = True
    for k in range(count):
        order[k] = k
        is_sorted = is_sorted and (k == 0 or keys[k - 1] <= keys[k])
    gap = 0 if is_sorted else 1
    while 0 < gap < count // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for k in range(gap, count):
            own, n = order[k], k
            while n >= gap and keys[order[n - gap]] > keys[own]:
                order[n] = order[n - gap]
                n -= gap
            order[n] = own
        gap //= 3


@njit(cache=True)
def _closure(
    count, states, texts, costs, offsets, ilabel, olabel, weight, nextstate, place, queue, waiting, has_epsilon,
    strings, string_slots, at, delta, in_log,
):  # fmt: skip
    """Add what the elements reach by arcs without input. Returns how many elements there are (or an error).

    states, texts, costs : of the elements, extended in place
    place : index of a state among the elements, -1; left at -1
    waiting : cost that has come to an element and was not yet passed on
    """
    first, last, steps = 0, 0, 0
    for k in range(count):
        place[states[k]] = k
        waiting[k] = np.inf
        if has_epsilon[states[k]]:
            waiting[k], queue[last] = costs[k], k
            last += 1
    limit = len(queue)
    code = 0
    while first != last and code == 0:
        k = queue[first % limit]
        first += 1
        passed, waiting[k] = waiting[k], np.inf
        for arc in range(offsets[states[k]], offsets[states[k] + 1]):
            if ilabel[arc] != 0:
                continue
            steps += 1
            if at[4] + 2 + _length(texts[k], strings) * 2 >= len(strings):
                code = -100 - FULL_STRINGS
                break
            cost, to = passed + weight[arc], nextstate[arc]
            text = _append(texts[k], olabel[arc], strings, string_slots, at)
            n = place[to]
            if n < 0:
                if count == len(states):
                    code = -100 - FULL_WORK
                    break
                n = place[to] = count
                states[n], texts[n], costs[n], waiting[n] = to, text, cost, np.inf
                count += 1
                grown = True
            else:
                if texts[n] != text:
                    code = NOT_FUNCTIONAL
                    break
                total = _plus(costs[n], cost, in_log)
                grown = costs[n] - total > delta
                costs[n] = total
            if grown and has_epsilon[to]:
                if waiting[n] == np.inf:
                    queue[last % limit] = n
                    last += 1
                waiting[n] = _plus(waiting[n], cost, in_log)
        if steps > MAX_CLOSURE_STEPS:
            code = ENDLESS
    for k in range(count):
        place[states[k]] = -1
    return code if code != 0 else count


@njit(cache=True, inline="always")
def _find_or_add(
    lo, hi, states, texts, costs, order, total, skip, begin, member, text_of, cost_of, strings, slots, at, delta
):  # fmt: skip
    """The state of the set of the arcs order[lo:hi]; added where it is new. Returns -1 where the arrays are full.

    states, texts, costs : what the arcs lead to; the first `skip` symbols and the cost `total` are taken away
    """
    at_element, size = at[2], hi - lo
    if at_element + size > len(member):
        return -1
    code = np.int64(size)
    for n in range(size):
        k = order[lo + n]
        text = texts[k]
        for _ in range(skip):
            text = strings[text, 1]
        member[at_element + n], text_of[at_element + n] = states[k], text
        cost_of[at_element + n] = costs[k] - total
        code = mix(code ^ ((np.int64(states[k]) << 32) | np.int64(text)))
    mask = len(slots) - 1
    slot = code & mask
    while slots[slot] >= 0:
        state = slots[slot]
        if begin[state + 1] - begin[state] == size:
            n, other = 0, begin[state]
            while (
                n < size and member[other + n] == member[at_element + n] and text_of[other + n] == text_of[at_element + n]
                and abs(cost_of[other + n] - cost_of[at_element + n]) <= delta
            ):  # fmt: skip
                n += 1
            if n == size:
                return state
        slot = (slot + 1) & mask
    state = at[1]
    slots[slot] = state
    begin[state + 1] = at_element + size
    at[1] += 1
    at[2] += size
    return state


@njit(cache=True, inline="always")
def _collect(
    count, states, texts, costs, offsets, ilabel, olabel, weight, nextstate,
    to_state, to_text, to_cost, keys, strings, string_slots, at,
):  # fmt: skip
    """The arcs with input of all elements: keys (input label, state), states, strings, costs. Returns how many."""
    found = 0
    for k in range(count):
        for arc in range(offsets[states[k]], offsets[states[k] + 1]):
            if ilabel[arc] == 0:
                continue
            if found == len(keys):
                return -FULL_WORK
            if at[4] + 2 + 2 * _length(texts[k], strings) >= len(strings):
                return -FULL_STRINGS
            keys[found] = (np.int64(ilabel[arc]) << 32) | np.int64(nextstate[arc])
            to_state[found], to_cost[found] = nextstate[arc], costs[k] + weight[arc]
            to_text[found] = _append(texts[k], olabel[arc], strings, string_slots, at)
            found += 1
    return found


@njit(cache=True, inline="always")
def _merge_equal(found, order, keys, texts, costs, in_log):
    """Arcs with the same label and destination become one. Returns how many are left, or NOT_FUNCTIONAL."""
    kept = 0
    for n in range(found):
        k = order[n]
        if kept and keys[order[kept - 1]] == keys[k]:
            before = order[kept - 1]
            if texts[before] != texts[k]:
                return NOT_FUNCTIONAL
            costs[before] = _plus(costs[before], costs[k], in_log)
        else:
            order[kept] = k
            kept += 1
    return kept


@njit(cache=True)
def _total(lo, hi, order, costs, in_log):
    smallest = np.inf
    for n in range(lo, hi):
        smallest = min(smallest, costs[order[n]])
    if not in_log or hi - lo == 1:
        return smallest
    total = 0.0
    for n in range(lo, hi):
        total += np.exp(smallest - costs[order[n]])
    return smallest - np.log(total)


@njit(cache=True)
def _run(
    offsets, ilabel, olabel, weight, nextstate, final, has_epsilon, in_log, delta, max_states, at,
    begin, member, text_of, cost_of, slots, strings, string_slots,
    out_offsets, out_ilabel, out_string, out_weight, out_next, final_cost, final_string,
    states, texts, costs, to_state, to_text, to_cost, place, queue, waiting, keys, order,
):  # fmt: skip
    """Work off states at[0], at[0] + 1, ...; returns DONE, which array is full, or an error."""
    while at[0] < at[1]:
        d = at[0]
        count = begin[d + 1] - begin[d]
        if count > len(states):
            return FULL_WORK
        epsilons = False
        for k in range(count):
            n = begin[d] + k
            states[k], texts[k], costs[k] = member[n], text_of[n], cost_of[n]
            epsilons = epsilons or has_epsilon[member[n]]
        if epsilons:
            count = _closure(
                count, states, texts, costs, offsets, ilabel, olabel, weight, nextstate, place, queue, waiting,
                has_epsilon, strings, string_slots, at, delta, in_log,
            )  # fmt: skip
            if count <= -100:
                return -100 - count
            if count < 0:
                return count
        final_cost[d], final_string[d] = np.inf, 0
        for k in range(count):
            if final[states[k]] < np.inf:
                if final_cost[d] < np.inf and final_string[d] != texts[k]:
                    return NOT_FUNCTIONAL
                final_cost[d] = _plus(final_cost[d], costs[k] + final[states[k]], in_log)
                final_string[d] = texts[k]
        found = _collect(
            count, states, texts, costs, offsets, ilabel, olabel, weight, nextstate,
            to_state, to_text, to_cost, keys, strings, string_slots, at,
        )  # fmt: skip
        if found < 0:
            return -found
        _sort(keys, order, found)
        found = _merge_equal(found, order, keys, to_text, to_cost, in_log)
        if found < 0:
            return found
        arc, lo = at[3], 0
        while lo < found:
            hi, label = lo + 1, keys[order[lo]] >> 32
            skip = _length(to_text[order[lo]], strings)
            while hi < found and keys[order[hi]] >> 32 == label:
                skip = min(skip, _common(to_text[order[lo]], to_text[order[hi]], strings))
                hi += 1
            if at[1] + 1 >= len(begin) or 2 * at[1] > len(slots):
                return FULL_STATES
            if arc == len(out_ilabel):
                return FULL_ARCS
            if at[4] + skip + 1 >= len(strings):
                return FULL_STRINGS
            total = _total(lo, hi, order, to_cost, in_log)
            to = _find_or_add(
                lo, hi, to_state, to_text, to_cost, order, total, skip, begin, member, text_of, cost_of, strings, slots,
                at, delta,
            )  # fmt: skip
            if to < 0:
                return FULL_ELEMENTS
            out_ilabel[arc], out_weight[arc], out_next[arc] = label, total, to
            out_string[arc] = 0
            if skip == 1:
                out_string[arc] = strings[to_text[order[lo]], 0]
            elif skip > 1:
                out_string[arc] = _copy_list(to_text[order[lo]], skip, 0, strings, string_slots, at)
            arc += 1
            lo = hi
        at[3] = arc
        at[0] += 1
        out_offsets[d + 1] = arc
        if at[1] > max_states:
            return TOO_MANY
    return DONE


@njit(cache=True)
def _fill_slots(slots, begin, member, text_of, num_states):
    """A larger table of the sets."""
    mask = len(slots) - 1
    for state in range(num_states):
        code = np.int64(begin[state + 1] - begin[state])
        for n in range(begin[state], begin[state + 1]):
            code = mix(code ^ ((np.int64(member[n]) << 32) | np.int64(text_of[n])))
        slot = code & mask
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = state


@njit(cache=True)
def _fill_string_slots(string_slots, strings, count):
    mask = len(string_slots) - 1
    for k in range(count):
        if strings[k, 1] == 0:
            continue
        slot = mix((np.int64(strings[k, 0]) << 32) | np.int64(strings[k, 1])) & mask
        while string_slots[slot] > 0:
            slot = (slot + 1) & mask
        string_slots[slot] = k


class _Determinizer:
    """The arrays of one run, and their growth."""

    def __init__(self, fst: CsrFst, in_log: bool, delta: float, max_states: int, names: dict[int, str]):
        self.fst, self.in_log, self.delta, self.names = fst, in_log, delta, names
        self.max_states = max_states if max_states >= 0 else 1 << 62
        self.graph = (fst.offsets, fst.ilabel, fst.olabel, fst.weight, fst.nextstate)
        self.has_epsilon = np.zeros(fst.num_states, np.bool_)
        self.has_epsilon[fst.arc_sources()[fst.ilabel == 0]] = True
        self.place = np.full(fst.num_states, -1, np.int32)
        size = 1024
        self.subsets = [np.zeros(size + 1, np.int64), np.empty(size, np.int32), np.empty(size, np.int32),
                        np.empty(size, np.float32)]  # fmt: skip
        self.out = [np.zeros(size + 1, np.int64), np.empty(size, np.int32), np.empty(size, np.int32),
                    np.empty(size, np.float32), np.empty(size, np.int32)]  # fmt: skip
        self.out_final = [np.empty(size, np.float32), np.empty(size, np.int32)]
        symbols = int(fst.olabel.max(initial=0)) + 1  # the lists of one symbol
        self.strings = np.zeros((2 * max(size, symbols), 2), np.int32)
        self.strings[:symbols, 0] = np.arange(symbols)
        self.slots = np.full(4 * size, -1, np.int32)
        self.string_slots = np.zeros(1 << (2 * len(self.strings) - 1).bit_length(), np.int32)
        self.work = size
        self.at = np.array([0, 1, 1, 0, symbols])
        member, text, cost = self.subsets[1:]
        member[0], text[0], cost[0], self.subsets[0][1] = fst.start, 0, 0.0, 1
        _fill_slots(self.slots, *self.subsets[:3], 1)

    def run(self) -> None:
        while True:
            n = self.work
            sets = [np.empty(n, kind) for _ in range(2) for kind in (np.int32, np.int32, np.float64)]
            scratch = (*sets, self.place, np.empty(n, np.int32), np.empty(n), np.empty(n, np.int64), np.empty(n, np.int32))
            while True:
                code = _run(
                    *self.graph, self.fst.final, self.has_epsilon, self.in_log, self.delta, self.max_states, self.at,
                    *self.subsets, self.slots, self.strings, self.string_slots, *self.out, *self.out_final, *scratch,
                )  # fmt: skip
                if code <= DONE or code == FULL_WORK:
                    break
                self.grow(code)
            if code == DONE:
                return
            if code < 0:
                self.fail(code)
            self.work *= 2

    def grow(self, code: int) -> None:
        if code == FULL_STATES:
            capacity = len(self.subsets[0]) * 2
            for arrays in (self.subsets, self.out):
                arrays[0] = enlarged(arrays[0], capacity)
            self.out_final = [enlarged(array, capacity) for array in self.out_final]
            self.slots = np.full(2 * len(self.slots), -1, np.int32)
            _fill_slots(self.slots, *self.subsets[:3], int(self.at[1]))
        elif code == FULL_STRINGS:
            self.strings = enlarged(self.strings, 2 * len(self.strings))
            self.string_slots = np.zeros(2 * len(self.string_slots), np.int32)
            _fill_string_slots(self.string_slots, self.strings, int(self.at[4]))
        else:
            arrays = self.subsets if code == FULL_ELEMENTS else self.out
            arrays[1:] = [enlarged(array, 2 * len(array)) for array in arrays[1:]]

    def fail(self, code: int) -> None:
        if code == TOO_MANY:
            raise DataError(f"the determinized machine has more than {self.max_states} states",
                            mend="are disambiguation symbols missing? Else a larger --max-states")  # fmt: skip
        labels = self.labels_to(int(self.at[0]))
        after = " ".join(self.names.get(label, str(label)) for label in labels) or "nothing"
        if code == ENDLESS:
            raise DataError(f"a cycle of arcs without input, of cost 0 or less, after the input labels {after}",
                            mend="look for the cycle with fstprint")  # fmt: skip
        raise DataError(
            f"the transducer is not functional: after the input labels {after} the same input has two outputs, so it "
            "cannot be determinized", mend="disambiguation symbols in L (utils/prepare_lang.sh makes them)",
        )  # fmt: skip

    def labels_to(self, state: int) -> list[int]:
        """Input labels of a path to a state of the result."""
        offsets, ilabel, _, _, nextstate = self.out
        labels: list[int] = []
        while state > 0 and len(labels) < 1000:
            arc = int(np.flatnonzero(nextstate[: self.at[3]] == state)[0])
            labels.append(int(ilabel[arc]))
            state = int(np.searchsorted(offsets[: self.at[0] + 1], arc, side="right")) - 1
        return labels[::-1]

    def result(self) -> CsrFst:
        num_states, num_arcs = int(self.at[1]), int(self.at[3])
        strings = self.strings
        self.subsets = self.slots = self.string_slots = None  # their memory is free
        lengths = (num_states + 1, *(num_arcs,) * 4, *(num_states,) * 2)
        columns = []
        self.out += self.out_final
        for length in lengths:  # one after the other: they never are there twice
            columns.append(self.out.pop(0)[:length].copy())
        offsets, ilabel, string, weight, nextstate, final, final_string = columns
        fst = CsrFst(0, final, offsets, ilabel, strings[string, 0], weight, nextstate)
        return _write_out(fst, string, final_string, strings)


def _write_out(fst: CsrFst, string, final_string, strings) -> CsrFst:
    """Arcs whose output is longer than one symbol, and final states with outputs left, become chains of arcs."""
    long = np.flatnonzero(strings[string, 1] != 0)
    late = np.flatnonzero((final_string != 0) & np.isfinite(fst.final))
    if len(long) == 0 and len(late) == 0:
        return fst
    rows: list[tuple] = []  # src, ilabel, olabel, weight, dst
    finals, states = [], fst.num_states
    final, nextstate = fst.final.copy(), fst.nextstate.copy()
    for arc in long.tolist():
        to, rest = int(nextstate[arc]), int(strings[string[arc], 1])
        nextstate[arc] = states
        while rest:
            symbol, rest = strings[rest].tolist()
            rows.append((states, 0, symbol, 0.0, states + 1 if rest else to))
            states += 1
    for state in late.tolist():
        here, rest, cost = state, int(final_string[state]), float(final[state])
        final[state] = np.inf
        while rest:
            symbol, rest = strings[rest].tolist()
            rows.append((here, 0, symbol, cost, states))
            here, cost = states, 0.0
            states += 1
        finals.append(here)
    final = np.concatenate([final, np.full(states - len(final), np.inf, np.float32)])
    final[finals] = 0.0
    columns = (fst.arc_sources(), fst.ilabel, fst.olabel, fst.weight, nextstate)
    src, ilabel, olabel, weight, dst = (np.concatenate([a, b]) for a, b in zip(columns, zip(*rows)))
    return make_csr(states, src, ilabel, olabel, weight, dst, final, fst.start)


def determinize_star(
    fst: CsrFst, in_log: bool = False, delta: float = 1.0 / 1024, max_states: int = -1, names: dict[int, str] | None = None
) -> CsrFst:  # fmt: skip
    """Determinized without input epsilons, but for those that write what is left of an output; sorted by input label.

    Parameters
    ----------
    fst : every state should be on a path to a final state
    in_log : costs of paths that meet are added as probabilities; else the best is kept
    delta : residual costs closer than this are the same
    max_states : more states than this are an error; -1: no bound
    names : of the input labels, for messages

    Raises
    ------
    DataError : the same input with two outputs, endless epsilon cycles, too many states; with the input that leads there.
    """
    if fst.start < 0:
        return fst
    labels = None
    if int(fst.olabel.max(initial=0)) > 10 * fst.num_arcs + MANY_LABELS:  # few of many: number those in use
        labels, dense = np.unique(np.append(fst.olabel, 0), return_inverse=True)
        fst = replace(fst, olabel=dense[:-1].astype(np.int32))
    work = _Determinizer(fst, in_log, delta, max_states, names or {})
    work.run()
    result = work.result()
    return result if labels is None else replace(result, olabel=labels[result.olabel].astype(np.int32))
