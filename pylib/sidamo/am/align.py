"""Forced alignment: the best frame string that spells a known word sequence, and the times that follow from it.

The graph of an utterance is CTC's (DESIGN, contract 4) over all pronunciations of its words: a state per token of each
pronunciation, a state for the blank after it; between words, where the lexicon has an optional silence, that too.
Viterbi over this graph is exact; its score is the best path's log-likelihood plus the log-probabilities of the
pronunciations.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from sidamo.io.errors import DataError

START = -1  # stands for "before the first frame" among predecessors


@dataclass
class Graph:
    """States of an alignment graph, in an order in which no arc goes back.

    Attributes
    ----------
    labels : list of int, network column of each state (0 is blank)
    words : list of int, position of the state's word in the sequence; -1 for blanks and optional silence
    before : list of list of int, predecessors (itself included); START: may be the first
    costs : list of float, -log probability of the pronunciation that begins with the state (0 within one)
    ends : list of int, states in which an utterance may end
    """

    labels: list = field(default_factory=list)
    words: list = field(default_factory=list)
    before: list = field(default_factory=list)
    costs: list = field(default_factory=list)
    ends: list = field(default_factory=list)

    def add(self, label: int, word: int, sources: list[int], cost: float = 0.0) -> int:
        """Add a state that can be entered from `sources` and that stays in itself; return its number."""
        state = len(self.labels)
        self.labels.append(label)
        self.words.append(word)
        # Equal neighbours need a blank between them, or they would be one token.
        self.before.append([s for s in sources if s == START or self.labels[s] != label or label == 0] + [state])
        self.costs.append(cost)
        return state


def make_graph(pronunciations, silence=None) -> Graph:
    """Graph of a word sequence.

    Parameters
    ----------
    pronunciations : list (one per word) of lists of (probability, [column, ...])
    silence : list of columns of the optional silence, or None
    """
    graph = Graph()
    blank = graph.add(0, -1, [START])
    ends = [START, blank]
    slots = [(i, alternatives) for i, alternatives in enumerate(pronunciations)]
    if silence:
        pause = (-1, [(1.0, silence)])
        slots = [pause] + [slot for word in slots for slot in (word, pause)]
    for position, alternatives in slots:
        last = []
        for probability, columns in alternatives:
            sources, cost = ends, -math.log(probability)
            for number, column in enumerate(columns):
                state = graph.add(column, position, sources, cost)
                cost = 0.0
                if number < len(columns) - 1:
                    sources = [state, graph.add(0, -1, [state])]
            last.append(state)
        after = graph.add(0, -1, last)
        ends = [*last, after] if position >= 0 else [*ends, *last, after]
    graph.ends = [s for s in ends if s != START]
    return graph


def viterbi(loglikes: np.ndarray, graph: Graph) -> tuple[float, np.ndarray]:
    """Best path through the graph: (its score, state of each frame (T,)).

    best_t(s) = loglike_t(label(s)) + max over predecessors r of best_{t-1}(r), less the cost where s is entered anew.
    Raises DataError where the utterance is too short for any path.
    """
    count, frames = len(graph.labels), len(loglikes)
    width = max(map(len, graph.before))
    before = np.full((count, width), count)  # column `count` of the padded scores is minus infinity
    first = np.full(count, -np.inf)
    for s, sources in enumerate(graph.before):
        if START in sources:
            first[s] = -graph.costs[s]
        inner = [r for r in sources if r != START]
        before[s, : len(inner)] = inner
    penalty = np.where(before == np.arange(count)[:, None], 0.0, -np.array(graph.costs)[:, None])
    emit = loglikes[:, graph.labels].astype(np.float64)  # (T, S)
    best = np.append(first + emit[0], -np.inf) if frames else np.full(count + 1, -np.inf)
    back = np.zeros((frames, count), dtype=np.int32)
    for t in range(1, frames):
        ways = best[before] + penalty  # (S, width)
        choice = ways.argmax(1)
        back[t] = before[np.arange(count), choice]
        best = np.append(ways[np.arange(count), choice] + emit[t], -np.inf)
    end = max(graph.ends, key=lambda s: best[s])
    if best[end] == -np.inf:
        raise DataError(f"{frames} frames are too few for its transcript, by any path")
    path = np.empty(frames, dtype=np.int32)
    path[-1] = end
    for t in range(frames - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return float(best[end]), path


@dataclass(frozen=True)
class Segment:
    """A stretch of frames [start, end) with its name."""

    start: int
    end: int
    name: object


def segments_of(path: np.ndarray, graph: Graph, extend: int) -> tuple[list[Segment], list[Segment]]:
    """(tokens, words) of a path: names are columns and word positions, blanks belong to none.

    CTC's tokens are spikes; each is extended into the blanks beside it by up to `extend` frames, at most to the middle
    between it and its neighbour.
    """
    frames = len(path)
    edges = np.flatnonzero(np.r_[True, path[1:] != path[:-1], True])
    runs = [(int(a), int(b), int(path[a])) for a, b in zip(edges, edges[1:]) if graph.labels[path[a]] != 0]
    tokens = []
    for i, (start, end, state) in enumerate(runs):
        left = runs[i - 1][1] if i else 0
        right = runs[i + 1][0] if i + 1 < len(runs) else frames
        room_left = start - left if i == 0 else (start - left + 1) // 2
        room_right = right - end if i + 1 == len(runs) else (right - end) // 2
        tokens.append((start - min(extend, room_left), end + min(extend, room_right), state))
    words: list[Segment] = []
    for start, end, state in tokens:
        position = graph.words[state]
        if position >= 0 and words and words[-1].name == position:
            words[-1] = Segment(words[-1].start, end, position)
        elif position >= 0:
            words.append(Segment(start, end, position))
    return [Segment(a, b, graph.labels[s]) for a, b, s in tokens], words


def text_grid(duration: float, tiers: dict[str, list[tuple[float, float, str]]]) -> str:
    """Praat's TextGrid ("ooTextFile", long form) with interval tiers; gaps become empty intervals.

    tiers : name -> list of (start, end, text) in seconds, in order, not overlapping
    """
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {duration:g}",
             "tiers? <exists>", f"size = {len(tiers)}", "item []:"]  # fmt: skip
    for number, (name, intervals) in enumerate(tiers.items(), 1):
        filled, at = [], 0.0
        for start, end, text in intervals:
            if start > at + 1e-9:
                filled.append((at, start, ""))
            filled.append((max(at, start), end, text))
            at = end
        if at < duration - 1e-9:
            filled.append((at, duration, ""))
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {duration:g}", f"        intervals: size = {len(filled)}"]
        for i, (start, end, text) in enumerate(filled, 1):
            quoted = text.replace('"', '""')
            lines += [f"        intervals [{i}]:", f"            xmin = {start:.6g}", f"            xmax = {end:.6g}",
                      f'            text = "{quoted}"']  # fmt: skip
    return "\n".join(lines) + "\n"
