"""ARPA models on demand against kenlm and by hand; rescored lattices against enumeration; grammars as FSTs."""

import math

import numpy as np
import pytest
from lattice_oracles import all_paths, best_by_words, random_compact
from sidamo.io.errors import DataError
from sidamo.io.fst import make_csr
from sidamo.io.symbols import SymbolTable
from sidamo.lattice.arpa import LN10, read_arpa
from sidamo.lattice.compose import Grammar
from sidamo.lattice.rescore import add_lm_cost

BIGRAM = """\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-99 <s> -0.5
-0.7 </s>
-0.6 a -0.2
-0.5 b -0.1
-2.0 <unk>

\\2-grams:
-0.3 <s> a
-0.4 a b
-0.1 b </s>

\\end\\
"""
SYMBOLS = SymbolTable([("<eps>", 0), ("a", 1), ("b", 2), ("c", 3), ("d", 4)])


@pytest.fixture()
def bigram(tmp_path):
    (tmp_path / "lm.arpa").write_text(BIGRAM)
    return read_arpa(str(tmp_path / "lm.arpa"), SYMBOLS)


def test_costs_by_hand(bigram):
    assert bigram.sentence_cost([1, 2]) == pytest.approx(LN10 * (0.3 + 0.4 + 0.1))
    # <s> b: back off from <s> (0.5); b a: back off (0.1); a </s>: back off (0.2).
    assert bigram.sentence_cost([2, 1]) == pytest.approx(LN10 * (0.5 + 0.5 + 0.1 + 0.6 + 0.2 + 0.7))
    assert bigram.sentence_cost([3]) == pytest.approx(LN10 * (0.5 + 2.0 + 0.7))  # c is <unk>
    assert bigram.sentence_cost([]) == pytest.approx(LN10 * (0.5 + 0.7))


def random_arpa(rng, order: int, words) -> str:
    """A model (not normalized) with random holes: a longer n-gram's prefix is always there, its suffix often not."""
    sections = [[(w,) for w in ("<s>", "</s>", "<unk>", *words)]]
    for _ in range(2, order + 1):
        longer = [
            p + (w,) for p in sections[-1] if p[-1] != "</s>" and "<unk>" not in p for w in ("</s>", *words)
            if rng.random() < 0.5
        ]  # fmt: skip
        # Kaldi and kenlm want each n-gram's suffix too.
        known = set(sections[-1])
        sections.append([g for g in longer if g[1:] in known])
    lines = ["\\data\\"] + [f"ngram {n}={len(s)}" for n, s in enumerate(sections, 1)]
    for n, section in enumerate(sections, 1):
        lines += ["", f"\\{n}-grams:"]
        for gram in section:
            backoff = f"\t{-rng.random():.4f}" if n < order and gram[-1] != "</s>" and rng.random() < 0.7 else ""
            lines.append(f"{-3 * rng.random() - 0.01:.4f}\t{' '.join(gram)}{backoff}")
    return "\n".join(lines) + "\n\n\\end\\\n"


@pytest.mark.parametrize("order", [2, 3, 5])
def test_any_order_agrees_with_kenlm(order, tmp_path):
    kenlm = pytest.importorskip("kenlm", reason="the peer kenlm is not installed: pip install sidamo[bench]")
    rng = np.random.default_rng(order)
    words = ["a", "b", "c", "d"]
    path = tmp_path / "lm.arpa"
    path.write_text(random_arpa(rng, order, words))
    model = read_arpa(str(path), SYMBOLS)
    peer = kenlm.Model(str(path))
    for _ in range(200):
        ids = rng.integers(1, 5, rng.integers(0, 9))
        sentence = " ".join(words[i - 1] for i in ids)
        assert model.sentence_cost(ids) == pytest.approx(-LN10 * peer.score(sentence), abs=1e-3)


@pytest.mark.parametrize("lm_scale", [1.0, -1.0, 0.6])
def test_rescored_lattice_has_the_models_cost_on_every_word_sequence(lm_scale, tmp_path):
    rng = np.random.default_rng(41)
    (tmp_path / "lm.arpa").write_text(random_arpa(rng, 3, ["a", "b", "c", "d"]))
    model = read_arpa(str(tmp_path / "lm.arpa"), SYMBOLS)
    for _ in range(30):
        lat = random_compact(rng)
        before = {}
        for words, _, graph, acoustic, _ in all_paths(lat):
            before.setdefault(words, []).append((graph, acoustic))
        rescored = add_lm_cost(lat, model, lm_scale)
        found = all_paths(rescored)
        assert {p[0] for p in found} == set(before)
        assert len(found) == len(before)
        for words, _, graph, acoustic, _ in found:
            # The best of the paths with these words, graph costs divided by the scale as Kaldi does.
            best = min(before[words], key=lambda c: c[0] / lm_scale + c[1])
            assert acoustic == pytest.approx(best[1], abs=5e-3)
            assert graph == pytest.approx(best[0] + lm_scale * model.sentence_cost(words), abs=1e-2)


