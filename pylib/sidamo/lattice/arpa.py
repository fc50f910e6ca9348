"""An n-gram model in ARPA format, of any order, as a deterministic acceptor on demand.

A state is the longest known history; back-off is followed inside a step, so that each word costs exactly what the model
says (unlike a G.fst with epsilon back-off arcs, which lets a word through by two ways).
"""

from __future__ import annotations

import math

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.streams import open_rxfilename

LN10 = math.log(10.0)
MISSING = -1


class ArpaModel:
    """Costs (-ln p) of words after histories.

    A history is an int: 0 the empty one, else the number of its n-gram. n-grams are numbered over all orders;
    `_cost[i]`, `_backoff[i]` belong to n-gram i, `_suffix[i]` is the n-gram without its first word.
    The n-gram of (history, word) is found by bisection in the sorted keys history * V + word.
    """

    def __init__(self, order, num_words, keys, numbers, cost, backoff, suffix, length, symbols, name):
        self.order, self.name = order, name
        self._num_words, self._keys, self._numbers = num_words, keys, numbers
        self._cost, self._backoff, self._suffix, self._length = cost, backoff, suffix, length
        # A history that leads to no n-gram and costs nothing to leave is as good as its suffix: fewer states.
        self._useful = backoff != 0
        self._useful[keys // num_words] = True
        self._known: dict = {}
        self._unknown = symbols.get("<unk>", symbols.get("<UNK>"))
        begin = symbols.get("<s>")
        self.start = self._find(0, begin) if begin is not None else 0
        self.start = max(self.start, 0)
        self._end = symbols.get("</s>")
        if self._end is None or self._find(0, self._end) == MISSING:
            raise DataError("the model has no </s>", file=name, mend="train the language model with sentence ends")

    def _find(self, history: int, word: int) -> int:
        key = history * self._num_words + word
        at = int(np.searchsorted(self._keys, key))
        if at < len(self._keys) and self._keys[at] == key:
            return int(self._numbers[at])
        return MISSING

    def step(self, history: int, word: int) -> tuple[float, int]:
        """(cost of the word, next history); (inf, history) where the model knows neither the word nor <unk>."""
        found = self._known.get((history, word))
        if found is None:
            found = self._known[history, word] = self._step(history, word)
        return found

    def _step(self, history: int, word: int) -> tuple[float, int]:
        cost, h = 0.0, history
        while True:
            ngram = self._find(h, word)
            if ngram != MISSING:
                break
            if h == 0:
                if self._unknown is not None and word != self._unknown:
                    return self.step(history, self._unknown)
                return math.inf, history
            cost += float(self._backoff[h])
            h = int(self._suffix[h])
        cost += float(self._cost[ngram])
        if int(self._length[ngram]) == self.order:
            ngram = int(self._suffix[ngram])
        while ngram and not self._useful[ngram]:
            ngram = int(self._suffix[ngram])
        return cost, ngram

    def final_cost(self, history: int) -> float:
        """Cost of the end of the sentence."""
        return self.step(history, self._end)[0]

    def sentence_cost(self, words) -> float:
        """-ln p of a sentence of word ids, its end included."""
        cost, history = 0.0, self.start
        for word in words:
            step, history = self.step(history, int(word))
            cost += step
        return cost + self.final_cost(history)


class Scaled:
    """A model with its costs multiplied."""

    def __init__(self, model, scale: float):
        self._model, self._scale, self.start = model, scale, model.start

    def step(self, history, word):
        cost, following = self._model.step(history, word)
        return (cost * self._scale if cost != math.inf else cost), following

    def final_cost(self, history):
        cost = self._model.final_cost(history)
        return cost * self._scale if cost != math.inf else cost


def read_arpa(rxfilename: str, symbols) -> ArpaModel:
    """Read an ARPA file (or pipe, or .gz).

    symbols : SymbolTable of the words; words of the model that are not in it are given ids of their own
    Raises DataError with file:line where a line or a count is wrong.
    """
    ids = {word: number for word, number in symbols}
    ids.setdefault("<eps>", 0)
    with open_rxfilename(rxfilename) as f:
        lines = f.read().decode("utf-8", "surrogateescape").split("\n")
    return _Parser(lines, ids, rxfilename).model()


class _Parser:
    def __init__(self, lines, ids, name):
        self.lines, self.ids, self.name = lines, ids, name
        self.next_id = max(ids.values(), default=0) + 1
        self.at = 0

    def fail(self, message: str, mend: str | None = None):
        raise DataError(message, file=self.name, line=self.at + 1, mend=mend)

    def model(self) -> ArpaModel:
        counts = self._counts()
        order = max(counts)
        words, costs, backoffs = [], [], []
        for n in range(1, order + 1):
            table = self._section(n, counts.get(n, 0))
            words.append(table[0])
            costs.append(table[1])
            backoffs.append(table[2])
        return self._assemble(order, words, costs, backoffs)

    def _counts(self) -> dict[int, int]:
        lines = self.lines
        while self.at < len(lines) and lines[self.at].strip() != "\\data\\":
            self.at += 1
        if self.at == len(lines):
            self.at = 0
            self.fail("expected a line \\data\\, found none", "give a language model in ARPA format")
        counts = {}
        self.at += 1
        while self.at < len(lines) and not lines[self.at].startswith("\\"):
            line = lines[self.at].strip()
            if line:
                left, _, right = line.partition("=")
                number = left.split()[-1] if left.startswith("ngram") else ""
                if not (number.isdigit() and right.strip().isdigit()):
                    self.fail(f"expected `ngram N=count`, found {line!r}")
                counts[int(number)] = int(right)
            self.at += 1
        if 1 not in counts:
            self.fail("the model has no count of 1-grams")
        return counts

    def _section(self, n: int, count: int):
        """Words (count, n), costs and back-off costs of the n-grams of a section."""
        lines, ids = self.lines, self.ids
        while self.at < len(lines) and not lines[self.at].strip():
            self.at += 1
        if self.at == len(lines) or lines[self.at].strip() != f"\\{n}-grams:":
            found = lines[self.at].strip() if self.at < len(lines) else "the end of the file"
            self.fail(f"expected \\{n}-grams:, found {found!r}")
        words, costs, backoffs = [], [], []
        self.at += 1
        while self.at < len(lines):
            fields = lines[self.at].split()
            if not fields:
                self.at += 1
                continue
            if fields[0][0] == "\\":
                break
            if len(fields) == n + 2:
                backoffs.append(fields[-1])
            elif len(fields) == n + 1:
                backoffs.append("0")
            else:
                self.fail(f"expected a log-probability, {n} words and maybe a back-off, found {lines[self.at]!r}")
            costs.append(fields[0])
            for word in fields[1 : n + 1]:
                number = ids.get(word)
                if number is None:
                    number = ids[word] = self.next_id
                    self.next_id += 1
                words.append(number)
            self.at += 1
        if len(costs) != count:
            self.fail(f"the header promises {count} {n}-grams, the section holds {len(costs)}", "is the file cut off?")
        try:
            return np.array(words, np.int64).reshape(-1, n), -LN10 * np.float64(costs), -LN10 * np.float64(backoffs)
        except ValueError as e:
            self.fail(f"a log-probability of the {n}-grams is not a number: {e}")

    def _assemble(self, order, words, costs, backoffs) -> ArpaModel:
        num_words = self.next_id
        keys, numbers, suffixes, first = np.zeros(0, np.int64), np.zeros(0, np.int64), [np.zeros(1, np.int64)], 1

        def find(history, word, keys, numbers):
            key = history * num_words + word
            at = np.minimum(np.searchsorted(keys, key), max(len(keys) - 1, 0))
            if not len(keys):
                return np.full(len(key), MISSING)
            return np.where(keys[at] == key, numbers[at], MISSING)

        for n, table in enumerate(words, 1):
            parent = np.zeros(len(table), np.int64)
            suffix = np.zeros(len(table), np.int64)
            for i in range(n - 1):
                parent = np.where(parent == MISSING, MISSING, find(np.maximum(parent, 0), table[:, i], keys, numbers))
            for i in range(1, n):
                # The longest known suffix: where a middle n-gram is missing, go on from a shorter one.
                suffix = self._advance(suffix, table[:, i], find, keys, numbers, suffixes)
            orphans = parent == MISSING
            if orphans.any():
                from sidamo.io import log

                count = int(orphans.sum())
                log.warn(f"{self.name}: {count} {n}-grams have no {n - 1}-gram before their last word; skipped")
            number = np.arange(first, first + len(table))
            first += len(table)
            keys = np.concatenate([keys, (parent * num_words + table[:, -1])[~orphans]])
            numbers = np.concatenate([numbers, number[~orphans]])
            order_of = np.argsort(keys, kind="stable")
            keys, numbers = keys[order_of], numbers[order_of]
            suffixes.append(suffix)
        cost, backoff = (np.concatenate([[0.0], *x]) for x in (costs, backoffs))
        length = np.concatenate([[0]] + [np.full(len(t), n) for n, t in enumerate(words, 1)])
        return ArpaModel(
            order, num_words, keys, numbers, cost, backoff, np.concatenate(suffixes), length, self.ids, self.name
        )

    @staticmethod
    def _advance(history, word, find, keys, numbers, suffixes):
        """The longest known n-gram that ends in (history, word), for arrays of both."""
        all_suffixes = np.concatenate(suffixes)
        result, open_ = np.full(len(history), MISSING), np.ones(len(history), bool)
        history = history.copy()
        while open_.any():
            found = find(history, word, keys, numbers)
            result = np.where(open_ & (found != MISSING), found, result)
            open_ &= found == MISSING
            ended = open_ & (history == 0)
            result[ended], open_[ended] = 0, False
            history = np.where(open_, all_suffixes[history], history)
        return result
