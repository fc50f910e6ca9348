"""n-gram models from text, in bounded memory: interpolated modified Kneser-Ney (Chen, Goodman 1998) and Witten-Bell.

The text is turned into word numbers on disk, and the n-grams of the highest order are counted block by block by
sorting; those of lower orders follow from them (their suffixes). The definition of Kneser-Ney is that of KenLM's lmplz
(Heafield et al. 2013), whose ARPA files ours agree with:

    a(g) = count of g in the text where g has the highest order or begins with <s>, else the number of different words
           seen before g                                                                    (adjusted counts)
    n_j  = number of n-grams of an order with adjusted count j
    D(j) = j - (j + 1) (n_1 / (n_1 + 2 n_2)) n_{j+1} / n_j,   j = 1, 2, 3 (3 for all larger)   (equation 26)
    p(w | h) = (a(hw) - D(a(hw))) / sum_x a(hx) + gamma(h) p(w | h without its first word)
    gamma(h) = sum_x D(a(hx)) / sum_x a(hx)            (n-grams under the cut-off give gamma their whole count)

The unigrams are interpolated with the uniform distribution over all words, </s> and <unk>.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.lang.ngram_model import (
    BOS,
    EOS,
    LOG_ZERO,
    MAX_WORDS,
    SPECIAL,
    UNK,
    NgramModel,
    Table,
    make_keys,
    padded_windows,
)

BLOCK_BYTES = 1 << 24  # of text, read at a time
BLOCK_TOKENS = 1 << 22  # sorted at a time
KEY_BITS = 62  # of an int64 that hold word numbers
FALLBACK_DISCOUNTS = (0.0, 0.5, 1.0, 1.5)  # for 0, 1, 2, 3+; lmplz --discount_fallback
END_OF_LINE = b"\x00"


@dataclass(frozen=True)
class LmOptions:
    """Options of utils/train_lm.sh."""

    order: int = field(default=3, metadata={"help": "length of the longest n-grams"})
    smoothing: str = field(default="kn", metadata={"help": "kn (modified Kneser-Ney) or wb (Witten-Bell)"})
    format: str = field(default="auto", metadata={"help": "kaldi, plain, or auto: kaldi where the file is named text"})
    vocab: str = field(default="", metadata={"help": "file of words; all others become <unk>"})
    cutoffs: str = field(default="", metadata={"help": "0,0,1: drop n-grams seen so often or less, one per order"})
    prune: float = field(default=0.0, metadata={"help": "entropy pruning threshold, such as 1e-8"})
    interpolate: str = field(default="", metadata={"help": "mix with this ARPA file"})
    weight: float = field(default=0.5, metadata={"help": "of the new model in the mixture"})
    tmp_dir: str = field(default="", metadata={"help": "for the numbered text (default: that of the system)"})

    def cutoff_list(self) -> list[int]:
        """One cut-off per order.

        Raises
        ------
        DataError : not numbers, a wrong count, decreasing, or words themselves cut off.
        """
        if not 1 <= self.order <= 12:
            raise DataError(f"--order {self.order}: expected 1 to 12")
        if self.smoothing not in ("kn", "wb"):
            raise DataError(f"--smoothing {self.smoothing}: expected kn or wb")
        if self.format not in ("auto", "kaldi", "plain"):
            raise DataError(f"--format {self.format}: expected auto, kaldi or plain")
        parts = self.cutoffs.replace(",", " ").split()
        if not all(part.isdigit() for part in parts):
            raise DataError(f"--cutoffs {self.cutoffs}: expected whole numbers, such as 0,0,1")
        cutoffs = [int(part) for part in parts]
        cutoffs += [cutoffs[-1] if cutoffs else 0] * (self.order - len(cutoffs))
        if len(cutoffs) > self.order or sorted(cutoffs) != cutoffs or cutoffs[0] != 0:
            expected = f"expected at most {self.order} numbers, none smaller than the one before, and 0 first"
            raise DataError(f"--cutoffs {self.cutoffs}: {expected} (words are limited by --vocab)")
        return cutoffs


# ---- text to numbers ----


class TextNumbers:
    """A text as word numbers in a temporary file: 4 bytes a word, each line ended by EOS.

    Parameters
    ----------
    path : str, may be .gz or "-"
    has_keys : bool, the first field of each line is an utterance id
    vocabulary : list of bytes, or None to take all words of the text
    """

    def __init__(self, path: str, has_keys: bool, vocabulary: list[bytes] | None, tmp_dir: str | None = None):
        self.path, self.has_keys = path, has_keys
        fixed = vocabulary is not None
        known = dict.fromkeys([*SPECIAL, *(vocabulary or ())])
        self.ids: dict[bytes, int] = {word: k for k, word in enumerate(known)}
        if not fixed:
            self.ids = defaultdict(itertools.count(len(SPECIAL)).__next__, self.ids)
        self.ids[END_OF_LINE] = EOS
        self.file = tempfile.NamedTemporaryFile(prefix="train_lm_", dir=tmp_dir or None)
        self.num_sentences = self.num_tokens = self.num_unknown = 0
        self._convert(fixed)
        self.file.flush()

    @property
    def words(self) -> list[bytes]:
        """Word of each number."""
        words = {k: word for word, k in self.ids.items() if word != END_OF_LINE}
        return [words[k] for k in sorted(words)]

    def _convert(self, fixed: bool) -> None:
        for block in _blocks(self.path):
            lines = [line for line in block.split(b"\n") if not line.isspace() and line]
            if self.has_keys:
                parts = [line.split(None, 1) for line in lines]
                lines = [part[1] for part in parts if len(part) == 2]
            if not lines:
                continue
            tokens = (b" " + END_OF_LINE + b" ").join(lines).split()
            tokens.append(END_OF_LINE)
            self.num_sentences += len(lines)
            if fixed:
                get = self.ids.get
                numbers = np.array([get(token, UNK) for token in tokens], np.int32)
            else:
                numbers = np.fromiter(map(self.ids.__getitem__, tokens), np.int32, len(tokens))
            self._check(numbers, len(lines))
            self.num_unknown += int((numbers == UNK).sum())
            self.num_tokens += len(numbers)
            numbers.tofile(self.file)

    def _check(self, numbers, num_lines):
        if np.any(numbers == BOS) or int((numbers == EOS).sum()) != num_lines:
            raise DataError("<s> or </s> in the text; they are put in here, one pair per line", file=self.path,
                            mend=f"sed -E 's#(^| )</?s>( |$)# #g' {self.path}")  # fmt: skip

    def blocks(self, size: int = BLOCK_TOKENS):
        """Arrays of whole sentences, of about `size` tokens each."""
        tokens = np.memmap(self.file.name, np.int32, "r") if self.num_tokens else np.zeros(0, np.int32)
        first = 0
        while first < len(tokens):
            last = min(first + size, len(tokens))
            while last < len(tokens) and tokens[last - 1] != EOS:
                last += 1
            yield np.array(tokens[first:last])
            first = last


def _blocks(path: str):
    """Blocks of whole lines of a text; a byte 0, which stands for the end of a line here, becomes a blank."""
    from sidamo.io.streams import open_rxfilename

    name = f"gzip -dc '{path}' |" if path.endswith(".gz") else path
    with open_rxfilename(name) as stream:
        rest = b""
        while block := stream.read(BLOCK_BYTES):
            end = block.rfind(b"\n") + 1
            yield (rest + block[:end]).replace(b"\x00", b" ")
            rest = block[end:]
        yield rest.replace(b"\x00", b" ")


# ---- counting ----


def pack(ngrams: np.ndarray, num_words: int) -> list[np.ndarray]:
    """Columns of word ids -> as few int64 columns as hold them, the first the most significant."""
    bits = max(int(num_words - 1).bit_length(), 1)
    per_column = max(KEY_BITS // bits, 1)
    packed = []
    for first in range(0, ngrams.shape[1], per_column):
        key = np.zeros(len(ngrams), np.int64)
        for column in range(first, min(first + per_column, ngrams.shape[1])):
            key = (key << bits) | ngrams[:, column]
        packed.append(key)
    return packed


def unpack(packed: list[np.ndarray], order: int, num_words: int) -> np.ndarray:
    """The reverse of `pack`: (N, order) int32."""
    bits = max(int(num_words - 1).bit_length(), 1)
    per_column = max(KEY_BITS // bits, 1)
    ngrams = np.empty((len(packed[0]), order), np.int32)
    for first, key in zip(range(0, order, per_column), packed):
        last = min(first + per_column, order)
        for back, column in enumerate(range(last - 1, first - 1, -1)):
            ngrams[:, column] = (key >> (bits * back)) & ((1 << bits) - 1)
    return ngrams


def sort_and_sum(packed: list[np.ndarray], *values: np.ndarray):
    """Sort rows and add up the values of equal ones. Returns the distinct rows and the sums."""
    order = np.argsort(packed[0], kind="stable") if len(packed) == 1 else np.lexsort(packed[::-1])
    packed = [key[order] for key in packed]
    new = np.zeros(len(order), bool)
    if len(order):
        new[0] = True
    for key in packed:
        new[1:] |= key[1:] != key[:-1]
    starts = np.flatnonzero(new)
    sums = [np.add.reduceat(value[order], starts) if len(starts) else value[:0] for value in values]
    return [key[starts] for key in packed], sums


@dataclass
class Counts:
    """n-grams of one order, sorted: words (N, order), adjusted and raw counts (N,) int64."""

    ngrams: np.ndarray
    adjusted: np.ndarray
    raw: np.ndarray


def count_ngrams(text: TextNumbers, order: int) -> list[Counts]:
    """Counts of all orders, 1 to `order`; n-grams with <s> elsewhere than in front are left out."""
    num_words = len(text.words)
    total, counts = None, np.zeros(0, np.int64)
    for tokens in text.blocks():
        windows = padded_windows(tokens, order)
        packed = pack(windows, num_words)
        del windows
        packed, (ones,) = sort_and_sum(packed, np.ones(len(tokens), np.int64))
        if total is None:
            total, counts = packed, ones
        else:
            both = [np.concatenate(pair) for pair in zip(total, packed)]
            total, (counts,) = sort_and_sum(both, np.concatenate([counts, ones]))
    if total is None:
        raise DataError("no words in the text", file=text.path)
    ngrams = unpack(total, order, num_words)
    found = [Counts(ngrams, counts, counts)]
    for _ in range(order - 1):
        found.append(_suffixes(found[-1], num_words))
    found.reverse()
    for k in range(1, order):
        _drop_padding(found[k])
    return found


def _suffixes(longer: Counts, num_words: int) -> Counts:
    """The n-grams without their first words."""
    shorter = longer.ngrams[:, 1:]
    order = shorter.shape[1]
    # Nothing comes before <s>: such n-grams keep their count. Others count the different words before them.
    adjusted = np.where(shorter[:, 0] == BOS, longer.adjusted, 1)
    packed, (adjusted, raw) = sort_and_sum(pack(shorter, num_words), adjusted, longer.raw)
    return Counts(unpack(packed, order, num_words), adjusted, raw)


def _drop_padding(counts: Counts) -> None:
    keep = counts.ngrams[:, 1] != BOS
    counts.ngrams, counts.adjusted, counts.raw = counts.ngrams[keep], counts.adjusted[keep], counts.raw[keep]


# ---- estimation ----


def discounts(adjusted: np.ndarray, order: int) -> np.ndarray:
    """(4,) D(0), D(1), D(2), D(3+) of modified Kneser-Ney; fixed values, with a remark, where the counts do not do."""
    n = np.bincount(np.minimum(adjusted, 5), minlength=6)[:5].astype(np.float64)
    if np.all(n[1:4] > 0):
        y = n[1] / (n[1] + 2.0 * n[2])
        d = np.array([0.0, *(j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3))])
        if np.all(d >= 0) and np.all(d <= np.arange(4)):
            return d
    log.info(f"too few counts for the discounts of {order}-grams (n1..n4 = {n[1:].astype(int).tolist()}); "
             f"using {FALLBACK_DISCOUNTS[1:]}")  # fmt: skip
    return np.array(FALLBACK_DISCOUNTS)


class Estimator:
    """Counts -> NgramModel, from low orders to high."""

    def __init__(self, words: list[bytes], counts: list[Counts], cutoffs: list[int], smoothing: str):
        if len(words) > MAX_WORDS:
            raise DataError(f"{len(words)} words; at most {MAX_WORDS} are supported", mend="--vocab FILE")
        self.words, self.counts, self.cutoffs, self.smoothing = words, counts, cutoffs, smoothing
        self.tables: list[Table] = []

    def run(self) -> NgramModel:
        self._unigrams(self.counts[0])
        suffix = np.zeros(len(self.tables[0]), np.int64)
        for order in range(2, len(self.counts) + 1):
            suffix = self._higher(order, self.counts[order - 1], suffix)
            self.counts[order - 1] = None  # no longer needed
        return NgramModel(self.words, self.tables)

    def _unigrams(self, counts: Counts) -> None:
        """All words get a row, also those that the text lacks; <s> is never predicted."""
        adjusted = np.zeros(len(self.words), np.int64)
        raw = np.zeros(len(self.words), np.int64)
        adjusted[counts.ngrams[:, 0]], raw[counts.ngrams[:, 0]] = counts.adjusted, counts.raw
        number = adjusted if self.smoothing == "kn" else raw
        kept, gamma = self._discounted(number, np.zeros(len(number), np.int64), 1, np.ones(len(number), bool), 1)
        p = kept + gamma[0] / (len(self.words) - 1)
        p[BOS] = 0.0
        with np.errstate(divide="ignore"):
            logprob = np.maximum(np.log(p), LOG_ZERO)
        word = np.arange(len(self.words), dtype=np.int32)
        self.tables.append(Table(np.zeros(len(word), np.int64), word, logprob, np.zeros(len(word))))

    def _higher(self, order: int, counts: Counts, suffix_of_context: np.ndarray) -> np.ndarray:
        """Append the table of one order; returns the row of each n-gram's suffix in the table below."""
        context = np.zeros(len(counts.ngrams), np.int64)
        for k in range(order - 1):
            context = self.tables[k].find(context, counts.ngrams[:, k])
        keep = counts.raw > self.cutoffs[order - 1]
        number = counts.adjusted if self.smoothing == "kn" else counts.raw
        # Contexts that were cut off themselves have no kept n-grams: raw counts only fall with length.
        inside = context >= 0
        kept, gamma = self._discounted(
            number[inside], context[inside], len(self.tables[-1]), keep[inside], order
        )  # fmt: skip
        rows = keep[inside]
        context, word = context[inside][rows], counts.ngrams[inside, -1][rows]
        suffix = self.tables[-1].find(suffix_of_context[context], word)
        p = kept[rows] + gamma[context] * np.exp(self.tables[-1].logprob[suffix])
        with np.errstate(divide="ignore"):
            self.tables[-1].backoff = np.where(gamma > 0, np.log(gamma), 0.0)
        by_key = np.argsort(make_keys(context, word), kind="stable")
        self.tables.append(Table(context[by_key], word[by_key], np.log(p[by_key]), np.zeros(len(p))))
        return suffix[by_key]

    def _discounted(self, number, context, num_contexts: int, keep, order: int):
        """Discounted probability of each n-gram, and gamma (weight of the lower order) of each context (0: unseen)."""
        total = np.bincount(context, number, minlength=num_contexts)
        given = total[context]
        if self.smoothing == "kn":
            discount = discounts(number[number > 0], order)[np.minimum(number, 3)]
            free = np.where(keep, discount, number)
        else:
            types = np.bincount(context, number > 0, minlength=num_contexts)
            free = np.where(keep, 0.0, number)
            given = given + types[context]
        mass = np.bincount(context, free, minlength=num_contexts)
        if self.smoothing == "wb":
            mass, total = mass + types, total + types
        with np.errstate(divide="ignore", invalid="ignore"):
            gamma = np.where(total > 0, mass / total, 0.0)
            kept = np.where(given > 0, (number - np.where(keep, free, number)) / given, 0.0)
        return kept, gamma


