#!/usr/bin/env python3
"""Turn one part of the corpus into a Kaldi data directory.

Reads <corpus>/<part>.tsv; writes wav.scp, text, utt2spk, spk2utt and utt2snr into <data-dir>.
Example: local/prepare_data.py data/corpus train data/train
"""

import csv
import pathlib
import sys


def main() -> int:
    if len(sys.argv) != 4 or sys.argv[1] in ("-h", "--help"):
        print(__doc__, file=sys.stdout if "--help" in sys.argv else sys.stderr)
        return 0 if "--help" in sys.argv else 1
    corpus, part, out = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], pathlib.Path(sys.argv[3])
    table = corpus / f"{part}.tsv"
    if not table.is_file():
        print(f"prepare_data.py: no {table}; make the corpus first: local/make_digits.py {corpus}", file=sys.stderr)
        return 1
    with open(table, encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file, delimiter="\t"), key=lambda row: row["utt"])

    speakers: dict[str, list[str]] = {}
    for row in rows:
        speakers.setdefault(row["spk"], []).append(row["utt"])
    files = {
        "wav.scp": [f"{r['utt']} {corpus / part / r['spk'] / r['utt']}.wav" for r in rows],
        "text": [f"{r['utt']} {r['text']}" for r in rows],
        "utt2spk": [f"{r['utt']} {r['spk']}" for r in rows],
        "utt2snr": [f"{r['utt']} {r['snr']}" for r in rows],
        "spk2utt": [f"{spk} {' '.join(utts)}" for spk, utts in sorted(speakers.items())],
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        temporary = out / f".{name}.tmp"
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        temporary.rename(out / name)
    print(f"prepare_data.py: {out} has {len(rows)} utterances of {len(speakers)} speakers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
