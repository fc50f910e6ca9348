"""The compiled steps of large graphs against pynini and against plain enumeration, on random small machines."""

import numpy as np
import pynini
import pytest
from sidamo.io.errors import DataError
from sidamo.io.fst import arcsort, make_csr
from sidamo.lang import arpa, arpa_kernel, graph
from sidamo.lang.arpa import ArpaOptions, arpa_to_fst, connect
from sidamo.lang.compose_kernel import compose
from sidamo.lang.determinize_kernel import determinize_star
from sidamo.lang.minimize_kernel import minimize_encoded


def random_machine(rng, max_states=8, labels=3, acyclic=False):
    n = int(rng.integers(1, max_states))
    count = int(rng.integers(0, 3 * n))
    src, dst = rng.integers(0, n, count), rng.integers(0, n, count)
    if acyclic:
        src, dst, n = np.minimum(src, dst), np.maximum(src, dst) + 1, n + 1
    outputs = np.where(rng.random(count) < 0.5, rng.integers(0, labels, count), 0)
    final = np.where(rng.random(n) < 0.5, 0.5 * rng.integers(0, 2, n), np.inf).astype(np.float32)
    return make_csr(n, src, rng.integers(0, labels, count), outputs, 0.25 * rng.integers(0, 4, count), dst, final)


def log_add(a, b):
    return -np.logaddexp(-a, -b)


def path_sums(fst, add=log_add):
    """{(inputs, outputs): sum of the costs of its paths} of an acyclic machine, by enumeration."""
    found, stack = {}, [(fst.start, (), (), 0.0)] if fst.start >= 0 else []
    while stack:
        state, inputs, outputs, cost = stack.pop()
        if np.isfinite(fst.final[state]):
            key, total = (inputs, outputs), cost + float(fst.final[state])
            found[key] = add(found.get(key, np.inf), total)
        for k in range(int(fst.offsets[state]), int(fst.offsets[state + 1])):
            i, o = int(fst.ilabel[k]), int(fst.olabel[k])
            longer = (inputs + (i,) * (i > 0), outputs + (o,) * (o > 0))
            stack.append((int(fst.nextstate[k]), *longer, cost + float(fst.weight[k])))
    return found


def test_composition_is_pyninis():
    rng, accepted = np.random.default_rng(1), 0
    for _ in range(300):
        left, right = arcsort(random_machine(rng), "olabel"), arcsort(random_machine(rng), "ilabel")
        ours = compose(left, right)
        theirs = pynini.compose(graph.to_pynini(left), graph.to_pynini(right), compose_filter="sequence")
        theirs = graph.from_pynini(theirs)
        assert (ours.num_states, ours.num_arcs) == (theirs.num_states, theirs.num_arcs)
        assert np.allclose(np.sort(ours.weight), np.sort(theirs.weight))
        accepted += ours.num_states > 0
    assert accepted > 50


def test_composition_of_growing_arrays():
    """More states and arcs than the arrays have room for at first."""
    n = 400
    ring = make_csr(n, np.arange(n), np.ones(n), np.ones(n), np.ones(n), (np.arange(n) + 1) % n, {0: 0.0})
    other = make_csr(
        n - 1, np.arange(n - 1), np.ones(n - 1), np.ones(n - 1), np.zeros(n - 1), (np.arange(n - 1) + 1) % (n - 1), {0: 0.0}
    )
    product = compose(ring, other)
    assert product.num_states == product.num_arcs == n * (n - 1)


def test_minimization_is_pyninis():
    rng = np.random.default_rng(2)
    for _ in range(400):
        fst = connect(random_machine(rng, 12, 2))
        if fst.num_states == 0:
            continue
        ours, theirs = minimize_encoded(fst, 1.0 / 1024), graph.from_pynini(graph.minimize([graph.to_pynini(fst)]))
        assert (ours.num_states, ours.num_arcs) == (theirs.num_states, theirs.num_arcs)
        assert np.allclose(np.sort(ours.weight), np.sort(theirs.weight))


def test_minimization_keeps_every_path():
    rng = np.random.default_rng(3)
    for _ in range(100):
        fst = connect(random_machine(rng, acyclic=True))
        before, after = path_sums(fst), path_sums(minimize_encoded(fst, 1.0 / 1024))
        assert before.keys() <= after.keys() and after.keys() <= before.keys()


@pytest.mark.parametrize("in_log", [True, False])
def test_determinization_keeps_the_weights(in_log):
    """One arc per input label; the same outputs and (log) sums of costs; refused only where a path has two outputs."""
    rng, kept, refused = np.random.default_rng(4), 0, 0
    for _ in range(500):
        fst = connect(random_machine(rng, 6, acyclic=True))
        add = log_add if in_log else min
        before = path_sums(fst, add)
        outputs = {}
        for inputs, output in before:
            outputs.setdefault(inputs, set()).add(output)
        try:
            result = determinize_star(fst, in_log)
        except DataError as error:
            # two outputs for one input, or for the beginning of one that more labels would tell apart
            assert "not functional" in str(error)
            refused += 1
            continue
        assert all(len(found) == 1 for found in outputs.values())
        after = path_sums(result, add)
        assert before.keys() == after.keys()
        assert all(abs(before[key] - after[key]) < 0.01 for key in before)
        for state in range(result.num_states):
            labels = result.ilabel[result.arcs_of(state)]
            assert len(set(labels.tolist())) == len(labels)
        kept += 1
    assert kept > 100 and refused > 10


