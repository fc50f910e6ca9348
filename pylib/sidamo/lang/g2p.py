"""Pronunciations for words that the lexicon lacks: a joint n-gram over letters and units, as a transducer in pynini.

Letters and units of the lexicon are aligned by expectation maximization (pieces of one letter and 0 to 2 units, or two
letters and one unit); each aligned piece, such as `ph}F`, is a word of an n-gram model (Bisani and Ney 2008); the model
becomes a transducer from letters to units, and a spelled word composed with it gives the pronunciations.
"""

from __future__ import annotations

import math
import os
import tempfile
import unicodedata

import numpy as np

from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, make_csr, read_fst, write_fst
from sidamo.lang.lexicon import EPS, Entry, read_table
from sidamo.lang.ngram import LmOptions, train
from sidamo.lang.ngram_model import BOS, EOS, NgramModel
from sidamo.lang.prepare import write_text

PIECES = ((1, 1), (1, 0), (1, 2), (2, 1))  # (letters, units) of a piece
MAX_TRAINING_WORDS = 20_000


def letters_of(word: str) -> tuple[str, ...]:
    """Lower-case letters, combining marks kept with the letter before them."""
    letters: list[str] = []
    for char in unicodedata.normalize("NFC", word.lower()):
        if letters and unicodedata.combining(char):
            letters[-1] += char
        else:
            letters.append(char)
    return tuple(letters)


Pair = tuple[tuple[str, ...], tuple[str, ...]]


def _edges(letters, units):
    """All (i, j, i', j', piece) of the alignment lattice of one word."""
    for i in range(len(letters)):
        for j in range(len(units) + 1):
            for a, b in PIECES:
                if i + a <= len(letters) and j + b <= len(units):
                    yield i, j, i + a, j + b, (letters[i : i + a], units[j : j + b])


def align(pairs: list[Pair], iterations: int = 6) -> list[list[Pair]]:
    """The most probable pieces of each (letters, units) pair; pairs that cannot be aligned give an empty list.

    Expectation maximization from equal probabilities, a factor of ten less for pieces without units.
    """
    lattices = [list(_edges(*pair)) for pair in pairs]
    probability: dict[Pair, float] = {}
    for lattice in lattices:
        for *_, piece in lattice:
            probability[piece] = 1.0 if len(piece[0]) == len(piece[1]) == 1 else 0.1
    for _ in range(iterations):
        counts = dict.fromkeys(probability, 1e-6)
        for (letters, units), lattice in zip(pairs, lattices):
            _collect(len(letters), len(units), lattice, probability, counts)
        total = sum(counts.values())
        probability = {piece: count / total for piece, count in counts.items()}
    return [_best(len(pair[0]), len(pair[1]), lattice, probability) for pair, lattice in zip(pairs, lattices)]


def _collect(num_letters, num_units, lattice, probability, counts) -> None:
    """Forward-backward over one lattice (edges are in topological order): expected counts of its pieces."""
    forward = {(0, 0): 1.0}
    for i, j, k, m, piece in lattice:
        if (i, j) in forward:
            forward[k, m] = forward.get((k, m), 0.0) + forward[i, j] * probability[piece]
    total = forward.get((num_letters, num_units), 0.0)
    if total <= 0:
        return
    backward = {(num_letters, num_units): 1.0}
    for i, j, k, m, piece in reversed(lattice):
        if (k, m) in backward and (i, j) in forward:
            value = probability[piece] * backward[k, m]
            backward[i, j] = backward.get((i, j), 0.0) + value
            counts[piece] += forward[i, j] * value / total


def _best(num_letters, num_units, lattice, probability) -> list[Pair]:
    best: dict[tuple[int, int], tuple[float, tuple | None]] = {(0, 0): (0.0, None)}
    for i, j, k, m, piece in lattice:
        if (i, j) in best:
            cost = best[i, j][0] - math.log(probability[piece])
            if (k, m) not in best or cost < best[k, m][0]:
                best[k, m] = cost, (i, j, piece)
    place, pieces = (num_letters, num_units), []
    if place not in best:
        return []
    while best[place][1] is not None:
        i, j, piece = best[place][1]
        pieces.append(piece)
        place = i, j
    return pieces[::-1]


def train_g2p(entries: list[Entry], order: int, directory: str) -> None:
    """Align, train, and write `g2p.fst`, `letters.txt` and `units.txt` to a directory."""
    pairs = list(dict.fromkeys((letters_of(entry.word), entry.phones) for entry in entries))
    if len(pairs) > MAX_TRAINING_WORDS:
        step = len(pairs) / MAX_TRAINING_WORDS
        pairs = [pairs[int(k * step)] for k in range(MAX_TRAINING_WORDS)]
    aligned = [pieces for pieces in align(pairs) if pieces]
    if not aligned:
        raise DataError("no word of the lexicon could be aligned with its pronunciation: more than two units a letter?")
    log.info(f"aligned {len(aligned)} of {len(pairs)} pronunciations")
    pieces = sorted({piece for row in aligned for piece in row})
    number = {piece: k for k, piece in enumerate(pieces)}
    with tempfile.TemporaryDirectory() as temporary:
        path = os.path.join(temporary, "pieces")
        with open(path, "w") as stream:
            stream.writelines(" ".join(f"p{number[piece]}" for piece in row) + "\n" for row in aligned)
        model = train(path, LmOptions(order=order, format="plain"))
    letters = {s: k for k, s in enumerate([EPS, *sorted({x for piece in pieces for x in piece[0]})])}
    units = {s: k for k, s in enumerate([EPS, *sorted({x for piece in pieces for x in piece[1]})])}
    os.makedirs(directory, exist_ok=True)
    write_text(f"{directory}/letters.txt", [f"{s} {k}" for s, k in letters.items()])
    write_text(f"{directory}/units.txt", [f"{s} {k}" for s, k in units.items()])
    write_fst(f"{directory}/g2p.fst", model_fst(model, pieces, letters, units))


