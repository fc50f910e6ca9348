"""Graphs: both builders and both expansions of T against each other and against plain composition; faults explained."""

import random

import numpy as np
import pynini
import pytest
from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, arcsort, make_csr
from sidamo.lang import expand, expand_kernel, graph
from sidamo.lang import lexicon as lex
from sidamo.lang.arpa import ArpaOptions, arpa_to_fst
from sidamo.lang.direct import build_lg_direct
from sidamo.lang.grammar import check_grammar, find_cycle, phrase_grammar
from sidamo.lang.lexicon_fst import add_self_loops, lexicon_fst
from sidamo.lang.ngram import LmOptions, train
from sidamo.lang.ngram_model import write_model
from sidamo.lang.topology import token_fst
from sidamo.lang.unk import insert_unk_model, modify_unk_entries, train_unit_model, unit_automaton


class Language:
    """A small random lexicon (homophones, prefixes, several pronunciations) with its tables and L."""

    def __init__(self, seed, num_words=12, sil_prob=0.0, disambig=True, silprobs=False, unk_fst=None):
        rng = random.Random(seed)
        units = ["a", "b", "c", "d"]
        self.entries = []
        for k in range(num_words):
            for _ in range(rng.choice([1, 1, 2])):
                phones = tuple(rng.choice(units) for _ in range(rng.randint(1, 4)))
                self.entries.append(lex.Entry(f"w{k}", (f"{rng.choice([1.0, 0.5, 0.25])}",), phones))
        self.entries = list(dict.fromkeys(self.entries))
        if silprobs:
            numbers = [0.25, 0.5, 0.7, 0.9]
            self.entries = [
                entry._replace(numbers=(*entry.numbers, *(str(rng.choice(numbers)) for _ in range(3)))) for entry in self.entries
            ]
        if unk_fst:
            self.entries = modify_unk_entries(self.entries, "w0")
        marked, highest = lex.add_disambig(self.entries, 4 if unk_fst else 1)
        symbols = [f"#{k}" for k in range(highest + 2)]
        self.phones = {s: k for k, s in enumerate(["<eps>", "sil", *units, *symbols])}
        self.words = {s: k for k, s in enumerate(["<eps>", *(f"w{k}" for k in range(num_words)), "#0", "<s>", "</s>"])}
        self.tokens = {s: k for k, s in enumerate(["<eps>", "<blk>", "sil", *units, *symbols])}
        marked = marked if disambig else self.entries
        arcs = lex.lexicon_arcs(marked, sil_prob, "sil", symbols[-1])
        if silprobs:
            about = {"<s>": 0.4, "</s>_s": 1.5, "</s>_n": 0.8, "overall": 0.3}
            arcs = lex.lexicon_arcs_silprob(marked, about, "sil", symbols[-1])
        if unk_fst:
            arcs = insert_unk_model(arcs, unk_fst, keep_marks=True)
        fst = lexicon_fst(arcs, self.phones, self.words)
        self.lexicon = arcsort(add_self_loops(fst, [self.phones["#0"]], [self.words["#0"]]), "olabel")

    def grammar(self, tmp_path, seed, order=2) -> CsrFst:
        rng = random.Random(seed)
        words = [word for word in self.words if word.startswith("w")]
        lines = [" ".join(rng.choice(words) for _ in range(rng.randint(1, 5))) for _ in range(40)]
        (tmp_path / "corpus").write_text("\n".join(lines) + "\n")
        write_model(train(str(tmp_path / "corpus"), LmOptions(order=order)), str(tmp_path / "lm.arpa"))
        ids = {word.encode(): k for word, k in self.words.items()}
        options = ArpaOptions(disambig_symbol="#0", read_symbol_table="words.txt")
        return arpa_to_fst((tmp_path / "lm.arpa").read_bytes(), ids, options)


def acceptor(labels):
    n = len(labels)
    return graph.to_pynini(make_csr(n + 1, range(n), labels, labels, [0.0] * n, range(1, n + 1), {n: 0.0}))


