#!/usr/bin/env python3
# Prints N lines of a list, taken evenly from its whole length.
#
# Reads   <in.scp>
# Writes  standard output
# Example: utils/subset_scp.pl 100 data/train/feats.scp > feats_100.scp
#
# Usage: utils/subset_scp.pl [options] <N> <in.scp> > <out.scp>
#
# Options:
#   --first   the first N lines
#   --last    the last N lines
#   --quiet   fewer than N lines are no error
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import datadir_split, script, textlines  # noqa: E402
from sidamo.io.errors import DataError, UsageError  # noqa: E402


def main(path, argv):
    opts, (number, source) = script.parse(argv, path, {"--quiet": False, "--first": False, "--last": False}, (2, 2))
    if not number.isdigit() or int(number) == 0:
        raise UsageError(f"<N> has to be a whole number above 0, got '{number}'")
    lines = [line for _, line in textlines.read([source])]
    number = int(number)
    if number > len(lines):
        if not opts.quiet:
            message = f"{number} lines wanted, but there are {len(lines)}"
            raise DataError(message, file=source, mend="--quiet takes them all")
        number = len(lines)
    if opts.first:
        lines = lines[:number]
    elif opts.last:
        lines = lines[len(lines) - number :]
    else:
        lines = datadir_split.choose_evenly(lines, number)
    textlines.write(lines)


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