def test_determinization_of_growing_arrays():
    """A tree of many thousand states through arrays that begin with 1,024."""
    rng = np.random.default_rng(5)
    words = {tuple(rng.integers(1, 5, int(rng.integers(3, 9)))) for _ in range(3000)}
    src, ilabel, olabel, dst, states = [], [], [], [], 2
    for number, word in enumerate(sorted(words), 1):
        here = 0
        for k, unit in enumerate((*word, 5 + number)):
            end = k == len(word)
            src.append(here), ilabel.append(unit), olabel.append(number if k == 0 else 0), dst.append(1 if end else states)
            here, states = states, states + (not end)
    fst = make_csr(states, src, ilabel, olabel, np.full(len(src), 0.5), dst, {1: 0.0})
    result = determinize_star(fst, True)
    assert result.num_states < 0.7 * states
    best = graph.from_pynini(pynini.determinize(graph.to_pynini(fst)))
    assert (result.num_states, result.num_arcs) == (best.num_states, best.num_arcs)
    assert len(path_sums(result)) == len(words)


def test_determinization_of_huge_labels():
    fst = make_csr(4, [0, 0, 1, 2], [1, 1, 2, 3], [0, 0, 2**31 - 1, 2**30], [0.5, 0.5, 1, 1], [1, 2, 3, 3], {3: 0.0})
    assert path_sums(determinize_star(fst)) == path_sums(fst)


def test_determinization_says_what_is_wrong():
    fst = make_csr(3, [0, 1, 1], [7, 8, 8], [0, 1, 2], [0, 0, 0], [1, 2, 2], {2: 0.0})
    with pytest.raises(DataError, match="(?s)after the input labels 7 the same input has two outputs.*disambiguation symbols"):
        determinize_star(fst)
    # the same word on two cycles of different weight: no end of residual weights
    fst = make_csr(3, [0, 0, 1, 2, 1, 2], [1, 1, 2, 2, 3, 4], [0] * 6, [0, 0, 1, 2, 0, 0], [1, 2, 1, 2, 0, 0], {1: 0.0, 2: 0.0})
    with pytest.raises(DataError, match="more than 1000 states"):
        determinize_star(fst, max_states=1000)


def test_large_and_small_graphs_are_built_alike(tmp_path, monkeypatch):
    """`build_lg` by kernels and by pynini, of one grammar: the same path weights."""
    from test_lang_graph import Language, sample_paths, total_cost

    for seed in range(3):
        language = Language(seed, sil_prob=0.3 * (seed % 2))
        grammar = language.grammar(tmp_path, seed, order=3)
        book = graph.to_pynini(graph.build_lg(language.lexicon, grammar))
        monkeypatch.setattr(graph, "LARGE", 0)
        fast = graph.to_pynini(graph.build_lg(language.lexicon, grammar))
        monkeypatch.undo()
        compared = 0
        for fst in (book, fast):
            for inputs, outputs in sample_paths(fst, 20, seed):
                one, other = total_cost(book, inputs, outputs), total_cost(fast, inputs, outputs)
                assert (one is None) == (other is None)
                assert one is None or abs(one - other) < 0.01 * (1 + len(outputs))
                compared += one is not None
        assert compared > 10


# ---- ARPA ----


def arpa_text(rng, num_words=60, num_bigrams=400):
    words = ["<s>", "</s>", *(f"wörd{k}" for k in range(num_words))]
    form = [lambda x: f"{x:.4f}", lambda x: f"{x:.7g}", lambda x: f"{x:.17g}", lambda x: f"{x:e}", lambda x: f"{x:.25f}"]

    def number():
        return rng.choice(form)(-float(rng.choice([0.0, 99.0, rng.random() * 5, rng.random() * 1e-3])))

    unigrams = [f"{number()}\t{word}" + (f"\t{number()}" if rng.random() < 0.8 else "") for word in words]
    pairs = sorted(
        {(int(a), int(b)) for a, b in zip(rng.integers(2, len(words), num_bigrams), rng.integers(1, len(words), num_bigrams))}
    )
    bigrams = [f"{number()} {words[a]}  {words[b]} " for a, b in pairs]
    head = f"\\data\\\nngram 1={len(unigrams)}\nngram 2={len(bigrams)}\n\n"
    return (
        head + "\\1-grams:\n" + "\n".join(unigrams) + "\n\n\\2-grams:\n" + "\n".join(bigrams) + "\n\n\\end\\\n"
    ).encode(), words


