"""The compiled loop of the pitch tracker."""

import numpy as np

from sidamo.io.native import jit


@jit
def pitch_forward(local, factor, forward, back):
    """Viterbi recursion of the pitch tracker.

    alpha_t(i) = local_t(i) + min_j [ (i - j)^2 factor + alpha_{t-1}(j) ]

    The minimizing j grows with i (the penalty is convex in i - j), so it is searched between those of neighbouring i
    that are already known: S log S steps instead of S^2.

    Parameters
    ----------
    local : (T, S) float32, local costs
    factor : float32, cost of a step of one lag
    forward : (S,) float32, alpha before and after; its minimum is kept at 0
    back : (T, S) int32, output: the minimizing j
    """
    num_frames, num_states = local.shape
    previous = np.empty(num_states, np.float32)
    top = 1
    while top < num_states:
        top *= 2
    for t in range(num_frames):
        for i in range(num_states):
            previous[i] = forward[i]
        step = top
        while step >= 1:
            for i in range(step - 1, num_states, 2 * step):
                low = back[t, i - step] if i >= step else 0
                high = back[t, i + step] if i + step < num_states else num_states - 1
                best_j = low
                best = np.float32((low - i) * (low - i)) * factor + previous[low]
                for j in range(low + 1, high + 1):
                    cost = np.float32((j - i) * (j - i)) * factor + previous[j]
                    if cost < best:
                        best = cost
                        best_j = j
                back[t, i] = best_j
                forward[i] = best
            step //= 2
        smallest = np.float32(np.inf)
        for i in range(num_states):
            forward[i] += local[t, i]
            smallest = min(smallest, forward[i])
        for i in range(num_states):
            forward[i] -= smallest
