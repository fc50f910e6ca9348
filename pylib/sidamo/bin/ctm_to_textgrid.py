"""The body of utils/ctm_to_textgrid.sh (python3 -m sidamo.bin.ctm_to_textgrid)."""

import os

from sidamo.bin import tool
from sidamo.io.errors import DataError
from sidamo.io.options import Options

USAGE = """Turns a CTM into Praat's TextGrids, one for each recording and channel.

Usage: ctm-to-textgrid [options] <ctm> <out-dir>"""


def read_durations(path: str) -> dict[str, float]:
    """Lines `recording seconds`."""
    durations = {}
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            fields = line.split()
            try:
                durations[fields[0]] = float(fields[1])
            except (IndexError, ValueError):
                message = f"expected `recording seconds`, found {line.strip()!r}"
                raise DataError(message, file=path, line=number) from None
    return durations


@tool
def main(argv=None) -> int:
    from sidamo.lattice.ctm import read_ctm, textgrid

    options = Options(USAGE)
    options.add("durations", "", "File with lines `recording seconds` (utt2dur, reco2dur)")
    options.add("tier", "words", "Name of the tier")
    opts, (ctm, out_dir) = options.parse(argv, num_args=2)
    durations = read_durations(opts.durations) if opts.durations else {}
    entries = read_ctm(ctm)
    channels: dict[str, int] = {}
    for recording, _ in entries:
        channels[recording] = channels.get(recording, 0) + 1
    for recording in durations:
        if recording not in channels:  # nothing was recognized: an empty tier says so
            channels[recording] = 1
            entries[recording, "1"] = []
    os.makedirs(out_dir, exist_ok=True)
    for (recording, channel), rows in entries.items():
        name = recording if channels[recording] == 1 else f"{recording}_{channel}"
        path = os.path.join(out_dir, name.replace("/", "_") + ".TextGrid")
        with open(path + ".tmp", "w", encoding="utf-8") as f:
            f.write(textgrid(rows, durations.get(recording, 0.0), opts.tier))
        os.replace(path + ".tmp", path)
    print(f"ctm_to_textgrid.sh: done {len(entries)}/{len(entries)} TextGrids in {out_dir}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
