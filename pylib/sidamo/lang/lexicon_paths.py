"""L_disambig.fst, as prepare_lang makes it, taken apart again: pronunciations, and what may follow them.

plain          words leave and enter one loop state
silence        words enter the loop state, or a state in which a silence follows
silprob        two states from which words leave, after silence and without; costs of each pronunciation
unknown word   the pronunciation of <unk> goes through an automaton over units (utils/make_unk_lm.sh)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst

LONGEST = 1000  # units of a pronunciation


class End(NamedTuple):
    """An arc that follows a pronunciation: labels (at most two), the root it leads to, and its cost."""

    labels: tuple[int, ...]
    root: int
    cost: float


class Automaton(NamedTuple):
    """What stands in the place of a pronunciation; state 0 is its first, arcs to -1 leave it (into `ends[0]`)."""

    num_states: int
    src: np.ndarray
    ilabel: np.ndarray
    weight: np.ndarray
    dst: np.ndarray


class LexiconPaths(NamedTuple):
    """The lexicon as arrays, pronunciations in lexicographic order of their units.

    word : (P,) int32; offsets : (P + 1,) int64; units : (sum of lengths,) int32
    cost : (R, P) float64, of the word from each of the R root states
    follow : (P,) int32, index of what follows: of `ends`, then of `automata`
    ends : lists of End; empty: root 0 itself is reached
    finals : (R,) final costs of the roots; start : index of `ends`, the way from the start to the roots
    """

    word: np.ndarray
    cost: np.ndarray
    offsets: np.ndarray
    units: np.ndarray
    follow: np.ndarray
    ends: list[list[End]]
    automata: list[Automaton]
    finals: np.ndarray
    start: int


_STRANGE = "the direct builder knows the lexicons of utils/prepare_lang.sh; this one is otherwise: {}"
_MEND = "utils/mkgraph.sh --builder pynini"


def _refuse(what: str):
    raise DataError(_STRANGE.format(what), mend=_MEND)


def read_lexicon_paths(lexicon: CsrFst, is_disambig_word: np.ndarray) -> LexiconPaths:
    """Follow all words from the states that they leave, all at a time.

    Parameters
    ----------
    is_disambig_word : (W,) bool, output labels such as #0

    Raises
    ------
    DataError : L has none of the forms above.
    """
    src = lexicon.arc_sources()
    is_word = (lexicon.olabel > 0) & ~is_disambig_word[lexicon.olabel]
    roots = np.unique(src[is_word])
    if len(roots) not in (1, 2):
        _refuse(f"words leave {len(roots)} states")
    if len(roots) == 2:
        return _read_silprob(lexicon, src, is_word, roots)
    loop = int(roots[0])
    ends, silence_state = _read_silence(lexicon, loop)
    is_end = np.zeros(lexicon.num_states, bool)
    is_end[[loop] if silence_state is None else [loop, silence_state]] = True
    arcs = np.flatnonzero(is_word & ((lexicon.nextstate == loop) | ~is_end[lexicon.nextstate]))
    cost = lexicon.weight[arcs].astype(np.float64)
    into_loop = ends[0].cost if ends else 0.0  # is a part of the cost of each pronunciation's last arc
    cost[lexicon.nextstate[arcs] == loop] -= into_loop
    matrix, lengths, last = _follow(lexicon, arcs, is_end)
    automata, follow = [], np.zeros(len(arcs), np.int32)
    for row in np.flatnonzero(~is_end[last]).tolist():
        follow[row] = 1 + len(automata)
        automata.append(_read_automaton(lexicon, int(last[row]), is_end, loop, into_loop))
    finals = lexicon.final[[loop]].astype(np.float64)
    return _in_order(lexicon.olabel[arcs], cost[None], matrix, lengths, follow, [ends], automata, finals, 0)


def _follow(lexicon: CsrFst, arcs: np.ndarray, is_end: np.ndarray):
    """Units (P, longest; 0 behind the end), their number, and the state in which each path ends or branches."""
    columns, lengths, state = [lexicon.ilabel[arcs]], np.ones(len(arcs), np.int64), lexicon.nextstate[arcs].copy()
    going = np.flatnonzero(~is_end[state])
    counts = np.diff(lexicon.offsets)
    while len(going):
        if len(columns) > LONGEST:
            _refuse(f"a pronunciation of more than {LONGEST} units")
        leaving = counts[state[going]]
        if np.any(leaving == 0):
            _refuse("a pronunciation ends nowhere")
        at = lexicon.offsets[state[going]]
        linear = ((leaving == 1) | is_end[lexicon.nextstate[at]]) & (lexicon.ilabel[at] != 0)
        going, at = going[linear], at[linear]
        if np.any(lexicon.olabel[at] != 0):
            _refuse("a word within a pronunciation")
        column = np.zeros(len(arcs), np.int32)
        column[going] = lexicon.ilabel[at]
        columns.append(column)
        lengths[going] += 1
        state[going] = lexicon.nextstate[at]
        going = going[~is_end[state[going]]]
    return np.stack(columns, axis=1), lengths, state


def _in_order(word, cost, matrix, lengths, follow, ends, automata, finals, start) -> LexiconPaths:
    order = np.lexsort(matrix.T[::-1])
    matrix, lengths = matrix[order], lengths[order]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    units = matrix[np.arange(matrix.shape[1]) < lengths[:, None]]
    return LexiconPaths(word[order], cost[:, order], offsets, units, follow[order], ends, automata, finals, start)


def _read_silence(lexicon: CsrFst, loop: int) -> tuple[list[End], int | None]:
    """What follows a word, and the state in which a silence follows; nothing and None without silence."""
    if lexicon.start == loop:
        return [], None
    first = lexicon.arcs_of(lexicon.start)
    targets = lexicon.nextstate[first].tolist()
    if len(targets) != 2 or targets.count(loop) != 1 or np.any(lexicon.ilabel[first]):
        _refuse("the start state")
    cost = dict(zip(targets, lexicon.weight[first].tolist()))
    silence_state = next(state for state in targets if state != loop)
    labels, weight, state = [], cost[silence_state], silence_state
    while state != loop:  # the silence, and in L_disambig the symbol that marks it
        arcs = lexicon.arcs_of(state)
        if arcs.stop - arcs.start != 1 or np.isfinite(lexicon.final[state]) or len(labels) == 2:
            _refuse("the silence")
        labels.append(int(lexicon.ilabel[arcs.start]))
        weight += float(lexicon.weight[arcs.start])
        state = int(lexicon.nextstate[arcs.start])
    return [End((0,), 0, cost[loop]), End(tuple(labels), 0, weight)], silence_state


def _read_automaton(lexicon: CsrFst, first: int, is_end, loop: int, into_loop: float) -> Automaton:
    """The part of L between a state and the ends of the word."""
    number, rows = {first: 0}, []
    for state in (queue := [first]):
        for arc in range(int(lexicon.offsets[state]), int(lexicon.offsets[state + 1])):
            to, label, weight = int(lexicon.nextstate[arc]), int(lexicon.ilabel[arc]), float(lexicon.weight[arc])
            if lexicon.olabel[arc] != 0:
                _refuse("a word within a word")
            if is_end[to]:
                if to == loop:  # the arc to the silence says the same
                    rows.append((number[state], label, weight - into_loop, -1))
                continue
            if to not in number:
                number[to] = len(number)
                queue.append(to)
            rows.append((number[state], label, weight, number[to]))
    if all(row[3] >= 0 for row in rows):
        _refuse("a word without end")
    src, ilabel, weight, dst = map(np.array, zip(*rows))
    return Automaton(len(number), src, ilabel, weight, dst)


def _read_silprob(lexicon: CsrFst, src, is_word, roots) -> LexiconPaths:
    """Silence probabilities of each pronunciation: both roots have an arc into the same chain of units."""
    root_of = np.full(lexicon.num_states, -1)
    root_of[roots] = [0, 1]
    to_root = (root_of[lexicon.nextstate] >= 0) & (root_of[src] < 0)
    is_end = np.zeros(lexicon.num_states, bool)
    is_end[src[to_root]] = True
    arcs = [np.flatnonzero(is_word & (src == root)) for root in roots]
    arcs = [rows[np.argsort(lexicon.nextstate[rows], kind="stable")] for rows in arcs]
    same = [(lexicon.nextstate[rows].tolist(), lexicon.olabel[rows].tolist(), lexicon.ilabel[rows].tolist()) for rows in arcs]
    if is_end[lexicon.start] != (lexicon.start not in roots) or same[0] != same[1]:
        _refuse("the words after silence and those without")
    matrix, lengths, last = _follow(lexicon, arcs[0], is_end)
    if not np.all(is_end[last]):
        _refuse("silence probabilities and a branching pronunciation")
    ends, index, follow = [], {}, np.zeros(len(last), np.int32)
    for row, state in enumerate([*last.tolist(), lexicon.start]):
        leaving = range(int(lexicon.offsets[state]), int(lexicon.offsets[state + 1]))
        end = tuple(End((int(lexicon.ilabel[a]),), int(root_of[lexicon.nextstate[a]]), float(lexicon.weight[a])) for a in leaving)
        if any(arc.root < 0 for arc in end):
            _refuse("the end of a word")
        if end not in index:
            index[end] = len(ends)
            ends.append(list(end))
        if row < len(last):
            follow[row] = index[end]
    cost = lexicon.weight[np.stack(arcs)].astype(np.float64)
    return _in_order(
        lexicon.olabel[arcs[0]], cost, matrix, lengths, follow, ends, [], lexicon.final[roots].astype(np.float64), index[end]
    )
