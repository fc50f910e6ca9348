"""fstprint: the text form of a transducer."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Print an FST as text, start state first.

Usage: fstprint [options] [<in-fst> [<out-text>]]
 e.g.: fstprint --isymbols=phones.txt --osymbols=words.txt L.fst"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("isymbols", "", "symbol table of the inputs (default: the one in the FST, or numbers)")
    options.add("osymbols", "", "symbol table of the outputs")
    options.add("acceptor", False, "one label per arc")
    options.add("numeric", False, "numbers even where the FST has symbol tables")
    opts, args = options.parse(argv, (0, 2))

    from sidamo.io.fst import read_fst
    from sidamo.io.fst_text import print_fst
    from sidamo.io.streams import open_wxfilename
    from sidamo.lang.lexicon import read_table

    fst = read_fst(args[0] if args else "-")
    tables = []
    for path, own in ((opts.isymbols, fst.isymbols), (opts.osymbols, fst.osymbols)):
        given = {k: symbol for symbol, k in read_table(path).items()} if path else None
        tables.append(None if opts.numeric else given or own)
    with open_wxfilename(args[1] if len(args) > 1 else "-") as stream:
        stream.write(print_fst(fst, *tables, opts.acceptor))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
