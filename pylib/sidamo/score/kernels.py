"""Compiled kernels of `sidamo.score.fast`; `sidamo.score.align` explains the recurrences."""

import numpy as np

from sidamo.io.native import jit


@jit
def last_cells(ref, ref_offsets, which, hyp, hyp_offsets, shift, one_error, one_substitution):
    """Last cell of `edit_counts`'s table for each of N pairs.

    Parameters
    ----------
    ref : (total words,) int32, all references; reference r is ref[ref_offsets[r]:ref_offsets[r + 1]]
    which : (N,) int64, the reference of each pair
    hyp, hyp_offsets : (total words,) int32, (N + 1,) int64, the hypotheses of the pairs
    shift, one_error, one_substitution : int, the packing of a cell (see sidamo.score.align)

    Returns
    -------
    (N,) int64, packed cells
    """
    num = len(which)
    out = np.empty(num, np.int64)
    row = np.empty(np.max(np.diff(ref_offsets)) + 1, np.int64)
    for i in range(num):
        r0, num_ref = ref_offsets[which[i]], ref_offsets[which[i] + 1] - ref_offsets[which[i]]
        h0, num_hyp = hyp_offsets[i], hyp_offsets[i + 1] - hyp_offsets[i]
        for n in range(num_ref + 1):
            row[n] = n * one_error
        for m in range(num_hyp):
            word = hyp[h0 + m]
            diagonal = row[0]
            left = diagonal + one_error
            row[0] = left
            for n in range(num_ref):
                up = row[n + 1]
                cell = diagonal if word == ref[r0 + n] else diagonal + one_substitution
                del_cost, ins_cost = (left >> shift) + 1, (up >> shift) + 1
                if cell >> shift >= min(del_cost, ins_cost):
                    cell = left + one_error if del_cost < ins_cost else up + one_error
                row[n + 1] = cell
                diagonal, left = up, cell
        out[i] = row[num_ref]
    return out


@jit
def align(ref, hyp):
    """`align_pairs` of one pair of int32 arrays: (number of pairs, 2) int32, -1 where there is no word."""
    num_ref, num_hyp = len(ref), len(hyp)
    table = np.empty((num_ref + 1, num_hyp + 1), np.int32)
    for n in range(num_hyp + 1):
        table[0, n] = n
    for m in range(1, num_ref + 1):
        table[m, 0] = m
        for n in range(1, num_hyp + 1):
            diagonal = table[m - 1, n - 1] + (0 if ref[m - 1] == hyp[n - 1] else 1)
            table[m, n] = min(diagonal, min(table[m - 1, n], table[m, n - 1]) + 1)
    pairs = np.empty((num_ref + num_hyp, 2), np.int32)
    k, m, n = num_ref + num_hyp, num_ref, num_hyp
    while m > 0 or n > 0:
        k -= 1
        if m > 0 and n > 0 and table[m - 1, n - 1] + (0 if ref[m - 1] == hyp[n - 1] else 1) == table[m, n]:
            m, n = m - 1, n - 1
            pairs[k, 0], pairs[k, 1] = m, n
        elif m > 0 and (n == 0 or table[m - 1, n] + 1 == table[m, n]):
            m -= 1
            pairs[k, 0], pairs[k, 1] = m, -1
        else:
            n -= 1
            pairs[k, 0], pairs[k, 1] = -1, n
    return pairs[k:]