def total_cost(fst, inputs, outputs, in_log=True):
    """Cost of all paths of a pynini FST with these labels (epsilons apart); None where there is none."""
    both = pynini.compose(acceptor(inputs), fst.copy().arcsort("ilabel"))
    both = pynini.compose(both.arcsort("olabel"), acceptor(outputs))
    if both.start() < 0:
        return None
    both = pynini.arcmap(both, map_type="to_log") if in_log else both
    return float(str(pynini.shortestdistance(both, reverse=True)[both.start()]))


def sample_paths(fst, count, seed):
    """(input labels, output labels) of random paths, epsilons removed."""
    for k in range(count):
        path = pynini.randgen(fst, seed=1000 * seed + k, max_length=80).paths()
        if not path.done():
            yield [x for x in path.ilabels() if x], [x for x in path.olabels() if x]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["plain", "silence", "silprob", "unk", "unk and silence"])
def test_builders_are_equivalent(tmp_path, seed, kind):
    """Same weight of every sampled path, L o G itself being the judge; the direct builder is exact."""
    unk_fst = ""
    if "unk" in kind:
        entries = [lex.Entry("x", (), tuple(word)) for word in ("abc", "acd", "b", "cabd", "dd")]
        rows = unit_automaton(train_unit_model(entries, 2, 0.0))
        lines = ["\t".join(map(str, row if len(row) == 2 else (*row[:3], "<eps>", row[3]))) for row in rows]
        (tmp_path / "unk").write_text("\n".join(lines) + "\n")
        unk_fst = str(tmp_path / "unk")
    language = Language(seed, sil_prob=0.3 if "silence" in kind else 0.0, silprobs=kind == "silprob", unk_fst=unk_fst)
    grammar = language.grammar(tmp_path, seed, order=1 + seed % 3)
    truth = graph.compose(graph.to_pynini(language.lexicon), graph.to_pynini(grammar), "L o G")
    book = graph.to_pynini(graph.build_lg(language.lexicon, grammar))
    direct = graph.to_pynini(build_lg_direct(language.lexicon, grammar, language.phones, language.words))
    compared, seen = 0, set()
    for fst in (truth, book, direct):
        for inputs, outputs in sample_paths(fst, 15, seed):
            wanted = total_cost(truth, inputs, outputs)
            if wanted is None:  # a path cut off at max_length
                assert total_cost(book, inputs, outputs) is None and total_cost(direct, inputs, outputs) is None
                continue
            assert abs(total_cost(direct, inputs, outputs) - wanted) < 1e-3
            assert abs(total_cost(book, inputs, outputs) - wanted) < 0.01 * (1 + len(outputs))
            compared += 1
            seen.update(inputs)
    assert compared > 10
    assert "unk" not in kind or language.phones["#1"] in seen
    assert kind in ("plain", "unk") or language.phones["sil"] in seen


@pytest.mark.parametrize("topology", ["correct", "compact", "minimal", "modified"])
@pytest.mark.parametrize("seed", range(3))
def test_expansion_is_the_composition(tmp_path, topology, seed):
    """The written-down T o LG, by numpy and by the kernel, against T.fst o LG: the best cost of sampled frame strings."""
    language = Language(seed, sil_prob=0.3 * (seed % 2))
    lg = graph.build_lg(language.lexicon, language.grammar(tmp_path, seed))
    over_tokens = graph.relabel_to_tokens(lg, language.phones, language.tokens)
    symbols = [symbol for symbol in language.tokens if symbol.startswith("#")]
    units = [symbol for symbol in language.tokens if symbol not in ("<eps>", "<blk>", *symbols)]
    t = token_fst(topology, [language.phones[u] for u in units], [language.phones[s] for s in symbols])
    composed = graph.to_pynini(graph.compose_topology(arcsort(t, "olabel"), lg, language.tokens))
    ours = expand._Expander(over_tokens, topology).build()
    kernel = expand_kernel.expand(over_tokens, topology)
    assert (ours.num_states, ours.num_arcs) == (kernel.num_states, kernel.num_arcs)
    for fst in (ours, kernel):
        keys = (fst.arc_sources().astype(np.int64) << 32) | fst.ilabel
        assert np.all(np.diff(keys) >= 0), "arcs must be input-sorted"
    written, compiled = graph.to_pynini(ours), graph.to_pynini(kernel)
    compared = 0
    for fst in (composed, written):
        for frames, words in sample_paths(fst, 20, seed):
            best = total_cost(composed, frames, words, in_log=False)
            for other in (written, compiled):
                cost = total_cost(other, frames, words, in_log=False)
                assert (cost is None) == (best is None)
                assert best is None or abs(cost - best) < 1e-3
            compared += best is not None
    assert compared > 10


