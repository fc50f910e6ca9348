"""Minimum Bayes risk decoding, sausages, confidences and word times.

Xu, Povey, Mangu, Zhu: Minimum Bayes risk decoding and system combination based on a recursion for edit distance,
Computer Speech and Language 2011; figures 4 to 6 are `_edit_distance`, `_accumulate` and `decode`.
Times of words in bins: appendix C, corrected as in Kaldi (lat/sausages.cc).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.lattice import CompactLattice, top_sort
from sidamo.lattice.kernels import kernel
from sidamo.lattice.ops import arc_cost, best_path, connect, rounded, state_times, with_super_final

DELTA = float(np.float32(1e-5))  # prefers, among alignments of equal cost, those that use fewer insertions
MAX_ITERATIONS = 100


@dataclass(frozen=True)
class MbrOptions:
    """Options of MBR decoding (Kaldi's MinimumBayesRiskOptions)."""

    decode_mbr: bool = True  # else the best path is kept, and only the statistics are those of MBR
    print_silence: bool = False  # keep the bins without a word in the hypothesis (silence, or a deleted word)


@dataclass
class MbrResult:
    """What MBR decoding finds for one utterance.

    words : list of int, the hypothesis (with 0 between words where print_silence)
    times : (begin, end) in frames of each of them
    confidences : posterior of each of them in its bin
    bayes_risk : expected number of word errors of the hypothesis, were the lattice's posteriors true
    sausage : per bin, (word or 0, posterior), most likely first
    sausage_times : (begin, end) in frames of each bin
    """

    words: list[int]
    times: list[tuple[float, float]]
    confidences: list[float]
    bayes_risk: float
    sausage: list[list[tuple[int, float]]]
    sausage_times: list[tuple[float, float]]


@kernel
def _edit_distance(arc_start, arc_end, word, loglike, first_arc, r, alpha, alpha_dash, delta):
    # Figure 4. Arcs are grouped by end node; node 0 is the start. r[q-1] is the hypothesis' word at q.
    num_nodes, num_bins = alpha_dash.shape[0], len(r)
    alpha[0] = 0.0
    alpha_dash[0, 0] = 0.0
    for q in range(1, num_bins + 1):
        alpha_dash[0, q] = alpha_dash[0, q - 1] + (0.0 if r[q - 1] == 0 else 1.0)
    row = np.zeros(num_bins + 1)
    for n in range(1, num_nodes):
        total = -1.0e300
        for a in range(first_arc[n], first_arc[n + 1]):
            x = alpha[arc_start[a]] + loglike[a]
            if x > total:
                total, x = x, total
            difference = x - total
            if difference >= -36.04365338911715:  # ln of the spacing of doubles: less cannot change the sum
                total += math.log1p(math.exp(difference))
        alpha[n] = total
        for a in range(first_arc[n], first_arc[n + 1]):
            s, w = arc_start[a], word[a]
            share = math.exp(alpha[s] + loglike[a] - total)
            insertion = 0.0 if w == 0 else 1.0 + delta
            row[0] = alpha_dash[s, 0] + insertion
            alpha_dash[n, 0] += share * row[0]
            for q in range(1, num_bins + 1):
                best = alpha_dash[s, q - 1] + (0.0 if w == r[q - 1] else 1.0)
                other = alpha_dash[s, q] + insertion
                if other < best:
                    best = other
                other = row[q - 1] + (0.0 if r[q - 1] == 0 else 1.0)
                if other < best:
                    best = other
                row[q] = best
                alpha_dash[n, q] += share * best


@kernel
def _accumulate(arc_start, arc_end, word, loglike, first_arc, r, alpha, alpha_dash, delta, times, occupancy, eps_stats):
    # Figure 5, lines 11 to 33. occupancy (A, Q): how much of arc a is aligned with bin q;
    # eps_stats (3, Q): the occupancy of epsilon in bin q, and that times its time, begin and end.
    num_nodes, num_bins = alpha_dash.shape[0], len(r)
    beta_dash = np.zeros((num_nodes, num_bins + 1))
    beta_dash[num_nodes - 1, num_bins] = 1.0
    row, beta_row = np.zeros(num_bins + 1), np.zeros(num_bins + 1)
    choice = np.zeros(num_bins + 1, np.int8)
    for n in range(num_nodes - 1, 0, -1):
        for a in range(first_arc[n], first_arc[n + 1]):
            s, w = arc_start[a], word[a]
            insertion = 0.0 if w == 0 else 1.0 + delta
            row[0] = alpha_dash[s, 0] + insertion
            for q in range(1, num_bins + 1):
                a1 = alpha_dash[s, q - 1] + (0.0 if w == r[q - 1] else 1.0)
                a2 = alpha_dash[s, q] + insertion
                a3 = row[q - 1] + (0.0 if r[q - 1] == 0 else 1.0)
                # Ties are common, and rounding decides them, in Kaldi as here: the sums are in its order, exp is libm's.
                if a1 <= a2 and a1 <= a3:
                    choice[q], row[q] = 1, a1
                elif a2 < a1 and a2 <= a3:
                    choice[q], row[q] = 2, a2
                else:
                    choice[q], row[q] = 3, a3
            share = math.exp(alpha[s] + loglike[a] - alpha[n])
            beta_row[:] = 0.0
            for q in range(num_bins, 0, -1):
                beta_row[q] += share * beta_dash[n, q]
                b = beta_row[q]
                if choice[q] == 1:
                    beta_dash[s, q - 1] += b
                    occupancy[a, q - 1] += b
                elif choice[q] == 2:
                    beta_dash[s, q] += b
                else:
                    beta_row[q - 1] += b
                    eps_stats[0, q - 1] += b
                    eps_stats[1, q - 1] += times[n] * b
            beta_row[0] += share * beta_dash[n, 0]
            beta_dash[s, 0] += beta_row[0]
    beta_row[:] = 0.0
    for q in range(num_bins, 0, -1):
        beta_row[q] += beta_dash[0, q]
        beta_row[q - 1] += beta_row[q]
        eps_stats[0, q - 1] += beta_row[q]
        eps_stats[1, q - 1] += times[0] * beta_row[q]


class _Stats:
    """The lattice with one final state and arcs by end node, and the statistics of a hypothesis on it."""

    def __init__(self, clat: CompactLattice, key: str | None):
        clat = connect(clat)
        if clat.start < 0 or clat.num_states == 0:
            raise DataError("lattice is empty, or no path of it reaches a final state", key=key)
        clat = top_sort(with_super_final(clat), key)
        self.clat = clat
        self.times = state_times(clat, key)[0].astype(np.float64)
        order = np.argsort(clat.nextstate, kind="stable")
        self.arc_start, self.arc_end = clat.arc_source()[order].astype(np.int64), clat.nextstate[order].astype(np.int64)
        self.loglike = -rounded(arc_cost(clat)[order])
        self.words, self.word_index = np.unique(clat.label[order], return_inverse=True)
        self.word = clat.label[order].astype(np.int64)
        self.first_arc = np.searchsorted(self.arc_end, np.arange(clat.num_states + 1)).astype(np.int64)

    def accumulate(self, r: np.ndarray):
        """(expected edit distance, sausage, per-bin {word: (begin, end)}, bin times) of hypothesis r (Q,)."""
        num_nodes, num_bins, num_arcs = len(self.times), len(r), len(self.word)
        alpha, alpha_dash = np.zeros(num_nodes), np.zeros((num_nodes, num_bins + 1))
        arcs = (self.arc_start, self.arc_end, self.word, self.loglike, self.first_arc, r, alpha, alpha_dash, DELTA)
        steps = 10 * num_arcs * (num_bins + 1)
        _edit_distance(*arcs, steps=steps)
        occupancy, eps = np.zeros((num_arcs, num_bins)), np.zeros((3, num_bins))
        _accumulate(*arcs, self.times, occupancy, eps, steps=steps)
        gamma = np.zeros((3, len(self.words), num_bins))  # occupancy, begin and end times weighted by it
        np.add.at(gamma[0], self.word_index, occupancy)
        np.add.at(gamma[1], self.word_index, occupancy * self.times[self.arc_start][:, None])
        np.add.at(gamma[2], self.word_index, occupancy * self.times[self.arc_end][:, None])
        return float(alpha_dash[-1, -1]), *self._bins(gamma, eps)

    def _bins(self, gamma, eps):
        sausage, times, bin_times = [], [], []
        for q in range(eps.shape[1]):
            entries = {int(self.words[i]): gamma[:, i, q] for i in np.flatnonzero(gamma[0, :, q])}
            if eps[0, q]:
                entries[0] = entries.get(0, 0.0) + np.array([eps[0, q], eps[1, q], eps[1, q]])
            ranked = sorted(((float(np.float32(e[0])), w) for w, e in entries.items()), reverse=True)
            sausage.append([(w, p) for p, w in ranked])
            times.append([(np.float32(entries[w][1] / p), np.float32(entries[w][2] / p)) for p, w in ranked if p > 0])
            begin, end = (float(sum(e[i] for e in entries.values())) for i in (1, 2))
            if bin_times and bin_times[-1][1] > begin:  # neighbouring bins that overlap meet in the middle
                begin = 0.5 * (bin_times[-1][1] + begin)
                bin_times[-1] = (bin_times[-1][0], begin)
            bin_times.append((begin, end))
        return sausage, times, bin_times


def _with_epsilons(words) -> np.ndarray:
    """Words with an empty bin before, between and after them."""
    words = [w for w in words if w != 0]
    r = np.zeros(2 * len(words) + 1, np.int64)
    r[1::2] = words
    return r


def decode(clat: CompactLattice, options=MbrOptions(), *, words=None, key: str | None = None) -> MbrResult:  # noqa: B008
    """MBR decoding of a lattice whose costs are already scaled.

    words : the hypothesis to start from; default the best path's. With decode_mbr=False it is kept, and only the
        statistics are those of the MBR algorithm.
    Raises DataError where no path reaches a final state or the lattice has a cycle.
    """
    stats = _Stats(clat, key)
    if words is None:
        words = best_path(stats.clat, key).words
    r = _with_epsilons(words)
    for _ in range(MAX_ITERATIONS + 2):
        risk, sausage, times, bin_times = stats.accumulate(r)
        change = 0.0
        if options.decode_mbr:
            for q, entries in enumerate(sausage):
                change += dict(entries).get(int(r[q]), 0.0) - entries[0][1]
                r[q] = entries[0][0]
        if change == 0.0:
            break
        previous, r = r, _with_epsilons(r)
    else:
        r = previous
    return _result(r, risk, sausage, times, bin_times, options.print_silence)


def _result(r, risk, sausage, times, bin_times, print_silence: bool) -> MbrResult:
    words, word_times, confidences = [], [], []
    for q, word in enumerate(r.tolist()):
        if word == 0 and not print_silence:
            continue
        ranked = [w for w, _ in sausage[q]]
        i = ranked.index(word) if word in ranked else 0
        words.append(word)
        word_times.append(times[q][i])
        if len(words) > 1 and word_times[-2][1] > word_times[-1][0]:
            earlier = word_times[-3][1] if len(words) > 2 else 0.0
            word_times[-2:] = _side_by_side(word_times[-2], word_times[-1], earlier)
        confidences.append(sausage[q][i][1])
    word_times = [(float(begin), float(end)) for begin, end in word_times]
    return MbrResult(words, word_times, confidences, risk, sausage, bin_times)


def _side_by_side(first, second, earlier: float):
    """Two overlapping (begin, end) made to meet: the time that both cover is shared out in proportion to their lengths.

    Kaldi lat/sausages.cc, MbrDecode. earlier : end of what comes before both
    """
    left, right = max(np.float32(earlier), min(first[0], second[0])), max(first[1], second[1])  # float32 throughout
    length, other = first[1] - first[0], second[1] - second[0]
    middle = left + (right - left) * length / (length + other) if length > 0 else left
    return [(left, middle), (middle, right)]
