"""What the compiled kernels of this package share."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, inline="always")
def mix(x):
    """int64 -> int64, every bit depends on every bit (Stafford's variant 13 of the finalizer of MurmurHash3)."""
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * -4658895280553007687
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * -7723592293110705685
    return x ^ ((x >> 31) & 0x1FFFFFFFF)


@njit(cache=True)
def predecessors(offsets, nextstate):
    """The arcs backwards: (offsets, source) of the arcs that lead to each state."""
    num_states = len(offsets) - 1
    back = np.zeros(num_states + 1, np.int64)
    for arc in range(len(nextstate)):
        back[nextstate[arc] + 1] += 1
    for s in range(num_states):
        back[s + 1] += back[s]
    source, place = np.empty(len(nextstate), np.int32), back[:-1].copy()
    for s in range(num_states):
        for arc in range(offsets[s], offsets[s + 1]):
            to = nextstate[arc]
            source[place[to]] = s
            place[to] += 1
    return back, source


@njit(cache=True)
def reach(offsets, neighbour, seeds):
    """(S,) bool: states that are seeds, or reached from one along offsets, neighbour."""
    count = len(seeds)
    seen, stack, top = np.zeros(count, np.bool_), np.empty(count, np.int32), 0
    for s in range(count):
        if seeds[s]:
            seen[s], stack[top] = True, s
            top += 1
    while top > 0:
        top -= 1
        s = stack[top]
        for k in range(offsets[s], offsets[s + 1]):
            to = neighbour[k]
            if not seen[to]:
                seen[to], stack[top] = True, to
                top += 1
    return seen


def enlarged(array: np.ndarray, length: int) -> np.ndarray:
    """A copy with room for `length` rows."""
    larger = np.empty((length, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
