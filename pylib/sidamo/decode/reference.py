"""Token passing, to be read: the search that kernel.py does fast, in its plainest form (and for tests).

    cost(0, start) = 0
    cost(t, s') = min over arcs s -> s' that read label l of  cost(t-1, s) + weight - acoustic_scale * loglike(t, l)
    cost(t, s') = min over arcs s -> s' that read nothing of  cost(t, s) + weight

A token is at a state of the graph after some frames; it knows what its path has cost and the token it came from. Of two
tokens at one state the cheaper lives: whatever follows costs both the same (Viterbi; Young, Russell and Thornton,
"Token passing", 1989). Tokens much dearer than the best are dropped: that is the beam.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EPSILON = 0


@dataclass
class Token:
    """A place on a path: `label` was read and `word` written on the arc that led here from the token `before`."""

    cost: float
    before: Token | None = None
    label: int = EPSILON
    word: int = EPSILON


def decode(fst, loglikes: np.ndarray, beam: float = np.inf, acoustic_scale: float = 1.0):
    """Best path of a graph given log-likelihoods.

    Parameters
    ----------
    fst : CsrFst; input label l reads column l - 1
    loglikes : (T, V)

    Returns
    -------
    (words, labels, cost) with the final cost where a final state is reached, or None where no token is left
    """
    tokens = follow_epsilons(fst, {fst.start: Token(0.0)}, np.inf)
    for frame in loglikes:
        tokens = next_frame(fst, tokens, -acoustic_scale * np.asarray(frame, np.float64), beam)
        if not tokens:
            return None
        tokens = follow_epsilons(fst, tokens, min(t.cost for t in tokens.values()) + beam)
    return best_of(fst, tokens)


def next_frame(fst, tokens: dict[int, Token], costs: np.ndarray, beam: float) -> dict[int, Token]:
    """Every token within the beam moves over every arc that reads a label."""
    limit = min(t.cost for t in tokens.values()) + beam
    entered: dict[int, Token] = {}
    for state, token in tokens.items():
        if token.cost > limit:
            continue
        for a in range(fst.offsets[state], fst.offsets[state + 1]):
            label = int(fst.ilabel[a])
            if label != EPSILON:
                cost = token.cost + float(fst.weight[a]) + float(costs[label - 1])
                enter(entered, int(fst.nextstate[a]), Token(cost, token, label, int(fst.olabel[a])))
    return entered


def follow_epsilons(fst, tokens: dict[int, Token], limit: float) -> dict[int, Token]:
    """Move tokens over arcs that read nothing, until no cost falls."""
    waiting = list(tokens)
    while waiting:
        state = waiting.pop()
        token = tokens[state]
        for a in range(fst.offsets[state], fst.offsets[state + 1]):
            if fst.ilabel[a] == EPSILON:
                cost = token.cost + float(fst.weight[a])
                target = int(fst.nextstate[a])
                if cost <= limit and enter(tokens, target, Token(cost, token, EPSILON, int(fst.olabel[a]))):
                    waiting.append(target)
    return tokens


def enter(tokens: dict[int, Token], state: int, token: Token) -> bool:
    """The cheaper token keeps the state; True where that is the new one."""
    if token.cost < np.inf and (state not in tokens or token.cost < tokens[state].cost):
        tokens[state] = token
        return True
    return False


def best_of(fst, tokens: dict[int, Token]):
    """(words, labels, cost) of the cheapest token, in a final state where there is one."""
    finals = {s: t.cost + float(fst.final[s]) for s, t in tokens.items() if np.isfinite(fst.final[s])}
    costs = finals or {s: t.cost for s, t in tokens.items()}
    best = min(costs, key=costs.get)
    words, labels = [], []
    token = tokens[best]
    while token is not None:
        if token.word != EPSILON:
            words.append(token.word)
        if token.label != EPSILON:
            labels.append(token.label)
        token = token.before
    return words[::-1], labels[::-1], costs[best]
