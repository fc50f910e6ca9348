#!/usr/bin/env python3
"""Prints a table of trained networks: size, time of an epoch, error rates on dev.

Usage: local/compare_networks.py <folder> <network>...
Reads <folder>/<network>/{provenance.txt,log/curve.tsv,greedy_dev/cer,decode_3gram_dev/{wer,cer}_*}. The time is processor
time of all threads, the median over the epochs, with the pass over the dev set; best rate of the scoring sweep.
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
    decode = f"{glob.escape(str(folder))}/decode_3gram_dev"
    return [folder.name, f"{int(facts['parameters']) / 1e6:.2f} M", f"{seconds:.0f} s",
            lowest(f"{glob.escape(str(folder))}/greedy_dev/cer"), lowest(f"{decode}/wer_*"), lowest(f"{decode}/cer_*")]  # fmt: skip


def main() -> int:
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 1
    root, *names = sys.argv[1:]
    title = ["network", "parameters", "epoch", "%CER greedy", "%WER 3-gram", "%CER 3-gram"]
    rows = [title, ["---", *["---:"] * 5]]
    rows += [row(pathlib.Path(root, name)) for name in names if pathlib.Path(root, name, ".compared").exists()]
    for cells in rows:
        print("| " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
