"""The work of utils/g2p.sh: `python -m sidamo.bin.g2p [options] <g2p-dir> <words> <lexiconp>`."""

from sidamo.bin import tool
from sidamo.io.options import Options


@tool
def main(argv=None) -> int:
    from sidamo.io import log
    from sidamo.io.errors import DataError
    from sidamo.lang.g2p import Pronouncer
    from sidamo.lang.lexicon import fields, read_lines
    from sidamo.lang.prepare import write_text

    options = Options(__doc__)
    options.add("nbest", 1, "pronunciations of a word, at most")
    options.add("min-prob", 0.1, "leave out pronunciations less probable than this, relative to the best")
    opts, (directory, words, lexicon) = options.parse(argv, 3)
    pronouncer, rows, failed, total = Pronouncer(directory), [], 0, 0
    for line in read_lines(words):
        for word in fields(line)[:1]:
            total += 1
            try:
                found = pronouncer.pronounce(word, opts.nbest)
            except DataError as error:
                log.warn(f"{error}; left out")
                found = []
            failed += not found
            rows += [f"{word} {p:.4g} {' '.join(units)}" for p, units in found if p >= opts.min_prob]
    write_text(lexicon, rows)
    log.info(f"done {total - failed}/{total} words")
    return 0 if total and failed <= 0.05 * total else 1


if __name__ == "__main__":
    raise SystemExit(main())
