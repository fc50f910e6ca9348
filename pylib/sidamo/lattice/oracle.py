"""The path of a lattice with the fewest word errors against a reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sidamo.io.lattice import CompactLattice, top_sort
from sidamo.lattice.ops import connect

FAR = 1 << 30


@dataclass(frozen=True)
class OracleResult:
    """words : those of the best path, wildcards left out; the counts are of its errors; path_words : wildcards kept."""

    words: list[int]
    path_words: list[int]
    insertions: int
    deletions: int
    substitutions: int
    num_reference: int

    @property
    def errors(self) -> int:
        return self.insertions + self.deletions + self.substitutions


def oracle(clat: CompactLattice, reference, wildcards=(), key: str | None = None) -> OracleResult | None:
    """Least Levenshtein distance between the reference and any path; None where no path reaches a final state.

    wildcards : words that count neither in the lattice nor in the reference
    distance[s, j]: least errors between the paths from the start to state s and the first j reference words.
    """
    clat = connect(clat)
    if clat.start < 0 or clat.num_states == 0:
        return None
    clat = top_sort(clat, key)
    wild = set(wildcards)
    ref = np.array([w for w in reference if w not in wild], np.int64)
    word = np.where(np.isin(clat.label, list(wild)), 0, clat.label).astype(np.int64)
    distance = np.full((clat.num_states, len(ref) + 1), FAR, np.int64)
    distance[clat.start] = np.arange(len(ref) + 1)
    position = np.arange(len(ref) + 1)
    offsets, nextstate = clat.offsets.tolist(), clat.nextstate.tolist()
    for s in range(clat.num_states):
        row = distance[s]
        # Deletions: distance[j] = min over i <= j of distance[i] + (j - i).
        row[:] = np.minimum.accumulate(row - position) + position
        for a in range(offsets[s], offsets[s + 1]):
            target = distance[nextstate[a]]
            if word[a] == 0:
                np.minimum(target, row, out=target)
                continue
            np.minimum(target, row + 1, out=target)
            np.minimum(target[1:], row[:-1] + (ref != word[a]), out=target[1:])
    final = np.flatnonzero(clat.is_final())
    end = int(final[np.argmin(distance[final, -1])])
    return _trace(clat, distance, ref, word, end)


def _trace(clat, distance, ref, word, state: int) -> OracleResult:
    source = clat.arc_source()
    order = np.argsort(clat.nextstate, kind="stable")
    first = np.searchsorted(clat.nextstate[order], np.arange(clat.num_states + 1))
    j, counts, words, path_words = len(ref), [0, 0, 0], [], []
    while state != clat.start or j > 0:
        here = distance[state, j]
        for a in order[first[state] : first[state + 1]].tolist():
            s, w = int(source[a]), int(word[a])
            if w == 0 and distance[s, j] == here:
                step = (j, None)
            elif w and j and ref[j - 1] == w and distance[s, j - 1] == here:
                step = (j - 1, None)
            elif w and j and ref[j - 1] != w and distance[s, j - 1] + 1 == here:
                step = (j - 1, 2)
            elif w and distance[s, j] + 1 == here:
                step = (j, 0)
            else:
                continue
            if w:
                words.append(w)
            if clat.label[a]:
                path_words.append(int(clat.label[a]))
            state, j = s, step[0]
            if step[1] is not None:
                counts[step[1]] += 1
            break
        else:
            j -= 1
            counts[1] += 1
    return OracleResult(words[::-1], path_words[::-1], *counts, len(ref))
