"""join-long-ctm: the words of pieces, at the times of their recordings."""

import os
import pathlib

from sidamo.bin import tool
from sidamo.io.errors import DataError
from sidamo.io.options import Options

USAGE = """Move the times of a CTM of pieces to those of their recordings; write it, and the text of each recording.

Usage: python3 -m sidamo.bin.join_long_ctm <segments> <words.txt> <ctm-of-pieces> <ctm-out> <text-out>"""


@tool
def main(argv=None) -> int:
    from sidamo.io.symbols import SymbolTable

    _, (segments, words, ctm, ctm_out, text_out) = Options(USAGE).parse(argv, num_args=5)
    place, text = {}, {}
    for line in pathlib.Path(segments).read_text().splitlines():
        piece, recording, begin, _ = line.split()
        place[piece] = recording, float(begin)
        text[recording] = []
    table, rows = SymbolTable.read(words), []
    for number, line in enumerate(pathlib.Path(ctm).read_text().splitlines(), 1):
        piece, channel, start, duration, word, *confidence = line.split()
        if piece not in place:
            raise DataError(f"piece {piece} is not in {segments}", file=ctm, line=number)
        recording, begin = place[piece]
        rows.append((recording, begin + float(start), channel, duration, table.find(int(word)), confidence))
    rows.sort(key=lambda row: row[:2])
    lines = []
    for recording, start, channel, duration, word, confidence in rows:
        lines.append(" ".join([recording, channel, f"{start:.2f}", duration, word, *confidence]) + "\n")
        text[recording].append(word)
    for path, content in ((ctm_out, lines), (text_out, [" ".join([k, *w]) + "\n" for k, w in sorted(text.items())])):
        pathlib.Path(path + ".tmp").write_text("".join(content))
        os.replace(path + ".tmp", path)
    return 0


if __name__ == "__main__":
    import sys

    sys.exit(main())
