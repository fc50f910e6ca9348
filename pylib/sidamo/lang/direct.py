"""LG for large n-gram grammars, written down without a general composition, determinization or minimization.

What determinizing L o G comes to, for a lexicon of linear pronunciations and a grammar G of words:

    for each state h of G a prefix tree of the pronunciations of the words that leave h; a word is written as soon as
    its pronunciation is told apart from all others in the tree; costs are pushed to the front of the tree, in the log
    semiring; what is left of a pronunciation then, its tail, costs nothing and is shared by all trees in which the
    same units lead to the same state of G.

A root is a state of G with the state of L from which words leave: with silence probabilities of each pronunciation two
for each h, after silence and without. Where silence may follow, a word leads to a state from which its arcs go on to
the roots; the automaton of the unknown word is copied once for each state of G to which it leads.

Path costs are those of `graph.build_lg`; disambiguation symbols stay in the pronunciations and keep the trees
deterministic. The kernels are compiled by numba and cached beside this file.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst
from sidamo.lang.kernel_tools import reach
from sidamo.lang.lexicon_paths import LexiconPaths, read_lexicon_paths


def suffix_numbers(prons: LexiconPaths) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Equal tails of pronunciations get equal numbers.

    Returns
    -------
    number : (sum of lengths,) of the tail that begins at each unit
    first_unit, rest : (numbers,) the first unit of a tail and the number of what follows (0: nothing)
    """
    lengths = np.diff(prons.offsets)
    number = np.zeros(len(prons.units), np.int64)
    first_unit, rest = [np.zeros(1, np.int32)], [np.zeros(1, np.int64)]
    used = 1
    for from_end in range(1, int(lengths.max(initial=0)) + 1):
        at = prons.offsets[1:][lengths >= from_end] - from_end
        following = number[at + 1] if from_end > 1 else np.zeros(len(at), np.int64)
        keys = (following << 24) | prons.units[at]
        distinct, inverse = np.unique(keys, return_inverse=True)
        number[at] = used + inverse
        first_unit.append((distinct & 0xFFFFFF).astype(np.int32))
        rest.append(distinct >> 24)
        used += len(distinct)
    return number, np.concatenate(first_unit), np.concatenate(rest)


@njit(cache=True)
def _grow_trees(
    first_root, entry_offsets, entry_pron, entry_word, entry_cost, entry_dst,
    pron_offsets, units, number, first_unit, rest, at,
    src, ilabel, olabel, weight, dst, slots, slot_keys, slot_states,
):  # fmt: skip
    """The prefix trees of the roots first_root, first_root + 1, ...; arcs go to the arrays src ... dst.

    entry_offsets : (H + 1,) entries of each grammar state, sorted by pronunciation
    entry_dst : (E,) state of LG in which the word ends
    at : numbers of arcs, states and shared tails so far
    slots : hash table size (a power of two) of the shared tails, keyed by (tail number, destination)

    Returns 0; -1: the arrays of arcs are too small, -2: the table is.
    """
    num_arcs, num_states, used = at[0], at[1], at[2]
    mask = slots - 1
    capacity = len(src)
    longest = 1
    for p in range(len(pron_offsets) - 1):
        longest = max(longest, pron_offsets[p + 1] - pron_offsets[p])
    stack_lo = np.empty(8192 * 4, np.int64)
    stack_hi = np.empty(8192 * 4, np.int64)
    stack_depth = np.empty(8192 * 4, np.int64)
    stack_state = np.empty(8192 * 4, np.int64)
    stack_sum = np.empty(8192 * 4, np.float64)
    stack_told = np.empty(8192 * 4, np.bool_)
    for h in range(len(entry_offsets) - 1):
        lo, hi = entry_offsets[h], entry_offsets[h + 1]
        if lo == hi:
            continue
        top = 0
        stack_lo[0], stack_hi[0], stack_depth[0], stack_state[0] = lo, hi, 0, first_root + h
        stack_sum[0], stack_told[0] = 0.0, False
        while top >= 0:
            lo, hi, depth, state = stack_lo[top], stack_hi[top], stack_depth[top], stack_state[top]
            above, told = stack_sum[top], stack_told[top]
            top -= 1
            a = lo
            while a < hi:
                start = pron_offsets[entry_pron[a]] + depth
                unit = units[start]
                b = a + 1
                ends = start + 1 == pron_offsets[entry_pron[a] + 1]
                if not ends:
                    while b < hi and units[pron_offsets[entry_pron[b]] + depth] == unit:
                        b += 1
                if num_arcs + longest + 2 > capacity:
                    return -1
                if used * 2 > slots:
                    return -2
                if b == a + 1:
                    # Told apart: write the word, and go on with a tail.
                    src[num_arcs], ilabel[num_arcs] = state, unit
                    olabel[num_arcs] = 0 if told else entry_word[a]
                    weight[num_arcs] = entry_cost[a] - above
                    target = entry_dst[a]
                    tail = 0 if ends else number[start + 1]
                    arc = num_arcs
                    num_arcs += 1
                    while True:
                        if tail == 0:
                            dst[arc] = target
                            break
                        key = (tail << 32) | target
                        slot = (key * -7046029254386353131 >> 20) & mask
                        while slot_keys[slot] != key and slot_keys[slot] != -1:
                            slot = (slot + 1) & mask
                        if slot_keys[slot] == key:
                            dst[arc] = slot_states[slot]
                            break
                        slot_keys[slot], slot_states[slot] = key, num_states
                        used += 1
                        dst[arc] = num_states
                        arc = num_arcs
                        src[arc], ilabel[arc], olabel[arc], weight[arc] = num_states, first_unit[tail], 0, 0.0
                        num_arcs += 1
                        num_states += 1
                        tail = rest[tail]
                else:
                    smallest, one_word = entry_cost[a], True
                    for k in range(a + 1, b):
                        smallest = min(smallest, entry_cost[k])
                        one_word = one_word and entry_word[k] == entry_word[a]
                    total = 0.0
                    for k in range(a, b):
                        total += np.exp(smallest - entry_cost[k])
                    together = smallest - np.log(total)
                    src[num_arcs], ilabel[num_arcs], dst[num_arcs] = state, unit, num_states
                    olabel[num_arcs] = entry_word[a] if one_word and not told else 0
                    weight[num_arcs] = together - above
                    num_arcs += 1
                    top += 1
                    stack_lo[top], stack_hi[top], stack_depth[top] = a, b, depth + 1
                    stack_state[top], stack_sum[top], stack_told[top] = num_states, together, told or one_word
                    num_states += 1
                a = b
    at[0], at[1], at[2] = num_arcs, num_states, used
    return 0


