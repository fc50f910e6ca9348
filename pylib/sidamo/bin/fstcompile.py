"""fstcompile: a transducer from its text form."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Make a binary FST from text: lines `src dst ilabel olabel [cost]` and `state [cost]`.

Usage: fstcompile [options] [<in-text> [<out-fst>]]
 e.g.: fstcompile --isymbols=phones.txt --osymbols=words.txt L.txt L.fst"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("isymbols", "", "symbol table of the inputs; without it they are numbers")
    options.add("osymbols", "", "symbol table of the outputs")
    options.add("ssymbols", "", "not supported")
    options.add("acceptor", False, "lines are `src dst label [cost]`")
    options.add("arc-type", "standard", "standard or log")
    options.add("fst-type", "vector", "vector or const")
    options.add("keep-isymbols", False, "store the input table in the FST")
    options.add("keep-osymbols", False, "store the output table in the FST")
    options.add("keep-state-numbering", False, "keep the state numbers of the text")
    opts, args = options.parse(argv, (0, 2))

    from sidamo.io.errors import OptionError
    from sidamo.io.fst import write_fst
    from sidamo.io.fst_text import compile_fst
    from sidamo.io.streams import open_rxfilename
    from sidamo.lang.lexicon import read_table

    if opts.ssymbols or opts.arc_type not in ("standard", "log") or opts.fst_type not in ("vector", "const"):
        raise OptionError("only standard or log arcs, vector or const FSTs, and states by number are supported")
    isymbols = read_table(opts.isymbols) if opts.isymbols else None
    osymbols = read_table(opts.osymbols) if opts.osymbols else (isymbols if opts.acceptor else None)
    name = args[0] if args else "-"
    with open_rxfilename(name) as stream:
        data = stream.read()
    fst = compile_fst(data, isymbols, osymbols, opts.acceptor, name, opts.keep_state_numbering)
    fst.arc_type = opts.arc_type
    if opts.keep_isymbols and isymbols:
        fst.isymbols = {k: symbol for symbol, k in isymbols.items()}
    if opts.keep_osymbols and osymbols:
        fst.osymbols = {k: symbol for symbol, k in osymbols.items()}
    write_fst(args[1] if len(args) > 1 else "-", fst, opts.fst_type)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
