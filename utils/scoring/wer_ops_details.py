#!/usr/bin/env python3
"""Count how often each word was recognized correctly, as which other word, deleted or inserted.

Reads   a per_utt file (its ref and hyp lines) on standard input
Writes  lines `<operation> <ref> <hyp> <count>` on standard output
Example: utils/scoring/wer_ops_details.pl --special-symbol "***" < per_utt | sort -b -i -k 1,1 -k 4,4rn -k 2,2 -k 3,3
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "pylib"))
from sidamo.io import script  # noqa: E402
from sidamo.io.errors import SidamoError  # noqa: E402
from sidamo.score.details import ops_lines, read_ref_hyp  # noqa: E402


def main() -> int:
    parser = script.argument_parser(__doc__)
    parser.add_argument("--special-symbol", default="<eps>", help="stands for the empty word (default: <eps>)")
    parser.add_argument("--separator", default=";", help="taken for Kaldi's sake; not used")
    args = parser.parse_args()
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")

    def skipped(line: str) -> None:
        print(f"wer_ops_details.py: Warning: skipping entry {line!r}: no words in it", file=sys.stderr)

    for line in ops_lines(read_ref_hyp(sys.stdin, "<stdin>", skipped), args.special_symbol):
        print(line)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SidamoError as error:
        sys.exit(f"wer_ops_details.py: {error}")
    except BrokenPipeError:
        sys.exit(1)