def grammar_with_backoff():
    """0: start; a from 0 to 1; back-off 0 -> 2 and 1 -> 2 by epsilon; 2: unigrams a, b, c, d; 1 and 2 final."""
    arcs = [(0, 1, 0.5, 1), (0, 0, 0.9, 2), (1, 2, 0.4, 1), (1, 0, 0.3, 2)]
    arcs += [(2, w, 0.7 + 0.1 * w, 1 if w == 1 else 2) for w in (1, 2, 3, 4)]
    src, label, weight, nextstate = zip(*arcs)
    final = [math.inf, 0.2, 0.6]
    return make_csr(3, src, label, label, weight, nextstate, final)


def cheapest(fst, words) -> float:
    """Cost of the best path of the grammar for words, by dynamic programming over epsilon moves (acyclic here)."""

    def closed(costs):
        for state in sorted(costs, reverse=False):
            for a in range(fst.offsets[state], fst.offsets[state + 1]):
                if fst.ilabel[a] == 0:
                    n = int(fst.nextstate[a])
                    costs[n] = min(costs.get(n, math.inf), costs[state] + fst.weight[a])
        return costs

    costs = closed({0: 0.0})
    for word in words:
        following = {}
        for state, cost in costs.items():
            for a in range(fst.offsets[state], fst.offsets[state + 1]):
                if fst.ilabel[a] == word:
                    n = int(fst.nextstate[a])
                    following[n] = min(following.get(n, math.inf), cost + fst.weight[a])
        costs = closed(following)
    return min((c + fst.final[s] for s, c in costs.items()), default=math.inf)


@pytest.mark.parametrize("determinize", [True, False])
def test_grammar_fst_with_epsilon_backoff(determinize):
    fst = grammar_with_backoff()
    rng = np.random.default_rng(42)
    for _ in range(30):
        lat = random_compact(rng)
        rescored = add_lm_cost(lat, Grammar(fst), 1.0, determinize=determinize)
        before, after = best_by_words(lat), best_by_words(rescored)
        assert after.keys() == {w for w in before if cheapest(fst, w) < math.inf}
        for words, (cost, _, _, _) in after.items():
            assert cost == pytest.approx(before[words][0] + cheapest(fst, words), abs=5e-3)
        if not determinize:
            assert len(all_paths(rescored)) >= len(after)


def test_subtracting_what_was_added_gives_the_lattice_back():
    fst = grammar_with_backoff()
    lat = random_compact(np.random.default_rng(43))
    back = add_lm_cost(add_lm_cost(lat, Grammar(fst), 1.0), Grammar(fst), -1.0)
    want = best_by_words(lat)
    for words, (cost, *_) in best_by_words(back).items():
        assert cost == pytest.approx(want[words][0], abs=1e-2)


def test_scale_zero_changes_nothing(bigram):
    lat = random_compact(np.random.default_rng(44))
    assert add_lm_cost(lat, bigram, 0.0) is lat


@pytest.mark.parametrize(
    "change, said",
    [
        (("\\data\\", "data"), r"expected a line \\data\\"),
        (("ngram 2=3", "ngram 2=4"), "promises 4 2-grams, the section holds 3"),
        (("-0.4 a b", "-0.4 a b c d"), "lm.arpa:14.*2 words"),
        (("-0.4 a b", "x a b"), "not a number"),
        (("\\2-grams:", "\\3-grams:"), r"expected \\2-grams:"),
        (("-0.7 </s>", "-0.7 e"), "no </s>"),
    ],
)
def test_bad_arpa(change, said, tmp_path):
    (tmp_path / "lm.arpa").write_text(BIGRAM.replace(*change))
    with pytest.raises(DataError, match=said):
        read_arpa(str(tmp_path / "lm.arpa"), SYMBOLS)


def test_golden_arpa_rescoring_is_near_the_fst_one(golden_copy, run):
    """G.fst lets a word through by back-off as well, so its best path may be cheaper than the model's own cost."""
    tool = "lattice-lmrescore-arpa --word-symbol-table=ctc/words.txt"
    done = run(f"{tool} ark:lat/minus_old.txt ctc/new.arpa ark:- | lattice-1best ark:- ark:- | "
               "nbest-to-linear ark:- ark:/dev/null ark,t:tmp/words ark,t:tmp/cost", cwd=golden_copy)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (golden_copy / "tmp/words").read_text() == (golden_copy / "lat/rescored.words").read_text()
    for ours, kaldis in zip((golden_copy / "tmp/cost").open(), (golden_copy / "lat/rescored.lmcost").open()):
        assert float(kaldis.split()[1]) - 1e-3 < float(ours.split()[1]) < float(kaldis.split()[1]) + 0.5
