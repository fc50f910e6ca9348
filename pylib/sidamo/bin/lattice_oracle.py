"""lattice-oracle: the path of each lattice with the fewest word errors."""

import contextlib
import sys

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, each, optional_writer, print_words, read_symbols
from sidamo.io import log
from sidamo.io.errors import CheckFailed, DataError, OptionError
from sidamo.io.options import Options
from sidamo.io.tables import RandomAccessReader, SequentialReader

USAGE = """Finds the path having the smallest edit-distance between a lattice and a reference string.

Usage: lattice-oracle [options] <test-lattice-rspecifier> <reference-rspecifier>
                      <transcriptions-wspecifier> [<edit-distance-wspecifier>]
 e.g.: lattice-oracle ark:lat.1 'ark:sym2int.pl -f 2- data/lang/words.txt <data/test/text|' ark,t:-

Note the --write-lattices option by which you can write out the optimal path as a lattice.
Note: you can use this program to compute the n-best oracle WER by first piping the input
lattices through lattice-to-nbest and then nbest-to-lattice."""


def wildcards_of(opts, symbols) -> set[int]:
    """Word ids of --wildcard-symbols or --wildcard-symbols-list."""
    if opts.wildcard_symbols and opts.wildcard_symbols_list:
        raise CheckFailed("do not use both --wildcard-symbols and --wildcard-symbols-list")
    if opts.wildcard_symbols:
        try:
            return {int(w) for w in opts.wildcard_symbols.split(":")}
        except ValueError:
            raise OptionError(
                f"Expected colon-separated list of integers for --wildcard-symbols option, got: {opts.wildcard_symbols}"
            ) from None
    if not opts.wildcard_symbols_list:
        return set()
    if symbols is None:
        raise CheckFailed("--wildcard-symbols-list option requires --word-symbol-table option")
    with open(opts.wildcard_symbols_list, encoding="utf-8") as f:
        words = f.read().split()
    for word in words:
        if word not in symbols:
            raise DataError(f"symbol {word} is not in the symbol table", file=opts.wildcard_symbols_list)
    return {symbols[word] for word in words}


def percent(errors: int, words: int) -> str:
    """An error rate as the log shows it."""
    return f"{100 * errors / words:g}" if words else "nan"


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("word-symbol-table", "", "Symbol table for words [for debug output]")
    options.add(
        "wildcard-symbols", "", "Colon-separated list of integer ids of symbols that don't count as errors."
    )
    options.add(
        "wildcard-symbols-list", "",
        "File with symbols that don't count as errors; requires --word-symbol-table. Better use --wildcard-symbols.",
    )  # fmt: skip
    options.add(
        "write-lattices", "",
        "If supplied, write the lattice that contains only the oracle path to the given wspecifier.",
    )  # fmt: skip
    opts, args = options.parse(argv, num_args=(3, 4))
    symbols = read_symbols(opts.word_symbol_table)
    wild = wildcards_of(opts, symbols)

    from sidamo.lattice.compose import compose
    from sidamo.lattice.nbest import linear_lattice
    from sidamo.lattice.ops import best_path
    from sidamo.lattice.oracle import oracle

    counts, errors, num_words = Counts(), [0, 0, 0], 0
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(args[0], "compact_lattice"))
        references = stack.enter_context(RandomAccessReader(args[1], "int_vector"))
        words_out = optional_writer(stack, args[2], "int_vector")
        edits_out = optional_writer(stack, args[3] if len(args) > 3 else "", "int")
        lattices_out = optional_writer(stack, opts.write_lattices, "compact_lattice")

        def work(key, clat):
            nonlocal num_words
            sys.stderr.write(f"Lattice {key} read.\n")
            if key not in references:
                log.warn(f"No reference present for utterance {key}")
                return False
            result = oracle(clat, references[key], wild, key)
            if result is None:
                log.warn(f"Best-path failed for key {key}")
                return False
            found = (result.insertions, result.deletions, result.substitutions)
            log.info(
                f"%WER {percent(result.errors, result.num_reference)} [ {result.errors} / {result.num_reference}, "
                f"{found[0]} insertions, {found[1]} deletions, {found[2]} sub ]"
            )
            log.info(f"For utterance {key}, best cost {result.errors}")
            for i, n in enumerate(found):
                errors[i] += n
            num_words += result.num_reference
            for writer, value in ((words_out, result.words), (edits_out, result.errors)):
                if writer is not None:
                    writer.write(key, value)
            if symbols is not None:
                print_words(result.words, symbols, f"{key} (oracle)")
                print_words([w for w in references[key] if w not in wild], symbols, f"{key} (reference)")
            if lattices_out is not None:
                lattices_out.write(key, best_path(compose(clat, linear_lattice(result.path_words)), key).to_compact())
            return True

        each(reader, counts, work)
    total = sum(errors)
    log.info(
        f"Overall %WER {percent(total, num_words)} [ {total} / {num_words}, "
        f"{errors[0]} insertions, {errors[1]} deletions, {errors[2]} substitutions ]"
    )
    log.info(f"Scored {counts.done} lattices, {counts.failed} not present in ref.")
    return 0  # whatever was scored, as in Kaldi


if __name__ == "__main__":
    raise SystemExit(main())
