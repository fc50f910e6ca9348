"""The work of utils/open_grammar.sh: `python -m sidamo.bin.open_grammar [options] <lang-dir> <spelling>`; G is replaced."""

from sidamo.bin import tool
from sidamo.io.options import Options


@tool
def main(argv=None) -> int:
    from sidamo.io import log
    from sidamo.io.errors import DataError
    from sidamo.io.fst import arcsort, read_fst, write_fst
    from sidamo.io.fst_text import compile_fst
    from sidamo.io.symbols import SymbolTable
    from sidamo.lang.spelled import open_grammar

    options = Options(__doc__)
    options.add("mass", 0.0, "probability of an unknown word where the grammar does not back off; 0: the grammar's own")
    options.add("oov-word", "", "the unknown word; default: that of <lang-dir>/oov.txt")
    opts, (lang, path) = options.parse(argv, 2)
    if not 0 <= opts.mass < 1:
        raise DataError(f"--mass {opts.mass}: expected 0 <= p < 1")
    words = SymbolTable.read(f"{lang}/words.txt")
    unknown = opts.oov_word or open(f"{lang}/oov.txt", encoding="utf-8").read().strip()
    with open(path, "rb") as stream:
        spelling = compile_fst(stream.read(), dict(words), None, acceptor=True, name=path)
    grammar = read_fst(f"{lang}/G.fst")
    opened = open_grammar(grammar, words[unknown], words["#0"], spelling, opts.mass)
    write_fst(f"{lang}/G.fst", arcsort(opened, "ilabel"))
    sizes = f"{opened.num_states} states and {opened.num_arcs} arcs; it had {grammar.num_states} and {grammar.num_arcs}"
    log.info(f"{lang}/G.fst: {sizes}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
