"""Forced alignment against enumeration of all frame strings; times; TextGrid."""

import itertools

import numpy as np
import pytest
from sidamo.am.align import make_graph, segments_of, text_grid, viterbi
from sidamo.am.greedy import collapse
from sidamo.io.errors import DataError


def spellings(pronunciations, silence):
    """(log probability, token string) of every choice of pronunciations and optional silences."""
    for choice in itertools.product(*pronunciations):
        pauses = itertools.product([[], silence] if silence else [[]], repeat=len(choice) + 1)
        for pause in pauses:
            tokens = list(pause[0])
            for (_, columns), after in zip(choice, pause[1:]):
                tokens += columns + list(after)
            yield sum(np.log(p) for p, _ in choice), tokens


@pytest.mark.parametrize("pronunciations,silence", [
    ([[(1.0, [1])]], None),
    ([[(1.0, [1, 1])]], None),
    ([[(1.0, [1])], [(1.0, [1])]], None),
    ([[(0.7, [1, 2]), (0.3, [2])], [(1.0, [2])]], None),
    ([[(1.0, [1])], [(0.5, [2, 1]), (0.5, [1])]], [3]),
    ([], None),
])  # fmt: skip
def test_viterbi_agrees_with_enumeration(pronunciations, silence):
    rng = np.random.default_rng(len(pronunciations))
    for frames in (5, 6):
        loglikes = np.log(rng.dirichlet(np.ones(4), frames))
        allowed = {}
        for logp, tokens in spellings(pronunciations, silence):
            allowed[tuple(tokens)] = max(logp, allowed.get(tuple(tokens), -np.inf))
        best, best_path = -np.inf, None
        for path in itertools.product(range(4), repeat=frames):
            tokens = tuple(collapse(path))
            if tokens in allowed:
                score = sum(loglikes[t, v] for t, v in enumerate(path)) + allowed[tokens]
                if score > best:
                    best, best_path = score, path
        graph = make_graph(pronunciations, silence)
        score, states = viterbi(loglikes, graph)
        assert score == pytest.approx(best, abs=1e-9)
        assert tuple(graph.labels[s] for s in states) == best_path


def test_too_few_frames_are_refused():
    graph = make_graph([[(1.0, [1, 1])]])
    with pytest.raises(DataError, match="2 frames are too few for its transcript"):
        viterbi(np.zeros((2, 3)), graph)


def test_times_of_units_and_words():
    graph = make_graph([[(1.0, [1, 2])], [(1.0, [3])]])
    columns = [0, 0, 1, 0, 2, 2, 0, 0, 0, 0, 3, 0]
    loglikes = np.full((12, 4), -20.0)
    loglikes[np.arange(12), columns] = 0.0
    _, path = viterbi(loglikes, graph)
    assert [graph.labels[s] for s in path] == columns
    units, words = segments_of(path, graph, 0)
    assert [(u.start, u.end, u.name) for u in units] == [(2, 3, 1), (4, 6, 2), (10, 11, 3)]
    assert [(w.start, w.end, w.name) for w in words] == [(2, 6, 0), (10, 11, 1)]
    units, words = segments_of(path, graph, 3)
    # Up to three frames, at most to the middle of a gap; no two overlap.
    assert [(u.start, u.end) for u in units] == [(0, 3), (3, 8), (8, 12)]
    assert [(w.start, w.end) for w in words] == [(0, 8), (8, 12)]


def test_text_grid_fills_gaps_and_quotes():
    text = text_grid(1.0, {"words": [(0.2, 0.5, 'a"b'), (0.5, 0.9, "c")]})
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n')
    assert "intervals: size = 4" in text and 'text = "a""b"' in text
    assert text.count('text = ""') == 2
