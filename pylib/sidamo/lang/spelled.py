"""An open vocabulary: unknown words are spelled by pieces, `k+ +y+ +e` for `kye`, where the grammar says <unk>.

Each unit of the lexicon becomes three words: one that begins an unknown word, one within, one that ends it (the marks of
Smit, Virpioja and Kurimo 2017, "Improved subword modeling for WFST-based speech recognition"). They are words like any
other to L, to the decoder and to lattices. In G an n-gram over pieces, trained on the words of the lexicon, takes the
place of each arc of <unk> (Bazzi and Glass 2000). A hypothesis is put together again by deleting every "+ +".

The other way, `make_unk_lm`, hides the units within L as Kaldi's does: the decoder then says <unk>, and the alignment
alone knows which units it heard.
"""

from __future__ import annotations

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, make_csr
from sidamo.lang.lexicon import Entry
from sidamo.lang.unk import train_unit_model, unit_automaton

FIRST, INNER, LAST = "{}+", "+{}+", "+{}"


def without_end(entries: list[Entry], end_unit: str) -> list[Entry]:
    """The pronunciations of at least two units, without the unit that ends every word (none where it is "").

    Raises
    ------
    DataError : a pronunciation that does not end in it.
    """
    kept = []
    for entry in entries:
        phones = entry.phones
        if end_unit:
            if not phones or phones[-1] != end_unit:
                raise DataError(f"the pronunciation of {entry.word} does not end in {end_unit}", key=entry.word,
                                mend="--end-unit '' where words have no unit of their own at the end")  # fmt: skip
            phones = phones[:-1]
        if len(phones) > 1:
            kept.append(entry._replace(phones=phones))
    if not kept:
        raise DataError("no pronunciation of two units or more", mend="a dictionary with longer words")
    return kept


def piece_entries(entries: list[Entry], end_unit: str, numbers: tuple[str, ...]) -> list[Entry]:
    """Lexicon entries of all pieces, each with the given numeric fields.

    Raises
    ------
    DataError : the lexicon has a word that looks like a piece.
    """
    units = sorted({unit for entry in without_end(entries, end_unit) for unit in entry.phones})
    tail = (end_unit,) if end_unit else ()
    pieces = [Entry(mark.format(unit), numbers, (unit, *(tail if mark is LAST else ())))
              for mark in (FIRST, INNER, LAST) for unit in units]  # fmt: skip
    clash = {piece.word for piece in pieces} & {entry.word for entry in entries}
    if clash:
        raise DataError(f"the word {sorted(clash)[0]} is in the lexicon already", mend="the lexicon without pieces")
    return pieces


def spelling_automaton(entries: list[Entry], end_unit: str, order: int, prune: float) -> list[tuple]:
    """n-gram over pieces as an acceptor: rows (src, dst, piece, cost), then (final state,); 0 is the start.

    The final state has no arcs and the start is not entered again, so that the acceptor can take the place of an arc.
    """
    rows = unit_automaton(train_unit_model(without_end(entries, end_unit), order, prune), min_length=2)
    final_cost = {row[0]: row[1] for row in rows if len(row) == 2}
    final = 1 + max(max(row[0], row[1]) for row in rows if len(row) == 4)
    arcs = []
    for src, dst, unit, cost in (row for row in rows if len(row) == 4):
        arcs.append((src, dst, (INNER if src else FIRST).format(unit), cost))
        if dst in final_cost and src:
            arcs.append((src, final, LAST.format(unit), cost + final_cost[dst]))
    return [*arcs, (final,)]


def open_grammar(grammar: CsrFst, unknown: int, backoff: int, spelling: CsrFst, mass: float = 0.0) -> CsrFst:
    """The grammar with the acceptor `spelling` in the place of every arc of the label `unknown`.

    Parameters
    ----------
    grammar : G; arcs that lead to one state share one copy of the acceptor
    backoff : label of back-off arcs (#0)
    mass : probability of an unknown word in the state that does not back off; its other words give it up in proportion.
        0: as the grammar has it.

    Raises
    ------
    DataError : no arc of `unknown`; an acceptor that cannot stand in the place of an arc.
    """
    check_spelling(spelling)
    src, nextstate = grammar.arc_sources(), grammar.nextstate
    weight, final = grammar.weight.astype(np.float64), grammar.final.astype(np.float64)
    is_unknown = grammar.ilabel == unknown
    if not is_unknown.any():
        raise DataError("the grammar has no arc of the unknown word, which the pieces would spell",
                        mend="train the language model with <unk> in its vocabulary (utils/train_lm.sh)")  # fmt: skip
    if mass:
        lowest = np.setdiff1d(src[is_unknown], src[grammar.ilabel == backoff])
        given_up = np.isin(src, lowest)
        weight[given_up] -= np.log1p(-mass)
        final[lowest] -= np.log1p(-mass)
        weight[given_up & is_unknown] = -np.log(mass)

    goals = np.unique(nextstate[is_unknown])
    entering = spelling.arc_sources() == spelling.start
    inner = ~entering
    columns = [(src[~is_unknown], grammar.ilabel[~is_unknown], weight[~is_unknown], nextstate[~is_unknown])]

    def place(states, goal):
        """Numbers of the copy for one goal: its final state is the goal itself."""
        base = grammar.num_states + spelling.num_states * int(np.searchsorted(goals, goal))
        return np.where(np.isfinite(spelling.final[states]), goal, base + states)

    for goal in goals:
        columns.append((place(spelling.arc_sources()[inner], goal), spelling.ilabel[inner], spelling.weight[inner],
                        place(spelling.nextstate[inner], goal)))  # fmt: skip
    for arc in np.nonzero(is_unknown)[0]:
        to = place(spelling.nextstate[entering], nextstate[arc])
        columns.append((np.full(len(to), src[arc]), spelling.ilabel[entering], weight[arc] + spelling.weight[entering], to))
    src, label, weight, to = (np.concatenate(column) for column in zip(*columns))
    final = np.concatenate([final, np.full(len(goals) * spelling.num_states, np.inf)])
    olabel = np.where(label == backoff, 0, label)
    return make_csr(len(final), src, label, olabel, weight, to, final, grammar.start)


def check_spelling(spelling: CsrFst) -> None:
    """An acceptor takes the place of an arc where nothing enters its start and nothing leaves its final states."""
    src = spelling.arc_sources()
    if (spelling.nextstate == spelling.start).any() or np.isfinite(spelling.final[src]).any():
        raise DataError("an arc enters the start of the spelling model, or leaves a final state",
                        mend="make it again: utils/open_dict.sh")  # fmt: skip
    if (spelling.final[np.isfinite(spelling.final)] != 0).any() or not spelling.ilabel.all():
        raise DataError("the spelling model has final costs or epsilons", mend="make it again: utils/open_dict.sh")
