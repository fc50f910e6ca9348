"""Alignment of a reference with a hypothesis: the least number of insertions, deletions and substitutions.

Two functions stand here because Kaldi has two, which agree on the number of errors and not always on its split:

* `edit_counts` follows `LevenshteinEditDistance` (compute-wer): forward, it prefers an insertion to a deletion to a
  substitution where the costs are equal;
* `align_pairs` follows `LevenshteinAlignment` (align-text): backward from the end, it prefers a substitution (or a
  match) to a deletion to an insertion.

Both are short plain Python, meant to be read; `sidamo.score.fast` holds the same recurrences as compiled kernels, and a
test holds the two to each other.

Source: V. I. Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals", 1966;
tie-breaking: Kaldi, src/util/edit-distance-inl.h.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# A cell of the table holds a cost and a number of substitutions as one integer, cost << SHIFT | subs: one comparison,
# one addition. Insertions and deletions follow from these two, since their difference is len(hyp) - len(ref).
SHIFT = 32
ONE_ERROR = 1 << SHIFT
ONE_SUBSTITUTION = ONE_ERROR | 1


class Counts(NamedTuple):
    """Errors of one utterance (or of many, summed).

    Attributes
    ----------
    ref_words, ins, del_, sub : int, numbers of words
    """

    ref_words: int
    ins: int
    del_: int
    sub: int

    @property
    def errors(self) -> int:
        return self.ins + self.del_ + self.sub

    @property
    def correct(self) -> int:
        return self.ref_words - self.sub - self.del_


def unpack(cell: int, num_ref: int, num_hyp: int) -> Counts:
    """Split the last cell of the table into counts (see SHIFT)."""
    cost, sub = cell >> SHIFT, cell & (ONE_ERROR - 1)
    ins = (cost - sub + num_hyp - num_ref) // 2
    return Counts(num_ref, ins, cost - sub - ins, sub)


def edit_counts(ref: Sequence, hyp: Sequence) -> Counts:
    """Count errors as compute-wer does.

    Parameters
    ----------
    ref, hyp : sequences of N and M words (anything that can be compared for equality)

    Returns
    -------
    Counts; its `errors` is the Levenshtein distance

    Notes
    -----
    With E(m, n) the least cost of turning the first n words of ref into the first m of hyp, words h_m and r_n::

        E(m, n) = min(E(m-1, n-1) + [h_m != r_n],  E(m, n-1) + 1,  E(m-1, n) + 1)
                      match or substitution        deletion        insertion

    The substitution wins only where it is cheaper than both others, the deletion only where it is cheaper than the
    insertion: that is Kaldi's order, and it decides the split among paths of equal cost.
    """
    if ref == hyp:
        return Counts(len(ref), 0, 0, 0)
    previous = [n * ONE_ERROR for n in range(len(ref) + 1)]  # no hypothesis word yet: all deletions
    for m, word in enumerate(hyp, 1):
        left = m * ONE_ERROR  # no reference word yet: all insertions
        row = [left]
        diagonal = previous[0]
        for up, ref_word in zip(previous[1:], ref):
            cell = diagonal if word == ref_word else diagonal + ONE_SUBSTITUTION
            cost, del_cost, ins_cost = cell >> SHIFT, (left >> SHIFT) + 1, (up >> SHIFT) + 1
            if cost >= ins_cost or cost >= del_cost:
                cell = left + ONE_ERROR if del_cost < ins_cost else up + ONE_ERROR
            row.append(cell)
            diagonal, left = up, cell
        previous = row
    return unpack(previous[-1], len(ref), len(hyp))


def align_pairs(ref: Sequence, hyp: Sequence) -> list[tuple[int, int]]:
    """Align two sentences as align-text does.

    Returns
    -------
    pairs : list of (index into ref, index into hyp); -1 is "no word": (i, -1) is a deletion, (-1, j) an insertion
    """
    if ref == hyp:
        return [(i, i) for i in range(len(ref))]
    table = [list(range(len(hyp) + 1))]
    for m, word in enumerate(ref, 1):
        above, left = table[-1], m
        row = [m]
        for n, hyp_word in enumerate(hyp):
            left = min(above[n] + (word != hyp_word), above[n + 1] + 1, left + 1)
            row.append(left)
        table.append(row)
    return _trace_back(table, ref, hyp)


def _trace_back(table: list[list[int]], ref: Sequence, hyp: Sequence) -> list[tuple[int, int]]:
    """Walk from the last cell to the first: substitution (or match) before deletion before insertion."""
    m, n = len(ref), len(hyp)
    pairs = []
    while m or n:
        substitution = table[m - 1][n - 1] + (ref[m - 1] != hyp[n - 1]) if m and n else None
        if substitution == table[m][n]:
            m, n = m - 1, n - 1
            pairs.append((m, n))
        elif m and (n == 0 or table[m - 1][n] + 1 == table[m][n]):
            m -= 1
            pairs.append((m, -1))
        else:
            n -= 1
            pairs.append((-1, n))
    pairs.reverse()
    return pairs


def align_words(ref: Sequence, hyp: Sequence, eps) -> list[tuple]:
    """`align_pairs` with the words themselves; `eps` stands where there is none."""
    return [(ref[i] if i >= 0 else eps, hyp[j] if j >= 0 else eps) for i, j in align_pairs(ref, hyp)]
