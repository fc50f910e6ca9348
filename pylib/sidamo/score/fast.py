"""Counting errors for many utterances at once: words become integers, equal work is done once, big work is compiled.

A sweep over LM weights and penalties gives the same hypothesis for most utterances at most settings, so `BatchScorer`
remembers every (reference, hypothesis) line it has seen. What is left goes to `edit_counts` (plain Python) while it is
little, and to a numba kernel with the same recurrence once compiling is the smaller cost.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from sidamo.score.align import ONE_ERROR, ONE_SUBSTITUTION, SHIFT, Counts, edit_counts, unpack

# Cells of the tables of one batch above which the compiled kernel is used. Plain Python fills about 6 million cells a
# second; importing numba and loading the cached kernels costs about half a second.
COMPILE_ABOVE = 3_000_000


@functools.cache
def kernels():
    """The compiled kernels (imported on first use: numba is slow to import)."""
    from sidamo.score import kernels as compiled

    return compiled


def batch_counts(refs: Sequence[Sequence], hyps: Sequence[Sequence]) -> list[Counts]:
    """`edit_counts` of many pairs.

    Parameters
    ----------
    refs, hyps : equally many sequences of hashable words

    Returns
    -------
    list of Counts, one per pair, equal to `edit_counts` of each
    """
    cells = sum(len(ref) * len(hyp) for ref, hyp in zip(refs, hyps))
    if cells <= COMPILE_ABOVE:
        return [edit_counts(ref, hyp) for ref, hyp in zip(refs, hyps)]
    ids: dict = {}
    ref_ids, ref_offsets = flatten(refs, ids)
    hyp_ids, hyp_offsets = flatten(hyps, ids)
    last = kernels().last_cells(ref_ids, ref_offsets, hyp_ids, hyp_offsets, SHIFT, ONE_ERROR, ONE_SUBSTITUTION)
    num_ref, num_hyp = np.diff(ref_offsets), np.diff(hyp_offsets)
    return [unpack(cell, r, h) for cell, r, h in zip(last.tolist(), num_ref.tolist(), num_hyp.tolist())]


def batch_align(refs: Sequence[Sequence], hyps: Sequence[Sequence]) -> list[list[tuple[int, int]]]:
    """`align_pairs` of many pairs (same arguments as `batch_counts`)."""
    from sidamo.score.align import align_pairs

    cells = sum(len(ref) * len(hyp) for ref, hyp in zip(refs, hyps))
    if cells <= COMPILE_ABOVE:
        return [align_pairs(ref, hyp) for ref, hyp in zip(refs, hyps)]
    ids: dict = {}
    compiled = kernels()
    out = []
    for ref, hyp in zip(refs, hyps):
        if ref == hyp:
            out.append([(i, i) for i in range(len(ref))])
            continue
        (a, _), (b, _) = flatten([ref], ids), flatten([hyp], ids)
        out.append(list(map(tuple, compiled.align(a, b).tolist())))
    return out


def flatten(sentences: Sequence[Sequence], ids: dict) -> tuple[np.ndarray, np.ndarray]:
    """Words to integers, all sentences in one array.

    Parameters
    ----------
    sentences : N sequences of words
    ids : word -> integer; new words are added

    Returns
    -------
    flat : (total words,) int32
    offsets : (N + 1,) int64; sentence i is flat[offsets[i]:offsets[i + 1]]
    """
    offsets = np.zeros(len(sentences) + 1, np.int64)
    np.cumsum([len(sentence) for sentence in sentences], out=offsets[1:])
    words = (ids.setdefault(word, len(ids)) for sentence in sentences for word in sentence)
    return np.fromiter(words, np.int32, count=int(offsets[-1])), offsets


class BatchScorer:
    """Scores many hypothesis files against one reference, each distinct pair of lines once.

    Parameters
    ----------
    refs : dict, utterance -> list of words
    """

    def __init__(self, refs: dict[str, list]):
        self.refs = refs
        self._known: dict[tuple[str, tuple], Counts] = {}

    def counts(self, hyps: dict[str, Sequence]) -> dict[str, Counts]:
        """Counts of every utterance of the reference; one without a hypothesis is all deletions."""
        return self.many([hyps])[0]

    def many(self, systems: Sequence[dict[str, Sequence]]) -> list[dict[str, Counts]]:
        """`counts` for several hypothesis files; the work of all of them is one batch."""
        known, work = self._known, {}
        keyed = []
        for hyps in systems:
            keys = [(utt, tuple(hyps.get(utt, ()))) for utt in self.refs]
            keyed.append(keys)
            work.update((key, None) for key in keys if key not in known)
        todo = list(work)
        known.update(zip(todo, batch_counts([self.refs[utt] for utt, _ in todo], [list(hyp) for _, hyp in todo])))
        return [{key[0]: known[key] for key in keys} for keys in keyed]
