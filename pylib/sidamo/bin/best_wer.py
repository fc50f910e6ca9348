"""best-wer: print the best of the WER lines on standard input (the work behind utils/best_wer.sh)."""

import sys

from sidamo.score.best import best_line


def main() -> int:
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    line = best_line(sys.stdin)
    if line is not None:
        print(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
