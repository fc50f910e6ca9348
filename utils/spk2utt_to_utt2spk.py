#!/usr/bin/env python3
# Turns spk2utt (<speaker> <utterance> <utterance> ... a line) into utt2spk (<utterance> <speaker> a line).
#
# Reads   a file, or standard input
# Writes  standard output
# Example: utils/spk2utt_to_utt2spk.pl data/train/spk2utt > data/train/utt2spk
#
# Usage: utils/spk2utt_to_utt2spk.pl [<spk2utt>] > <utt2spk>
#
# Options: none but --help
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import datadir, script, textlines  # noqa: E402


def main(path, argv):
    _, files = script.parse(argv, path, {}, (0, 1))
    lines = []
    for place, line in textlines.read(files):
        fields = line.split()
        if len(fields) < 2:
            raise place.error(f"expected '<speaker> <utterance> ...', got '{datadir.show(line.rstrip())}'")
        lines += [utt + b" " + fields[0] + b"\n" for utt in fields[1:]]
    textlines.write(lines)


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
