#!/usr/bin/env python3
# Puts the lines of a list into a random order, the same one for the same seed.
#
# Reads   a file, or standard input
# Writes  standard output
# Example: utils/shuffle_list.pl --srand 7 data/train/feats.scp > feats_shuffled.scp
#
# Usage: utils/shuffle_list.pl [--srand N] [<in>] > <out>
#
# Options:
#   --srand N   the seed; default 0
import os
import random
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import script, textlines  # noqa: E402


def main(path, argv):
    opts, files = script.parse(argv, path, {"--srand": 0}, (0, 1))
    lines = [line for _, line in textlines.read(files)]
    random.Random(opts.srand).shuffle(lines)
    textlines.write(lines)


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
