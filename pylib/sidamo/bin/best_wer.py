"""best-wer: print the best of the WER lines on standard input (the work behind utils/best_wer.sh)."""

import sys

from sidamo.score.best import best_line


def lines_of(paths):
    """What `grep WER <paths> /dev/null` prints: each line that states a rate, its file in front."""
    for path in paths:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            yield from (f"{path}:{line}" for line in stream if "WER" in line)


def main() -> int:
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    line = best_line(lines_of(sys.argv[1:]) if len(sys.argv) > 1 else sys.stdin)
    if line is not None:
        print(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