def test_compact_graph_accepts_what_correct_accepts(tmp_path):
    language = Language(5)
    lg = graph.relabel_to_tokens(
        graph.build_lg(language.lexicon, language.grammar(tmp_path, 5)), language.phones, language.tokens
    )
    strict, compact = expand.expand_topology(lg, "correct"), expand.expand_topology(lg, "compact")
    assert compact.num_arcs < strict.num_arcs
    strict, compact = graph.to_pynini(strict), graph.to_pynini(compact)
    for one, other in ((strict, compact), (compact, strict)):
        for frames, words in sample_paths(one, 60, 1):
            a, b = total_cost(one, frames, words, in_log=False), total_cost(other, frames, words, in_log=False)
            assert (a is None) == (b is None) and (a is None or abs(a - b) < 1e-3)


def test_a_loop_of_words_sums_to_one():
    fst = phrase_grammar([[1], [2], [3, 4]], [0.5, 0.25, 0.25], loop=True, stop_prob=0.2)
    from sidamo.lang.fst_ops import state_sums

    sums = state_sums(fst)
    assert np.allclose(sums[[0, 1]], 0, atol=1e-6)
    assert abs(total_cost(graph.to_pynini(fst), [1, 3, 4], [1, 3, 4]) + np.log(0.5 * 0.8 * 0.25 * 0.2)) < 1e-5


# ---- faults, found before or while building, and explained ----


def test_empty_composition(tmp_path):
    language = Language(1)
    grammar = phrase_grammar([[language.words["<s>"]]], [1.0])
    with pytest.raises(DataError, match="L o G is empty"):
        graph.build_lg(language.lexicon, grammar)
    with pytest.raises(DataError, match="no word of the grammar is in the lexicon"):
        build_lg_direct(language.lexicon, grammar, language.phones, language.words)


def test_missing_disambiguation_symbol():
    entries = [lex.Entry("two", ("1.0",), ("T", "UW")), lex.Entry("too", ("1.0",), ("T", "UW"))]
    phones, words = {"<eps>": 0, "T": 1, "UW": 2, "#0": 3}, {"<eps>": 0, "two": 1, "too": 2, "#0": 3}
    fst = lexicon_fst(lex.lexicon_arcs(entries), phones, words)
    with pytest.raises(DataError, match=r"'two' and 'too' sound the same \(T UW\).*cannot be determinized"):
        graph.check_lexicon(fst, phones, words)
    entries[1] = lex.Entry("tool", ("1.0",), ("T", "UW", "T"))
    words = {"<eps>": 0, "two": 1, "tool": 2, "#0": 3}
    fst = lexicon_fst(lex.lexicon_arcs(entries, 0.5, "T"), phones, words)
    with pytest.raises(DataError, match="'two' and 'tool' begin the same"):
        graph.check_lexicon(fst, phones, words)


@pytest.mark.parametrize("sil_prob", [0.0, 0.5])
def test_marked_lexicons_pass_the_check(sil_prob):
    for seed in range(5):
        language = Language(seed, sil_prob=sil_prob)
        graph.check_lexicon(language.lexicon, language.phones, language.words)


