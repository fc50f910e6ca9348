#!/usr/bin/env python3
# Adds disambiguation symbols #1, #2, ... to pronunciations that are shared, or the beginning of another one.
#
# Reads   <lexicon>: word, numbers as the options say, units
# Writes  <lexicon-disambig>; the highest number used to standard output
# Example: utils/add_lex_disambig.pl --pron-probs lexiconp.txt lexiconp_disambig.txt
#
# Usage: utils/add_lex_disambig.pl [options] <lexicon> <lexicon-disambig>
#
# Options:
#   --pron-probs                  the second field is the pronunciation's probability
#   --sil-probs                   and three more numbers of silence follow
#   --first-allowed-disambig 1    the smallest number used
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import script  # noqa: E402
from sidamo.lang.lexicon_scripts import add_disambig_command  # noqa: E402


def main(path, argv):
    if argv[:1] in (["--help"], ["-h"]):
        print(script.header(path))
        return 0
    return add_disambig_command(path, argv)


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
