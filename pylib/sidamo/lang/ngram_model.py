"""A back-off n-gram model as sorted arrays: scoring, pruning, interpolation, reading and writing ARPA.

An n-gram of order k is a row: the row of its context (its first k - 1 words) in the table of order k - 1, and its last
word; rows are sorted by both, so that millions of n-grams are looked up by binary search without a loop in Python.
Probabilities are natural logarithms in float64.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field

import numpy as np

from sidamo.io.errors import DataError

UNK, BOS, EOS = 0, 1, 2  # word ids of every model
SPECIAL = (b"<unk>", b"<s>", b"</s>")
LOG_ZERO = -99.0 * math.log(10.0)  # ARPA's "-99"


@dataclass
class Table:
    """All n-grams of one order, sorted by (context, word).

    context : (N,) int64 row in the table of the next lower order (order 1: 0)
    word : (N,) int32
    logprob : (N,) float64, ln p(word | context)
    backoff : (N,) float64, ln of the back-off weight of this n-gram as a context
    """

    context: np.ndarray
    word: np.ndarray
    logprob: np.ndarray
    backoff: np.ndarray
    keys: np.ndarray = field(init=False, repr=False)

    def __post_init__(self):
        self.keys = make_keys(self.context, self.word)

    def __len__(self):
        return len(self.word)

    def find(self, context: np.ndarray, word: np.ndarray) -> np.ndarray:
        """(M,) rows of the n-grams, -1 where there is none (or the context is -1)."""
        if len(self.keys) == 0:
            return np.full(len(word), -1)
        wanted = make_keys(context, word)
        at = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where((self.keys[at] == wanted) & (np.asarray(context) >= 0), at, -1)


def make_keys(context, word) -> np.ndarray:
    """One int64 for (context, word)."""
    return (np.asarray(context, np.int64) << 24) | np.asarray(word, np.int64)


MAX_WORDS = 1 << 24


@dataclass
class NgramModel:
    """tables[k - 1] holds the n-grams of order k; words[id] is a word (bytes)."""

    words: list[bytes]
    tables: list[Table]

    @property
    def order(self) -> int:
        return len(self.tables)

    def ids(self) -> dict[bytes, int]:
        return {word: k for k, word in enumerate(self.words)}

    # ---- scoring ----

    def suffix_rows(self, order: int) -> np.ndarray:
        """For each n-gram of the given order (from 2) the row of the n-gram without its first word; -1: not there."""
        suffix = np.zeros(len(self.tables[0]), np.int64)
        for k in range(1, order):
            table = self.tables[k]
            suffix = self.tables[k - 1].find(suffix[table.context], table.word)
        return suffix

    def lower_logprob(self, order: int) -> np.ndarray:
        """(N,) for each n-gram h w of this order: ln p(w | h without its first word), backing off where needed."""
        table = self.tables[order - 1]
        return self.score(self.rows_to_words(order)[:, 1:], table.word)

    def rows_to_words(self, order: int) -> np.ndarray:
        """(N, order) word ids of all n-grams of an order."""
        table = self.tables[order - 1]
        columns, rows = [table.word], table.context
        for k in range(order - 2, -1, -1):
            columns.append(self.tables[k].word[rows])
            rows = self.tables[k].context[rows]
        return np.stack(columns[::-1], axis=1)

    def score(self, ngrams: np.ndarray, word: np.ndarray | None = None) -> np.ndarray:
        """ln p(last word | words before it) of each row of word ids (M, n), n at most the order.

        p(w | h) is the probability of the n-gram h w where the model has it, else back-off(h) p(w | h without its first
        word), with back-off 1 for an unknown h (Katz 1987).
        """
        ngrams = np.asarray(ngrams)
        history, last = ngrams[:, :-1], ngrams[:, -1] if word is None else word
        result = np.zeros(len(ngrams))
        open_ = np.arange(len(ngrams))
        for first in range(history.shape[1] + 1):
            rows = np.zeros(len(open_), np.int64)
            length = history.shape[1] - first
            for k in range(length):
                rows = self.tables[k].find(rows, history[open_, first + k])
            found = self.tables[length].find(rows, last[open_])
            hit = found >= 0
            result[open_[hit]] += self.tables[length].logprob[found[hit]]
            if length > 0:
                known = ~hit & (rows >= 0)
                result[open_[known]] += self.tables[length - 1].backoff[rows[known]]
            elif np.any(~hit):
                result[open_[~hit]] += LOG_ZERO
            open_ = open_[~hit]
            if len(open_) == 0:
                break
        return result

    # ---- normalization ----

    def sums(self, order: int) -> tuple[np.ndarray, np.ndarray]:
        """For each n-gram h of order - 1, over the words w seen after it: sums of p(w | h) and of p(w | shorter h)."""
        table = self.tables[order - 1]
        count = len(self.tables[order - 2])
        own = np.bincount(table.context, np.exp(table.logprob), minlength=count)
        lower = np.bincount(table.context, np.exp(self.lower_logprob(order)), minlength=count)
        return own, lower

    def normalize(self) -> None:
        """Back-off weights such that all probabilities after each context sum to one (from low orders to high)."""
        for order in range(2, self.order + 1):
            contexts = self.tables[order - 2]
            own, lower = self.sums(order)
            seen = np.bincount(self.tables[order - 1].context, minlength=len(contexts)) > 0
            left, free = np.maximum(1.0 - own, 0.0), np.maximum(1.0 - lower, 1e-12)
            with np.errstate(divide="ignore"):
                weight = np.log(left / free)
            contexts.backoff = np.where(seen, np.maximum(weight, LOG_ZERO), 0.0)
            contexts.backoff[contexts.word == EOS] = 0.0

    def keep_rows(self, order: int, keep: np.ndarray) -> None:
        """Drop n-grams of one order; no kept n-gram of the next order may have a dropped context."""
        table = self.tables[order - 1]
        number = np.cumsum(keep) - 1
        if order < self.order:
            following = self.tables[order]
            following.context = number[following.context]
            following.__post_init__()
        self.tables[order - 1] = Table(
            table.context[keep], table.word[keep], table.logprob[keep], table.backoff[keep]
        )  # fmt: skip


# ---- ARPA ----


def read_model(name: str) -> NgramModel:
    """Read an ARPA file (.gz, "-" and pipes too).

    Raises
    ------
    DataError : malformed, with the line; or an n-gram whose context is not in the model.
    """
    from sidamo.lang.arpa import ArpaReader, read_arpa_bytes

    # The reader takes id 0 for epsilon, so its ids are ours plus one.
    ids = {b"<eps>": 0, **{word: k + 1 for k, word in enumerate(SPECIAL)}}
    reader = ArpaReader(ids, name, add_words=True)
    orders = reader.read(read_arpa_bytes(name))
    reader.show_warnings()
    words = [word for word in ids if word != b"<eps>"]
    tables: list[Table] = []
    for k, ngrams in enumerate(orders, 1):
        rows = np.zeros(len(ngrams.words), np.int64)
        for column in range(k - 1):
            rows = tables[column].find(rows, ngrams.words[:, column] - 1)
        if np.any(rows < 0):
            line = int(ngrams.line[np.flatnonzero(rows < 0)[0]])
            raise DataError("an n-gram whose first words are not in the model", file=name, line=line)
        word = ngrams.words[:, -1] - 1
        order = np.argsort(make_keys(rows, word), kind="stable")
        tables.append(Table(rows[order], word[order], ngrams.logprob[order].astype(np.float64),
                            ngrams.backoff[order].astype(np.float64)))  # fmt: skip
    return NgramModel(words, tables)


def write_model(model: NgramModel, path: str) -> None:
    """Write an ARPA file, gzipped where the name ends in .gz; under a temporary name until it is complete."""
    import gzip

    temporary = f"{path}.tmp{os.getpid()}"
    opened = gzip.open(temporary, "wb", compresslevel=5) if path.endswith(".gz") else open(temporary, "wb")
    with opened as stream:
        stream.write(b"\\data\\\n")
        for k, table in enumerate(model.tables, 1):
            stream.write(b"ngram %d=%d\n" % (k, len(table)))
        for k in range(1, model.order + 1):
            stream.write(b"\n\\%d-grams:\n" % k)
            for lines in _arpa_lines(model, k):
                stream.write(lines)
        stream.write(b"\n\\end\\\n")
    os.replace(temporary, path)


def _arpa_lines(model: NgramModel, order: int, block: int = 1 << 18):
    """The lines of one order, a block of n-grams at a time."""
    table, words = model.tables[order - 1], np.array(model.words, dtype=object)
    ids = model.rows_to_words(order)
    log10 = np.maximum(table.logprob / math.log(10.0), -99.0)
    backoff = table.backoff / math.log(10.0)
    for first in range(0, len(table), block):
        part = slice(first, first + block)
        columns = [words[ids[part, k]].tolist() for k in range(order)]
        text = columns[0] if order == 1 else map(b" ".join, zip(*columns))
        if order == model.order:
            yield b"".join([b"%.7g\t%b\n" % row for row in zip(log10[part].tolist(), text)])
        else:
            yield b"".join([b"%.7g\t%b\t%.7g\n" % row for row in zip(log10[part].tolist(), text, backoff[part].tolist())])


# ---- pruning and mixing ----


def prune(model: NgramModel, threshold: float) -> int:
    """Entropy pruning (Stolcke 1998, "Entropy-based pruning of backoff language models"), in place.

    An n-gram goes where the perplexity, as the model itself estimates it, rises by less than the fraction
    `threshold`; n-grams that a kept longer one begins with stay. The probability of a history that begins with <s>
    takes p(</s>) for p(<s>): there are as many beginnings as ends.

    Returns
    -------
    the number of n-grams removed
    """
    removed = 0
    for order in range(model.order, 1, -1):
        table = model.tables[order - 1]
        loss = _relative_loss(model, order)
        keep = np.expm1(loss) >= threshold
        if order < model.order:
            keep[np.unique(model.tables[order].context)] = True
        removed += int(len(table) - keep.sum())
        model.keep_rows(order, keep)
    model.normalize()
    return removed


def _relative_loss(model: NgramModel, order: int) -> np.ndarray:
    """(N,) rise of the model's entropy (nats) when one n-gram is removed and its history's back-off weight adapted."""
    table, contexts = model.tables[order - 1], model.tables[order - 2]
    own, lower = model.sums(order)
    left, free = np.maximum(1.0 - own, 1e-12), np.maximum(1.0 - lower, 1e-12)
    p, q = np.exp(table.logprob), np.exp(model.lower_logprob(order))
    row = table.context
    new_backoff = np.log((left[row] + p) / (free[row] + q))
    change = p * (np.log(q) + new_backoff - table.logprob) + left[row] * (new_backoff - np.log(left[row] / free[row]))
    history = _history_logprob(model, order - 1)
    return -np.exp(history)[row] * change if len(contexts) else np.zeros(0)


def _history_logprob(model: NgramModel, order: int) -> np.ndarray:
    """(N,) ln P(h) of all n-grams of an order, as a product of conditional probabilities."""
    unigrams = model.tables[0]
    total = unigrams.logprob.copy()
    total[unigrams.word == BOS] = unigrams.logprob[unigrams.word == EOS].sum()
    for k in range(1, order):
        table = model.tables[k]
        total = total[table.context] + table.logprob
    return total


def interpolate(one: NgramModel, other: NgramModel, weight: float) -> NgramModel:
    """The linear mixture weight * one + (1 - weight) * other as one back-off model over all n-grams of both.

    Its probabilities of listed n-grams are exact; those of unlisted ones come by back-off (as in SRILM -mix-lm).
    """
    if not 0.0 < weight < 1.0:
        raise DataError(f"interpolation weight {weight}; expected 0 < weight < 1")
    words = list(one.words) + sorted(set(other.words) - set(one.words))
    ids = {word: k for k, word in enumerate(words)}
    to_new = np.array([ids[word] for word in other.words])
    known_to_other = {new: old for old, new in enumerate(to_new.tolist())}
    # A word that a model lacks has no probability there; as part of a history it is the unknown word.
    from_new = np.array([known_to_other.get(k, -1) for k in range(len(words))])
    new_to_one = np.where(np.arange(len(words)) < len(one.words), np.arange(len(words)), -1)
    tables: list[Table] = []
    for order in range(1, max(one.order, other.order) + 1):
        rows = [one.rows_to_words(order)] if order <= one.order else []
        rows += [to_new[other.rows_to_words(order)]] if order <= other.order else []
        ngrams = np.unique(np.concatenate(rows), axis=0)
        p = np.logaddexp(
            math.log(weight) + _score_any(one, new_to_one[ngrams]),
            math.log(1.0 - weight) + _score_any(other, from_new[ngrams]),
        )
        context = np.zeros(len(ngrams), np.int64)
        for k in range(order - 1):
            context = tables[k].find(context, ngrams[:, k])
        by_key = np.argsort(make_keys(context, ngrams[:, -1]), kind="stable")
        tables.append(Table(context[by_key], ngrams[by_key, -1].astype(np.int32), p[by_key], np.zeros(len(p))))
    model = NgramModel(words, tables)
    bos = tables[0].word == BOS
    tables[0].logprob[bos] = LOG_ZERO
    rest = np.exp(tables[0].logprob[~bos])
    tables[0].logprob[~bos] -= math.log(rest.sum())
    model.normalize()
    return model


def _score_any(model: NgramModel, ngrams: np.ndarray) -> np.ndarray:
    """Scores of n-grams that may be longer than the model; -1 stands for a word that it lacks."""
    ngrams = ngrams[:, -model.order :]
    scores = model.score(np.where(ngrams < 0, UNK, ngrams))
    return np.where(ngrams[:, -1] < 0, -np.inf, scores)


# ---- perplexity ----


@dataclass(frozen=True)
class Perplexity:
    """Sums over a text (SRILM's figures): out-of-vocabulary words count as words but not in the log probability."""

    num_sentences: int
    num_words: int
    num_oovs: int
    logprob: float  # natural log

    @property
    def ppl(self) -> float:
        """Per word, ends of sentences included."""
        return math.exp(-self.logprob / max(self.num_words - self.num_oovs + self.num_sentences, 1))

    @property
    def ppl1(self) -> float:
        """Per word, ends of sentences not counted."""
        return math.exp(-self.logprob / max(self.num_words - self.num_oovs, 1))

    def __add__(self, other: Perplexity) -> Perplexity:
        return Perplexity(self.num_sentences + other.num_sentences, self.num_words + other.num_words,
                          self.num_oovs + other.num_oovs, self.logprob + other.logprob)  # fmt: skip


def perplexity(model: NgramModel, tokens: np.ndarray, score_unknown: bool = False) -> Perplexity:
    """Score sentences given as word ids, each ended by EOS.

    score_unknown : count unknown words with the probability of <unk>, instead of leaving them out.
    """
    windows = padded_windows(tokens, model.order)
    scores = model.score(windows)
    unknown = tokens == UNK
    used = np.ones(len(tokens), bool) if score_unknown else ~unknown
    ends = int((tokens == EOS).sum())
    return Perplexity(ends, len(tokens) - ends, 0 if score_unknown else int(unknown.sum()), float(scores[used].sum()))


def padded_windows(tokens: np.ndarray, order: int) -> np.ndarray:
    """(T, order) for each token the `order` - 1 before it and itself; <s> stands for what lies before its sentence."""
    tokens = np.asarray(tokens, np.int32)
    position = np.arange(len(tokens))
    starts = np.concatenate([[0], np.flatnonzero(tokens == EOS) + 1])
    since = position - starts[np.searchsorted(starts, position, side="right") - 1]
    windows = np.full((len(tokens), order), BOS, np.int32)
    for back in range(order):
        inside = since >= back
        windows[inside, order - 1 - back] = tokens[position[inside] - back]
    return windows
