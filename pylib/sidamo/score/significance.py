"""Is one system really better than another? The matched-pairs test of NIST's sc_stats (MAPSSWE).

Words of one sentence are not independent, sentences are too few: the test looks at segments, stretches of a sentence in
which at least one of two systems errs, bounded by at least MIN_GOOD words that both recognize. The numbers of errors of
the two systems in each segment form matched pairs, and the mean of their differences is compared with zero.

Source: L. Gillick and S. Cox, "Some statistical issues in the comparison of speech recognition algorithms", ICASSP
1989; NIST SCTK, src/sclite/mtchprs.c (which says what counts as a segment).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MIN_GOOD = 2  # words correct in both systems that end a segment

# sclite weighs a substitution 4, an insertion and a deletion 3: to pair unlike words is dearer than with Levenshtein's
# unit costs, so its errors can be more (never fewer) than compute-wer's.
SUBSTITUTION_COST, INSERTION_COST, DELETION_COST = 4, 3, 3


class Comparison(NamedTuple):
    """Result of the matched-pairs test.

    Attributes
    ----------
    segments : int
    mean, std_dev : float, of (errors of system 1 - errors of system 2) per segment
    z : float, mean / (std_dev / sqrt(segments)); below 0 system 1 is better
    p : float, two-sided probability of such a z or a larger one if there were no difference
    """

    segments: int
    mean: float
    std_dev: float
    z: float
    p: float


def sclite_operations(ref: Sequence, hyp: Sequence) -> str:
    """Align as sclite does.

    Returns
    -------
    str of C (correct), S, D, I, in the order of the alignment

    Notes
    -----
    Costs are 4 for a substitution and 3 for an insertion or a deletion. Among equal costs the forward recurrence
    prefers a pair of words to the other two, and an insertion to a deletion.
    """
    rows = [[n * INSERTION_COST for n in range(len(hyp) + 1)]]
    back = [["I"] * (len(hyp) + 1)]
    for m, word in enumerate(ref, 1):
        above, row, ops = rows[-1], [m * DELETION_COST], ["D"]
        for n, hyp_word in enumerate(hyp):
            pair = above[n] + (0 if word == hyp_word else SUBSTITUTION_COST)
            deletion, insertion = above[n + 1] + DELETION_COST, row[n] + INSERTION_COST
            if pair <= deletion and pair <= insertion:
                row.append(pair)
                ops.append("C" if word == hyp_word else "S")
            elif deletion < insertion:
                row.append(deletion)
                ops.append("D")
            else:
                row.append(insertion)
                ops.append("I")
        rows.append(row)
        back.append(ops)
    m, n, out = len(ref), len(hyp), []
    while m or n:
        op = back[m][n]
        out.append(op)
        m, n = m - (op != "I"), n - (op != "D")
    return "".join(reversed(out))


def segments(ops1: str, ops2: str, min_good: int = MIN_GOOD) -> list[tuple[int, int]]:
    """Cut one sentence into segments.

    Parameters
    ----------
    ops1, ops2 : alignments of the two systems' hypotheses with the same reference, letters C S D I

    Returns
    -------
    list of (errors of system 1, errors of system 2), one pair per segment
    """
    out, i, j = [], 0, 0
    errors = [0, 0]
    good = min_good  # correct words since the last error; min_good or more means: outside a segment
    while i < len(ops1) or j < len(ops2):
        while i < len(ops1) and ops1[i] == "I":
            i, good = i + 1, 0
            errors[0] += 1
        while j < len(ops2) and ops2[j] == "I":
            j, good = j + 1, 0
            errors[1] += 1
        one, two = ops1[i : i + 1], ops2[j : j + 1]  # both at the same reference word, or both at the end
        if one == two == "C":
            good += 1
            if good == min_good and any(errors):
                out.append((errors[0], errors[1]))
                errors = [0, 0]
        elif one or two:
            good = 0
            errors[0] += one in ("S", "D")
            errors[1] += two in ("S", "D")
        i, j = i + 1, j + 1
    if any(errors):
        out.append((errors[0], errors[1]))
    return out


def matched_pairs(sentences: Iterable[tuple[str, str]], min_good: int = MIN_GOOD) -> Comparison:
    """The test over all sentences.

    Parameters
    ----------
    sentences : pairs of alignments (see `segments`), one pair per utterance
    """
    differences = [a - b for ops1, ops2 in sentences for a, b in segments(ops1, ops2, min_good)]
    num = len(differences)
    if num == 0:
        return Comparison(0, 0.0, 0.0, 0.0, 1.0)
    mean = sum(differences) / num
    squares = sum((d - mean) ** 2 for d in differences)
    if squares == 0:  # every segment has the same difference: sc_stats calls that no difference
        return Comparison(num, mean, 0.0, 0.0, 1.0)
    std_dev = math.sqrt(squares / (num - 1))
    z = mean / (std_dev / math.sqrt(num))
    return Comparison(num, mean, std_dev, z, math.erfc(abs(z) / math.sqrt(2)))
