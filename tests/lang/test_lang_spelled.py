"""Unknown words spelled by pieces: what the open grammar accepts, at what cost, and what a graph makes of it."""

import itertools
import math
import pathlib

import numpy as np
import pytest
from sidamo.io.errors import DataError
from sidamo.io.fst import make_csr, read_fst
from sidamo.lang import spelled
from sidamo.lang.lexicon import Entry, read_table
from sidamo.lang.ngram import LmOptions, train

UTILS = pathlib.Path(__file__).resolve().parents[2] / "utils"
WORDS = ["ab", "abba", "bab", "caba", "a", "cc"]
ENTRIES = [Entry(word, (), (*word, "|")) for word in WORDS]
ARPA = """\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
-0.7 </s>
-99 <s> -0.3
-0.5 ab -0.2
-0.6 bab
-1.0 <unk>

\\2-grams:
-0.2 <s> ab
-0.4 ab bab

\\end\\
"""


def pieces(word):
    return [f"{word[0]}+", *(f"+{unit}+" for unit in word[1:-1]), f"+{word[-1]}"]


def spelling_costs(rows):
    """(src, piece) -> (dst, cost) of a deterministic acceptor, and its final state."""
    return {(r[0], r[2]): (r[1], r[3]) for r in rows if len(r) == 4}, next(r[0] for r in rows if len(r) == 1)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_spelling_costs_what_the_ngram_of_units_says(order, tmp_path):
    arcs, final = spelling_costs(spelled.spelling_automaton(ENTRIES, "|", order, 0.0))
    (tmp_path / "units").write_text("".join(f"{' '.join(word)}\n" for word in sorted(WORDS) if len(word) > 1))
    model = train(str(tmp_path / "units"), LmOptions(order=order, smoothing="wb", format="plain", prune=0.0))
    ids = model.ids()
    for word in ("ab", "cba", "bbbb", "acacb"):
        state, cost = 0, 0.0
        for piece in pieces(word):
            state, step = arcs[state, piece]
            cost += step
        assert state == final
        tokens = [1, *(ids[c.encode()] for c in word), 2]
        wanted = -sum(model.score(np.array([tokens[max(0, k - order + 1) : k + 1]]))[0] for k in range(1, len(tokens)))
        assert cost == pytest.approx(wanted, abs=1e-6), word
    assert (0, "+a") not in arcs and (0, "+a+") not in arcs  # nothing is spelled without its first piece


def test_words_of_one_unit_and_the_end_unit_stay_out():
    made = spelled.piece_entries(ENTRIES, "|", ("1.0",))
    assert Entry("+b", ("1.0",), ("b", "|")) in made and Entry("b+", ("1.0",), ("b",)) in made
    assert not any("|" in entry.word for entry in made) and len(made) == 9
    with pytest.raises(DataError, match="the pronunciation of ab does not end in #"):
        spelled.piece_entries(ENTRIES, "#", ())
    with pytest.raises(DataError, match=r"the word \+b is in the lexicon already"):
        spelled.piece_entries([*ENTRIES, Entry("+b", (), ("a", "b", "|"))], "|", ())
    with pytest.raises(DataError, match="no pronunciation of two units or more"):
        spelled.piece_entries([Entry("a", (), ("a", "|"))], "|", ())


def accept(fst, labels):
    """Least cost of a string in an acceptor whose back-off arcs (label 9) are free moves; inf if none."""
    costs = {fst.start: 0.0}

    def relax(found):
        queue = list(found)
        for state in queue:
            for k in range(fst.offsets[state], fst.offsets[state + 1]):
                to, cost = int(fst.nextstate[k]), found[state] + float(fst.weight[k])
                if fst.ilabel[k] == 9 and cost < found.get(to, math.inf):
                    found[to] = cost
                    queue.append(to)
        return found

    for label in labels:
        following = {}
        for state, before in relax(costs).items():
            for k in range(fst.offsets[state], fst.offsets[state + 1]):
                if fst.ilabel[k] == label:
                    to = int(fst.nextstate[k])
                    following[to] = min(following.get(to, math.inf), before + float(fst.weight[k]))
        costs = following
    return min((cost + float(fst.final[state]) for state, cost in relax(costs).items()), default=math.inf)


