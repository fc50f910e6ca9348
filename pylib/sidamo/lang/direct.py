"""LG for large n-gram grammars, written down without a general composition, determinization or minimization.

What determinizing L o G comes to, for a lexicon of linear pronunciations and a grammar G of words:

    for each state h of G a prefix tree of the pronunciations of the words that leave h; a word is written as soon as
    its pronunciation is told apart from all others in the tree; costs are pushed to the front of the tree, in the log
    semiring; what is left of a pronunciation then, its tail, costs nothing and is shared by all trees in which the
    same units lead to the same state of G.

With optional silence, state h comes twice: r_h, from which words, the back-off arc and the end leave, and q_h, where
words arrive: q_h goes to r_h silently, or through the silence unit.

Path costs are those of `graph.build_lg`; disambiguation symbols stay in the pronunciations and keep the trees
deterministic. The kernel is compiled by numba and cached beside this file.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, make_csr
from sidamo.lang.expand import ranges


class Pronunciations(NamedTuple):
    """The lexicon as arrays, in lexicographic order of the units.

    word : (P,) int32; cost : (P,) float64
    offsets : (P + 1,) int64; units : (sum of lengths,) int32
    silence : None, or (cost of none, cost of silence, silence unit, disambiguation symbol or 0, its cost)
    """

    word: np.ndarray
    cost: np.ndarray
    offsets: np.ndarray
    units: np.ndarray
    silence: tuple | None


_STRANGE = "the direct builder needs linear pronunciations and one silence probability in L; found otherwise: {}"
_MEND = "utils/mkgraph.sh --builder pynini"


def read_pronunciations(lexicon: CsrFst, is_disambig_word) -> Pronunciations:
    """Follow all words of L_disambig.fst (as prepare_lang makes it) from the loop state and back, all at a time.

    Parameters
    ----------
    is_disambig_word : (W,) bool, output labels such as #0

    Raises
    ------
    DataError : L has another form (silence probabilities per word, a model of unknown words, ...).
    """
    src, counts = lexicon.arc_sources(), np.diff(lexicon.offsets)
    is_word = (lexicon.olabel > 0) & ~is_disambig_word[lexicon.olabel]
    loops = np.unique(src[is_word])
    if len(loops) != 1:
        raise DataError(_STRANGE.format(f"words leave {len(loops)} states"), mend=_MEND)
    loop = int(loops[0])
    silence, ends = _read_silence(lexicon, loop)
    arcs = np.flatnonzero(is_word & ((lexicon.nextstate == loop) | ~np.isin(lexicon.nextstate, ends)))
    word, cost = lexicon.olabel[arcs], lexicon.weight[arcs].astype(np.float64)
    no_silence = silence[0] if silence else 0.0
    cost[lexicon.nextstate[arcs] == loop] -= no_silence
    columns, lengths = [lexicon.ilabel[arcs]], np.ones(len(arcs), np.int64)
    state = lexicon.nextstate[arcs].copy()
    while True:
        going = np.flatnonzero(~np.isin(state, ends))
        if len(going) == 0:
            break
        if len(columns) > 1000:
            raise DataError(_STRANGE.format("a pronunciation of more than 1000 units"), mend=_MEND)
        at = lexicon.offsets[state[going]]
        leaving = counts[state[going]]
        last = np.isin(lexicon.nextstate[np.minimum(at, lexicon.num_arcs - 1)], ends)
        if np.any(leaving == 0) or np.any((leaving > 1) & ~last) or np.any(lexicon.olabel[at] != 0):
            raise DataError(_STRANGE.format("a pronunciation branches"), mend=_MEND)
        column = np.zeros(len(arcs), np.int32)
        column[going] = lexicon.ilabel[at]
        columns.append(column)
        lengths[going] += 1
        state[going] = lexicon.nextstate[at]
    matrix = np.stack(columns, axis=1)  # (P, longest), 0 behind the end
    order = np.lexsort(matrix.T[::-1])
    matrix, lengths = matrix[order], lengths[order]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    units = matrix[np.arange(matrix.shape[1]) < lengths[:, None]]
    return Pronunciations(word[order], cost[order], offsets, units, silence)


def _read_silence(lexicon: CsrFst, loop: int):
    """Silence parameters of L (None without silence), and the states in which words end."""
    if lexicon.start == loop:
        return None, np.array([loop])
    first = lexicon.arcs_of(lexicon.start)
    targets = lexicon.nextstate[first].tolist()
    if sorted(set(targets) - {loop}) != [t for t in targets if t != loop] or len(targets) != 2 or np.any(lexicon.ilabel[first]):
        raise DataError(_STRANGE.format("the start state"), mend=_MEND)
    cost = dict(zip(targets, lexicon.weight[first].tolist()))
    sil_state = next(t for t in targets if t != loop)
    arcs = lexicon.arcs_of(sil_state)
    if arcs.stop - arcs.start != 1 or np.isfinite(lexicon.final[sil_state]):
        raise DataError(_STRANGE.format("the silence state"), mend=_MEND)
    unit, state, weight = (
        int(lexicon.ilabel[arcs.start]),
        int(lexicon.nextstate[arcs.start]),
        lexicon.weight[arcs.start],
    )
    symbol = 0
    if state != loop:
        arcs = lexicon.arcs_of(state)
        if arcs.stop - arcs.start != 1 or lexicon.nextstate[arcs.start] != loop:
            raise DataError(_STRANGE.format("what follows silence"), mend=_MEND)
        symbol = int(lexicon.ilabel[arcs.start])
        weight = weight + lexicon.weight[arcs.start]
    return (float(cost[loop]), float(cost[sil_state]), unit, symbol, float(weight)), np.array([loop, sil_state])


def suffix_numbers(prons: Pronunciations) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
    entry_offsets, entry_pron, entry_word, entry_cost, entry_dst,
    pron_offsets, units, number, first_unit, rest, first_state,
    src, ilabel, olabel, weight, dst, slots, slot_keys, slot_states,
):  # fmt: skip
    """All prefix trees; arcs go to the arrays src ... dst.

    entry_offsets : (H + 1,) entries of each grammar state, sorted by pronunciation
    entry_dst : (E,) state of LG in which the word ends
    slots : hash table size (a power of two) of the shared tails, keyed by (tail number, destination)

    Returns (arcs, states); arcs -1: the arrays are too small, -2: the table is.
    """
    num_arcs, num_states, used = 0, first_state, 0
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
        stack_lo[0], stack_hi[0], stack_depth[0], stack_state[0] = lo, hi, 0, h
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
                    return -1, num_states
                if used * 2 > slots:
                    return -2, num_states
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
    return num_arcs, num_states


def build_lg_direct(lexicon: CsrFst, grammar: CsrFst, phone_ids, word_ids, max_states: int = 50_000_000) -> CsrFst:
    """LG as `graph.build_lg` makes it, up to the numbering and number of states.

    Parameters
    ----------
    lexicon : L_disambig.fst of prepare_lang, without silence probabilities per word
    grammar : G over words, with #0 on back-off arcs

    Raises
    ------
    DataError : L of another form, no word of G in L, more than max_states states.
    """
    is_disambig = np.zeros(max(word_ids.values()) + 1, bool)
    is_disambig[[k for word, k in word_ids.items() if word.startswith("#")]] = True
    prons = read_pronunciations(lexicon, is_disambig)
    entries = _entries(prons, grammar, is_disambig)
    if entries is None:
        raise DataError("L o G is empty: no word of the grammar is in the lexicon",
                        mend="are both made with the same words.txt?")  # fmt: skip
    num_grammar = grammar.num_states
    arrive = num_grammar if prons.silence else 0  # words end in state q_h = arrive + h
    fixed = num_grammar * (3 if prons.silence else 1)
    columns, num_states = _run_kernel(prons, entries, arrive, fixed)
    parts = [columns, _backoff_arcs(grammar, is_disambig, phone_ids, word_ids)]
    if prons.silence:
        parts.append(_silence_arcs(prons.silence, num_grammar))
    src, ilabel, olabel, weight, dst = (np.concatenate(column) for column in zip(*parts))
    final = np.full(num_states, np.inf, np.float32)
    final[:num_grammar] = grammar.final
    order = np.argsort((src.astype(np.int64) << 32) | ilabel, kind="stable")
    fst = make_csr(num_states, src[order], ilabel[order], olabel[order], weight[order], dst[order], final,
                   start=arrive + grammar.start)  # fmt: skip
    fst = _only_reachable(fst)
    if fst.num_states > max_states:
        raise DataError(f"LG has {fst.num_states} states, more than --max-states {max_states}",
                        mend="a pruned language model (utils/train_lm.sh --prune), or a larger bound")  # fmt: skip
    log.info(f"LG: {fst.num_states} states, {fst.num_arcs} arcs")
    return fst


def _entries(prons: Pronunciations, grammar: CsrFst, is_disambig):
    """One entry per (word arc of G, pronunciation), sorted by state of G and pronunciation."""
    words = np.flatnonzero((grammar.ilabel > 0) & ~is_disambig[grammar.ilabel])
    by_word = np.argsort(prons.word, kind="stable")
    first = np.searchsorted(prons.word[by_word], grammar.ilabel[words], side="left")
    last = np.searchsorted(prons.word[by_word], grammar.ilabel[words], side="right")
    index, owner = ranges(first, last)
    if len(index) == 0:
        return None
    pron, arc = by_word[index], words[owner]
    state = grammar.arc_sources()[arc]
    order = np.argsort((state.astype(np.int64) << 32) | pron, kind="stable")
    pron, arc, state = pron[order], arc[order], state[order]
    offsets = np.searchsorted(state, np.arange(grammar.num_states + 1))
    cost = grammar.weight[arc] + prons.cost[pron]
    return offsets, pron, grammar.olabel[arc], cost, grammar.nextstate[arc].astype(np.int64)


def _run_kernel(prons: Pronunciations, entries, arrive: int, fixed: int):
    """The kernel with arrays that are doubled until they do. Returns the arcs' columns and the number of states."""
    offsets, pron, word, cost, dst = entries
    number, first_unit, rest = suffix_numbers(prons)
    capacity, slots = 2 * len(pron) + 100_000, 1 << max(16, int(len(pron)).bit_length())
    while True:
        out = [np.empty(capacity, np.int32), np.empty(capacity, np.int32), np.empty(capacity, np.int32),
               np.empty(capacity, np.float32), np.empty(capacity, np.int32)]  # fmt: skip
        slot_keys = np.full(slots, -1, np.int64)
        num_arcs, num_states = _grow_trees(
            offsets, pron, word, cost, dst + arrive, prons.offsets, prons.units, number, first_unit, rest, fixed,
            *out, slots, slot_keys, np.empty(slots, np.int32),
        )  # fmt: skip
        if num_arcs >= 0:
            return [column[:num_arcs] for column in out], num_states
        capacity, slots = (2 * capacity, slots) if num_arcs == -1 else (capacity, 2 * slots)


