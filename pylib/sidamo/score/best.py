"""The best of many WER lines: what utils/best_wer.sh prints.

Lines are those of `grep WER <dir>/wer_*` (`file:%WER 9.50 [ ... ]`), or the Sum/Avg and Mean rows of sclite's tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

KALDI = re.compile(r"[WS]ER (\S+)")
SCLITE = re.compile(r" (?:Mean|Sum/Avg|)\s*\|\s*\S+\s+\S+\s+\|\s+\S+\s+\S+\s+\S+\s+\S+\s+(\S+)\s+\S+\s+\|")


def rate_in(line: str) -> float | None:
    """The error rate that a line states (percent), or None. "nan" is no rate: it never wins."""
    found = KALDI.search(line) or SCLITE.search(line)
    if not found:
        return None
    try:
        rate = float(found.group(1))
    except ValueError:
        return None
    return None if rate != rate else rate


def best_line(lines: Iterable[str]) -> str | None:
    """The line with the lowest rate (the first of equals), rearranged: the rate comes first, the file last."""
    best, best_rate = None, None
    for line in lines:
        line = re.sub(r"(\d)\|", r"\1 |", re.sub(r"\|(\d)", r"| \1", line.rstrip("\n")))
        rate = rate_in(line)
        if rate is not None and (best_rate is None or rate < best_rate):
            best, best_rate = line, rate
    return None if best is None else rearrange(best)


def rearrange(line: str) -> str:
    """`file:%WER 9.50 [ ... ]` -> `%WER 9.50 [ ... ] file`; sclite's rows get a leading `%WER <rate>`."""
    parts = line.split("%WER")
    if len(parts) == 2:
        line = f"%WER{parts[1]} {parts[0]}"
    parts = line.split("Sum/Avg")
    if len(parts) == 2:
        line = f"{parts[1]} {parts[0]}"
    fields = line.split()
    if not fields or "%WER" not in fields[0]:
        line = f"%WER {fields[8] if len(fields) > 8 else ''} {line}"
    line = re.sub(r"\s+", " ", line)
    return re.sub(r":\s*\|\s*$", "", re.sub(r":$", "", line))
