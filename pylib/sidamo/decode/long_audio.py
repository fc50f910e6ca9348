"""Long recordings: windows that overlap for the network, cuts at silence for the decoder.

A network is run over windows, since an hour at once may not fit into memory; what it says near a window's edges lacks
context and is thrown away, the overlap makes up for it. The log-likelihoods, whole again, are cut where blank has long
been certain, so that no word is cut in two.
"""

from __future__ import annotations

import numpy as np


def windows(num_frames: int, length: int, overlap: int) -> list[tuple[int, int]]:
    """Ranges [begin, end) of at most `length` frames that cover all frames; neighbours share `overlap` frames."""
    if num_frames <= length:
        return [(0, num_frames)]
    step = length - overlap
    begins = list(range(0, num_frames - overlap, step))
    return [(begin, min(begin + length, num_frames)) for begin in begins]


def join(pieces: list[np.ndarray], begins: list[int]) -> np.ndarray:
    """Log-likelihoods of overlapping windows -> those of the whole; neighbours change over in mid-overlap.

    Parameters
    ----------
    pieces : list of (T_i, V); begins : the frame of the whole at which each begins, rising
    """
    parts, done = [], 0
    for i, (piece, begin) in enumerate(zip(pieces, begins, strict=True)):
        end = begin + len(piece)
        if i + 1 < len(pieces):
            end = min(end, max((begins[i + 1] + end) // 2, done))
        parts.append(piece[max(done - begin, 0) : end - begin])
        done = max(done, end)
    return np.concatenate(parts)


def cuts_at_blanks(loglikes: np.ndarray, shortest: int, longest: int, blank: float = 0.9) -> list[tuple[int, int]]:
    """Ranges [begin, end) of `shortest` to `longest` frames, cut in the middle of the longest run of blanks there.

    loglikes : (T, V), column 0 the blank; blank : its posterior in a frame of the run, at least. Where no frame is a
    sure blank the cut is at the frame of the likeliest one.
    """
    log_sum = np.logaddexp.reduce(loglikes.astype(np.float64), axis=1)
    posterior = np.exp(loglikes[:, 0] - log_sum)
    ranges, begin, total = [], 0, len(loglikes)
    while total - begin > longest:
        low, high = begin + shortest, begin + longest
        run_begin, run_length = longest_run(posterior[low:high] >= blank)
        cut = low + (run_begin + run_length // 2 if run_length else int(np.argmax(posterior[low:high])))
        cut = max(cut, begin + 1)
        ranges.append((begin, cut))
        begin = cut
    ranges.append((begin, total))
    return ranges


def longest_run(flags: np.ndarray) -> tuple[int, int]:
    """(begin, length) of the longest run of True; length 0 where there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    if len(begins) == 0:
        return 0, 0
    best = int(np.argmax(ends - begins))
    return int(begins[best]), int(ends[best] - begins[best])