def _backoff_arcs(grammar: CsrFst, is_disambig, phone_ids, word_ids):
    """#0 of G with the label that L gives it, between the states r_h; G's epsilons stay epsilons."""
    arcs = np.flatnonzero((grammar.ilabel == 0) | is_disambig[grammar.ilabel])
    label = np.zeros(len(is_disambig), np.int32)
    for word, k in word_ids.items():
        if word.startswith("#"):
            label[k] = phone_ids.get(word, 0)
    src = grammar.arc_sources()[arcs]
    return [src, label[grammar.ilabel[arcs]], grammar.olabel[arcs], grammar.weight[arcs], grammar.nextstate[arcs]]


def _silence_arcs(silence, num_grammar: int):
    """q_h -> r_h without silence; q_h -> s_h -> r_h with it."""
    none_cost, sil_cost, unit, symbol, weight = silence
    r = np.arange(num_grammar, dtype=np.int32)
    q, s = r + num_grammar, r + 2 * num_grammar
    nothing, free = np.zeros(num_grammar, np.int32), np.zeros(num_grammar, np.float32)
    return [np.concatenate(column) for column in (
        (q, q, s), (nothing, nothing + unit, nothing + symbol), (nothing, nothing, nothing),
        (free + np.float32(none_cost), free + np.float32(sil_cost + weight), free), (r, s, r),
    )]  # fmt: skip


def _only_reachable(fst: CsrFst) -> CsrFst:
    """Without the states that nothing leads to (of histories that end in a word without pronunciation, of silence)."""
    src = fst.arc_sources()
    keep = np.ones(fst.num_states, bool)
    use = np.ones(fst.num_arcs, bool)
    while True:
        reached = np.zeros(fst.num_states, bool)
        reached[fst.nextstate[use]] = True
        reached[fst.start] = True
        if np.all(reached[keep]):
            break
        keep &= reached
        use = keep[src]
    if np.all(keep):
        return fst
    number = np.cumsum(keep) - 1
    columns = (fst.ilabel[use], fst.olabel[use], fst.weight[use], number[fst.nextstate[use]])
    return make_csr(int(keep.sum()), number[src[use]], *columns, fst.final[keep], start=int(number[fst.start]))
