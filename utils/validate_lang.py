#!/usr/bin/env python3
# Checks a lang directory: symbol tables, lists of phones, L, G and the CTC tokens agree, and LG can be built.
#
# Reads   <lang-dir>
# Writes  the findings to standard output; exit status 1 where there is an error
# Example: utils/validate_lang.pl data/lang
#
# Usage: utils/validate_lang.pl [options] <lang-dir>
#
# Options:
#   --quiet                             say nothing where all is well
#   --skip-determinization-check        do not look whether L o G can be determinized
#   --skip-disambig-check               do not look at disambiguation symbols
#   --skip-generate-words-check         accepted; the check of Kaldi that it leaves out is not made here
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import script  # noqa: E402


def main(path, argv):
    try:
        import numpy  # noqa: F401
    except ImportError:  # not the environment's Python: path.sh was not sourced
        python = os.path.join(sys.path[0], "..", ".venv", "bin", "python")
        if os.access(python, os.X_OK) and not os.environ.get("SIDAMO_SECOND_TRY"):
            os.environ["SIDAMO_SECOND_TRY"] = "1"
            os.execv(python, [python, os.path.realpath(__file__), *argv])
        print(f"{path}: numpy is not installed; source path.sh first", file=sys.stderr)
        return 1
    from sidamo.lang.lang_dir import LangChecker

    flags = ("--quiet", "--skip-determinization-check", "--skip-disambig-check", "--skip-generate-words-check")
    opts, (directory,) = script.parse(argv, path, dict.fromkeys(flags, False), (1, 1))
    checker = LangChecker(directory, opts.quiet, opts.skip_determinization_check, opts.skip_disambig_check)
    return 0 if checker.run() else 1


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