def test_grammar_faults():
    words = {"<eps>": 0, "a": 1, "b": 2, "<unk>": 3, "#0": 4, "<s>": 5, "</s>": 6}
    good = make_csr(2, [0, 0], [1, 4], [1, 0], [0, 0], [1, 1], {1: 0.0})
    assert check_grammar(good, words, {1, 2}) == []
    with pytest.raises(DataError, match="(?s)1 words of the grammar have no pronunciation in the lexicon: 'a'.*extend_lang"):
        check_grammar(good, words, {2})
    assert "has no pronunciation" in check_grammar(good, words, {2}, oov_word="a")[0]
    with pytest.raises(DataError, match="(?s)<s> on an arc.*arpa2fst"):
        check_grammar(make_csr(2, [0], [5], [5], [0], [1], {1: 0.0}), words, {1})
    with pytest.raises(DataError, match="#0 as an output; only #0:<eps>"):
        check_grammar(make_csr(2, [0], [4], [4], [0], [1], {1: 0.0}), words, {1})
    with pytest.raises(DataError, match="label 9 is in no line of words.txt"):
        check_grammar(make_csr(2, [0], [9], [9], [0], [1], {1: 0.0}), words, {1})
    with pytest.raises(DataError, match="accepts nothing"):
        check_grammar(make_csr(2, [0], [1], [1], [0], [1], {}), words, {1})
    looped = make_csr(3, [0, 1, 2], [1, 4, 0], [1, 0, 0], [0, 0, 0], [1, 2, 1], {2: 0.0})
    with pytest.raises(DataError, match="a cycle of arcs without words .* through the states (1 -> 2 -> 1|2 -> 1 -> 2)"):
        check_grammar(looped, words, {1})


def test_cycles_are_found():
    rng = random.Random(2)
    for _ in range(50):
        n = rng.randint(2, 8)
        arcs = [(rng.randrange(n), rng.randrange(n)) for _ in range(rng.randint(1, 10))]
        reach = np.zeros((n, n), bool)
        for a, b in arcs:
            reach[a, b] = True
        for k in range(n):  # Warshall
            reach |= reach[:, k : k + 1] & reach[k : k + 1]
        src, dst = zip(*arcs)
        fst = make_csr(n, src, [0] * len(arcs), [0] * len(arcs), [0] * len(arcs), dst, {0: 0.0})
        cycle = find_cycle(fst, np.ones(len(arcs), bool))
        assert (cycle is not None) == bool(np.any(np.diag(reach)))
        if cycle:
            assert cycle[0] == cycle[-1] and all((a, b) in arcs for a, b in zip(cycle, cycle[1:]))


def test_bounds(tmp_path):
    language = Language(3)
    grammar = language.grammar(tmp_path, 3)
    with pytest.raises(DataError, match="(?s)more than --max-states 5.*--builder direct"):
        graph.build_lg(language.lexicon, grammar, max_states=5)
    with pytest.raises(DataError, match="more than --max-states 5"):
        build_lg_direct(language.lexicon, grammar, language.phones, language.words, max_states=5)


def test_direct_builder_refuses_other_lexicons():
    """Words that leave three states; a silence that loops."""
    words, phones = {"<eps>": 0, "a": 1, "b": 2, "c": 3, "#0": 4}, {"<eps>": 0, "x": 1, "#0": 2}
    grammar = phrase_grammar([[1], [2]], [0.5, 0.5])
    strange = make_csr(3, [0, 1, 2], [1, 1, 1], [1, 2, 3], [0, 0, 0], [1, 2, 0], {0: 0.0})
    with pytest.raises(DataError, match="(?s)words leave 3 states.*--builder pynini"):
        build_lg_direct(strange, grammar, phones, words)
    looped = make_csr(3, [0, 0, 1, 2], [0, 0, 1, 1], [0, 0, 1, 0], [1, 1, 0, 0], [1, 2, 1, 2], {1: 0.0})
    with pytest.raises(DataError, match="(?s)the silence.*--builder pynini"):
        build_lg_direct(looped, grammar, phones, words)


def test_blank_in_lg():
    lg = make_csr(2, [0], [1], [1], [0], [1], {1: 0.0})
    with pytest.raises(DataError, match="a blank in LG"):
        expand.expand_topology(lg, "correct")