def model_fst(model: NgramModel, pieces: list[Pair], letters, units) -> CsrFst:
    """The n-gram of pieces as a transducer from letters to units; states are histories, epsilons back off."""
    piece_of = {k: pieces[int(word[1:])] for k, word in enumerate(model.words) if word.startswith(b"p")}
    offsets = np.cumsum([1, *(len(table) for table in model.tables[:-1])])  # state of a row: offset of its order + row
    rows, final, free = [], {}, int(offsets[-1])

    for order, table in enumerate(model.tables, 1):
        shorter = np.zeros(len(table), np.int64)  # state of each n-gram without its first word; 0: the empty history
        if order > 1:
            suffix = model.suffix_rows(order)
            shorter = np.where(suffix >= 0, offsets[order - 2] + suffix, 0)
        for row in range(len(table)):
            word, cost = int(table.word[row]), -float(table.logprob[row])
            source = 0 if order == 1 else int(offsets[order - 2] + table.context[row])
            target = int(shorter[row])
            if order < model.order and word != EOS:
                target = int(offsets[order - 1] + row)
                rows.append((target, 0, 0, -float(table.backoff[row]), int(shorter[row])))
            if word == EOS:
                final[source] = cost
            elif word in piece_of:
                free = _piece_arcs(rows, source, target, piece_of[word], cost, letters, units, free)
    start = _state_of(model, [BOS], offsets) if model.order > 1 else 0
    src, ilabel, olabel, weight, dst = zip(*rows)
    return make_csr(free, src, ilabel, olabel, weight, dst, final, start=start)


def _state_of(model: NgramModel, words, offsets) -> int:
    """State of the longest suffix of `words` that is an n-gram of the model."""
    while words:
        at = np.zeros(1, np.int64)
        for k, word in enumerate(words):
            at = model.tables[k].find(at, np.array([word]))
        if at[0] >= 0:
            return int(offsets[len(words) - 1] + at[0])
        words = words[1:]
    return 0


def _piece_arcs(rows, source, target, piece, cost, letters, units, free) -> int:
    """A chain of arcs for one piece; returns the next free state."""
    length = max(len(piece[0]), len(piece[1]))
    here = source
    for k in range(length):
        ilabel = letters[piece[0][k]] if k < len(piece[0]) else 0
        olabel = units[piece[1][k]] if k < len(piece[1]) else 0
        there = target if k == length - 1 else free
        free += there == free
        rows.append((here, ilabel, olabel, cost if k == 0 else 0.0, there))
        here = there
    return free


class Pronouncer:
    """Spelled words -> pronunciations, from the directory of `train_g2p`."""

    def __init__(self, directory: str):
        from sidamo.lang.graph import to_pynini

        self.letters = read_table(f"{directory}/letters.txt")
        self.units = {k: symbol for symbol, k in read_table(f"{directory}/units.txt").items()}
        self.fst = to_pynini(read_fst(f"{directory}/g2p.fst")).arcsort("ilabel")

    def pronounce(self, word: str, nbest: int = 1) -> list[tuple[float, tuple[str, ...]]]:
        """(probability, units) of the best pronunciations; the probabilities are relative to the best one (1.0).

        Raises
        ------
        DataError : a letter that the training lexicon did not have.
        """
        import pynini

        from sidamo.lang.graph import to_pynini

        spelled = letters_of(word)
        unknown = [letter for letter in spelled if letter not in self.letters]
        if unknown:
            raise DataError(f"letter {unknown[0]!r} of {word!r} is in no word of the training lexicon")
        labels = [self.letters[letter] for letter in spelled]
        n = len(labels)
        acceptor = to_pynini(make_csr(n + 1, range(n), labels, labels, [0.0] * n, range(1, n + 1), {n: 0.0}))
        fst = pynini.compose(acceptor, self.fst).project("output").rmepsilon()
        if fst.start() < 0:
            return []
        paths = pynini.shortestpath(fst, nshortest=nbest, unique=nbest > 1).paths()
        found = []
        while not paths.done():
            units = tuple(self.units[k] for k in paths.olabels() if k)
            found.append((float(str(paths.weight())), units))
            paths.next()
        found = sorted((cost, units) for cost, units in found if units)
        return [(math.exp(found[0][0] - cost), units) for cost, units in found]
