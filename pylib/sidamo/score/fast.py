"""Counting errors for many utterances at many settings: each distinct pair of sentences once, big work compiled.

A sweep over LM weights and penalties gives the same hypothesis for most utterances at most settings, so `BatchScorer`
remembers every line it has met for an utterance. What is left goes to `edit_counts` (plain Python) while it is little,
and to a compiled kernel with the same recurrence once loading it is the smaller cost. Sums are numpy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from sidamo.score import kernels
from sidamo.score.align import ONE_ERROR, ONE_SUBSTITUTION, SHIFT, Counts, align_pairs, edit_counts
from sidamo.score.wer import Totals

SECONDS_A_CELL = 1.7e-7  # in which plain Python fills a cell of a table
CHUNK = 50_000  # lines split at once


class Ids(dict):
    """word -> integer; a new word gets the next one."""

    def __missing__(self, word):
        self[word] = number = len(self)
        return number


def flatten(sentences: Sequence[Sequence], ids: Ids) -> tuple[np.ndarray, np.ndarray]:
    """Words to integers, all sentences in one array.

    Parameters
    ----------
    sentences : N sequences of words
    ids : new words are added

    Returns
    -------
    flat : (total words,) int32
    offsets : (N + 1,) int64; sentence i is flat[offsets[i]:offsets[i + 1]]
    """
    offsets = np.zeros(len(sentences) + 1, np.int64)
    np.cumsum(list(map(len, sentences)), out=offsets[1:])
    words = map(ids.__getitem__, chain.from_iterable(sentences))
    return np.fromiter(words, np.int32, count=int(offsets[-1])), offsets


def flatten_lines(lines: Sequence[str], ids: Ids) -> tuple[np.ndarray, np.ndarray]:
    """`flatten` for lines of words joined by single blanks.

    Many lines are split at once: a list for each of them would keep Python's garbage collector busy.
    """
    lengths = np.fromiter((line.count(" ") + 1 if line else 0 for line in lines), np.int64, count=len(lines))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    flat = np.empty(int(offsets[-1]), np.int32)
    for begin in range(0, len(lines), CHUNK):
        end = min(begin + CHUNK, len(lines))
        words = " ".join(filter(None, lines[begin:end])).split(" ") if offsets[end] > offsets[begin] else []
        flat[offsets[begin] : offsets[end]] = np.fromiter(map(ids.__getitem__, words), np.int32, count=len(words))
    return flat, offsets


def batch_align(refs: Sequence[Sequence], hyps: Sequence[Sequence]) -> list[list[tuple[int, int]]]:
    """`align_pairs` of many pairs."""
    cells = sum(len(ref) * len(hyp) for ref, hyp in zip(refs, hyps))
    if not kernels.align.pays(cells * SECONDS_A_CELL):
        return [align_pairs(ref, hyp) for ref, hyp in zip(refs, hyps)]
    ids, out = Ids(), []
    for ref, hyp in zip(refs, hyps):
        if ref == hyp:
            out.append([(i, i) for i in range(len(ref))])
            continue
        (a, _), (b, _) = flatten([ref], ids), flatten([hyp], ids)
        out.append(list(map(tuple, kernels.align(a, b).tolist())))
    return out


class Scores:
    """Errors of one hypothesis file.

    Attributes
    ----------
    utts : list of N utterances, those of the reference
    table : (N, 4) int64; reference words, insertions, deletions, substitutions of each utterance
    absent : list of utterances without a hypothesis (all their words are deletions)
    """

    def __init__(self, utts: list[str], table: np.ndarray, absent: list[str]):
        self.utts, self.table, self.absent = utts, table, absent

    def counts(self) -> dict[str, Counts]:
        return {utt: Counts(*row) for utt, row in zip(self.utts, self.table.tolist())}

    def errors(self) -> np.ndarray:
        """(N,) int64"""
        return self.table[:, 1:].sum(axis=1)

    def totals(self) -> Totals:
        words, ins, dels, sub = self.table.sum(axis=0).tolist()
        wrong = int(np.count_nonzero(self.errors()))
        return Totals(words, ins, dels, sub, len(self.utts), wrong, len(self.absent))


class BatchScorer:
    """Scores many hypothesis files against one reference.

    Parameters
    ----------
    refs : dict, utterance -> words, as a list
    """

    def __init__(self, refs: dict[str, list]):
        self.utts = list(refs)
        self._refs = list(refs.values())
        self._ids = Ids()
        self._ref_ids, self._ref_offsets = flatten(self._refs, self._ids)
        self._known: list[dict[str, int]] = [{} for _ in self.utts]  # for each utterance: line -> row of the table
        self._table = np.zeros((0, 4), np.int64)

    def many(self, systems: Sequence[dict[str, str]]) -> list[Scores]:
        """Score several hypothesis files; the work of all of them is one batch.

        Parameters
        ----------
        systems : one dict a file, utterance -> line (words joined by single blanks)
        """
        rows, new_refs, new_lines = [], [], []
        size = len(self._table)
        for lines in systems:
            row = []
            for number, (utt, known) in enumerate(zip(self.utts, self._known)):
                line = lines.get(utt, "")
                index = known.get(line)
                if index is None:
                    index = known[line] = size + len(new_refs)
                    new_refs.append(number)
                    new_lines.append(line)
                row.append(index)
            rows.append(row)
        if new_refs:
            self._table = np.concatenate([self._table, self._count(new_refs, new_lines)])
        return [
            Scores(self.utts, self._table[row], [utt for utt in self.utts if utt not in lines])
            for row, lines in zip(rows, systems)
        ]

    def one(self, lines: dict[str, str]) -> Scores:
        return self.many([lines])[0]

    def _count(self, numbers: list[int], lines: list[str]) -> np.ndarray:
        """Rows (ref words, ins, del, sub) for pairs of the reference with that number and a hypothesis."""
        which = np.array(numbers, np.int64)
        hyp_ids, hyp_offsets = flatten_lines(lines, self._ids)
        cells = int((np.diff(self._ref_offsets)[which] * np.diff(hyp_offsets)).sum())
        if not kernels.last_cells.pays(cells * SECONDS_A_CELL):
            hyps = [line.split(" ") if line else [] for line in lines]
            return np.array([edit_counts(self._refs[n], hyp) for n, hyp in zip(numbers, hyps)], np.int64)
        last = kernels.last_cells(
            self._ref_ids, self._ref_offsets, which, hyp_ids, hyp_offsets, SHIFT, ONE_ERROR, ONE_SUBSTITUTION
        )
        ref_words = np.diff(self._ref_offsets)[which]
        cost, sub = last >> SHIFT, last & (ONE_ERROR - 1)
        ins = (cost - sub + np.diff(hyp_offsets) - ref_words) // 2  # as in align.unpack
        return np.stack([ref_words, ins, cost - sub - ins, sub], axis=1)
