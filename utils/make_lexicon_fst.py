#!/usr/bin/env python3
# Prints the lexicon transducer (units in, words out) as text for fstcompile.
#
# Reads   <lexicon>: word, with --pron-probs its probability, units
# Writes  standard output
# Example: utils/make_lexicon_fst.pl --pron-probs lexiconp_disambig.txt 0.5 SIL '#4' | fstcompile --isymbols=phones.txt
#          --osymbols=words.txt > L.fst
# Example: utils/make_lexicon_fst.py --sil-prob=0.5 --sil-phone=SIL --sil-disambig='#4' lexiconp_disambig.txt
#
# Usage: utils/make_lexicon_fst.pl [--pron-probs] <lexicon> [<sil-prob> <sil-phone> [<sil-disambig>]]
#    or: utils/make_lexicon_fst.py [options] <lexiconp>
#
# Options:
#   --pron-probs        the second field is the pronunciation's probability (make_lexicon_fst.py: always)
#   --sil-prob 0.0      probability of silence at the beginning and after words
#   --sil-phone X       the unit of silence
#   --sil-disambig X    the symbol after silence, in a lexicon with disambiguation symbols
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import script  # noqa: E402
from sidamo.lang.lexicon_scripts import make_lexicon_command  # noqa: E402


def main(path, argv):
    if argv[:1] in (["--help"], ["-h"]):
        print(script.header(path))
        return 0
    sys.stdout.buffer.write(make_lexicon_command(path, argv))
    return 0


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
