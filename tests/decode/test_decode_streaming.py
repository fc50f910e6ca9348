"""Streaming: the same result as in one piece, words that stay, endpoint rules; and hot words."""

import itertools

import numpy as np
import pytest
from sidamo.decode.graph import make_graph
from sidamo.decode.hotwords import make_hot_words, read_hot_words
from sidamo.decode.options import DecoderOptions, LatticeOptions
from sidamo.decode.search import Search
from sidamo.decode.streaming import EndpointOptions, EndpointRule, StreamingDecoder
from sidamo.decode.topology_search import TopologySearch, make_topology_graph
from sidamo.io.errors import DataError, OptionError
from sidamo.io.fst import make_csr
from sidamo.io.symbols import SymbolTable

# LG of a loop of three words (labels 2.. are units): 1 = "2 3", 2 = "2 4", 3 = "5".
LG = make_csr(3, [0, 0, 1, 1], [2, 5, 3, 4], [0, 3, 1, 2], [0.5, 1.2, 0.3, 0.9], [1, 0, 0, 0], {0: 0.2})
# Its TLG with the modified topology, by hand: hubs 0..2 and a state for each token just read.
_UNITS = [(1, 2), (0, 3), (0, 4), (0, 5)]  # (state of LG, token)
_STATE = {u: 3 + i for i, u in enumerate(_UNITS)}
_ARCS = [(h, 1, 0, 0.0, h) for h in (0, 1)]
_ARCS += [(0, 2, 0, 0.5, _STATE[1, 2]), (0, 5, 3, 1.2, _STATE[0, 5])]
_ARCS += [(1, 3, 1, 0.3, _STATE[0, 3]), (1, 4, 2, 0.9, _STATE[0, 4])]
_ARCS += [(n, unit, 0, 0.0, n) for (_, unit), n in _STATE.items()]
_ARCS += [(n, 0, 0, 0.0, state) for (state, _), n in _STATE.items()]
_ARCS.sort()
TLG = make_csr(7, *zip(*_ARCS, strict=True), {0: 0.2})


def loglikes(units, peak=4.0, seed=0, blanks=3):
    """Frames of blanks with a peak for each unit."""
    rows = []
    for unit in units:
        rows += [1] * blanks + [unit]
    rows += [1] * blanks
    x = np.random.default_rng(seed).normal(0, 0.7, (len(rows), 5))
    x[np.arange(len(rows)), np.array(rows) - 1] += peak
    return (x - np.log(np.exp(x).sum(axis=1, keepdims=True))).astype(np.float32)


def make(kind, options=None, **more):
    options = options or DecoderOptions(beam=12.0)
    if kind == "TLG":
        return Search(make_graph(TLG), options, **more)
    return TopologySearch(make_topology_graph(LG, "modified"), options, **more)


@pytest.mark.parametrize("kind", ["TLG", "LG"])
@pytest.mark.parametrize("chunk", [1, 3, 50])
def test_words_become_certain_and_stay(kind, chunk):
    matrix = loglikes([2, 3, 5, 2, 4, 5, 2, 3] * 3)
    whole = make(kind)
    whole.advance(matrix)
    expected = list(whole.best_path().words)
    assert expected == [1, 3, 2, 3, 1] * 3
    stream, certain = StreamingDecoder(make(kind)), []
    for begin in range(0, len(matrix), chunk):
        stream.accept(matrix[begin : begin + chunk])
        words, now = stream.partial()
        assert list(now[: len(certain)]) == certain, "certain words stay"
        assert list(words[: len(now)]) == list(now), "and begin the best path"
        certain = list(now)
    assert 0 < len(certain) and certain == expected[: len(certain)]
    assert list(stream.finish().words) == expected
    assert stream.finish().graph_cost == whole.best_path().graph_cost


@pytest.mark.parametrize("kind", ["TLG", "LG"])
def test_endpoint_by_trailing_silence(kind):
    stream = StreamingDecoder(make(kind), frame_shift=0.1)
    silence = loglikes([], blanks=1)
    for _ in range(49):
        stream.accept(silence)
    assert not stream.is_endpoint(), "4.9 s of silence and nothing said: rule 1 wants 5 s"
    stream.accept(silence)
    stream.accept(silence)
    assert stream.is_endpoint()
    stream.reset()
    stream.accept(loglikes([2, 3], blanks=2))
    assert not stream.is_endpoint()
    for _ in range(6):
        stream.accept(silence)
    assert stream.is_endpoint(), "0.5 s of silence in a final state: rule 2"
    stream.reset()
    stream.accept(loglikes([2], blanks=2))  # half a word: no final state near
    for _ in range(6):
        stream.accept(silence)
    relative = stream.search.final_relative_cost()
    assert stream.is_endpoint() == (relative <= 2.0)


