"""fstrmsymbols: replace symbols of an FST by epsilon, remove their arcs, or penalize them."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Replace the listed symbols by epsilon on the input side; with --remove-arcs remove the arcs that have them, with
--penalty add a cost to those arcs instead.

Usage: fstrmsymbols [options] <symbol-list> [<in-fst> [<out-fst>]]
 e.g.: fstrmsymbols phones/disambig.int LG.fst LG_nodisambig.fst"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("apply-to-output", False, "look at the output side")
    options.add("remove-from-output", False, "the same, its former name")
    options.add("remove-arcs", False, "remove the arcs with these symbols")
    options.add("penalty", 0.0, "add this to the cost of the arcs with these symbols, and keep them")
    opts, args = options.parse(argv, (1, 3))

    from sidamo.io.errors import DataError, OptionError
    from sidamo.io.fst import read_fst, write_fst
    from sidamo.lang.fst_ops import remove_symbols
    from sidamo.lang.lexicon import fields, read_lines

    if opts.remove_arcs and opts.penalty != 0.0:
        raise OptionError("--remove-arcs and --penalty exclude each other")
    texts = [text for line in read_lines(args[0]) for text in fields(line)]
    if not all(text.isdigit() for text in texts):
        raise DataError(f"expected integers, found {' '.join(texts)[:60]!r}", file=args[0])
    output = opts.apply_to_output or opts.remove_from_output
    fst = read_fst(args[1] if len(args) > 1 else "-")
    fst = remove_symbols(fst, [int(text) for text in texts], output, opts.remove_arcs, opts.penalty)
    write_fst(args[2] if len(args) > 2 else "-", fst)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
