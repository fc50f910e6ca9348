"""Pronunciations, word positions, disambiguation symbols, and the lexicon transducer L (units in, words out).

Formats and rules: Kaldi utils/prepare_lang.sh, utils/add_lex_disambig.pl, utils/lang/make_lexicon_fst.py and
make_lexicon_fst_silprob.py. Files are read as bytes and cut at ASCII white space only, so that any script (and any
8-bit encoding) passes through unchanged. Standard library only: the scripts in utils/ use it without numpy.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from sidamo.io.errors import DataError


class Entry(NamedTuple):
    """One pronunciation. `numbers`: its numeric fields as written (none; p; or p, P(sil after), two corrections)."""

    word: str
    numbers: tuple[str, ...]
    phones: tuple[str, ...]


def fields(line: bytes) -> list[str]:
    """The fields of a line, cut at ASCII white space."""
    return [field.decode("utf-8", "surrogateescape") for field in line.split()]


def byte_order(text: str) -> bytes:
    """Sort key: the order of `LC_ALL=C sort`."""
    return text.encode("utf-8", "surrogateescape")


def read_lines(path) -> list[bytes]:
    """Lines without their newlines.

    Raises
    ------
    DataError : no such file.
    """
    try:
        with open(path, "rb") as stream:
            lines = stream.read().split(b"\n")
    except FileNotFoundError:
        raise DataError("no such file", file=path) from None
    if lines[-1] == b"":
        lines.pop()
    return lines


def read_lexicon(path, num_numbers: int) -> list[Entry]:
    """Lexicon with `num_numbers` numeric fields after the word: 0 lexicon.txt, 1 lexiconp.txt, 4 lexiconp_silprob.txt.

    Raises
    ------
    DataError : a line too short, or numbers that are not probabilities (corrections: not positive).
    """
    entries = []
    for number, line in enumerate(read_lines(path), 1):
        parts = fields(line)
        if len(parts) < 1 + num_numbers:
            expected = f"expected a word, {num_numbers} numbers and a pronunciation"
            raise DataError(f"{len(parts)} fields; {expected}", file=path, line=number)
        entry = Entry(parts[0], tuple(parts[1 : 1 + num_numbers]), tuple(parts[1 + num_numbers :]))
        for column, text in enumerate(entry.numbers):
            _check_number(text, column, path, number)
        entries.append(entry)
    if not entries:
        raise DataError("no pronunciation in the lexicon", file=path)
    return entries


def _check_number(text: str, column: int, path, line: int) -> None:
    is_probability = column < 2
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value > 0 or (is_probability and value > 1):
        what = "a probability, 0 < p <= 1" if is_probability else "a correction factor above 0"
        raise DataError(f"field {column + 2} is {text!r}; expected {what}", file=path, line=line)


def mark_positions(phones: tuple[str, ...]) -> tuple[str, ...]:
    """Kaldi's word-position marks: _B first, _I inside, _E last, _S alone."""
    if len(phones) == 1:
        return (phones[0] + "_S",)
    return tuple(phone + ("_B" if k == 0 else "_E" if k == len(phones) - 1 else "_I") for k, phone in enumerate(phones))


def add_disambig(entries: list[Entry], first_allowed: int = 1) -> tuple[list[Entry], int]:
    """Append #1, #2, ... to pronunciations that are shared, or a prefix of another one.

    An empty pronunciation gets a symbol of its own. Without the symbols L o G cannot be determinized: two words would
    be told apart only after unboundedly many more units.

    Returns
    -------
    the entries in the same order, and the highest number used (first_allowed - 1 where none was needed)
    """
    count: dict[tuple[str, ...], int] = {}
    prefixes = set()
    for entry in entries:
        count[entry.phones] = count.get(entry.phones, 0) + 1
        for length in range(len(entry.phones)):
            prefixes.add(entry.phones[:length])
    highest = first_allowed - 1
    reserved = set()
    last_used: dict[tuple[str, ...], int] = {}
    marked = []
    for entry in entries:
        phones = entry.phones
        if phones in prefixes or count[phones] > 1:
            if not phones:
                highest += 1
                reserved.add(highest)
                number = highest
            else:
                number = last_used.get(phones, first_allowed - 1) + 1
                while number in reserved:
                    number += 1
                highest = max(highest, number)
                last_used[phones] = number
            entry = entry._replace(phones=(*phones, f"#{number}"))
        marked.append(entry)
    return marked, highest


# ---- the lexicon transducer ----


class LexiconArcs(NamedTuple):
    """L as columns, in the order in which Kaldi's scripts print it; labels are symbols."""

    src: list[int]
    dst: list[int]
    phone: list[str]
    word: list[str]
    cost: list[float]
    final: list[tuple[int, float]]


EPS = "<eps>"


