#!/usr/bin/env python3
"""Sum the #csid lines of wer_per_utt_details over speakers: raw counts and percentages, one pair of rows per speaker.

Reads   a per_utt file on standard input; <utt2spk>
Writes  a table on standard output
Example: utils/scoring/wer_per_spk_details.pl data/test/utt2spk < exp/mono/decode/scoring_kaldi/wer_details/per_utt
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "pylib"))
from sidamo.io import script  # noqa: E402
from sidamo.io.errors import DataError, SidamoError  # noqa: E402
from sidamo.score.details import per_spk_table, read_csid  # noqa: E402


def read_utt2spk(path: str) -> dict:
    out = {}
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            for number, line in enumerate(stream, 1):
                fields = line.split()
                if len(fields) != 2:
                    raise DataError(f"found {line.strip()!r}, expected <utt> <spk>", file=path, line=number)
                out[fields[0]] = fields[1]
    except OSError as error:
        raise DataError(f"cannot read: {error.strerror}", file=path) from error
    return out


def main() -> int:
    parser = script.argument_parser(__doc__)
    parser.add_argument("utt2spk")
    parser.add_argument("--spk-field-width", type=int, default=15, help="width of the first column (default: 15)")
    parser.add_argument("--field-width", type=int, default=10, help="width of the other columns (default: 10)")
    args = parser.parse_args()
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    utt2spk = read_utt2spk(args.utt2spk)
    csid = list(read_csid(sys.stdin, "<stdin>"))
    unknown = [utt for utt, _ in csid if utt not in utt2spk]
    if unknown:
        print(f"wer_per_spk_details.py: {args.utt2spk} lacks {len(unknown)} utterances, the first is {unknown[0]}; "
              "they are gathered under an empty speaker name", file=sys.stderr)  # fmt: skip
    for line in per_spk_table(csid, utt2spk, args.field_width, args.spk_field_width):
        print(line)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SidamoError as error:
        sys.exit(f"wer_per_spk_details.py: {error}")
    except BrokenPipeError:
        sys.exit(1)
