"""arpa2fst: an n-gram model in ARPA format to the grammar transducer G."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Turn an n-gram model in ARPA format into a grammar transducer (needs no Kaldi, OpenFst or SRILM).

Usage: arpa2fst [options] <arpa-rxfilename> [<fst-wxfilename>]
 e.g.: arpa2fst --disambig-symbol=#0 --read-symbol-table=data/lang/words.txt lm.arpa G.fst
 e.g.: arpa2fst --disambig-symbol=#0 --read-symbol-table=data/lang/words.txt "gunzip -c lm.arpa.gz |" G.fst

Without options the symbol table is stored in the FST."""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    from sidamo.lang.arpa_options import ArpaOptions

    options.group(ArpaOptions())
    values, args = options.parse(argv, (1, 2))
    opts = values.make(ArpaOptions)

    from sidamo.io.errors import DataError
    from sidamo.io.fst import write_fst
    from sidamo.io.streams import open_wxfilename
    from sidamo.lang.arpa import arpa_to_fst, read_arpa_bytes
    from sidamo.lang.lexicon import read_table

    name = args[0]
    if opts.read_symbol_table:
        ids = {symbol.encode("utf-8", "surrogateescape"): k for symbol, k in read_table(opts.read_symbol_table).items()}
        if opts.disambig_symbol and opts.disambig_symbol.encode() not in ids:
            raise DataError(f"no symbol {opts.disambig_symbol}", file=opts.read_symbol_table)
    else:
        ids = {b"<eps>": 0}
        if opts.disambig_symbol:
            ids[opts.disambig_symbol.encode()] = 1
    fst = arpa_to_fst(read_arpa_bytes(name), ids, opts, name)
    symbols = {k: symbol.decode("utf-8", "surrogateescape") for symbol, k in ids.items()}
    if opts.write_symbol_table:
        with open_wxfilename(opts.write_symbol_table) as stream:
            for k, symbol in symbols.items():
                stream.write(f"{symbol}\t{k}\n".encode("utf-8", "surrogateescape"))
    if opts.keep_symbols or not (opts.read_symbol_table or opts.write_symbol_table):
        fst.isymbols = fst.osymbols = symbols
    write_fst(args[1] if len(args) > 1 else "-", fst)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
