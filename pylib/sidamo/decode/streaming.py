"""Decoding while speech arrives: chunks in, words that are certain out, and the end of an utterance found by rules.

Certain: the paths of all tokens that are still alive share their beginning; words on it cannot change any more (Spohrer
et al. 1980, "Partial traceback and dynamic programming"). The rules for the end are Kaldi's (src/online2/
online-endpoint.h), with the blank in the place of silence.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

INF = float("inf")


@dataclass(frozen=True)
class EndpointRule:
    """An endpoint is where all of this holds (Kaldi's OnlineEndpointRule).

    must_contain_nonsilence : some frame of the best path is not blank
    min_trailing_silence : seconds of blank at the end of the best path, at least
    max_relative_cost : the best final cost may be dearer than the best cost by so much; inf: no final state is needed
    min_utterance_length : seconds decoded, at least
    """

    must_contain_nonsilence: bool = True
    min_trailing_silence: float = 1.0
    max_relative_cost: float = INF
    min_utterance_length: float = 0.0

    def holds(self, contains_nonsilence: bool, trailing_silence: float, relative_cost: float, length: float) -> bool:
        return (
            (contains_nonsilence or not self.must_contain_nonsilence)
            and trailing_silence >= self.min_trailing_silence
            and relative_cost <= self.max_relative_cost
            and length >= self.min_utterance_length
        )


def _rule(*values):
    return field(default=EndpointRule(*values))


@dataclass(frozen=True)
class EndpointOptions:
    """Kaldi's five rules with its defaults; any one that holds ends the utterance."""

    rule1: EndpointRule = _rule(False, 5.0, INF, 0.0)  # long silence, though nothing was said
    rule2: EndpointRule = _rule(True, 0.5, 2.0, 0.0)  # a likely end
    rule3: EndpointRule = _rule(True, 1.0, 8.0, 0.0)  # a possible end
    rule4: EndpointRule = _rule(True, 2.0, INF, 0.0)  # silence, whatever the grammar says
    rule5: EndpointRule = _rule(False, 0.0, INF, 20.0)  # very long

    def rules(self) -> tuple[EndpointRule, ...]:
        return self.rule1, self.rule2, self.rule3, self.rule4, self.rule5


class StreamingDecoder:
    """Feed chunks of log-likelihoods to a search; ask for what is certain, what is likely, and whether it has ended.

    Parameters
    ----------
    search : Search or TopologySearch; the result is that of the search fed with the whole at once
    frame_shift : seconds a frame (after the network's subsampling)
    """

    def __init__(self, search, frame_shift: float = 0.03, endpoint: EndpointOptions = EndpointOptions()):  # noqa: B008
        self.search, self.frame_shift, self.endpoint = search, frame_shift, endpoint
        search.reset()

    def reset(self) -> None:
        """Begin the next utterance."""
        self.search.reset()

    def accept(self, loglikes: np.ndarray) -> None:
        """Decode a chunk (T, V)."""
        self.search.advance(loglikes)

    def partial(self) -> tuple[np.ndarray, np.ndarray]:
        """(words of the best path so far, the first of them that are certain); int32 each."""
        words = self.search.best_path(use_final=False).words
        certain = self.search.certain_words()
        return words, certain

    def is_endpoint(self) -> bool:
        """Does a rule say that the utterance has ended?"""
        length = self.search.num_frames * self.frame_shift
        if not self.search.alive:
            return True
        labels = self.search.best_path(use_final=False).labels
        spoken = np.flatnonzero(labels != 1)
        trailing = (len(labels) - 1 - spoken[-1] if len(spoken) else len(labels)) * self.frame_shift
        relative = self.search.final_relative_cost()
        return any(rule.holds(len(spoken) > 0, trailing, relative, length) for rule in self.endpoint.rules())

    def finish(self):
        """The BestPath of the utterance, to a final state where one is reached."""
        return self.search.best_path()
