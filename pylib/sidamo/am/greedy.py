"""Greedy CTC decoding and token error counts."""

import numpy as np


def collapse(columns, blank: int = 0) -> list[int]:
    """Merge runs of equal columns, then drop blanks: the token string that a frame string stands for."""
    columns = np.asarray(columns)
    if not len(columns):
        return []
    starts = np.flatnonzero(np.r_[True, columns[1:] != columns[:-1]])
    return [int(c) for c in columns[starts] if c != blank]


def collapse_asg(columns, again: int = 0) -> list[int]:
    """The same for ASG: merge runs; the column `again` repeats the token before it."""
    tokens: list[int] = []
    for c in collapse(columns, blank=-1):
        if c != again:
            tokens.append(c)
        elif tokens:
            tokens.append(tokens[-1])
    return tokens


def edit_distance(ref, hyp) -> int:
    """Levenshtein distance between two sequences of numbers or strings.

    Row recurrence d[j] = min(previous[j] + 1, previous[j-1] + (ref != hyp), d[j-1] + 1); the last term, a running
    minimum, is done by minimum.accumulate over d[j] - j.
    """
    names = {}
    a = np.array([names.setdefault(x, len(names)) for x in ref], dtype=np.int64)
    b = np.array([names.setdefault(x, len(names)) for x in hyp], dtype=np.int64)
    ramp = np.arange(len(b) + 1)
    row = ramp.copy()
    for i, x in enumerate(a, 1):
        best = np.concatenate([[i], np.minimum(row[1:] + 1, row[:-1] + (b != x))])
        row = np.minimum.accumulate(best - ramp) + ramp
    return int(row[-1])


def words_of(units, boundary: str) -> list[str]:
    """Join a string of units into words at the boundary unit, as in ['c', 'a', 't', '|'] -> ['cat']."""
    words, current = [], []
    for unit in units:
        if unit == boundary:
            words.append("".join(current))
            current = []
        else:
            current.append(unit)
    words.append("".join(current))
    return [w for w in words if w]