def test_endpoint_by_length_and_by_own_rules():
    stream = StreamingDecoder(make("LG"), frame_shift=1.0)
    stream.accept(loglikes([2, 3, 5, 5, 5], blanks=3)[:20])
    assert stream.is_endpoint(), "rule 5: 20 s"
    never = EndpointRule(True, 1e9)
    options = EndpointOptions(never, never, never, never, EndpointRule(False, 0.0, np.inf, 3.0))
    stream = StreamingDecoder(make("LG"), frame_shift=1.0, endpoint=options)
    stream.accept(loglikes([2, 3])[:2])
    assert not stream.is_endpoint()
    stream.accept(loglikes([2, 3])[2:3])
    assert stream.is_endpoint()


# ----------------------------------------------------------------------------------------------------------- hot words


def total_boost(words, phrases):
    """What whole phrases earn: the best way to cover the words by phrases that do not overlap."""
    best = [0.0] * (len(words) + 1)
    for end in range(1, len(words) + 1):
        best[end] = best[end - 1]
        for phrase, boost in phrases:
            begin = end - len(phrase)
            if begin >= 0 and tuple(words[begin:end]) == tuple(phrase):
                best[end] = max(best[end], best[begin] + boost * len(phrase))
    return best[-1]


@pytest.mark.parametrize("phrases", [
    [((1, 2), 3.0)], [((1, 2), 3.0), ((3,), 1.0)], [((1, 2, 3), 2.0), ((2, 4), 1.5)], [((1,), 2.0), ((1, 2), 2.0)],
])  # fmt: skip
def test_only_whole_phrases_gain(phrases):
    hot = make_hot_words(phrases, 5)
    for length in range(6):
        for words in itertools.product(range(1, 5), repeat=length):
            assert hot.cost_of(words) == pytest.approx(-total_boost(words, phrases)), words


def test_a_hot_phrase_wins_where_it_nearly_did():
    """Word 2 ("2 4") instead of word 1 ("2 3") where the sound is between them; elsewhere nothing changes."""
    matrix = loglikes([2, 3, 5])
    matrix[7, [2, 3]] = matrix[7, [2, 3]].mean()
    plain, hot = make("TLG"), make("TLG", hot_words=make_hot_words([((2, 3), 2.0)], 4))
    plain.advance(matrix)
    hot.advance(matrix)
    assert list(plain.best_path().words) == [1, 3]
    assert list(hot.best_path().words) == [2, 3]
    clear = loglikes([2, 3, 5], peak=9.0)
    hot.reset()
    hot.advance(clear)
    plain.reset()
    plain.advance(clear)
    assert list(hot.best_path().words) == [1, 3]
    assert hot.best_path().graph_cost == pytest.approx(plain.best_path().graph_cost), "nothing was earned"


def test_hot_costs_are_in_path_and_lattice():
    matrix = loglikes([2, 4, 5])
    search = make("TLG", LatticeOptions(beam=20.0, lattice_beam=15.0), hot_words=make_hot_words([((2, 3), 2.0)], 4))
    search.advance(matrix)
    path, lattice = search.best_path(), search.raw_lattice()
    assert list(path.words) == [2, 3]
    plain = make("TLG")
    plain.advance(matrix)
    assert path.graph_cost == pytest.approx(plain.best_path().graph_cost - 4.0)
    back = np.where(lattice.is_final(), lattice.final_graph, np.inf)
    source = lattice.arc_source()
    for a in range(lattice.num_arcs - 1, -1, -1):
        cost = lattice.graph_cost[a] + lattice.acoustic_cost[a]
        back[source[a]] = min(back[source[a]], cost + back[lattice.nextstate[a]])
    assert back[lattice.start] == pytest.approx(path.graph_cost + path.acoustic_cost, abs=1e-3)


def test_hot_words_file(tmp_path):
    words = SymbolTable([("<eps>", 0), ("new", 1), ("york", 2), ("</s>", 3)])
    file = tmp_path / "hot.txt"
    file.write_text("4.0 new york  # a city\n\n")
    assert read_hot_words(str(file), words).cost_of([1, 2]) == pytest.approx(-8.0)
    for text, message in (
        ("new york\n", "hot.txt:1: 'new' where a boost should be"), ("4\n", "hot.txt:1: expected a boost above 0"),
        ("-1 new\n", "expected a boost above 0"), ("\n4 boston\n", "hot.txt:2: the graph has no word 'boston'"),
    ):  # fmt: skip
        file.write_text(text)
        with pytest.raises(DataError, match=message):
            read_hot_words(str(file), words)
    with pytest.raises(OptionError, match="--hot-words needs --word-symbol-table"):
        read_hot_words(str(file), None)
