"""Word times from linear lattices; CTM and TextGrid."""

from __future__ import annotations

from sidamo.io import log
from sidamo.io.errors import DataError
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


def read_ctm(path) -> dict[tuple[str, str], list[tuple[float, float, str, float | None]]]:
    """Entries (begin, duration, word, confidence or None) of each (recording, channel), in order of their begin.

    Raises DataError with file:line for a malformed line.
    """
    entries: dict = {}
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            fields = line.split()
            if not fields or line.startswith(";;"):
                continue
            try:
                recording, channel, begin, duration, word = fields[:5]
                confidence = float(fields[5]) if len(fields) > 5 else None
                entry = (float(begin), float(duration), word, confidence)
            except ValueError:
                entry = None
            if entry is None or entry[0] < 0 or entry[1] < 0 or len(fields) > 6:
                raise DataError(
                    f"expected `recording channel begin duration word [confidence]`, found {line.strip()!r}",
                    file=path, line=number,
                )  # fmt: skip
            entries.setdefault((recording, channel), []).append(entry)
    return {key: sorted(rows, key=lambda row: row[0]) for key, rows in entries.items()}


def textgrid(entries, end: float, tier: str = "words") -> str:
    """Praat's long text form: intervals of the words, with empty ones between; a second tier of confidences if known.

    entries : (begin, duration, word, confidence or None) in order; words that overlap are cut where the next begins
    end : seconds; the last word's end where it is later
    """
    end = max([end, *(begin + duration for begin, duration, *_ in entries)])
    tiers = [(tier, [row[2] for row in entries])]
    if any(row[3] is not None for row in entries):
        tiers.append(("confidence", ["" if row[3] is None else f"{row[3]:g}" for row in entries]))
    lines = [
        'File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end:.4f}",
        "tiers? <exists>", f"size = {len(tiers)}", "item []:",
    ]  # fmt: skip
    for i, (name, texts) in enumerate(tiers, 1):
        intervals = _intervals(entries, texts, end)
        lines += [
            f"    item [{i}]:", '        class = "IntervalTier"', f'        name = "{_quoted(name)}"',
            "        xmin = 0", f"        xmax = {end:.4f}", f"        intervals: size = {len(intervals)}",
        ]  # fmt: skip
        for j, (begin, stop, text) in enumerate(intervals, 1):
            lines += [
                f"        intervals [{j}]:", f"            xmin = {begin:.4f}", f"            xmax = {stop:.4f}",
                f'            text = "{_quoted(text)}"',
            ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text.replace('"', '""')


def _intervals(entries, texts, end: float) -> list[tuple[float, float, str]]:
    """Intervals that cover 0 .. end without gap or overlap; words without any duration are left out."""
    intervals, at = [], 0.0
    for k, ((begin, duration, *_), text) in enumerate(zip(entries, texts)):
        begin = max(begin, at)
        stop = begin + max(0.0, duration - max(0.0, at - entries[k][0]))
        if k + 1 < len(entries):
            stop = min(stop, max(begin, entries[k + 1][0]))
        if round(stop, 4) <= round(begin, 4):
            continue
        if round(begin, 4) > round(at, 4):
            intervals.append((at, begin, ""))
        intervals.append((begin, stop, text))
        at = stop
    if round(at, 4) < round(end, 4):
        intervals.append((at, end, ""))
    return intervals