@njit(cache=True)
def _sort_entries(offsets, ilabel, pron_word, first_pron, last_pron, pron_of_word, by_state, entry_pron, entry_arc):
    """Entries (arc of G, pronunciation) of each state of G, in the order of the pronunciations.

    first_pron, last_pron : (W,) slice of pron_of_word for each word
    by_state : (H + 1,) where the entries of each state begin
    """
    num_words = len(first_pron)
    begin = np.zeros(num_words + 1, np.int64)  # arcs of each word
    for arc in range(len(ilabel)):
        begin[ilabel[arc] + 1] += 1
    for word in range(num_words):
        begin[word + 1] += begin[word]
    arcs, states = np.empty(len(ilabel), np.int32), np.empty(len(ilabel), np.int32)
    place = begin[:-1].copy()
    for s in range(len(offsets) - 1):
        for arc in range(offsets[s], offsets[s + 1]):
            word = ilabel[arc]
            arcs[place[word]], states[place[word]] = arc, s
            place[word] += 1
    free = by_state.copy()
    for pron in range(len(pron_word)):
        word = pron_word[pron]
        for k in range(begin[word], begin[word + 1]):
            s = states[k]
            entry_pron[free[s]], entry_arc[free[s]] = pron, arcs[k]
            free[s] += 1


@njit(cache=True)
def _count_arcs(src, offsets):
    for arc in range(len(src)):
        offsets[src[arc] + 1] += 1


@njit(cache=True)
def _place_arcs(src, ilabel, olabel, weight, dst, place, out_ilabel, out_olabel, out_weight, out_dst):
    for arc in range(len(src)):
        at = place[src[arc]]
        place[src[arc]] += 1
        out_ilabel[at], out_olabel[at], out_weight[at], out_dst[at] = ilabel[arc], olabel[arc], weight[arc], dst[arc]


def build_lg_direct(lexicon: CsrFst, grammar: CsrFst, phone_ids, word_ids, max_states: int = 50_000_000) -> CsrFst:
    """LG as `graph.build_lg` makes it, up to the numbering and number of states.

    Parameters
    ----------
    lexicon : L_disambig.fst of prepare_lang
    grammar : G over words, with #0 on back-off arcs

    Raises
    ------
    DataError : L of another form, no word of G in L, more than max_states states.
    """
    is_disambig = np.zeros(max(word_ids.values()) + 1, bool)
    is_disambig[[k for word, k in word_ids.items() if word.startswith("#")]] = True
    builder = _DirectBuilder(read_lexicon_paths(lexicon, is_disambig), grammar, is_disambig)
    builder.follow_words()
    builder.add_backoff_arcs(phone_ids, word_ids)
    fst = builder.grow()
    if fst.num_states > max_states:
        raise DataError(f"LG has {fst.num_states} states, more than --max-states {max_states}",
                        mend="a pruned language model (utils/train_lm.sh --prune), or a larger bound")  # fmt: skip
    log.info(f"LG: {fst.num_states} states, {fst.num_arcs} arcs")
    return fst