def train(text_path: str, options: LmOptions) -> NgramModel:
    """Train, prune and mix as the options say.

    Raises
    ------
    DataError : bad options, an empty text, <s> in the text, a vocabulary file that cannot be read.
    """
    from sidamo.lang.lexicon import read_lines
    from sidamo.lang.ngram_model import interpolate, prune, read_model

    cutoffs = options.cutoff_list()
    has_keys = options.format == "kaldi" or (options.format == "auto" and os.path.basename(text_path) == "text")
    vocabulary = None
    if options.vocab:
        # A word per line; of a symbol table (words.txt) the first field.
        vocabulary = [line.split()[0] for line in read_lines(options.vocab) if line.split()]
        vocabulary = [word for word in vocabulary if word not in (b"<eps>", b"#0", *SPECIAL)]
    text = TextNumbers(text_path, has_keys, vocabulary, options.tmp_dir)
    remark = f", {text.num_unknown} unknown" if vocabulary else ""
    remark += " (the first field of each line is its key)" if has_keys else ""
    num_words = text.num_tokens - text.num_sentences
    log.info(f"{text.num_sentences} sentences, {num_words} words, {len(text.words) - 3} different{remark}")
    model = Estimator(text.words, count_ngrams(text, options.order), cutoffs, options.smoothing).run()
    if options.interpolate:
        model = interpolate(model, read_model(options.interpolate), options.weight)
    if options.prune > 0:
        log.info(f"pruned {prune(model, options.prune)} n-grams")
    log.info("n-grams: " + ", ".join(f"{len(table)} of order {k}" for k, table in enumerate(model.tables, 1)))
    return model
