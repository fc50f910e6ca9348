"""ARPA files: a parser that reads millions of n-grams in seconds, and the grammar transducer G (Kaldi's arpa2fst).

The rules, down to what is an error and what a warning, are those of Kaldi src/lm/arpa-file-parser.cc and
arpa-lm-compiler.cc. In G a state is a history; `#0:<eps>` arcs back off; `<s>` is the start state, `</s>` a final cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, arcsort, make_csr, only_states
from sidamo.lang.arpa_options import ArpaOptions

LN10 = math.log(10.0)
CHUNK = 1 << 23  # bytes of n-gram lines parsed at a time
LARGE = 1 << 20  # bytes, and arcs, from which the compiled kernels are worth their loading
MAX_FLOAT, INFINITIES = float(np.finfo(np.float32).max), (b"inf", b"infinity")  # larger numbers are errors in Kaldi
MAX_WORD = 1000  # bytes of an unknown word that are shown
BLANK_BYTES = b" \t\n\r"


@dataclass
class Ngrams:
    """All n-grams of one order.

    words : (N, order) int32 word ids
    logprob, backoff : (N,) float32, natural logarithms (backoff 0 where the file has none)
    line : (N,) int32, line of the file
    """

    words: np.ndarray
    logprob: np.ndarray
    backoff: np.ndarray
    line: np.ndarray


@dataclass
class ArpaReader:
    """Reads one ARPA file; `read` returns a list of Ngrams, one per order.

    Parameters
    ----------
    ids : dict from word (bytes) to id; extended with new words where `add_words`
    name : file name, for messages
    max_warnings : this many warnings are shown (-1: all)
    """

    ids: dict[bytes, int]
    name: str
    add_words: bool = False
    max_warnings: int = 30
    warnings: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self):
        self.next_id = max(self.ids.values(), default=-1)  # the last id in use
        self.table = None  # of the kernel

    def read(self, data: bytes) -> list[Ngrams]:
        self.data = data
        counts, position, line = self._header()
        orders = []
        for order in range(1, len(counts) + 1):
            if counts[order - 1] == 0:
                self.warn(line, f"zero n-grams of order {order} announced in the header")
            if self._directive(position) != f"\\{order}-grams:".encode():
                self._fail(f"invalid directive, expected '\\{order}-grams:'", line)
            ngrams, position, line, seen = self._section(order, order == len(counts), position, line)
            if seen > counts[order - 1]:
                self._fail(f"the header said there would be {counts[order - 1]} n-grams of order {order}, but there "
                           f"are {seen}", line, mend=f"correct the line 'ngram {order}={seen}'")  # fmt: skip
            orders.append(ngrams)
        if self._directive(position) != b"\\end\\":
            self._fail("invalid or unexpected directive, expected '\\end\\' (is the file cut off?)", line)
        return orders

    # ---- lines ----

    def _line(self, position: int) -> tuple[bytes, int]:
        """The line at `position`, and where the next begins (-1: the line has no newline, the file ends)."""
        end = self.data.find(b"\n", position)
        if end < 0:
            return self.data[position:], -1
        return self.data[position:end], end + 1

    def _directive(self, position: int) -> bytes:
        """The line without blanks at its end; a last line without a newline keeps them (and is refused, as in Kaldi)."""
        text, following = self._line(position)
        return text.rstrip(BLANK_BYTES) if following >= 0 else text

    def line_text(self, line: int) -> bytes:
        position = 0
        for _ in range(line - 1):
            position = self.data.find(b"\n", position) + 1
        return self._line(position)[0]

    def warn(self, line: int, message: str) -> None:
        self.warnings.append((line, message))

    def show_warnings(self) -> None:
        """Print the first warnings in the order of the file, and how many there are."""
        self.warnings.sort(key=lambda item: item[0])
        shown = self.warnings if self.max_warnings < 0 else self.warnings[: self.max_warnings]
        for line, message in shown:
            text = self.line_text(line).decode("utf-8", "backslashreplace")
            log.warn(f"{self.name}:{line}: [{text}] {message}")
        if len(shown) < len(self.warnings):
            log.warn(f"of {len(self.warnings)} warnings {len(shown)} were shown; --max-arpa-warnings=-1 shows all")
        self.warnings = []

    def _fail(self, message: str, line: int, mend: str | None = None):
        self.show_warnings()
        text = self.line_text(line)
        if text.endswith(b"\r") or b"\r\n" in self.data[:1000]:
            mend = f"the file has Windows line ends: sed -i 's/\\r$//' {self.name}"
        shown = text.decode("utf-8", "backslashreplace")
        raise DataError(f"{message}: found [{shown}]", file=self.name, line=line, mend=mend)

    # ---- sections ----

    def _header(self) -> tuple[list[int], int, int]:
        """n-gram counts; position and number of the line that ends the header."""
        counts: list[int] = []
        position, line, found = 0, 0, False
        while True:
            line += 1
            raw, following = self._line(position)
            text = raw.rstrip(BLANK_BYTES)
            if following < 0:
                break
            if found and text.startswith(b"\\"):
                break
            if not found:
                found = text == b"\\data\\"
            elif text:
                self._count(text, counts, line)
            position = following
        if not counts:
            hint = "a byte-order mark before it? " if b"\xef\xbb\xbf\\data" in self.data else ""
            self._fail(f"\\data\\ section missing or empty ({hint}it must stand alone on its line, in lower case)", line)
        return counts, position, line

    def _count(self, text: bytes, counts: list[int], line: int) -> None:
        columns = text.replace(b"=", b" = ", 1).replace(b"\t", b" ").split(b" ")
        columns = [column for column in columns if column]
        if len(columns) != 4 or columns[0] != b"ngram" or columns[2] != b"=":
            self.warn(line, "uninterpretable line in the \\data\\ section")
            return
        try:
            order, count = int(columns[1]), int(columns[3])
        except ValueError:
            order, count = 0, 0
        if order < 1:
            self._fail("cannot read the n-gram count, expected 'ngram ORDER=COUNT'", line)
        counts += [0] * (order - len(counts))
        counts[order - 1] = count

    def _section(self, order: int, highest: bool, position: int, line: int):
        """n-grams of one order; returns them, position and number of the directive that follows, the count of lines."""
        position = self._line(position)[1]
        if position < 0:
            position = len(self.data)
        line += 1
        parts, seen = [], 0
        while True:
            end = self._section_end(position)
            while position < end:
                stop = end
                if end - position > CHUNK:
                    stop = self.data.find(b"\n", position + CHUNK) + 1
                chunk = self.data[position:stop]
                part = self._parse_fast(chunk, order, highest, line)
                if part is None:
                    part = self._parse_slowly(chunk, order, highest, line)
                parts.append(part[0])
                seen += part[1]
                line += chunk.count(b"\n")
                position = stop
            text, following = self._line(position)
            directive = text.rstrip(BLANK_BYTES)
            if following < 0 or directive in (b"\\end\\", f"\\{order + 1}-grams:".encode()):
                break
            self.warn(line, f"a directive? expected '\\{order + 1}-grams:'")
            self._parse_slowly(text + b"\n", order, highest, line)  # almost surely an error
            seen += 1
            position, line = following, line + 1
        joined = [np.concatenate(columns) for columns in zip(*parts)] if parts else []
        if not joined:
            joined = [
                np.zeros((0, order), np.int32),
                *(np.zeros(0, np.float32) for _ in range(2)),
                np.zeros(0, np.int64),
            ]
        return Ngrams(*joined), position, line, seen

    def _section_end(self, position: int) -> int:
        """Where the next line begins that starts with a backslash, or the last, unfinished line of the file."""
        if self.data[position : position + 1] == b"\\":
            return position
        end = self.data.find(b"\n\\", position)
        return end + 1 if end >= 0 else max(self.data.rfind(b"\n") + 1, position)

    def _parse_fast(self, chunk: bytes, order: int, highest: bool, first_line: int):
        """A chunk of regular lines of a large file, by the kernel; None where a line needs a closer look."""
        if len(self.data) < LARGE or (self.add_words and order == 1):
            return None
        from sidamo.lang.arpa_kernel import WordTable

        if self.table is None:
            self.table = WordTable(self.ids)
        found = self.table.parse(np.frombuffer(chunk, np.uint8), chunk.count(b"\n"), order, highest, first_line)
        if found is None:
            return None
        *columns, unknown = found
        known = unknown < 0
        if np.all(known):
            return columns, len(known)
        if self.add_words:
            return None
        for row in np.flatnonzero(~known).tolist():
            word = chunk[unknown[row] : unknown[row] + MAX_WORD].split(maxsplit=1)[0]
            self._warn_unknown(word, int(columns[-1][row]))
        return [column[known] for column in columns], len(known)

    def _parse_slowly(self, chunk: bytes, order: int, highest: bool, first_line: int):
        """The same line by line, with all warnings and errors."""
        rows, seen = [], 0
        for line, text in enumerate(chunk.split(b"\n")[:-1], first_line):
            if not text.strip(BLANK_BYTES):
                continue
            columns = [column for column in text.replace(b"\t", b" ").split(b" ") if column]
            if not 1 + order <= len(columns) <= 2 + order or (highest and len(columns) != 1 + order):
                expected = f"{order + 1}" + ("" if highest else f" or {order + 2}")
                why = "; the highest order has no back-off weight" if highest and len(columns) == 2 + order else ""
                self._fail(f"{len(columns)} columns in a line of {order}-grams, expected {expected}{why}", line)
            seen += 1
            logprob = self._real(columns[0], "log probability", line)
            backoff = self._real(columns[order + 1], "back-off weight", line) if len(columns) > order + 1 else 0.0
            words = self._words(columns[1 : order + 1], line)
            if words is not None:
                rows.append((words, logprob, backoff, line))
        if not rows:
            empty = (
                np.zeros((0, order), np.int32),
                np.zeros(0, np.float32),
                np.zeros(0, np.float32),
                np.zeros(0, np.int64),
            )
            return empty, seen
        words, logprob, backoff, lines = zip(*rows)
        return (
            np.array(words, np.int32), _to_natural(np.array(logprob)), _to_natural(np.array(backoff)), np.array(lines)
        ), seen  # fmt: skip

    def _real(self, text: bytes, what: str, line: int) -> float:
        try:
            value = float(text)
            if b"_" in text or (math.isinf(value) or abs(value) > MAX_FLOAT) and text.lstrip(b"+-").lower() not in INFINITIES:
                raise ValueError
            return value
        except ValueError:
            self._fail(f"invalid {what} {text.decode('utf-8', 'backslashreplace')!r}", line)

    def _words(self, columns: list[bytes], line: int) -> list[int] | None:
        """Ids; None where the n-gram is skipped because a word is not in the table."""
        words = []
        for text in columns:
            if text not in self.ids:
                if not self.add_words:
                    self._warn_unknown(text, line)
                    return None
                self.ids[text] = self.next_id = max(self.next_id + 1, len(self.ids))
            if self.ids[text] == 0:
                self._fail("the epsilon symbol is not allowed in an ARPA file", line)
            words.append(self.ids[text])
        return words

    def _warn_unknown(self, word: bytes, line: int) -> None:
        shown = word.decode("utf-8", "backslashreplace").replace("\r", "\\r")
        self.warn(line, f"skipped: word '{shown}' is not in the symbol table")


def _to_natural(log10: np.ndarray) -> np.ndarray:
    """float32 log10 -> float32 natural log, rounded as Kaldi does it."""
    return (log10.astype(np.float32).astype(np.float64) * LN10).astype(np.float32)


# ---- n-grams -> G ----


class _Histories:
    """The states of all histories of one length, by (state of the history without its last word, last word)."""

    def __init__(self, keys: np.ndarray, states: np.ndarray):
        order = np.argsort(keys, kind="stable")
        self.keys, self.states = keys[order], states[order]

    def find(self, parents: np.ndarray, words: np.ndarray) -> np.ndarray:
        """(N,) states, -1 where there is none or the parent is -1."""
        if len(self.keys) == 0:
            return np.full(len(words), -1)
        keys = _key(parents, words)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where((self.keys[at] == keys) & (parents >= 0), self.states[at], -1)


def _first_appearances(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places at which a key appears for the first time; and for each key the rank of its first appearance."""
    order = np.argsort(keys, kind="stable")
    in_order = keys[order]
    if not np.any(in_order[1:] == in_order[:-1]):
        return np.arange(len(keys)), np.arange(len(keys))
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return np.sort(first), rank[inverse]


