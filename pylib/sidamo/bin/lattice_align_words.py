"""lattice-align-words: make each arc of a CTC lattice span the frames of one word."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, each, optional_writer, read_symbols
from sidamo.io import log
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Convert lattices so that the arcs in the CompactLattice format correspond with words (i.e. aligned with word
boundaries). For lattices decoded with a CTC graph: the labels of the frames, blanks dropped and repetitions merged,
are cut into the pronunciations of the words; blanks between words go to arcs without a word.
A model is not needed; Kaldi's calls that name one are taken, and it is ignored.

Usage: lattice-align-words [options] <align-lexicon> [<model>] <lattice-rspecifier> <lattice-wspecifier>
 e.g.: lattice-align-words --words=graph/words.txt --tokens=graph/tokens.txt graph/phones/align_lexicon.txt \\
       ark:1.lats ark:aligned.lats
The lexicon has lines `word word-put-out token token ...` of symbols (with --words and --tokens), of integers that are
the lattice's labels, or of integers that are phone ids (with --phones and --tokens)."""


@tool
def main(argv=None) -> int:
    from sidamo.lattice.align_words import AlignOptions, Lexicon, align_words

    options = Options(USAGE)
    options.group(AlignOptions())
    options.add("words", "", "Symbol table of the words (words.txt), for a lexicon of symbols")
    options.add("tokens", "", "Symbol table of the tokens (tokens.txt), for a lexicon of symbols or phone ids")
    options.add("phones", "", "Symbol table of the phones (phones.txt), for a lexicon of phone ids")
    options.add("output-error-lats", True, "Output lattices that could not be explained, aligned as far as possible")
    options.add("output-if-empty", False, "Output an empty lattice where aligning failed")
    opts, args = options.parse(argv, num_args=(3, 4))
    rspecifier, wspecifier = args[-2:]
    tables = {name: read_symbols(getattr(opts, name)) for name in ("words", "tokens", "phones")}
    lexicon = Lexicon.read(args[0], **tables)
    align = opts.make(AlignOptions)

    counts, unexplained = Counts(), 0
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, "compact_lattice"))
        writer = optional_writer(stack, wspecifier, "compact_lattice")

        def work(key, clat):
            nonlocal unexplained
            if clat.start < 0:
                log.warn(f"Lattice for {key} was empty")
                if opts.output_if_empty:
                    writer.write(key, clat)
                return False
            aligned, explained = align_words(clat, lexicon, align, key)
            if not explained:
                unexplained += 1
                log.warn(f"Lattice for {key} ends inside a word, or holds words that its labels do not spell")
                if not opts.output_error_lats:
                    return False
            writer.write(key, aligned)
            return True

        each(reader, counts, work)
    log.info(
        f"Successfully aligned {counts.done - unexplained} lattices; {unexplained} not fully explained by the lexicon, "
        f"{counts.failed} had errors."
    )
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
