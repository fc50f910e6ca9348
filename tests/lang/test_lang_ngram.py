"""n-gram models: a text-book implementation with dictionaries, and KenLM as the reader."""

import collections
import math
import random

import numpy as np
import pytest
from sidamo.io.errors import DataError
from sidamo.lang import ngram
from sidamo.lang.ngram_model import BOS, EOS, interpolate, padded_windows, perplexity, prune, read_model, write_model


def sentences(seed, count, vocabulary=12, longest=9):
    """Random text with structure: the next word depends on the one before."""
    rng = random.Random(seed)
    for _ in range(count):
        word, out = rng.randrange(vocabulary), []
        for _ in range(rng.randint(1, longest)):
            out.append(f"w{word}")
            word = (word * 5 + int(rng.paretovariate(0.8))) % vocabulary
        yield out


@pytest.fixture()
def corpus(tmp_path):
    path = tmp_path / "corpus"
    lines = [" ".join(words) for words in sentences(1, 400)]
    path.write_text("\n".join(lines) + "\n")
    return path


class TextBook:
    """Interpolated modified Kneser-Ney and Witten-Bell straight from Chen and Goodman (1998), with dictionaries."""

    def __init__(self, lines, order, smoothing):
        self.order, self.smoothing = order, smoothing
        raw = collections.Counter()
        vocabulary = {"<unk>", "</s>"}
        for words in lines:
            vocabulary.update(words)
            padded = ["<s>"] * (order - 1) + words + ["</s>"]
            for end in range(order - 1, len(padded)):
                for n in range(1, order + 1):
                    raw[tuple(padded[end - n + 1 : end + 1])] += 1
        self.uniform = 1.0 / len(vocabulary)
        before = collections.defaultdict(set)
        for gram in raw:
            if len(gram) > 1:
                before[gram[1:]].add(gram[0])
        self.count = {}
        for gram, count in raw.items():
            if len(gram) > 1 and gram[1] == "<s>":
                continue  # padding
            modified = smoothing == "kn" and len(gram) < order and gram[0] != "<s>"
            self.count[gram] = len(before[gram]) if modified else count
        self.after = collections.defaultdict(dict)
        for gram, count in self.count.items():
            self.after[gram[:-1]][gram[-1]] = count
        self.discount = {n: self._discounts(n) for n in range(1, order + 1)}

    def _discounts(self, n):
        counts = collections.Counter(count for gram, count in self.count.items() if len(gram) == n)
        if min(counts[1], counts[2], counts[3]) == 0:
            return [0.0, 0.5, 1.0, 1.5]
        y = counts[1] / (counts[1] + 2 * counts[2])
        d = [0.0] + [j - (j + 1) * y * counts[j + 1] / counts[j] for j in (1, 2, 3)]
        return d if all(0 <= d[j] <= j for j in range(4)) else [0.0, 0.5, 1.0, 1.5]

    def p(self, word, history):
        followers = self.after.get(history, {})
        lower = self.p(word, history[1:]) if history else self.uniform
        total = sum(followers.values())
        if not total:
            return lower
        count = followers.get(word, 0)
        if self.smoothing == "wb":
            return (count + len(followers) * lower) / (total + len(followers))
        discount = self.discount[len(history) + 1]
        gamma = sum(discount[min(c, 3)] for c in followers.values()) / total
        return max(count - discount[min(count, 3)], 0) / total + gamma * lower


@pytest.mark.parametrize("smoothing", ["kn", "wb"])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_against_the_text_book(corpus, order, smoothing):
    lines = [line.split() for line in corpus.read_text().splitlines()]
    book = TextBook(lines, order, smoothing)
    model = ngram.train(str(corpus), ngram.LmOptions(order=order, smoothing=smoothing))
    ids = {word.decode(): k for word, k in model.ids().items()}
    for words in sentences(2, 60, vocabulary=14):  # w12 and w13 are unknown
        tokens = np.array([ids.get(word, 0) for word in words] + [EOS])
        ours = np.exp(model.score(padded_windows(tokens, order)))
        names = [word if word in ids else "<unk>" for word in words]
        padded = ["<s>"] + names + ["</s>"]
        for k, p in enumerate(ours):
            history = tuple(padded[max(0, k + 2 - order) : k + 1]) if order > 1 else ()
            assert abs(p - book.p(padded[k + 1], history)) < 1e-9, (words, k)


