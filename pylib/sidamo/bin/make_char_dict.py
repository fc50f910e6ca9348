"""The work of utils/make_char_dict.sh: `python -m sidamo.bin.make_char_dict [options] <words-or-text> <dict-dir>`."""

import os

from sidamo.bin import tool
from sidamo.io.options import Options


@tool
def main(argv=None) -> int:
    from sidamo.io import log
    from sidamo.io.errors import DataError
    from sidamo.lang.units import BytePairs, characters, make_char_dict, read_words

    options = Options(__doc__)
    options.add("units", "char", "char or bpe")
    options.add("keep-marks", True, "combining marks stay with their character")
    options.add("num-pieces", 500, "inventory of bpe")
    options.add("word-end", "", "unit after each word")
    options.add("format", "auto", "kaldi, words, or auto: kaldi where the file is named text")
    opts, (path, directory) = options.parse(argv, 2)
    if opts.units not in ("char", "bpe"):
        raise DataError(f"--units {opts.units}: expected char or bpe")
    if opts.format not in ("auto", "kaldi", "words"):
        raise DataError(f"--format {opts.format}: expected auto, kaldi or words")
    is_text = opts.format == "kaldi" or (opts.format == "auto" and os.path.basename(path) == "text")
    counts = read_words(path, is_text)
    if opts.units == "bpe":
        spell = BytePairs(counts, opts.num_pieces)
    else:

        def spell(word):
            return characters(word, opts.keep_marks)

    num_units = make_char_dict(counts, directory, spell, opts.word_end)
    log.info(f"{len(counts)} words in {num_units} units")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
