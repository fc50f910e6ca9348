"""The work of utils/extend_lang.sh: `python -m sidamo.bin.extend_lang [options] <lang-dir> <lexicon> <new-lang-dir>`."""

from sidamo.bin import tool
from sidamo.io.options import Options


@tool
def main(argv=None) -> int:
    from sidamo.io import log
    from sidamo.io.errors import DataError
    from sidamo.lang.extend import extend_lang

    options = Options(__doc__)
    options.add("prob", "", "probability of all new words together")
    opts, (old, lexicon, new) = options.parse(argv, 3)
    try:
        probability = float(opts.prob) if opts.prob else None
    except ValueError:
        raise DataError(f"--prob {opts.prob}: expected a number") from None
    if probability is not None and not 0 < probability < 1:
        raise DataError(f"--prob {opts.prob}: expected 0 < p < 1")
    log.info(f"{extend_lang(old, lexicon, new, probability)} new words")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
