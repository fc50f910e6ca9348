"""The work of utils/open_dict.sh: `python -m sidamo.bin.open_dict [options] <dict-dir> <open-dict-dir>`."""

import os
import shutil

from sidamo.bin import tool
from sidamo.io.options import Options


@tool
def main(argv=None) -> int:
    from sidamo.io import log
    from sidamo.io.errors import DataError
    from sidamo.lang import spelled
    from sidamo.lang.prepare import write_text
    from sidamo.lang.unk import read_spoken

    options = Options(__doc__)
    options.add("order", 5, "length of the longest n-grams of pieces")
    options.add("prune", 0.0, "entropy pruning threshold")
    options.add("end-unit", "", "unit that ends every word")
    options.add("oov-word", "<unk>", "the unknown word, whose pronunciations are left out")
    opts, (source, out) = options.parse(argv, 2)
    if os.path.isfile(f"{source}/lexiconp_silprob.txt"):
        raise DataError("silence probabilities of each word cannot be given to pieces", file=f"{source}/lexiconp_silprob.txt")
    name, entries, spoken = read_spoken(source, opts.oov_word)
    pieces = spelled.piece_entries(spoken, opts.end_unit, ("1.0",) if name == "lexiconp.txt" else ())
    rows = spelled.spelling_automaton(spoken, opts.end_unit, opts.order, opts.prune)

    os.makedirs(out, exist_ok=True)
    for other in sorted(os.listdir(source)):
        if other.endswith(".txt") and not other.startswith("lexicon"):
            shutil.copyfile(f"{source}/{other}", f"{out}/{other}")
    write_text(f"{out}/{name}", [" ".join((e.word, *e.numbers, *e.phones)) for e in [*entries, *pieces]])
    write_text(f"{out}/spelling.txt", ["\t".join(map(str, row)) for row in rows])
    log.info(f"{len(pieces)} pieces, {len(rows)} lines in {out}/spelling.txt")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
