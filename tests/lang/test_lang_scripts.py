"""The scripts of the lang room, from a dictionary to a graph and on: what they write, and what they say of bad input."""

import itertools
import pathlib
import random
import re
import shutil

import numpy as np
import pytest
from sidamo.io.errors import DataError
from sidamo.io.fst import make_csr, read_fst, write_fst
from sidamo.lang import draw, extend, g2p
from sidamo.lang.arpa import ArpaOptions, ArpaReader, GrammarCompiler, arpa_to_fst
from sidamo.lang.lexicon import Entry, read_table

ROOT = pathlib.Path(__file__).resolve().parents[2]
UTILS = ROOT / "utils"
LEXICON = "one W AH N\ntwo T UW\ntoo T UW\nten T EH N\ntent T EH N T\na AH\na EY\n"


@pytest.fixture(scope="module")
def work(tmp_path_factory, run):
    """A dictionary without silence, its lang directory, a bigram, a grammar and a graph."""
    path = tmp_path_factory.mktemp("work")
    (path / "dict").mkdir()
    (path / "dict/lexicon.txt").write_text(LEXICON)
    (path / "dict/nonsilence_phones.txt").write_text("\n".join(["AH", "EH", "EY", "N", "T", "UW", "W", "Z"]) + "\n")
    (path / "text").write_text("u1 one two ten\nu2 two a tent\nu3 ten ten one too\n")
    for command in (
        "prepare_lang.sh --ctc true dict '<unk>' tmp lang", "train_lm.sh --order 2 text lm.arpa.gz",
        "format_lm.sh lang lm.arpa.gz dict/lexicon.txt lang_test", "mkgraph.sh lang_test graph",
    ):  # fmt: skip
        done = run(f"{UTILS}/{command}", cwd=path)
        assert done.returncode == 0, done.stderr
    return path


def test_tokens_are_the_units_in_use(work):
    """Z is in no pronunciation: no network output for it. tokens: <eps>, <blk>, units, disambiguation symbols."""
    names = [line.split()[0] for line in (work / "lang/tokens.txt").read_text().splitlines()]
    assert names[:9] == ["<eps>", "<blk>", "AH", "EH", "EY", "N", "T", "UW", "W"]
    assert all(name.startswith("#") for name in names[9:])
    assert (work / "lang/ctc_topo").read_text() == "correct\n"
    assert (work / "graph/num_tokens").read_text() == "8\n"


def test_graph_directory(work):
    tlg, lg = read_fst(work / "graph/TLG.fst"), read_fst(work / "graph/LG.fst")
    for fst in (tlg, lg):
        assert np.all(np.diff((fst.arc_sources().astype(np.int64) << 32) | fst.ilabel) >= 0)
    assert tlg.ilabel.max() == 8 and lg.ilabel.max() == 8 and 1 not in lg.ilabel
    for name in ("words.txt", "tokens.txt", "ctc_topo", "phones/align_lexicon.int", ".done"):
        assert (work / "graph" / name).exists(), name


def test_mkgraph_builds_only_what_changed(work, run, tmp_path):
    shutil.copytree(work / "lang_test", tmp_path / "lang")
    first = run(f"{UTILS}/mkgraph.sh lang graph", cwd=tmp_path)
    assert first.returncode == 0 and "determinizing" in first.stderr
    stamps = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "graph").glob("*.fst")}
    again = run(f"{UTILS}/mkgraph.sh lang graph", cwd=tmp_path)
    assert "is up to date" in again.stderr and "determinizing" not in again.stderr
    assert stamps == {p.name: p.stat().st_mtime_ns for p in (tmp_path / "graph").glob("*.fst")}
    other = run(f"{UTILS}/mkgraph.sh --topo compact lang graph", cwd=tmp_path)
    assert "LG.fst is up to date" in other.stderr and "determinizing" not in other.stderr
    (tmp_path / "graph/.done").unlink()  # as if it had been killed
    done = run(f"{UTILS}/mkgraph.sh --topo compact lang graph", cwd=tmp_path)
    assert done.returncode == 0 and (tmp_path / "graph/.done").exists()
    direct = run(f"{UTILS}/mkgraph.sh --builder direct lang graph", cwd=tmp_path)
    assert direct.returncode == 0, direct.stderr


