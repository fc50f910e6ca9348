"""Forward and backward sums over a token graph with CTC's topology, compiled for a CPU: see am.crf.

A frame is a product of a sparse matrix with the vectors of LANES utterances at once, one vector instruction or two an arc.
Probabilities are linear and scaled per frame to a sum of 1; float32 carries that, since every transcript has a path.
"""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

LANES = 16  # utterances side by side
FAST = {"contract", "reassoc", "nsz"}


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _incoming(next_state, weight):
    """Arcs sorted by where they lead: (first arc of each state (S + 1,), sources (A,), weights (A,))."""
    states, tokens = next_state.shape
    first = np.zeros(states + 1, np.int32)
    for s in range(states):
        for v in range(1, tokens):
            first[next_state[s, v] + 1] += 1
    for s in range(states):
        first[s + 1] += first[s]
    place = first.copy()
    source = np.empty(states * (tokens - 1), np.int32)
    arc = np.empty(states * (tokens - 1), np.float32)
    for s in range(states):
        for v in range(1, tokens):
            d = next_state[s, v]
            source[place[d]], arc[place[d]] = s, weight[s, v]
            place[d] += 1
    return first, source, arc


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True)
def _forward(p, frames, ends, first, source, arc, last, said, both, scale):
    """said, both (T + 1, S, LANES): scaled sums after t frames over paths that end in the token, or in it or a blank."""
    states = len(last)
    acc = np.empty(LANES, np.float32)
    size = np.empty(LANES, np.float32)
    for t in range(frames):
        before_said, before_both, now_said, now_both = said[t], both[t], said[t + 1], both[t + 1]
        size[:] = 0
        for d in range(states):
            c = last[d]
            for k in range(LANES):
                acc[k] = before_said[d, k] if c > 0 else np.float32(0)
            for a in range(first[d], first[d + 1]):
                s, w = source[a], arc[a]
                if last[s] == c:
                    for k in range(LANES):
                        acc[k] += w * (before_both[s, k] - before_said[s, k])
                else:
                    for k in range(LANES):
                        acc[k] += w * before_both[s, k]
            for k in range(LANES):
                value = acc[k] * p[t, c, k] if c > 0 else np.float32(0)
                now_said[d, k] = value
                value += before_both[d, k] * p[t, 0, k]
                now_both[d, k] = value
                size[k] += value
        for k in range(LANES):
            if t >= ends[k]:
                size[k] = 1
            scale[t, k] = size[k]
            size[k] = np.float32(1) / size[k]
        for d in range(states):
            for k in range(LANES):
                now_said[d, k] *= size[k]
                now_both[d, k] *= size[k]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True)
def _backward(p, frames, ends, next_state, weight, last, said, both, scale, occupancy):
    """occupancy (T, V, LANES): probability of each column in each frame."""
    states, tokens = next_state.shape
    after_said = np.zeros((states, LANES), np.float32)  # of the frames after t, from states that said a token
    after_blank = np.zeros((states, LANES), np.float32)
    enter = np.empty((states, LANES), np.float32)
    silent = np.empty((states, LANES), np.float32)
    acc = np.empty(LANES, np.float32)
    total = np.empty(LANES, np.float32)
    for t in range(frames - 1, -1, -1):
        for k in range(LANES):
            if ends[k] == t + 1:
                for s in range(states):
                    after_said[s, k] = weight[s, 0]
                    after_blank[s, k] = weight[s, 0]
        total[:] = 0
        for s in range(states):
            c = last[s]
            for k in range(LANES):
                a = said[t + 1, s, k] * after_said[s, k]
                b = (both[t + 1, s, k] - said[t + 1, s, k]) * after_blank[s, k]
                occupancy[t, c, k] += a
                occupancy[t, 0, k] += b
                total[k] += a + b
                enter[s, k] = after_said[s, k] * p[t, c, k] / scale[t, k]
                silent[s, k] = after_blank[s, k] * p[t, 0, k] / scale[t, k]
        for k in range(LANES):
            total[k] = np.float32(1) / total[k] if t < ends[k] else np.float32(0)
        for v in range(tokens):
            for k in range(LANES):
                occupancy[t, v, k] *= total[k]
        for s in range(states):
            c = last[s]
            acc[:] = 0
            for v in range(1, tokens):
                if v != c:
                    d, w = next_state[s, v], weight[s, v]
                    for k in range(LANES):
                        acc[k] += w * enter[d, k]
            for k in range(LANES):
                acc[k] += silent[s, k]
                after_said[s, k] = acc[k] + enter[s, k] if c > 0 else np.float32(0)
                after_blank[s, k] = acc[k]
            if c > 0:
                d, w = next_state[s, c], weight[s, c]
                for k in range(LANES):
                    after_blank[s, k] += w * enter[d, k]


