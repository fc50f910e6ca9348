#!/usr/bin/env python3
# Turns utt2spk (<utterance> <speaker> a line) into spk2utt (<speaker> <utterance> <utterance> ... a line).
#
# Reads   a file, or standard input
# Writes  standard output; speakers in the order in which they come first
# Example: utils/utt2spk_to_spk2utt.pl data/train/utt2spk > data/train/spk2utt
#
# Usage: utils/utt2spk_to_spk2utt.pl [<utt2spk>] > <spk2utt>
#
# Options: none but --help
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import datadir, script, textlines  # noqa: E402


def main(path, argv):
    _, files = script.parse(argv, path, {}, (0, 1))
    pairs = []
    for place, line in textlines.read(files):
        fields = line.split()
        if len(fields) != 2:
            raise place.error(f"expected '<utterance> <speaker>', got '{datadir.show(line.rstrip())}'")
        pairs.append(fields)
    textlines.write(b" ".join(pair) + b"\n" for pair in datadir.speakers(pairs))


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
