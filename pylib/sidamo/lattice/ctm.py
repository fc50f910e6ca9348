"""Word times from linear lattices, and CTM lines."""

from __future__ import annotations

from sidamo.io import log
from sidamo.io.lattice import CompactLattice
from sidamo.lattice.nbest import linear_path


def word_alignment(clat: CompactLattice, key: str | None = None) -> list[tuple[int, int, int]]:
    """(word or 0, first frame, number of frames) of each arc of a linear lattice.

    The times are those of the words only where the lattice was word-aligned first; a warning is given where it shows
    that it was not. Raises DataError where the lattice is not linear.
    """
    path = linear_path(clat, key)
    if clat.final_string_length[path.end]:
        log.warn(
            "Lattice has alignments on final-weight: probably was not word-aligned "
            f"(alignments will be approximate){f' for key {key}' if key else ''}"
        )
    segments, time = [], 0
    for arc in path.arcs.tolist():
        length = int(clat.string_length[arc])
        segments.append((int(clat.label[arc]), time, length))
        time += length
    return segments
