#!/usr/bin/env python3
"""Prints a table of trained networks: size, time of an epoch, error rates on dev.

Reads   <folder>/<network>/{provenance.txt,log/curve.tsv,greedy_dev/cer,decode_3gram_dev/{wer,cer}_*}
Writes  standard output: a table in Markdown. The time is processor time of all threads, the median over the epochs, with
        the pass over the dev set; the error rates are the best of the scoring sweep
Example: local/compare_networks.py exp/compare tdnn lstm
"""

import glob
import pathlib
import re
import statistics
import sys

RATE = re.compile(r"%(?:WER|CER) (\d+\.\d+)")


def lowest(pattern: str) -> str:
    """The lowest rate in files of compute-wer, or a dash where there are none."""
    texts = (pathlib.Path(path).read_text() for path in glob.glob(pattern))
    rates = [float(match[1]) for match in map(RATE.search, texts) if match]
    return f"{min(rates):.1f}" if rates else "–"


def row(folder: pathlib.Path) -> list[str]:
    """One network: name, parameters, seconds per epoch, greedy CER, WER and CER with the trigram."""
    facts = dict(line.split("\t", 1) for line in (folder / "provenance.txt").read_text().splitlines())
    header, *lines = (line.split("\t") for line in (folder / "log/curve.tsv").read_text().splitlines())
    seconds = statistics.median(float(line[header.index("cpu_seconds")]) for line in lines)
    safe = glob.escape(str(folder))
    decode = f"{safe}/decode_3gram_dev"
    rates = [lowest(pattern) for pattern in (f"{safe}/greedy_dev/cer", f"{decode}/wer_*", f"{decode}/cer_*")]
    return [folder.name, f"{int(facts['parameters']) / 1e6:.2f} M", f"{seconds:.0f} s", *rates]


def main() -> int:
    if len(sys.argv) < 3 or sys.argv[1] in ("-h", "--help"):
        print(__doc__, file=sys.stdout if "--help" in sys.argv else sys.stderr)
        return 0 if "--help" in sys.argv else 1
    folder, *names = sys.argv[1:]
    if not pathlib.Path(folder).is_dir():
        print(f"compare_networks.py: {folder} is no folder; local/compare_networks.sh makes exp/compare", file=sys.stderr)
        return 1
    title = ["network", "parameters", "epoch", "%CER greedy", "%WER 3-gram", "%CER 3-gram"]
    rows = [title, ["---", *["---:"] * 5]]
    rows += [row(pathlib.Path(folder, name)) for name in names if pathlib.Path(folder, name, ".compared").exists()]
    for cells in rows:
        print("| " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