def test_text_to_tokens(work, run, tmp_path):
    (tmp_path / "text").write_text("u1 one a ten\nu2 two\nu3\n" + "".join(f"v{k} too\n" for k in range(60)) + "z zebra\n")
    done = run(f"text-to-tokens {work}/lang text ark,t:tokens", cwd=tmp_path)
    assert done.returncode == 0, done.stderr  # one of 64 is lost: fewer than 5 in 100
    rows = dict(line.split(" ", 1) for line in (tmp_path / "tokens").read_text().splitlines())
    table = read_table(work / "lang/tokens.txt")
    assert rows["u1"].split() == [str(table[unit]) for unit in "W AH N AH T EH N".split()]
    assert rows["u3"].split() == [] and "z" not in rows
    assert "word 'zebra' has no pronunciation" in done.stderr and "done 63/64" in done.stderr


def test_grammars(work, run, tmp_path):
    (tmp_path / "words").write_text("one\ntwo ten\n")
    done = run(f"{UTILS}/prepare_grammar.sh --loop true {work}/lang words lang_loop", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert run("fstisstochastic lang_loop/G.fst", cwd=tmp_path).returncode == 0
    (tmp_path / "g.txt").write_text("0 1 one one 0.5\n1\n")
    done = run(f"{UTILS}/prepare_grammar.sh --kind fst {work}/lang g.txt lang_fst", cwd=tmp_path)
    assert done.returncode == 0 and read_fst(tmp_path / "lang_fst/G.fst").num_arcs == 1
    (tmp_path / "words").write_text("one\nseven\n")
    done = run(f"{UTILS}/prepare_grammar.sh {work}/lang words lang_bad", cwd=tmp_path)
    assert done.returncode == 1 and "words:2: word 'seven' is not in words.txt" in done.stderr
    dates = ROOT / "pylib/sidamo/lang/dates.py"
    done = run(f"{UTILS}/prepare_grammar.sh {work}/lang {dates} lang_bad", cwd=tmp_path)
    assert done.returncode == 1 and "are all its words in words.txt?" in done.stderr, done.stderr
    (tmp_path / "words").write_text("0 one\n")
    done = run(f"{UTILS}/prepare_grammar.sh --kind weighted-phrases {work}/lang words lang_bad", cwd=tmp_path)
    assert done.returncode == 1 and "expected a weight above 0 and words" in done.stderr


def test_dates_in_pynini():
    """The worked example accepts what it should, and its probabilities sum to one."""
    import pynini
    from sidamo.lang import dates

    symbols = pynini.SymbolTable()
    symbols.add_symbol("<eps>", 0)
    for word in dates.words():
        symbols.add_symbol(word)
    fst = dates.grammar(symbols)
    total = pynini.shortestdistance(pynini.arcmap(fst, map_type="to_log"), reverse=True)[fst.start()]
    assert abs(float(str(total))) < 1e-3

    def accepts(phrase):
        return pynini.compose(pynini.accep(phrase, token_type=symbols), fst).start() >= 0

    for phrase in ("the third of march", "march the third two thousand four", "ten past six", "half past four p m",
                   "twenty ninth of february", "seven oh five a m", "midnight", "eleven o'clock"):  # fmt: skip
        assert accepts(phrase), phrase
    for phrase in ("the thirtieth of february", "thirty first of june", "half to four", "past six"):
        assert not accepts(phrase), phrase


def test_extend_lang(work, run, tmp_path):
    """Numbers stay, new words come last, the grammar lets them through, the graph is built."""
    (tmp_path / "new").write_text("tents T EH N T T\nzoo 0.5 T UW\none AH N\n")
    done = run(f"{UTILS}/extend_lang.sh {work}/lang_test new lang", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    old, new = read_table(work / "lang_test/words.txt"), read_table(tmp_path / "lang/words.txt")
    assert {**old, "tents": len(old), "zoo": len(old) + 1} == new
    old_tokens, tokens = read_table(work / "lang/tokens.txt"), read_table(tmp_path / "lang/tokens.txt")
    assert {**tokens, **old_tokens} == tokens
    assert new["zoo"] in read_fst(tmp_path / "lang/G.fst").ilabel
    assert run(f"{UTILS}/validate_lang.py lang", cwd=tmp_path).returncode == 0
    assert run(f"{UTILS}/mkgraph.sh lang graph", cwd=tmp_path).returncode == 0
    assert new["tents"] in read_fst(tmp_path / "graph/TLG.fst").olabel
    (tmp_path / "new").write_text("zig Z IH G\n")
    done = run(f"{UTILS}/extend_lang.sh {work}/lang_test new lang2", cwd=tmp_path)
    assert done.returncode == 1 and "new:1: unit 'Z' of 'zig' is not in tokens.txt" in done.stderr


def test_new_words_share_the_unknown_word():
    grammar = make_csr(1, [0, 0], [1, 2], [1, 2], [0.5, 1.0], [0, 0], {0: 0.0})
    wider = extend.extend_grammar(grammar, [7, 8], oov=2)
    assert wider.ilabel.tolist() == [1, 2, 7, 8]
    assert np.allclose(wider.weight, [0.5, 1.0, 1.0 + np.log(2), 1.0 + np.log(2)])


def test_unknown_words_can_be_heard(work, run, tmp_path):
    """With make_unk_lm the graph accepts any units as <unk>, with the cost of the unit model."""
    import pynini
    from sidamo.lang.grammar import phrase_grammar
    from sidamo.lang.graph import build_lg, to_pynini

    shutil.copytree(work / "dict", tmp_path / "dict")
    done = run(f"{UTILS}/make_unk_lm.sh --order 2 --prune 0 dict unk", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run(f"{UTILS}/prepare_lang.sh --ctc true --unk-fst unk/unk_fst.txt dict '<unk>' tmp lang", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    phones, words = read_table(tmp_path / "lang/phones.txt"), read_table(tmp_path / "lang/words.txt")
    lg = to_pynini(build_lg(read_fst(tmp_path / "lang/L_disambig.fst"), phrase_grammar([[words["<unk>"]]], [1.0])))
    total = {}
    for units in itertools.product(["T", "UW", "N"], repeat=3):
        labels = [phones[s] for s in ("#1", *units, "#3")]
        acceptor = make_csr(6, range(5), labels, labels, [0.0] * 5, range(1, 6), {5: 0.0})
        fst = pynini.compose(to_pynini(acceptor), lg)
        assert fst.start() >= 0, units
        total[units] = float(str(pynini.shortestdistance(pynini.arcmap(fst, map_type="to_log"), reverse=True)[fst.start()]))
    from sidamo.lang.ngram import LmOptions, train

    (tmp_path / "units").write_text(
        "\n".join(sorted({line.split(" ", 1)[1] for line in LEXICON.splitlines() if len(line.split()) > 2})) + "\n"
    )
    model = train(str(tmp_path / "units"), LmOptions(order=2, smoothing="wb", format="plain"))
    ids = model.ids()
    for units, cost in total.items():
        tokens = [1, *(ids[unit.encode()] for unit in units), 2]
        wanted = -sum(model.score(np.array([pair]))[0] for pair in zip(tokens, tokens[1:]))
        assert abs(cost - wanted) < 0.01, units


def test_g2p_learns_a_regular_spelling(tmp_path):
    """Letters a-f stand for A-F, `ph` for F, final e is silent: unseen words come out right, the best one first."""
    rng = random.Random(1)

    def spell():
        letters = [rng.choice(["a", "b", "c", "d", "f", "ph"]) for _ in range(rng.randint(2, 6))]
        return "".join(letters) + "e", tuple("F" if x == "ph" else x.upper() for x in letters)

    entries = [Entry(word, (), units) for word, units in {spell() for _ in range(400)}]
    g2p.train_g2p(entries, 4, str(tmp_path / "g2p"))
    pronouncer = g2p.Pronouncer(str(tmp_path / "g2p"))
    unseen = {spell() for _ in range(60)} - {(entry.word, entry.phones) for entry in entries}
    right = 0
    for word, units in unseen:
        found = pronouncer.pronounce(word, nbest=3)
        assert found[0][0] == 1.0 and [p for p, _ in found] == sorted((p for p, _ in found), reverse=True)
        right += found[0][1] == units
    assert right >= 0.9 * len(unseen)
    with pytest.raises(DataError, match="letter 'x' of 'axe' is in no word"):
        pronouncer.pronounce("axe")


def test_alignment_probabilities_by_hand():
    """One word, two letters, two units: a1 b2 is the only alignment of one piece each."""
    assert g2p.align([(("a", "b"), ("A", "B"))]) == [[(("a",), ("A",)), (("b",), ("B",))]]
    assert g2p.align([(("a",), ("A", "B", "C"))]) == [[]]
    assert g2p.letters_of("É\u0301a") == ("é\u0301", "a")


def test_draw(work, run, tmp_path):
    fst = make_csr(3, [0, 0, 1, 2], [1, 0, 2, 1], [1, 0, 0, 1], [0.5, 0, 0, 0], [1, 0, 2, 0], {2: 0.25})
    svg = draw.draw_svg(fst, {1: "a<b", 2: "c"}, {1: "x"})
    import xml.dom.minidom

    document = xml.dom.minidom.parseString(svg)
    texts = [node.firstChild.data for node in document.getElementsByTagName("text")]
    assert {"a<b:x/0.5", "c:ε", "0", "1", "2", "/0.25"} <= set(texts)
    assert len(document.getElementsByTagName("circle")) == 4  # the final state has two rings
    done = run(f"{UTILS}/draw_fst.sh {work}/lang/T.fst T.svg --max-states 2", cwd=tmp_path)
    assert done.returncode == 1
    done = run(f"{UTILS}/draw_fst.sh --max-states 2 {work}/lang/T.fst T.svg", cwd=tmp_path)
    assert done.returncode == 1 and "are too many to draw" in done.stderr
    done = run(f"{UTILS}/draw_fst.sh --osymbols {work}/lang/phones.txt {work}/lang/T.fst T.svg", cwd=tmp_path)
    assert done.returncode == 0 and (tmp_path / "T.svg").exists()


def sequential_grammar(text, ids, bos, eos, disambig):
    """arpa2fst as its description reads, with dictionaries, one n-gram after the other; without the removal of states."""
    history, arcs, final, start = {(): 0}, [], {}, None
    orders = ArpaReader(ids, "x").read(text)
    for order, ngrams in enumerate(orders, 1):
        for words, logprob, backoff in zip(ngrams.words.tolist(), ngrams.logprob.tolist(), ngrams.backoff.tolist()):
            if tuple(words[:-1]) not in history or bos in words[1:] or eos in words[:-1]:
                continue
            source = history[tuple(words[:-1])]
            if words[-1] == eos:
                final[source] = -logprob
                continue
            key = tuple(words[1:]) if order == len(orders) else tuple(words)
            if key not in history:
                history[key] = len(history)
                suffix = key[1:]
                while suffix not in history:
                    suffix = suffix[1:]
                arcs.append((history[key], disambig, 0, -backoff, history[suffix]))
            if words[-1] == bos:
                start = history[key]
            else:
                arcs.append((source, words[-1], words[-1], -logprob, history[key]))
    return len(history), arcs, final, start


@pytest.mark.parametrize("seed", range(12))
def test_pruned_models_compile_as_described(seed):
    """n-grams whose tails or histories are missing (pruned models), in any order: the same states and arcs."""
    rng = random.Random(seed)
    names = ["<s>", "</s>", "a", "b", "c", "d"]
    ids = {name.encode(): k for k, name in enumerate(["<eps>", *names, "#0"])}
    lines = [[f"-1 {name} -0.5" for name in names]]
    for n in (2, 3):
        grams = {tuple(rng.choice(names) for _ in range(n)) for _ in range(14)}
        rows = [f"{-rng.random():.3f} {' '.join(gram)}" + (" -0.3" if n == 2 else "") for gram in sorted(grams)]
        rng.shuffle(rows)
        lines.append(rows)
    counts = "".join(f"ngram {n}={len(rows)}\n" for n, rows in enumerate(lines, 1))
    body = "".join(f"\n\\{n}-grams:\n" + "\n".join(rows) + "\n" for n, rows in enumerate(lines, 1))
    text = f"\\data\\\n{counts}{body}\n\\end\\\n".encode()
    reader = ArpaReader(dict(ids), "x", max_warnings=0)
    compiler = GrammarCompiler(reader, 1, 2, 7)
    compiler._remove_redundant = lambda fst: fst
    orders = reader.read(text)
    for k, ngrams in enumerate(orders, 1):
        compiler._add_order(ngrams, k, highest=k == len(orders))
    num_states, arcs, final, start = sequential_grammar(text, dict(ids), 1, 2, 7)
    ours = [tuple(row) for part in compiler.arcs for row in zip(*(np.asarray(c).tolist() for c in part))]
    assert compiler.num_states == num_states and compiler.start == start
    assert sorted(ours) == sorted((a, b, c, pytest.approx(d), e) for a, b, c, d, e in arcs)


def test_arpa_speed_path_equals_slow_path(monkeypatch):
    """Chunks of one line each, and the line-by-line parser, read the same n-grams."""
    text = (
        b"\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-1 <s> -0.5\n-2\tb\t-1e-1\n\n-0.5 </s>\n-0.7 c\n\n"
        b"\\2-grams:\n-0.25 <s> b\n-1 b c\n\n\\end\\\n"
    )
    ids = {b"<eps>": 0, b"<s>": 1, b"</s>": 2, b"b": 3, b"c": 4, b"#0": 5}
    options = ArpaOptions(disambig_symbol="#0", read_symbol_table="words.txt")
    whole = arpa_to_fst(text, dict(ids), options)
    monkeypatch.setattr("sidamo.lang.arpa.CHUNK", 4)
    small = arpa_to_fst(text, dict(ids), options)
    monkeypatch.setattr(ArpaReader, "_parse_fast", lambda *args: None)
    slow = arpa_to_fst(text, dict(ids), options)
    for fst in (small, slow):
        assert np.array_equal(fst.weight, whole.weight) and np.array_equal(fst.nextstate, whole.nextstate)


@pytest.mark.parametrize(
    "file, change, message",
    [
        ("phones/disambig.int", lambda text: "77\n" + text, "does not correspond to disambig.txt"),
        ("words.txt", lambda text: text.replace("#0", "#zero"), "no #0"),
        ("words.txt", lambda text: text + "one 99\n", "symbol 'one' again"),
        ("tokens.txt", lambda text: text.replace("<blk> 1", "<blk> 50"), "expected <eps> 0 and <blk> 1"),
        ("oov.txt", lambda text: "nothing\n", "expected one word of words.txt"),
        ("phones/nonsilence.txt", lambda text: text.replace("Z\n", "Q\n"), "'Q' is not in phones.txt"),
    ],
)
def test_validate_lang(work, run, tmp_path, file, change, message):
    shutil.copytree(work / "lang", tmp_path / "lang")
    assert run(f"{UTILS}/validate_lang.pl lang", cwd=tmp_path).returncode == 0
    text = (tmp_path / "lang" / file).read_text()
    (tmp_path / "lang" / file).write_text(change(text))
    done = run(f"{UTILS}/validate_lang.pl lang", cwd=tmp_path)
    assert done.returncode == 1 and message in done.stdout, done.stdout


def test_validate_lang_finds_a_lexicon_that_cannot_be_determinized(work, run, tmp_path):
    shutil.copytree(work / "lang", tmp_path / "lang")
    shutil.copyfile(tmp_path / "lang/L.fst", tmp_path / "lang/L_disambig.fst")
    done = run(f"{UTILS}/validate_lang.py lang", cwd=tmp_path)
    assert done.returncode == 1 and "'too' and 'two' sound the same (T UW)" in done.stdout, done.stdout


@pytest.mark.parametrize(
    "command, message",
    [
        ("prepare_lang.sh dict '<unk>' tmp lang", "silence_phones.txt: empty, or absent"),
        ("prepare_lang.sh --ctc true --topo strict dict '<unk>' tmp lang", "--topo strict: expected one of correct"),
        ("prepare_lang.sh --ctc true --sil-prob 1.5 dict '<unk>' tmp lang", "--sil-prob 1.5: expected 0 <= p < 1"),
        ("prepare_lang.sh --ctc true nowhere '<unk>' tmp lang", "no such directory"),
        ("mkgraph.sh lang graph", "lang/G.fst: no such file"),
        ("mkgraph.sh --builder magic lang_test graph", "--builder magic: expected one of pynini, direct"),
        ("mkgraph.sh --max-states 3 lang_test graph3", "more than --max-states 3"),
        ("format_lm.sh lang absent.arpa dict/lexicon.txt out", "absent.arpa: no such file"),
        ("train_lm.sh --order x text out.arpa", "order"),
        ("train_lm.sh absent out.arpa", "absent"),
        ("compute_perplexity.sh --format odd lm.arpa.gz text", "--format odd: expected auto, kaldi or plain"),
        ("extend_lang.sh --prob 2 lang new out", "--prob 2: expected 0 < p < 1"),
        ("make_unk_lm.sh --min-length 9 dict unk", "no pronunciation of at least 9 units"),
        ("train_g2p.sh --order 1 dict g2p", "--order 1: expected 2 or more"),
        ("prepare_grammar.sh lang absent out", "absent: no such file"),
    ],
)
def test_bad_calls(work, run, command, message):
    done = run(f"{UTILS}/{command}", cwd=work)
    assert done.returncode == 1 and message in done.stderr + done.stdout, done.stderr


def test_a_graph_for_another_model_is_refused(work, run, tmp_path):
    (tmp_path / "tokens.txt").write_text("<eps> 0\n<blk> 1\nQ 2\n")
    done = run(f"{UTILS}/mkgraph.sh {work}/lang_test {tmp_path} {tmp_path}/graph")
    assert done.returncode == 1 and "the model's tokens are not those of the lang directory: 'Q' against 'AH'" in done.stderr


def test_a_grammar_that_cannot_be_determinized_is_explained(work, run, tmp_path):
    """pynini would take all memory; which input has two outputs, or that states have no end, is said at once."""
    shutil.copytree(work / "lang_test", tmp_path / "lang")
    words = read_table(tmp_path / "lang/words.txt")
    one, two, ten, a = (words[word] for word in ("one", "two", "ten", "a"))
    # the same word on two cycles, with different words behind: the twins property fails
    src, dst = [0, 0, 1, 2, 1, 2], [1, 2, 1, 2, 0, 0]
    for outputs, message in (
        ([one, one, two, two, ten, a], r"not functional: after the input labels W AH N[A-Z ]* the same input has two outputs"),
        ([one, one, two, two, one, one], r"more than \d+ states"),
    ):
        labels = [one, one, two, two, one, one]
        costs = [0.0, 0.0, 0.25, 1.5, 0.0, 0.0]
        fst = make_csr(3, src, labels, outputs, costs, dst, {1: 0.0, 2: 0.0})
        write_fst(tmp_path / "lang/G.fst", fst)
        done = run(f"{UTILS}/mkgraph.sh lang graph", cwd=tmp_path, timeout=300)
        assert done.returncode == 1 and re.search(message, done.stderr), done.stderr


def test_arpa_unigrams_with_words_for_the_sentence_ends():
    """Without a disambiguation symbol <s> is read in a state of its own, in a model of unigrams too (as Kaldi's)."""
    text = b"\\data\\\nngram 1=3\n\n\\1-grams:\n-1 <s>\n-2 b\n-0.5 </s>\n\n\\end\\\n"
    ids = {b"<eps>": 0, b"<s>": 1, b"</s>": 2, b"b": 3}
    fst = arpa_to_fst(text, ids, ArpaOptions(read_symbol_table="words.txt"))
    assert (fst.num_states, fst.num_arcs, fst.start) == (3, 3, 2)
    assert fst.ilabel[fst.arcs_of(2)].tolist() == [1] and fst.nextstate[fst.arcs_of(2)].tolist() == [0]


@pytest.mark.parametrize("number", [b"1e39", b"-1e60"])
def test_arpa_numbers_beyond_float32(number):
    text = b"\\data\\\nngram 1=1\n\n\\1-grams:\n" + number + b" <s>\n\n\\end\\\n"
    with pytest.raises(DataError, match=f"(?s):5: invalid log probability '{number.decode()}'|line 5"):
        arpa_to_fst(
            text, {b"<eps>": 0, b"<s>": 1, b"</s>": 2, b"#0": 3}, ArpaOptions(disambig_symbol="#0", read_symbol_table="w")
        )


def test_out_of_memory_in_a_kernel_has_the_same_status(monkeypatch, capsys):
    from sidamo.bin import mkgraph as tool
    from sidamo.lang import mkgraph

    def run(self):
        raise MemoryError("Unable to allocate 8 MiB")

    monkeypatch.setattr(mkgraph.GraphBuilder, "__init__", lambda *args: None)
    monkeypatch.setattr(mkgraph.GraphBuilder, "run", run)
    monkeypatch.setattr(mkgraph, "bound_memory", lambda max_mb: None)
    assert tool.main(["lang", "graph"]) == 137
    assert "Unable to allocate 8 MiB" in capsys.readouterr().err
