"""lattice-lmrescore-arpa: add the costs of an n-gram model of any order, composed on the fly."""

from sidamo.bin import tool
from sidamo.bin.lattice_lmrescore import add_options, rescore
from sidamo.io.errors import OptionError
from sidamo.io.options import Options

USAGE = """Rescores lattices with an n-gram language model in ARPA format, of any order, composed with the lattices on
the fly: adds lm_scale times the model's cost to graph costs, then determinizes. No G.fst is made; back-off is exact.
(Kaldi's lattice-lmrescore-const-arpa does the same from a converted file.)

Usage: lattice-lmrescore-arpa [options] <lattice-rspecifier> <arpa-rxfilename> <lattice-wspecifier>
 e.g.: lattice-lmrescore-arpa --lm-scale=1.0 --word-symbol-table=data/lang/words.txt ark:in.lats \\
       "gunzip -c lm.arpa.gz |" ark:out.lats"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    add_options(options)
    options.add("word-symbol-table", "", "Symbol table for the words of the lattices (words.txt); required")
    opts, (rspecifier, arpa, wspecifier) = options.parse(argv, num_args=3)
    if not opts.word_symbol_table:
        raise OptionError("--word-symbol-table is required: an ARPA file holds words, a lattice holds integers")

    from sidamo.io.symbols import SymbolTable
    from sidamo.lattice.arpa import read_arpa

    model = read_arpa(arpa, SymbolTable.read(opts.word_symbol_table))
    return rescore(rspecifier, wspecifier, model, opts)


if __name__ == "__main__":
    raise SystemExit(main())
