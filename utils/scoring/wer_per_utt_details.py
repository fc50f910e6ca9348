#!/usr/bin/env python3
"""Turn align-text's output into four lines per utterance: ref, hyp, op (C, S, I, D) and #csid (their counts).

Reads   an alignment on standard input
Writes  lines on standard output
Example: align-text ark:ref.txt ark:hyp.txt ark,t:- | utils/scoring/wer_per_utt_details.pl
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "pylib"))
from sidamo.io import script  # noqa: E402
from sidamo.io.errors import SidamoError  # noqa: E402
from sidamo.score.details import parse_alignment, per_utt_lines  # noqa: E402


def main() -> int:
    parser = script.argument_parser(__doc__)
    parser.add_argument("--special-symbol", default="<eps>", help="stands for the empty word (default: <eps>)")
    parser.add_argument("--separator", default=";", help="between two pairs (default: ;)")
    for name in ("ref", "hyp", "ops", "csid"):
        parser.add_argument(f"--output-{name}", dest=name, action="store_true", default=True)
        parser.add_argument(f"--no-output-{name}", f"--nooutput-{name}", dest=name, action="store_false")
    args = parser.parse_args()
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    for number, line in enumerate(sys.stdin, 1):
        utt, pairs = parse_alignment(line, args.separator, "<stdin>", number)
        for out in per_utt_lines(utt, pairs, args.special_symbol, args.ref, args.hyp, args.ops, args.csid):
            print(out)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SidamoError as error:
        sys.exit(f"wer_per_utt_details.py: {error}")
    except BrokenPipeError:
        sys.exit(1)
