#!/usr/bin/env python3
# Checks a dictionary directory; says of everything wrong where it is and how to mend it.
#
# Reads   <dict-dir>/silence_phones.txt, nonsilence_phones.txt, optional_silence.txt, extra_questions.txt, lexicon.txt,
#         lexiconp.txt, lexiconp_silprob.txt, silprob.txt (at least one lexicon)
# Writes  the findings to standard output; exit status 1 where there is an error
# Example: utils/validate_dict_dir.pl data/local/dict
#
# Usage: utils/validate_dict_dir.pl [options] <dict-dir>
#
# Options:
#   --ctc false   true: silence phones and optional silence may be absent
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import script  # noqa: E402
from sidamo.lang.dict_dir import DictChecker  # noqa: E402


def main(path, argv):
    opts, (directory,) = script.parse(argv, path, {"--ctc": "false"}, (1, 1))
    return 0 if DictChecker(directory, opts.ctc == "true").run() else 1


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