def lexicon_arcs(entries, sil_prob: float = 0.0, sil_phone: str = "", sil_disambig: str = "") -> LexiconArcs:
    """L with optional silence of one probability everywhere (make_lexicon_fst.py).

    sil_prob 0: one state, 0, from which words leave and to which they return. Else state 0 is the start, 1 the loop
    state, 2 the state in which a silence follows; silence stands at the beginning and after words.

    Parameters
    ----------
    entries : list of Entry; numbers (p,) or none (p = 1)
    sil_disambig : "" for L.fst; for L_disambig.fst the symbol that follows the silence
    """
    if not 0.0 <= sil_prob < 1.0:
        raise DataError(f"silence probability {sil_prob}; expected 0 <= p < 1", mend="--sil-prob 0.5")
    loop, silence, first_free, rows = 0, None, 1, []
    if sil_prob > 0:
        start, loop, silence, first_free = 0, 1, 2, 3
        sil_cost, no_sil_cost = -math.log(sil_prob), -math.log(1.0 - sil_prob)
        rows = [(start, loop, EPS, EPS, no_sil_cost), (start, silence, EPS, EPS, sil_cost)]
        if sil_disambig:
            rows += [(silence, 3, sil_phone, EPS, 0.0), (3, loop, sil_disambig, EPS, 0.0)]
            first_free = 4
        else:
            rows += [(silence, loop, sil_phone, EPS, 0.0)]
    state = first_free
    for entry in entries:
        cost = -math.log(float(entry.numbers[0])) if entry.numbers else 0.0
        cost = cost + 0.0  # -0.0 prints as -0
        phones, word, here = entry.phones or (EPS,), entry.word, loop
        for phone in phones[:-1]:
            rows.append((here, state, phone, word, cost))
            here, word, cost = state, EPS, 0.0
            state += 1
        if silence is None:
            rows.append((here, loop, phones[-1], word, cost))
        else:
            rows.append((here, loop, phones[-1], word, no_sil_cost + cost))
            rows.append((here, silence, phones[-1], word, sil_cost + cost))
    return _columns(rows, [(loop, 0.0)])


def read_silprobs(path) -> dict[str, float]:
    """silprob.txt: `<s>`, `</s>_s`, `</s>_n`, `overall`, each with its number."""
    found = {}
    for number, line in enumerate(read_lines(path), 1):
        parts = fields(line)
        names = ("<s>", "overall", "</s>_s", "</s>_n")
        if len(parts) != 2 or parts[0] not in names:
            raise DataError(f"found {line!r}; expected one of {' '.join(names)} and a number", file=path, line=number)
        _check_number(parts[1], 0 if parts[0] in names[:2] else 2, path, number)
        found[parts[0]] = float(parts[1])
    for name in ("<s>", "</s>_s", "</s>_n", "overall"):
        if name not in found:
            raise DataError(f"no line {name}", file=path)
    return found


def lexicon_arcs_silprob(entries: list[Entry], silprobs: dict[str, float], sil_phone: str, sil_disambig: str = ""):
    """L with silence probabilities of each pronunciation (make_lexicon_fst_silprob.py; Chen et al. 2015).

    State 1: no silence came before; state 2: a silence did. The disambiguation symbol marks the absence of silence.
    """
    start, no_silence, silence, state = 0, 1, 2, 3
    mark = sil_disambig or EPS
    begin = silprobs["<s>"]
    rows = [
        (start, no_silence, mark, EPS, _cost(1.0 - begin, "<s>")),
        (start, silence, sil_phone, EPS, _cost(begin, "<s>")),
    ]
    for entry in entries:
        p, after, to_sil, to_no_sil = (float(number) for number in entry.numbers)
        phones = entry.phones or (EPS,)
        cost = _cost(p, entry.word)
        rows.append((no_silence, state, phones[0], entry.word, cost + _cost(to_no_sil, entry.word)))
        rows.append((silence, state, phones[0], entry.word, cost + _cost(to_sil, entry.word)))
        for phone in phones[1:]:
            rows.append((state, state + 1, phone, EPS, 0.0))
            state += 1
        rows.append((state, no_silence, mark, EPS, _cost(1.0 - after, entry.word)))
        rows.append((state, silence, sil_phone, EPS, _cost(after, entry.word)))
        state += 1
    finals = [(silence, _cost(silprobs["</s>_s"], "</s>_s")), (no_silence, _cost(silprobs["</s>_n"], "</s>_n"))]
    return _columns(rows, finals)


def _cost(probability: float, name: str) -> float:
    if probability <= 0:
        raise DataError(f"a silence probability of 1 leaves no path without silence around {name!r}")
    return -math.log(probability) + 0.0


def _columns(rows, finals) -> LexiconArcs:
    src, dst, phone, word, cost = zip(*rows)
    return LexiconArcs(list(src), list(dst), list(phone), list(word), list(cost), finals)


def read_table(path) -> dict[str, int]:
    """A symbol table (words.txt, phones.txt, tokens.txt) as a dict; any bytes are allowed in a symbol.

    Raises
    ------
    DataError : a line that is not `symbol number`, or a symbol twice.
    """
    table: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), 1):
        parts = fields(line)
        if not parts:
            continue
        if len(parts) != 2 or not parts[1].isdigit():
            raise DataError(f"found {line!r}; expected a symbol and a number", file=path, line=number)
        if parts[0] in table:
            raise DataError(f"symbol {parts[0]!r} again", file=path, line=number)
        table[parts[0]] = int(parts[1])
    return table
