"""Alignment against brute force, Kaldi's per-utterance figures, and rapidfuzz's Levenshtein distance."""

import itertools
import json
import random

import pytest
from sidamo.io.native import Kernel
from sidamo.score import fast
from sidamo.score.align import Counts, align_pairs, align_words, edit_counts


def sentences(path):
    return {line.split()[0]: line.split()[1:] for line in path.read_text(encoding="utf-8").splitlines()}


def brute_force(ref, hyp):
    """Fewest errors over all ways to keep a common subsequence of pairs in order."""
    best = len(ref) + len(hyp)
    for k in range(1, min(len(ref), len(hyp)) + 1):
        for i in itertools.combinations(range(len(ref)), k):
            for j in itertools.combinations(range(len(hyp)), k):
                wrong = sum(ref[a] != hyp[b] for a, b in zip(i, j))
                best = min(best, wrong + len(ref) - k + len(hyp) - k)
    return best


def random_pairs(count, length=7, words="abc", seed=1):
    rng = random.Random(seed)
    return [tuple([rng.choice(words) for _ in range(rng.randint(0, length))] for _ in "rh") for _ in range(count)]


@pytest.mark.parametrize("ref, hyp", random_pairs(60, 5))
def test_fewest_errors(ref, hyp):
    counts = edit_counts(ref, hyp)
    assert counts.errors == brute_force(ref, hyp)
    assert counts.ins - counts.del_ == len(hyp) - len(ref)
    pairs = align_pairs(ref, hyp)
    assert [i for i, _ in pairs if i >= 0] == list(range(len(ref)))
    assert [j for _, j in pairs if j >= 0] == list(range(len(hyp)))
    assert sum(i < 0 or j < 0 or ref[i] != hyp[j] for i, j in pairs) == counts.errors


def test_against_rapidfuzz():
    distance = pytest.importorskip("rapidfuzz.distance").Levenshtein.distance
    for ref, hyp in random_pairs(300, 30, "abcdef", seed=2):
        assert edit_counts(ref, hyp).errors == distance(ref, hyp)


def test_empty_sides():
    assert edit_counts([], []) == Counts(0, 0, 0, 0)
    assert edit_counts([], ["a", "b"]) == Counts(0, 2, 0, 0)
    assert edit_counts(["a", "b"], []) == Counts(2, 0, 2, 0)
    assert align_words(["a"], [], "***") == [("a", "***")]


def test_ties_fall_as_in_kaldi():
    # Worked from Kaldi's rules: two substitutions, or one deletion and one insertion, at the same cost.
    assert edit_counts("ab", "ba") == Counts(2, 1, 1, 0)
    assert align_words("ab", "ba", "*") == [("a", "b"), ("b", "a")]


def test_kaldis_split_per_utterance(golden):
    refs, hyps = sentences(golden / "score/ref.txt"), sentences(golden / "score/hyp_full.txt")
    rows = [json.loads(line) for line in open(golden / "score/out/per_utt_computewer.jsonl", encoding="utf-8")]
    assert len(rows) == 200
    for row in rows:
        counts = edit_counts(refs[row["utt"]], hyps[row["utt"]])
        assert counts == Counts(row["n_ref"], row["ins"], row["del"], row["sub"]), row
        assert counts.errors == row["errors"]


def test_kernels_equal_the_reference(monkeypatch):
    pairs = random_pairs(400, 25, "abcd", seed=3) + [(["a"] * 80, ["b", "a"] * 60), ([], []), (["a"], [])]
    refs, hyps = zip(*pairs)
    said, recognized = {str(i): ref for i, ref in enumerate(refs)}, {str(i): " ".join(h) for i, h in enumerate(hyps)}
    for compiled in (True, False):
        monkeypatch.setattr(Kernel, "pays", lambda *_, compiled=compiled: compiled)
        assert list(fast.BatchScorer(said).one(recognized).counts().values()) == [edit_counts(r, h) for r, h in pairs]
        assert fast.batch_align(refs, hyps) == [align_pairs(r, h) for r, h in pairs]


def test_batch_scorer_counts_a_missing_hypothesis_as_deletions():
    scorer = fast.BatchScorer({"u1": ["a", "b"], "u2": ["c"]})
    first, second = scorer.many([{"u1": "a b"}, {"u1": "a", "u2": "c c", "extra": "x"}])
    assert first.counts() == {"u1": Counts(2, 0, 0, 0), "u2": Counts(1, 0, 1, 0)} and first.absent == ["u2"]
    assert second.counts() == {"u1": Counts(2, 0, 1, 0), "u2": Counts(1, 1, 0, 0)} and second.absent == []
    totals = first.totals()
    assert (totals.errors, totals.ref_words, totals.wrong_sentences, totals.absent) == (1, 3, 1, 1)