@pytest.mark.parametrize(
    "options",
    [{}, {"smoothing": "wb"}, {"cutoffs": "0,0,1"}, {"prune": 1e-4}, {"order": 5}, {"order": 1}, {"cutoffs": "0,1,2"}],
)
def test_all_probabilities_sum_to_one(corpus, options):
    model = ngram.train(str(corpus), ngram.LmOptions(**{"order": 3, **options}))
    rng = random.Random(3)
    followers = [k for k in range(len(model.words)) if k != BOS]
    for _ in range(30):
        history = [rng.randrange(2, len(model.words)) for _ in range(rng.randrange(model.order))]
        if history and rng.random() < 0.3:
            history[0] = BOS
        history = [k if k != EOS else 3 for k in history]
        total = np.exp(model.score(np.array([[*history, k] for k in followers]))).sum()
        assert abs(total - 1) < 1e-6, history


def test_kenlm_reads_the_same(corpus, tmp_path):
    kenlm = pytest.importorskip("kenlm", reason="the kenlm wheel is not installed: pip install kenlm")
    for name, options in (("a.arpa", {}), ("b.arpa.gz", {"order": 4}), ("c.arpa", {"smoothing": "wb", "prune": 1e-5})):
        model = ngram.train(str(corpus), ngram.LmOptions(**{"order": 3, **options}))
        write_model(model, str(tmp_path / name))
        other = kenlm.Model(str(tmp_path / name))
        ids = model.ids()
        for words in sentences(4, 50, vocabulary=14):
            tokens = np.array([ids.get(word.encode(), 0) for word in words] + [EOS])
            ours = model.score(padded_windows(tokens, model.order)).sum() / math.log(10)
            assert abs(ours - other.score(" ".join(words))) < 1e-4


def test_arpa_round_trip(corpus, tmp_path):
    model = ngram.train(str(corpus), ngram.LmOptions(order=3))
    write_model(model, str(tmp_path / "lm.arpa"))
    again = read_model(str(tmp_path / "lm.arpa"))
    assert sorted(again.words) == sorted(model.words)
    tokens = np.array([model.ids()[b"w1"], model.ids()[b"w5"], EOS])
    theirs = np.array([again.ids()[b"w1"], again.ids()[b"w5"], EOS])
    assert np.allclose(model.score(padded_windows(tokens, 3)), again.score(padded_windows(theirs, 3)), atol=1e-5)
    assert not list(tmp_path.glob("*.tmp*"))


def test_blocks_do_not_matter(corpus, monkeypatch):
    """Counting in many small blocks, and keys that do not fit into one integer, change nothing."""
    whole = ngram.train(str(corpus), ngram.LmOptions(order=3))
    monkeypatch.setattr(ngram, "BLOCK_TOKENS", 50)
    monkeypatch.setattr(ngram, "BLOCK_BYTES", 64)
    monkeypatch.setattr(ngram, "KEY_BITS", 9)
    parts = ngram.train(str(corpus), ngram.LmOptions(order=3))
    for a, b in zip(whole.tables, parts.tables):
        assert np.array_equal(a.keys, b.keys) and np.allclose(a.logprob, b.logprob) and np.allclose(a.backoff, b.backoff)


def test_pruning_follows_stolcke(corpus):
    """One n-gram removed by hand: the relative rise of the perplexity is what the criterion predicts."""
    model = ngram.train(str(corpus), ngram.LmOptions(order=2))
    from sidamo.lang.ngram_model import _relative_loss

    loss = _relative_loss(model, 2)
    table = model.tables[1]
    for row in (3, 17, 40):
        context, p = int(table.context[row]), np.exp(table.logprob)
        lower = np.exp(model.tables[0].logprob)
        rows = table.context == context
        others = rows.copy()
        others[row] = False
        weight = (1 - p[others].sum()) / (1 - lower[table.word[others]].sum())
        history = lower[context] if model.tables[0].word[context] != BOS else lower[EOS]
        q = np.array([p[rows & (table.word == w)][0] if np.any(rows & (table.word == w)) else
                      lower[w] * np.exp(model.tables[0].backoff[context]) for w in range(len(lower)) if w != BOS])  # fmt: skip
        r = np.array([p[others & (table.word == w)][0] if np.any(others & (table.word == w)) else
                      lower[w] * weight for w in range(len(lower)) if w != BOS])  # fmt: skip
        assert abs(history * (q * np.log(q / r)).sum() - loss[row]) < 1e-9


