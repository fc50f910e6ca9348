"""The work of utils/make_unk_lm.sh: `python -m sidamo.bin.make_unk_lm [options] <dict-dir> <oov-word> <work-dir>`."""

import os

from sidamo.bin import tool
from sidamo.io.options import Options


@tool
def main(argv=None) -> int:
    from sidamo.io import log
    from sidamo.io.errors import DataError
    from sidamo.lang.prepare import write_text
    from sidamo.lang.unk import make_unk_fst

    options = Options(__doc__)
    options.add("order", 3, "length of the longest unit n-grams")
    options.add("min-length", 2, "units of the shortest unknown word")
    options.add("prune", 1e-4, "entropy pruning threshold")
    opts, (dict_dir, oov_word, work) = options.parse(argv, 3)
    if opts.order < 1 or opts.min_length < 1:
        raise DataError(f"--order {opts.order} --min-length {opts.min_length}: expected numbers above 0")
    rows = make_unk_fst(dict_dir, oov_word, opts.order, opts.min_length, opts.prune)
    os.makedirs(work, exist_ok=True)
    write_text(f"{work}/unk_fst.txt", rows)
    log.info(f"{work}/unk_fst.txt: {len(rows)} lines")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
