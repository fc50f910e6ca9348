#!/usr/bin/env python3
"""Take away differences in spelling before scoring: Unicode form, case, punctuation, a map of equal spellings.

Reads   lines `<utterance> <words>` on standard input; --map: lines `some words => other words` (as NIST's GLM files)
Writes  the same lines, normalized, on standard output
Example: utils/scoring/normalize_text.py --case lower --no-punctuation --map local/equal.glm < data/test/text
         (in a recipe's local/wer_output_filter, so that local/score.sh applies it to references and hypotheses)
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "pylib"))
from sidamo.io import script  # noqa: E402
from sidamo.io.errors import SidamoError  # noqa: E402
from sidamo.score.normalize import CASES, FORMS, NormalizeOptions, Normalizer  # noqa: E402


def main() -> int:
    parser = script.argument_parser(__doc__)
    parser.add_argument("--unicode", default="NFC", choices=FORMS, help="Unicode form (default: NFC)")
    parser.add_argument("--case", default="keep", choices=CASES, help="letter case (default: keep)")
    parser.add_argument("--no-punctuation", action="store_true", help="remove punctuation, but not inside words")
    parser.add_argument("--map", default="", help="file of equal spellings")
    parser.add_argument("--no-key", action="store_true", help="lines have no utterance in front")
    args = parser.parse_args()
    normalizer = Normalizer(NormalizeOptions(args.unicode, args.case, not args.no_punctuation, args.map))
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    first = 0 if args.no_key else 1
    for line in sys.stdin:
        words = line.split()
        print(*words[:first], *normalizer.words(words[first:]))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SidamoError as error:
        sys.exit(f"normalize_text.py: {error}")
    except BrokenPipeError:
        sys.exit(1)