def test_pruning_removes_more_with_a_larger_threshold(corpus):
    sizes, before = [], None
    for threshold in (1e-7, 1e-5, 1e-4, 1.0):
        model = ngram.train(str(corpus), ngram.LmOptions(order=3))
        before = sum(map(len, model.tables))
        prune(model, threshold)
        sizes.append(sum(map(len, model.tables)))
    assert before >= sizes[0] >= sizes[1] > sizes[2] > sizes[3] == len(model.tables[0])


def test_mixture(corpus, tmp_path):
    """Of listed n-grams the mixture is exact; it sums to one; its vocabulary is both."""
    other_text = tmp_path / "other"
    other_text.write_text("w1 w2 zebra\nzebra w1\n" * 5)
    one = ngram.train(str(corpus), ngram.LmOptions(order=3))
    other = ngram.train(str(other_text), ngram.LmOptions(order=2))
    mixed = interpolate(one, other, 0.7)
    assert b"zebra" in mixed.words and mixed.order == 3
    a, b, m = (model.ids() for model in (one, other, mixed))
    for words in ([b"w1", b"w2"], [b"zebra", b"w1"]):
        p = 0.7 * np.exp(one.score(np.array([[a.get(w, 0) for w in words]])))
        p += 0.3 * np.exp(other.score(np.array([[b.get(w, 0) for w in words]])))
        got = np.exp(mixed.score(np.array([[m[w] for w in words]])))
        assert abs(got - p) < 0.02 * p
    followers = [k for k in range(len(mixed.words)) if k != BOS]
    for history in ([], [m[b"w1"]], [m[b"zebra"]], [BOS, m[b"w2"]]):
        assert abs(np.exp(mixed.score(np.array([[*history, k] for k in followers]))).sum() - 1) < 1e-6


def test_perplexity_by_hand(tmp_path):
    """A unigram model of known probabilities: 2 sentences, 3 words, 1 unknown."""
    (tmp_path / "lm.arpa").write_text(
        "\\data\\\nngram 1=4\n\n\\1-grams:\n-0.30103 a\n-0.60206 </s>\n-99 <s>\n-0.60206 <unk>\n\n\\end\\\n"
    )
    model = read_model(str(tmp_path / "lm.arpa"))
    a = model.ids()[b"a"]
    found = perplexity(model, np.array([a, EOS, a, 0, EOS]))
    assert (found.num_sentences, found.num_words, found.num_oovs) == (2, 3, 1)
    assert abs(found.logprob / math.log(10) + (2 * 0.30103 + 2 * 0.60206)) < 1e-4
    assert abs(found.ppl - 10 ** ((2 * 0.30103 + 2 * 0.60206) / 4)) < 1e-3


def test_vocabulary_and_keys(tmp_path):
    """Words outside --vocab are <unk> and count; in a file named text the first field is a key."""
    (tmp_path / "text").write_text("utt1 a b a\nutt2 b c\n")
    (tmp_path / "vocab").write_text("a\nb\n")
    model = ngram.train(str(tmp_path / "text"), ngram.LmOptions(order=1, vocab=str(tmp_path / "vocab"), smoothing="wb"))
    assert sorted(model.words) == sorted([b"<unk>", b"<s>", b"</s>", b"a", b"b"])
    p = dict(zip(model.words, np.exp(model.tables[0].logprob)))
    # counts: a 2, b 2, <unk> 1, </s> 2; 4 types, 4 words share the uniform part
    assert abs(p[b"a"] - (2 + 4 / 4) / (7 + 4)) < 1e-9 and abs(p[b"<unk>"] - (1 + 4 / 4) / (7 + 4)) < 1e-9


@pytest.mark.parametrize(
    "options, text, message",
    [
        ({"order": 0}, "a\n", "--order 0: expected 1 to 12"),
        ({"smoothing": "gt"}, "a\n", "--smoothing gt: expected kn or wb"),
        ({"cutoffs": "1,1"}, "a\n", "0 first"),
        ({"cutoffs": "0,2,1"}, "a\n", "none smaller than the one before"),
        ({"cutoffs": "x"}, "a\n", "expected whole numbers"),
        ({}, "", "no words in the text"),
        ({}, "a <s> b\n", "<s> or </s> in the text"),
        ({}, "a </s>\n", "<s> or </s> in the text"),
    ],
)
def test_bad_input(tmp_path, options, text, message):
    (tmp_path / "corpus").write_text(text)
    with pytest.raises(DataError, match=message):
        ngram.train(str(tmp_path / "corpus"), ngram.LmOptions(**options))