@pytest.mark.parametrize("mass", [0.0, 0.25])
def test_the_spelling_takes_the_place_of_every_unknown_arc(mass):
    """Two arcs of <unk> (3) with different goals; pieces 5, 6 then 7; against the costs added by hand."""
    grammar = make_csr(
        2, [0, 0, 0, 1, 1, 1], [1, 3, 9, 1, 2, 3], [1, 3, 0, 1, 2, 3], [0.1, 0.2, 0.4, 0.8, 1.6, 3.2], [1, 0, 1, 1, 0, 1],
        {0: 0.5, 1: 0.25},
    )  # fmt: skip
    spelling = make_csr(4, [0, 0, 1, 2], [5, 6, 7, 7], [5, 6, 7, 7], [1.0, 2.0, 4.0, 8.0], [1, 2, 3, 3], {3: 0.0})
    opened = spelled.open_grammar(grammar, 3, 9, spelling, mass)
    kept, unknown = (-math.log1p(-mass), -math.log(mass)) if mass else (0.0, 3.2)
    assert 3 not in opened.ilabel
    assert accept(opened, [5, 7]) == pytest.approx(0.2 + 1 + 4 + 0.5)  # state 0 keeps its own: it backs off
    assert accept(opened, [1, 6, 7]) == pytest.approx(0.1 + unknown + 2 + 8 + 0.25 + kept)
    assert accept(opened, [1, 6, 7, 2]) == pytest.approx(0.1 + unknown + 10 + 1.6 + kept + 0.5)
    assert accept(opened, [5]) == accept(opened, [5, 5]) == accept(opened, [7]) == math.inf
    assert accept(opened, [1, 1]) == pytest.approx(0.1 + 0.8 + kept + 0.25 + kept)


def test_what_cannot_be_opened_is_named():
    grammar = make_csr(1, [0], [1], [1], [0.5], [0], {0: 0.0})
    spelling = make_csr(2, [0], [5], [5], [1.0], [1], {1: 0.0})
    with pytest.raises(DataError, match="no arc of the unknown word"):
        spelled.open_grammar(grammar, 3, 9, spelling)
    looped = make_csr(2, [0, 1], [5, 5], [5, 5], [1.0, 1.0], [1, 0], {1: 0.0})
    with pytest.raises(DataError, match="an arc enters the start of the spelling model"):
        spelled.open_grammar(grammar, 1, 9, looped)


@pytest.fixture(scope="module")
def opened(tmp_path_factory, run):
    path = tmp_path_factory.mktemp("opened")
    (path / "dict").mkdir()
    (path / "dict/lexicon.txt").write_text("".join(f"{e.word} {' '.join(e.phones)}\n" for e in ENTRIES))
    (path / "dict/nonsilence_phones.txt").write_text("a\nb\nc\n|\n")
    (path / "lm.arpa").write_text(ARPA)
    for command in (
        "open_dict.sh --end-unit '|' --order 2 dict open", "prepare_lang.sh --ctc true open '<unk>' tmp lang",
        "format_lm.sh lang lm.arpa open/lexicon.txt lang_open", "open_grammar.sh --mass 0.2 lang_open open/spelling.txt",
        "mkgraph.sh lang_open graph",
    ):  # fmt: skip
        done = run(f"{UTILS}/{command}", cwd=path)
        assert done.returncode == 0, done.stderr
    return path


def test_the_graph_hears_known_and_unknown_words(opened):
    """The best path of LG through spelled letters, for every word of up to three letters in the place of the second."""
    import pynini
    from sidamo.lang.graph import to_pynini

    words, tokens = read_table(opened / "graph/words.txt"), read_table(opened / "graph/tokens.txt")
    names = {number: word for word, number in words.items()}
    lg = to_pynini(read_fst(opened / "graph/LG.fst"))
    rows = [line.split("\t") for line in (opened / "open/spelling.txt").read_text().splitlines()]
    arcs, _ = spelling_costs([(int(r[0]), *((int(r[1]), r[2], float(r[3])) if len(r) > 1 else ())) for r in rows])
    for letters in itertools.chain.from_iterable(itertools.product("abc", repeat=n) for n in (2, 3)):
        word = "".join(letters)
        labels = [tokens[unit] for unit in ("a", "b", "|", *letters, "|")]
        line = make_csr(len(labels) + 1, range(len(labels)), labels, labels, [0.0] * len(labels),
                        range(1, len(labels) + 1), {len(labels): 0.0})  # fmt: skip
        best = pynini.shortestpath(pynini.compose(to_pynini(line), lg)).rmepsilon().topsort()
        found = [names[arc.olabel] for state in best.states() for arc in best.arcs(state) if arc.olabel]
        cost = float(str(pynini.shortestdistance(best, reverse=True)[best.start()]))
        ways = {}
        state, spelled_cost = 0, 0.0
        for piece in pieces(word):
            state, step = arcs[state, piece]
            spelled_cost += step
        ten = math.log(10)
        # After `<s> ab`: back off to the unigrams (0.2), where all words give up a share of 0.8.
        ways[tuple(pieces(word))] = 0.2 * ten - math.log(0.2) + spelled_cost + 0.7 * ten - math.log(0.8)
        if word == "bab":
            ways[("bab",)] = 0.4 * ten + 0.7 * ten - math.log(0.8)
        if word == "ab":
            ways[("ab",)] = 0.2 * ten + 0.5 * ten - math.log(0.8) + 0.2 * ten + 0.7 * ten - math.log(0.8)
        wanted = min(ways, key=ways.get)
        assert found == ["ab", *wanted], word
        assert cost == pytest.approx(0.2 * ten + ways[wanted], abs=0.01), word  # LG is quantized to 1/1024
