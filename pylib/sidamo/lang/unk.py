"""A unit-level n-gram in the place of the unknown word, so that it is heard and not only lost.

The pronunciation of the unknown word becomes `#1 #2 #3` (as Kaldi's make_unk_lm does). In L the arc of #2 is replaced by
an automaton over units, trained on the pronunciations of the lexicon; #1 and #3, which only L_disambig keeps, separate
it from its surroundings, so that L o G can still be determinized.
"""

from __future__ import annotations

import os
import tempfile

import numpy as np

from sidamo.io.errors import DataError
from sidamo.lang.lexicon import EPS, Entry, LexiconArcs, fields, read_lexicon, read_lines
from sidamo.lang.ngram import LmOptions, train
from sidamo.lang.ngram_model import BOS, EOS, NgramModel

MARKS = ("#1", "#2", "#3")


def train_unit_model(entries: list[Entry], order: int, prune: float) -> NgramModel:
    """n-gram of the units of the distinct pronunciations."""
    prons = {" ".join(entry.phones) for entry in entries}
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "units")
        with open(path, "wb") as stream:
            stream.write("".join(f"{pron}\n" for pron in sorted(prons)).encode("utf-8", "surrogateescape"))
        return train(path, LmOptions(order=order, format="plain", smoothing="wb", prune=prune))


def unit_automaton(model: NgramModel, min_length: int = 1) -> list[tuple]:
    """The model as a deterministic acceptor without epsilons: text FST rows (src, dst, unit, cost) and (state, cost).

    A state is a history and how many units were read (up to min_length); the back-off is worked out for every unit, so
    that nothing but the probabilities of the model is left. State 0 is the start.
    """
    units = [k for k in range(3, len(model.words))]
    names = [word.decode("utf-8", "surrogateescape") for word in model.words]
    states, queue, rows = {((BOS,) if model.order > 1 else (), 0): 0}, [], []
    queue = list(states)
    for history, length in queue:
        state = states[history, length]
        grams = np.array([[*history, unit] for unit in [EOS, *units]])
        costs = -model.score(grams)
        if length >= min_length:
            rows.append((state, float(costs[0])))
        for unit, cost in zip(units, costs[1:].tolist()):
            target = _longest_known(model, (*history, unit)), min(length + 1, min_length)
            if target not in states:
                states[target] = len(states)
                queue.append(target)
            rows.append((state, states[target], names[unit], cost))
    return rows


def _longest_known(model: NgramModel, history: tuple[int, ...]) -> tuple[int, ...]:
    """The longest suffix of the history that the model has n-grams for."""
    history = history[max(0, len(history) - model.order + 1) :]
    while history:
        row = np.zeros(1, np.int64)
        for k, word in enumerate(history):
            row = model.tables[k].find(row, np.array([word]))
        if row[0] >= 0:
            return history
        history = history[1:]
    return history


def read_spoken(dict_dir: str, oov_word: str) -> tuple[str, list[Entry], list[Entry]]:
    """(name of the lexicon that is there, all its entries, those that show how words are spelled).

    The last are without the unknown word and without pronunciations that hold silence.
    """
    name, numbers = ("lexiconp.txt", 1) if os.path.isfile(f"{dict_dir}/lexiconp.txt") else ("lexicon.txt", 0)
    path = f"{dict_dir}/silence_phones.txt"
    silence = {phone for line in read_lines(path) for phone in fields(line)} if os.path.isfile(path) else set()
    entries = read_lexicon(f"{dict_dir}/{name}", numbers)
    return name, entries, [e for e in entries if e.word != oov_word and not silence & set(e.phones)]


def make_unk_fst(dict_dir: str, oov_word: str, order: int, min_length: int, prune: float) -> list[str]:
    """Lines of the text FST for `utils/prepare_lang.sh --unk-fst`, from the pronunciations of a dictionary directory."""
    name, _, spoken = read_spoken(dict_dir, oov_word)
    entries = [entry for entry in spoken if len(entry.phones) >= min_length]
    if not entries:
        raise DataError(f"no pronunciation of at least {min_length} units without silence", file=f"{dict_dir}/{name}")
    rows = unit_automaton(train_unit_model(entries, order, prune), min_length)
    return ["\t".join(str(x) for x in (row if len(row) == 2 else (*row[:3], EPS, row[3]))) for row in rows]


def modify_unk_entries(entries: list[Entry], oov_word: str) -> list[Entry]:
    """The unknown word with the one pronunciation #1 #2 #3; it need not have had one."""
    kept = [entry for entry in entries if entry.word != oov_word]
    numbers = next((entry.numbers for entry in entries if entry.word == oov_word), None)
    if numbers is None:
        numbers = ("1.0",) * len(entries[0].numbers)
    if len(numbers) != 1:
        raise DataError("silence probabilities per word and a model of the unknown word exclude each other",
                        mend="remove lexiconp_silprob.txt or --unk-fst")  # fmt: skip
    return [*kept, Entry(oov_word, ("1.0",), MARKS)]


def insert_unk_model(arcs: LexiconArcs, unk_fst: str, keep_marks: bool) -> LexiconArcs:
    """L with the automaton of `unk_fst` in the place of the arc of #2.

    Raises
    ------
    DataError : a malformed line of the text FST, or an L without the pronunciation #1 #2 #3.
    """
    rows = [list(row) for row in zip(arcs.src, arcs.dst, arcs.phone, arcs.word, arcs.cost)]
    places = [row for row in rows if row[2] == MARKS[1]]
    if len(places) != 1:
        raise DataError(f"{len(places)} arcs of {MARKS[1]} in L, expected one: that of the unknown word")
    (place,) = places
    first = 1 + max(max(arcs.src), max(arcs.dst))
    enter, leave = place[0], place[1]
    place[1], place[2] = first, EPS  # the arc of #2 leads to the start of the automaton
    for number, line in enumerate(read_lines(unk_fst), 1):
        parts = fields(line)
        try:
            if len(parts) in (1, 2):
                cost = float(parts[1]) if len(parts) == 2 else 0.0
                rows.append([first + int(parts[0]), leave, EPS, EPS, cost])
            else:
                cost = float(parts[4]) if len(parts) > 4 else 0.0
                rows.append([first + int(parts[0]), first + int(parts[1]), parts[2], EPS, cost])
        except (ValueError, IndexError):
            raise DataError(f"found {line!r}; expected the lines of a text FST", file=unk_fst, line=number) from None
    if not keep_marks:
        for row in rows:
            if row[2] in MARKS and (row[0] == enter or row[1] == enter or row[0] == leave or row[1] == leave):
                row[2] = EPS
    return LexiconArcs(*map(list, zip(*rows)), arcs.final)