def _equal_rows(rows: np.ndarray) -> np.ndarray:
    """(N,) a number for each row of (N, k), the same for equal rows."""
    keys = np.zeros(len(rows), np.int64)
    for column in range(rows.shape[1]):
        _, keys = np.unique((keys << 32) | rows[:, column], return_inverse=True)
    return keys


def _key(parents, words) -> np.ndarray:
    return (np.asarray(parents, np.int64) << 32) | np.asarray(words, np.int64)


class GrammarCompiler:
    """n-grams -> G; one instance per model.

    Parameters
    ----------
    reader : ArpaReader that has read the n-grams (its warnings go on here)
    bos, eos : ids of <s> and </s>
    disambig : id of #0; 0 to keep <s> and </s> as words and to back off with epsilons
    """

    def __init__(self, reader: ArpaReader, bos: int, eos: int, disambig: int):
        self.reader, self.bos, self.eos, self.disambig = reader, bos, eos, disambig
        self.start = -1
        self.num_states = 1  # state 0: the empty history
        self.histories: list[_Histories] = []
        self.arcs: list[list[np.ndarray]] = []
        self.finals: list[tuple[np.ndarray, np.ndarray]] = []
        self.eos_state = self.begin_state = -1
        if disambig == 0:
            self.eos_state, self.num_states = 1, 2
            self.finals.append((np.array([1]), np.zeros(1, np.float32)))

    def compile(self, orders: list[Ngrams]) -> CsrFst:
        """`orders` is emptied on the way: of a large model no two copies are held."""
        for order in range(1, len(orders) + 1):
            self._add_order(orders.pop(0), order, highest=not orders)
        final = np.full(self.num_states, np.inf, np.float32)
        for states, costs in self.finals:
            final[states] = costs
        self.histories.clear()
        fst = make_csr(self.num_states, *self._arc_columns(), final, start=self.start)
        if self.disambig:
            fst = connect(self._remove_redundant(fst))
        if fst.start < 0:
            self._no_start()
        self.reader.show_warnings()
        return fst

    def _add_arcs(self, src, ilabel, olabel, weight, dst) -> None:
        kinds = (np.int32, np.int32, np.int32, np.float32, np.int32)
        self.arcs.append([np.asarray(x, kind) for x, kind in zip((src, ilabel, olabel, weight, dst), kinds)])

    def _arc_columns(self):
        """src, ilabel, olabel, weight, dst of all arcs; self.arcs is emptied."""
        columns = []
        for _ in range(5):
            columns.append(np.concatenate([part.pop(0) for part in self.arcs] or [np.zeros(0, np.int32)]))
        self.arcs.clear()
        return columns

    def _no_start(self):
        self.reader.show_warnings()
        if self.start < 0:
            raise DataError("the ARPA file has no unigram <s>, the beginning of a sentence", file=self.reader.name)
        mend = None
        if b"\r\n" in self.reader.data[:1000]:
            mend = f"the file has Windows line ends: sed -i 's/\\r$//' {self.reader.name}"
        raise DataError("no sentence can end: there is no n-gram with </s> that could be used", file=self.reader.name,
                        mend=mend)  # fmt: skip

    def _find(self, words: np.ndarray) -> np.ndarray:
        """State of each row of `words` (N, n) as a history, -1 where there is none."""
        states = np.zeros(len(words), np.int64)
        for column in range(words.shape[1]):
            if column >= len(self.histories):
                return np.full(len(words), -1)
            states = self.histories[column].find(states, words[:, column])
        return states

    def _find_suffix(self, words: np.ndarray) -> np.ndarray:
        """State of the longest suffix of each row that is a history (the empty one always is)."""
        states = self._find(words)
        missing = np.flatnonzero(states < 0)
        if len(missing):
            states[missing] = self._find_suffix(words[missing][:, 1:])
        return states

    def _add_order(self, ngrams: Ngrams, order: int, highest: bool) -> None:
        words, last = ngrams.words, ngrams.words[:, -1]
        misplaced = np.any(words[:, 1:] == self.bos, axis=1) | np.any(words[:, :-1] == self.eos, axis=1)
        self._skip(ngrams, misplaced, "skipped: <s> or </s> in the wrong place of the n-gram")
        src = self._find(words[:, :-1])
        keep = ~misplaced
        if highest and order > 1:
            dst = self._highest_destinations(ngrams, keep, src)
        self._skip(ngrams, keep & (src < 0), "skipped: its history, the n-gram without its last word, is not in the model")
        keep &= src >= 0
        symbols = (last == 0) | ((last == self.disambig) if self.disambig else False)
        if np.any(keep & symbols):
            line = int(ngrams.line[np.flatnonzero(keep & symbols)[0]])
            self.reader._fail("the disambiguation symbol is a word of the ARPA file", line)
        is_end, cost = keep & (last == self.eos), -ngrams.logprob
        goes_on = keep & (last != self.eos)
        if self.disambig:
            self.finals.append((src[is_end], cost[is_end]))
        if not highest:
            dst = self._new_histories(ngrams, goes_on, src, order)
        elif order == 1:
            dst = np.zeros(len(last), np.int64)
        dst = np.where(is_end, self.eos_state, dst)
        is_begin = goes_on & (last == self.bos)
        if np.any(is_begin):
            self._set_start(int(dst[np.flatnonzero(is_begin)[-1]]))
        use = (goes_on & ~is_begin) if self.disambig else keep & ~is_begin
        self._add_arcs(src[use], last[use], last[use], cost[use], dst[use])

    def _set_start(self, state: int) -> None:
        if self.disambig:
            self.start = state
            return
        if self.begin_state < 0:  # of unigrams alone no histories are made
            self.begin_state = self.num_states
            self.num_states += 1
        self.start = self.begin_state  # a state of its own, from which <s> is read
        one = np.array([self.start])
        self._add_arcs(one, one * 0 + self.bos, one * 0 + self.bos, one * 0.0, one * 0 + state)

    def _skip(self, ngrams: Ngrams, which: np.ndarray, why: str) -> None:
        for line in ngrams.line[which]:
            self.reader.warn(int(line), why)

    def _new_histories(self, ngrams: Ngrams, which: np.ndarray, src, order: int) -> np.ndarray:
        """A state for each n-gram, numbered in the order of the file, with its back-off arc. Returns (N,) states."""
        rows = np.flatnonzero(which)
        keys = _key(src[rows], ngrams.words[rows, -1])
        first, rank = _first_appearances(keys)
        states = self.num_states + rank
        if self.disambig == 0 and order == 1:
            states = self._make_room_for_begin(ngrams.words[rows, -1], states)
        new = first
        new_rows = rows[new]
        suffix = self._find_suffix(ngrams.words[new_rows][:, 1:])
        nothing = np.zeros(len(new), np.int64)
        self._add_arcs(states[new], nothing + self.disambig, nothing, -ngrams.backoff[new_rows], suffix)
        self.histories.append(_Histories(keys[new], states[new]))
        self.num_states += len(new) + (self.disambig == 0 and order == 1 and self.begin_state >= 0)
        result = np.full(len(which), -1)
        result[rows] = states
        return result

    def _make_room_for_begin(self, words, states):
        """Without a disambiguation symbol the state after the history <s> is the one that reads <s>."""
        begin = np.flatnonzero(words == self.bos)
        self.begin_state = -1
        if len(begin):
            self.begin_state = int(states[begin[0]]) + 1
            states = states + (states >= self.begin_state)
        return states

    def _highest_destinations(self, ngrams: Ngrams, which, src) -> np.ndarray:
        """States of the last n - 1 words. Where that history is in no n-gram, a state is made that only backs off.

        `src` is completed in place for n-grams whose history is such a state made by an earlier line.
        """
        words, tails = ngrams.words, ngrams.words[:, 1:]
        dst = self._find(tails)
        need = which & (words[:, -1] != self.eos) & (dst < 0)
        if not np.any(need & (src >= 0)):
            return dst
        rows = np.flatnonzero(need | (which & (src < 0)))  # all others have both their states
        keys = _equal_rows(np.concatenate([tails[rows], words[rows, :-1]]))
        tail, head = keys[: len(rows)], keys[len(rows) :]
        made_by = np.full(int(keys.max()) + 1, len(rows))  # the first row that makes the history of a key
        valid, place = src[rows] >= 0, np.arange(len(rows))
        while True:
            makers = np.flatnonzero(valid & need[rows])
            np.minimum.at(made_by, tail[makers], makers)
            more = ~valid & (made_by[head] < place)
            if not np.any(more):
                break
            valid |= more
        makers = np.sort(made_by[made_by < len(rows)])
        state = np.full(len(made_by), -1)
        state[tail[makers]] = self.num_states + np.arange(len(makers))
        self.num_states += len(makers)
        fill = valid & need[rows]
        dst[rows[fill]] = state[tail[fill]]
        late = valid & (src[rows] < 0)
        src[rows[late]] = state[head[late]]
        nothing = np.zeros(len(makers), np.int64)
        suffix = self._find_suffix(tails[rows[makers]][:, 1:])
        self._add_arcs(state[tail[makers]], nothing + self.disambig, nothing, nothing * np.float32(0), suffix)
        return dst

    def _remove_redundant(self, fst: CsrFst) -> CsrFst:
        """Lead arcs around states that can do nothing but back off; the states themselves go with `connect`.

        The start state stays, with an epsilon in the place of #0.
        """
        redundant = (np.diff(fst.offsets) == 1) & ~np.isfinite(fst.final)
        only = fst.offsets[:-1][redundant]
        redundant[redundant] = fst.ilabel[only] == self.disambig
        step, cost = np.full(fst.num_states, -1), np.zeros(fst.num_states, np.float32)
        only = fst.offsets[:-1][redundant]
        step[redundant], cost[redundant] = fst.nextstate[only], fst.weight[only]
        fst.ilabel[only] = 0
        dst, weight = fst.nextstate.copy(), fst.weight.copy()
        moved = np.zeros(fst.num_arcs, bool)
        while True:
            again = np.flatnonzero((step[dst] >= 0) & (step[dst] != dst))
            if len(again) == 0:
                break
            weight[again] = weight[again] + cost[dst[again]]
            dst[again] = step[dst[again]]
            moved[again] = True
        if not np.any(moved):
            return CsrFst(fst.start, fst.final, fst.offsets, fst.ilabel, fst.olabel, weight, dst)
        key = fst.arc_sources().astype(np.int64)
        key *= 2
        key += moved
        order = np.argsort(key, kind="stable")  # an arc led elsewhere is the last of its state
        columns = (column[order] for column in (fst.ilabel, fst.olabel, weight, dst))
        return CsrFst(fst.start, fst.final, fst.offsets, *columns)


