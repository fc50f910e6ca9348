"""score-batch: one table of many scored decode directories (the work behind utils/score_batch.sh)."""

import json
import os
import sys

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Makes one table of every system on every test set: error rates with bootstrap intervals, speed, size, and
whether the differences between any two systems are significant. Only what has changed is computed again.

Usage: python3 -m sidamo.bin.score_batch [options] <decode-dir>...
E.g.: python3 -m sidamo.bin.score_batch --out=exp/score_batch exp/*/decode_*
See also: utils/score_batch.sh, utils/compare.sh"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("out", "exp/score_batch", "Files <out>.tsv, <out>.json and <out>.html are written; empty: none")
    options.add("format", "table", "What is printed: table|tsv|json|none")
    opts, decodes = options.parse(argv, num_args=(1, sys.maxsize))

    from sidamo.score import tables
    from sidamo.score.batch import score_all
    from sidamo.score.text import write_atomically

    known = {}
    if opts.out and os.path.exists(opts.out + ".json"):
        try:
            with open(opts.out + ".json", encoding="utf-8") as stream:
                known = json.load(stream)
        except ValueError:
            known = {}  # cut off while it was written by something else: made anew
    result = score_all(decodes, known)
    forms = {"table": tables.terminal(result), "tsv": tables.tsv(result), "json": json.dumps(result, indent=1) + "\n"}
    if opts.out:
        os.makedirs(os.path.dirname(os.path.abspath(opts.out)), exist_ok=True)
        for suffix, text in (("tsv", forms["tsv"]), ("json", forms["json"]), ("html", tables.page(result))):
            write_atomically(f"{opts.out}.{suffix}", text)
    sys.stdout.write(forms.get(opts.format, ""))
    done, failed = len(result["systems"]), len(result["failed"])
    anew = f"{result['computed']} scored anew, {result['compared']} pairs compared anew"
    print(f"done {done}/{done + failed} systems ({anew})", file=sys.stderr)
    return 0 if done and failed <= 0.05 * (done + failed) else 1


if __name__ == "__main__":
    raise SystemExit(main())