def denominator(probs, lengths, next_state, weight, last, want_grad: bool, threads: int = 1):
    """ln sums and occupancies of a padded batch.

    probs (B, T, V) float32, lengths (B,), graph as am.token_graph.TokenGraph
    -> ln sums (B,) float32, occupancies (B, T, V) float32 (zero beyond each length; None unless wanted)
    """
    batch, frames, tokens = probs.shape
    states = len(last)
    first, source, arc = _incoming(next_state, weight)
    logs = np.zeros(batch, np.float32)
    occupancy = np.zeros((batch, frames, tokens), np.float32) if want_grad else None

    def sums_of(rows):
        ends = np.zeros(LANES, np.int64)
        ends[: len(rows)] = lengths[rows]
        longest = int(ends.max())
        p = np.full((longest, tokens, LANES), 1.0 / tokens, np.float32)
        p[:, :, : len(rows)] = probs[rows, :longest].transpose(1, 2, 0)
        said = np.zeros((longest + 1, states, LANES), np.float32)
        both = np.zeros((longest + 1, states, LANES), np.float32)
        both[0, 0] = 1.0
        scale = np.ones((longest, LANES), np.float32)
        _forward(p, longest, ends, first, source, arc, last, said, both, scale)
        for k, row in enumerate(rows):
            end = int(ends[k])
            logs[row] = np.log(scale[:end, k].astype(np.float64)).sum() + np.log(both[end, :, k] @ weight[:, 0])
        if want_grad:
            part = np.zeros((longest, tokens, LANES), np.float32)
            _backward(p, longest, ends, next_state, weight, last, said, both, scale, part)
            occupancy[rows, :longest] = part[:, :, : len(rows)].transpose(2, 0, 1)

    order = np.argsort(lengths, kind="stable")  # neighbours of like lengths
    groups = [order[start : start + LANES] for start in range(0, batch, LANES)]
    if threads > 1 and len(groups) > 1:
        with ThreadPoolExecutor(min(threads, len(groups))) as pool:
            list(pool.map(sums_of, groups))
    else:
        for rows in groups:
            sums_of(rows)
    return logs, occupancy


@numba.njit(cache=True, error_model="numpy")
def best_path(scores, next_state, log_weight, last):
    """Viterbi: scores (T, V) log-probabilities of one utterance, log_weight (S, V) -> (T,) columns."""
    frames, tokens = scores.shape
    states = len(last)
    said = np.full(states, -np.inf, np.float32)
    blank = np.full(states, -np.inf, np.float32)
    blank[0] = 0
    back = np.empty((frames, 2 * states), np.int32)  # the state before, of 2 S: said, then blank
    new_said, new_blank = said.copy(), blank.copy()
    for t in range(frames):
        for s in range(states):
            new_said[s], back[t, s] = said[s], s
        for s in range(states):
            c = last[s]
            if said[s] > blank[s]:
                best, where = said[s], s
            else:
                best, where = blank[s], states + s
            new_blank[s], back[t, states + s] = best + scores[t, 0], where
            for v in range(1, tokens):
                d = next_state[s, v]
                value, origin = best, where
                if v == c:
                    value, origin = blank[s], states + s
                value += log_weight[s, v]
                if value > new_said[d]:
                    new_said[d], back[t, d] = value, origin
        for s in range(states):
            new_said[s] = new_said[s] + scores[t, last[s]] if last[s] > 0 else np.float32(-np.inf)
        said, new_said, blank, new_blank = new_said, said, new_blank, blank
    at, best = 0, np.float32(-np.inf)
    for s in range(states):
        if said[s] + log_weight[s, 0] > best:
            at, best = s, said[s] + log_weight[s, 0]
        if blank[s] + log_weight[s, 0] > best:
            at, best = states + s, blank[s] + log_weight[s, 0]
    columns = np.zeros(frames, np.int64)
    for t in range(frames - 1, -1, -1):
        columns[t] = last[at] if at < states else 0
        at = back[t, at]
    return columns