def connect(fst: CsrFst) -> CsrFst:
    """Only the states on a path from the start to a final state, in their order (OpenFst's Connect)."""
    if fst.start < 0:
        return make_csr(0, [], [], [], [], [], [])
    keep = _reached_both_ways(fst)
    return only_states(fst, keep)


def _reached_both_ways(fst: CsrFst) -> np.ndarray:
    """(S,) bool: reached from the start, and reaching a final state."""
    if fst.num_arcs >= LARGE:
        from sidamo.lang.kernel_tools import predecessors, reach

        forward = reach(fst.offsets, fst.nextstate, np.arange(fst.num_states) == fst.start)
        return forward & reach(*predecessors(fst.offsets, fst.nextstate), np.isfinite(fst.final))
    forward = _reach(fst.num_states, fst.offsets, fst.nextstate, np.array([fst.start]))
    order = np.argsort(fst.nextstate, kind="stable")
    back_offsets = np.zeros(fst.num_states + 1, np.int64)
    np.cumsum(np.bincount(fst.nextstate, minlength=fst.num_states), out=back_offsets[1:])
    source = fst.arc_sources()[order]
    return forward & _reach(fst.num_states, back_offsets, source, np.flatnonzero(np.isfinite(fst.final)))


def _reach(num_states: int, offsets, neighbours, seeds) -> np.ndarray:
    """(num_states,) bool: reachable from the seeds; breadth first, one numpy step per level."""
    seen, last = np.zeros(num_states, bool), np.empty(num_states, np.int64)
    seen[seeds] = True
    frontier = np.asarray(seeds)
    while len(frontier):
        counts = offsets[frontier + 1] - offsets[frontier]
        total = int(counts.sum())
        index = np.repeat(offsets[frontier] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(total)
        reached = neighbours[index]
        reached = reached[~seen[reached]]
        last[reached] = np.arange(len(reached))
        reached = reached[last[reached] == np.arange(len(reached))]  # each state once
        seen[reached] = True
        frontier = reached
    return seen


def arpa_to_fst(data: bytes, ids: dict[bytes, int], options: ArpaOptions, name: str = "ARPA file") -> CsrFst:
    """G from the bytes of an ARPA file.

    Parameters
    ----------
    ids : word (bytes) -> id; <s> and </s> are added where absent, other words only where no symbol table was read

    Raises
    ------
    DataError : with the line, for everything that Kaldi's arpa2fst takes for an error.
    """
    for symbol in (options.bos_symbol, options.eos_symbol):
        ids.setdefault(symbol.encode(), max(ids.values(), default=-1) + 1)
    bos, eos = ids[options.bos_symbol.encode()], ids[options.eos_symbol.encode()]
    disambig = ids[options.disambig_symbol.encode()] if options.disambig_symbol else 0
    reader = ArpaReader(ids, name, not options.read_symbol_table, options.max_arpa_warnings)
    orders = reader.read(data)
    fst = GrammarCompiler(reader, bos, eos, disambig).compile(orders)
    return arcsort(fst, "ilabel") if options.ilabel_sort else fst


def read_arpa_bytes(name: str) -> bytes:
    """The bytes of an ARPA file: a path (*.gz: decompressed), "-" or "command |"."""
    import gzip
    import os

    name = os.fspath(name)
    if os.path.isfile(name):
        with open(name, "rb") as stream:
            data = stream.read()
        if not name.endswith(".gz"):
            return data
        try:
            return gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise DataError(f"broken gzip data: {error}", file=name, mend=f"gzip -t {name}") from None
    from sidamo.io.streams import open_rxfilename

    with open_rxfilename(name) as stream:
        return stream.read()
