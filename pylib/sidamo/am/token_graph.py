"""The n-gram of tokens that CTC-CRF weighs transcripts with, and the best path through it (see am.crf; no torch here)."""

from collections import Counter

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.fst import make_csr, read_fst, write_fst

START = -1  # stands before the first token of a history


class TokenGraph:
    """An n-gram over tokens as a dense automaton: every token may follow every history.

    Parameters
    ----------
    next_state : ndarray (S, V) int32; column 0 (blank) is unused; state 0 is the start
    weight : ndarray (S, V) float32, probability of each token after each history; column 0 that of the end
    last : ndarray (S,) int32, the token that each history ends with; 0 for the start
    """

    def __init__(self, next_state, weight, last):
        self.next_state, self.weight, self.last = next_state, weight, last

    @classmethod
    def estimate(cls, targets, num_tokens: int, order: int) -> "TokenGraph":
        """Interpolated n-gram with Witten-Bell's smoothing (Chen and Goodman 1999, section 2.4).

        targets : list of ndarrays of columns, 1 to num_tokens - 1; order : longest n-gram, at least 2
        """
        counts: dict[tuple, Counter] = {(): Counter()}
        for target in targets:
            words = [START, *map(int, target), 0]
            for i in range(1, len(words)):
                for n in range(order):
                    if i >= n:
                        counts.setdefault(tuple(words[i - n : i]), Counter())[words[i]] += 1
        histories = {h for h in counts if h} | {(v,) for v in range(1, num_tokens)}
        histories = sorted(histories, key=lambda h: (h != (START,), len(h), h))
        number = {h: i for i, h in enumerate(histories)}
        below = {(): np.full(num_tokens, 1.0 / num_tokens)}
        for history in [(), *sorted(histories, key=len)]:
            lower = below[history[1:]]
            seen = counts.get(history, Counter())
            total, kinds = sum(seen.values()), len(seen)
            row = lower * (kinds / (total + kinds) if total else 1.0)
            for token, count in seen.items():
                row[token] += count / (total + kinds)
            below[history] = row
        weight = np.array([below[h] for h in histories], dtype=np.float32)
        next_state = np.zeros((len(histories), num_tokens), dtype=np.int32)
        for i, history in enumerate(histories):
            for token in range(1, num_tokens):
                longer = (*history, token)[-(order - 1) :]
                while longer not in number:
                    longer = longer[1:]
                next_state[i, token] = number[longer]
        return cls(next_state, weight, np.array([max(0, h[-1]) for h in histories], dtype=np.int32))

    def score(self, target) -> float:
        """ln G(target), the end included."""
        state, total = 0, 0.0
        for token in target:
            total += float(np.log(self.weight[state, token]))
            state = self.next_state[state, token]
        return total + float(np.log(self.weight[state, 0]))

    def best_path(self, log_probs: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """Viterbi over CTC's topology and G, whose costs count `scale` times: (T, V) -> (T,) columns."""
        from .crf_kernel import best_path

        log_weight = np.float32(scale) * np.log(self.weight)
        return best_path(np.ascontiguousarray(log_probs, dtype=np.float32), self.next_state, log_weight, self.last)

    def write(self, path) -> None:
        """As an acceptor in OpenFst's format, whose labels are those of tokens.txt (column + 1)."""
        states, tokens = self.next_state.shape
        labels = np.tile(np.arange(2, tokens + 1), states)
        sources = np.repeat(np.arange(states), tokens - 1)
        costs = -np.log(self.weight)
        write_fst(path, make_csr(
            states, sources, labels, labels, costs[:, 1:].reshape(-1), self.next_state[:, 1:].reshape(-1), costs[:, 0]
        ))  # fmt: skip

    @classmethod
    def read(cls, path) -> "TokenGraph":
        """What `write` wrote."""
        fst = read_fst(path)
        states, tokens = fst.num_states, int(fst.ilabel.max(initial=0))
        sources = fst.arc_sources()
        complete = fst.start == 0 and np.array_equal(fst.ilabel, np.tile(np.arange(2, tokens + 1), states))
        last = np.zeros(states, dtype=np.int32)
        if complete:
            last[fst.nextstate] = fst.ilabel - 1
        if not complete or np.any(last[fst.nextstate] != fst.ilabel - 1):
            raise DataError("no n-gram of tokens as CTC-CRF has it", file=str(path), mend="train the model again")
        next_state = np.zeros((states, tokens), dtype=np.int32)
        cost = np.zeros((states, tokens), dtype=np.float32)
        next_state[sources, fst.ilabel - 1], cost[sources, fst.ilabel - 1] = fst.nextstate, fst.weight
        cost[:, 0] = fst.final
        return cls(next_state, np.exp(-cost), last)