class _DirectBuilder:
    """The states of LG in the making: root r of state h of G is r * H + h; then what follows words; then the trees.

    parts : columns (src, ilabel, olabel, weight, dst) of the arcs
    """

    def __init__(self, paths: LexiconPaths, grammar: CsrFst, is_disambig: np.ndarray):
        self.paths, self.grammar, self.is_disambig = paths, grammar, is_disambig
        self.num_histories, self.num_states = grammar.num_states, len(paths.finals) * grammar.num_states
        self.parts: list[list[np.ndarray]] = []
        self._find_entries()

    def _find_entries(self) -> None:
        """One entry per (word arc of G, pronunciation), sorted by state of G and pronunciation."""
        paths, grammar = self.paths, self.grammar
        num_words = max(int(grammar.ilabel.max(initial=0)), int(paths.word.max(initial=0)), len(self.is_disambig)) + 1
        counts = np.bincount(paths.word, minlength=num_words)
        counts[0] = 0
        counts[np.flatnonzero(self.is_disambig)] = 0
        last = np.cumsum(counts)
        sums = np.concatenate([[0], np.cumsum(counts[grammar.ilabel])])
        self.entry_offsets = sums[grammar.offsets]
        if sums[-1] == 0:
            raise DataError("L o G is empty: no word of the grammar is in the lexicon",
                            mend="are both made with the same words.txt?")  # fmt: skip
        self.entry_pron, self.entry_arc = np.empty(sums[-1], np.int32), np.empty(sums[-1], np.int32)
        by_word = np.argsort(paths.word, kind="stable")
        _sort_entries(grammar.offsets, grammar.ilabel, paths.word, last - counts, last, by_word, self.entry_offsets,
                      self.entry_pron, self.entry_arc)  # fmt: skip

    # ---- what follows a word ----

    def follow_words(self) -> None:
        """self.entry_dst: where words end, with the states and arcs between that and the roots; self.start."""
        count = self.num_histories
        history = self.grammar.nextstate[self.entry_arc].astype(np.int64)
        follow = self.paths.follow[self.entry_pron].astype(np.int64)
        keys, inverse = follow * count + history, None
        if len(self.paths.ends) + len(self.paths.automata) > 1 or self.paths.ends[0]:
            keys, inverse = np.unique(keys, return_inverse=True)
            for index in range(len(self.paths.ends), len(self.paths.ends) + len(self.paths.automata)):
                keys = np.union1d(keys, keys[keys // count == index] % count)  # ends[0] follows the automaton
            keys = np.union1d(keys, [self.paths.start * count + self.grammar.start])
        else:  # all words lead to roots
            self.entry_dst, self.start = history.astype(np.int32), self.grammar.start
            return
        self.keys, self.state_of_key = keys, np.zeros(len(keys), np.int64)
        for index in range(len(self.paths.ends) + len(self.paths.automata)):  # ends before automata, which lead to them
            lo, hi = np.searchsorted(keys, [index * count, (index + 1) * count])
            if lo < hi:
                self.state_of_key[lo:hi] = self._add_follower(index, keys[lo:hi] % count)
        self.entry_dst = self._state_after(follow, history).astype(np.int32)
        self.start = int(self._state_after(self.paths.start, self.grammar.start))

    def _state_after(self, follow, history):
        """State of what follows a word, of index `follow`, into the state `history` of G."""
        return self.state_of_key[np.searchsorted(self.keys, follow * self.num_histories + history)]

    def _add_follower(self, index: int, histories: np.ndarray) -> np.ndarray:
        """One copy of an end or automaton for each history; returns the first states of the copies."""
        ends = self.paths.ends
        if index >= len(ends):
            return self._add_automaton(self.paths.automata[index - len(ends)], histories)
        if not ends[index]:
            return histories
        states = self._new_states(len(histories))
        for end in ends[index]:
            here, weight = states, end.cost
            for label in end.labels[:-1]:
                middle = self._new_states(len(histories))
                self._add_arcs(here, label, weight, middle)
                here, weight = middle, 0.0
            self._add_arcs(here, end.labels[-1], weight, end.root * self.num_histories + histories)
        return states

    def _add_automaton(self, automaton, histories: np.ndarray) -> np.ndarray:
        first = self._new_states(len(histories) * automaton.num_states)[:: automaton.num_states]
        after = self._state_after(0, histories)
        inside = automaton.dst >= 0
        dst = np.where(inside, first[:, None] + automaton.dst, after[:, None])
        shape = dst.shape
        self._add_arcs((first[:, None] + automaton.src).ravel(), np.broadcast_to(automaton.ilabel, shape).ravel(),
                       np.broadcast_to(automaton.weight, shape).ravel(), dst.ravel())  # fmt: skip
        return first

    def _new_states(self, count: int) -> np.ndarray:
        self.num_states += count
        return np.arange(self.num_states - count, self.num_states)

    def _add_arcs(self, src, ilabel, weight, dst) -> None:
        """Arcs without output; ilabel and weight may be numbers."""
        ilabel, weight = np.broadcast_to(ilabel, len(src)), np.broadcast_to(weight, len(src))
        columns = (src, ilabel, np.zeros(len(src), np.int32), weight, dst)
        kinds = (np.int32, np.int32, np.int32, np.float32, np.int32)
        self.parts.append([np.ascontiguousarray(column, kind) for column, kind in zip(columns, kinds)])

    def add_backoff_arcs(self, phone_ids, word_ids) -> None:
        """#0 of G with the label that L gives it, between the roots of a kind; G's epsilons stay epsilons."""
        grammar = self.grammar
        arcs = np.flatnonzero((grammar.ilabel == 0) | self.is_disambig[grammar.ilabel])
        label = np.zeros(len(self.is_disambig), np.int32)
        for word, k in word_ids.items():
            if word.startswith("#"):
                label[k] = phone_ids.get(word, 0)
        src = np.searchsorted(grammar.offsets, arcs, side="right") - 1
        for root in range(len(self.paths.finals)):
            shift = root * self.num_histories
            self._add_arcs(src + shift, label[grammar.ilabel[arcs]], grammar.weight[arcs], grammar.nextstate[arcs] + shift)
            self.parts[-1][2] = grammar.olabel[arcs]

    # ---- the trees ----

    def grow(self) -> CsrFst:
        columns, num_states = self._run_kernel()
        self.parts.append(columns)
        final = np.full(num_states, np.inf, np.float32)
        for root, cost in enumerate(self.paths.finals):
            final[root * self.num_histories : (root + 1) * self.num_histories] = self.grammar.final + np.float32(cost)
        del self.entry_pron, self.entry_arc, self.entry_dst
        return _only_reachable(_collect(self.parts, final, self.start))

    def _run_kernel(self):
        """The kernel with arrays that are doubled until they do. Returns the arcs' columns and the number of states."""
        paths, grammar = self.paths, self.grammar
        tails = suffix_numbers(paths)
        word = grammar.olabel[self.entry_arc]
        capacity, slots = 2 * len(word) + 100_000, 1 << max(16, int(len(word)).bit_length())
        while True:
            out = [np.empty(capacity, kind) for kind in (np.int32, np.int32, np.int32, np.float32, np.int32)]
            table = np.full(slots, -1, np.int64), np.empty(slots, np.int32)
            at, code = np.array([0, self.num_states, 0]), 0
            for root, costs in enumerate(paths.cost):
                cost = grammar.weight[self.entry_arc] + costs[self.entry_pron]
                if code == 0:
                    code = _grow_trees(
                        root * self.num_histories, self.entry_offsets, self.entry_pron, word, cost, self.entry_dst,
                        paths.offsets, paths.units, *tails, at, *out, slots, *table,
                    )  # fmt: skip
            if code == 0:
                return [column[: at[0]] for column in out], int(at[1])
            capacity, slots = (2 * capacity, slots) if code == -1 else (capacity, 2 * slots)


def _collect(parts, final, start: int) -> CsrFst:
    """Arcs of all parts, sorted by their source; `parts` is emptied."""
    offsets = np.zeros(len(final) + 1, np.int64)
    for part in parts:
        _count_arcs(part[0], offsets)
    np.cumsum(offsets, out=offsets)
    columns = [np.empty(offsets[-1], kind) for kind in (np.int32, np.int32, np.float32, np.int32)]
    place = offsets[:-1].copy()
    while parts:
        _place_arcs(*parts.pop(0), place, *columns)
    return CsrFst(int(start), final, offsets, *columns)


def _only_reachable(fst: CsrFst) -> CsrFst:
    """Without the states that nothing leads to (of histories that end in a word without pronunciation, of silence)."""
    keep = reach(fst.offsets, fst.nextstate, np.arange(fst.num_states) == fst.start)
    if np.all(keep):
        return fst
    number = np.cumsum(keep, dtype=np.int32) - np.int32(1)
    counts = np.diff(fst.offsets)
    use = np.repeat(keep, counts)
    offsets = np.concatenate([[0], np.cumsum(counts[keep])])
    return CsrFst(int(number[fst.start]), fst.final[keep], offsets, fst.ilabel[use], fst.olabel[use], fst.weight[use],
                  number[fst.nextstate[use]])  # fmt: skip
