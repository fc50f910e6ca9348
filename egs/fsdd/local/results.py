#!/usr/bin/env python3
"""Print a table of word error rates: a line a split, a column a system; the mean over the speakers left out last.

Reads <exp>/<system>_<split>/decode_test/scoring_kaldi/best_wer
Example: local/results.py exp "plain augment transfer" "official loo_george loo_jackson"
"""

import pathlib
import re
import sys


def main() -> int:
    if len(sys.argv) != 4 or sys.argv[1] in ("-h", "--help"):
        print(__doc__, file=sys.stdout if "--help" in sys.argv else sys.stderr)
        return 0 if "--help" in sys.argv else 1
    exp, systems, splits = pathlib.Path(sys.argv[1]), sys.argv[2].split(), sys.argv[3].split()
    rates = {}
    for system in systems:
        for split in splits:
            path = exp / f"{system}_{split}/decode_test/scoring_kaldi/best_wer"
            found = re.search(r"%WER (\S+)", path.read_text()) if path.exists() else None
            rates[system, split] = float(found[1]) if found else float("nan")
    left_out = [s for s in splits if s.startswith("loo_")]
    width = max(map(len, [*splits, "mean of loo"]))
    print("%WER".ljust(width), *(s.rjust(9) for s in systems))
    for split in splits:
        print(split.ljust(width), *(f"{rates[s, split]:9.2f}" for s in systems))
    if left_out:
        means = (sum(rates[s, split] for split in left_out) / len(left_out) for s in systems)
        print("mean of loo".ljust(width), *(f"{m:9.2f}" for m in means))
    return 0


if __name__ == "__main__":
    sys.exit(main())