@pytest.mark.parametrize("missing", [0, 5])
def test_compiled_arpa_parser_reads_what_the_plain_one_reads(monkeypatch, capsys, missing):
    rng = np.random.default_rng(6 + missing)
    options = ArpaOptions(disambig_symbol="#0", read_symbol_table="words.txt", max_arpa_warnings=-1)
    for _ in range(10):
        text, words = arpa_text(rng)
        table = ["<eps>", *words[: len(words) - missing], "#0"]
        found = []
        for large in (0, 1 << 30):
            monkeypatch.setattr(arpa, "LARGE", large)
            found.append(
                (arpa_to_fst(text, {word.encode(): k for k, word in enumerate(table)}, options), capsys.readouterr().err)
            )
        (fast, fast_log), (slow, slow_log) = found
        for name in ("offsets", "ilabel", "olabel", "nextstate", "weight", "final"):
            assert np.array_equal(getattr(fast, name), getattr(slow, name)), name
        assert fast_log == slow_log and ("is not in the symbol table" in fast_log) == bool(missing)


@pytest.mark.parametrize(
    "text",
    [
        "-1.5",
        "0",
        "-99",
        "+2.25",
        "-1e-05",
        "1E+2",
        "-.5",
        "7.",
        "-0.30103000000000000001",
        "123456789012345678901234",
        "1e-400",
    ],
)
def test_numbers_of_the_compiled_parser(text):
    data = np.frombuffer(text.encode(), np.uint8)
    value = arpa_kernel._natural(data, 0, len(data), arpa_kernel.POWERS)
    with np.errstate(over="ignore"):
        wanted = arpa._to_natural(np.array([float(text)]))[0]
    assert value == wanted


@pytest.mark.parametrize("text", ["x1", "1e400", "-1e39", "-", "1e", "1e+", "1.2.3", "nan", "inf", "1_0", "0x10", "1,5"])
def test_what_is_no_plain_number_is_left_to_the_careful_parser(text):
    data = np.frombuffer(text.encode(), np.uint8)
    assert np.isnan(arpa_kernel._natural(data, 0, len(data), arpa_kernel.POWERS))


# ---- fstpushspecial, fstrmsymbols ----


def test_pushed_sums_are_equal_and_paths_unchanged(golden):
    from sidamo.io.fst import read_fst
    from sidamo.lang.fst_ops import push_special, state_sums

    rng = np.random.default_rng(8)
    for _ in range(50):
        fst = connect(random_machine(rng, acyclic=True))
        if fst.num_states == 0:
            continue
        pushed = push_special(fst, 1e-4)
        assert np.ptp(state_sums(pushed)) < 2e-4
        before, after = path_sums(fst), path_sums(pushed)
        assert before.keys() == after.keys() and all(abs(before[key] - after[key]) < 1e-4 for key in before)
    lg = push_special(read_fst(golden / "graph/LG_posdep_sil0.5_est.fst"))
    assert np.ptp(state_sums(lg)) <= 1.0 / 1024 + 1e-5


def test_symbols_are_removed():
    from sidamo.lang.fst_ops import remove_symbols

    fst = make_csr(3, [0, 1, 1], [1, 2, 3], [3, 2, 1], [0.5, 1.0, 1.5], [1, 2, 2], {2: 0.0})
    assert remove_symbols(fst, [2, 3]).ilabel.tolist() == [1, 0, 0]
    assert remove_symbols(fst, [2, 3], output=True).olabel.tolist() == [0, 0, 1]
    assert remove_symbols(fst, [2], penalty=2.0).weight.tolist() == [0.5, 3.0, 1.5]
    kept = remove_symbols(fst, [3], remove_arcs=True)
    assert kept.ilabel.tolist() == [1, 2] and kept.offsets.tolist() == [0, 1, 2, 2]


@pytest.mark.parametrize("use_log", [True, False])
@pytest.mark.parametrize("lang", ["posdep_sil0.5", "nopos_sil0.0", "posdep_silprob"])
def test_kaldis_own_code_makes_the_same_machines(golden, tmp_path, lang, use_log):
    """fstdeterminizestar and fstminimizeencoded in the wheel kaldifst: as many states and arcs, the same weights."""
    kaldifst = pytest.importorskip("kaldifst", reason="the peer is not installed (pip install kaldifst)")
    from sidamo.io.fst import read_fst

    def back(fst):
        fst.write(str(tmp_path / "fst"))
        return read_fst(tmp_path / "fst")

    for name in ("uni", "bi", "tri", "est"):
        paths = golden / f"lang/{lang}/lang/L_disambig.fst", golden / f"arpa/{name}.G.fst"
        theirs = kaldifst.compose(*(kaldifst.StdVectorFst.read(str(path)) for path in paths))
        ours = compose(arcsort(read_fst(paths[0]), "olabel"), arcsort(read_fst(paths[1]), "ilabel"))
        steps = [(ours, back(theirs))]
        kaldifst.determinize_star(theirs, use_log=use_log)
        ours = determinize_star(ours, use_log)
        steps.append((ours, back(theirs)))
        kaldifst.minimize_encoded(theirs)
        steps.append((minimize_encoded(ours, 1.0 / 1024), back(theirs)))
        for mine, other in steps:
            assert (mine.num_states, mine.num_arcs) == (other.num_states, other.num_arcs)
            assert np.allclose(np.sort(mine.weight), np.sort(other.weight), atol=2e-3)
