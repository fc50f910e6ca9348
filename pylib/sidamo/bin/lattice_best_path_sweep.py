"""lattice-best-path-sweep: best paths for a whole scoring sweep, reading the lattices once."""

import os

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, each
from sidamo.io import log
from sidamo.io.errors import DataError, OptionError
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Best paths of lattices for all LM weights and word insertion penalties of a scoring sweep, reading them once.
Writes <out-dir>/penalty_<WIP>/<LMWT>.txt: lines of utterance and words, the same as
lattice-scale --inv-acoustic-scale=LMWT | lattice-add-penalty --word-ins-penalty=WIP | lattice-best-path | int2sym.pl

Usage: lattice-best-path-sweep [options] <lattice-rspecifier> <out-dir>
 e.g.: lattice-best-path-sweep --word-symbol-table=words.txt "ark:gunzip -c lat.*.gz|" scoring_kaldi"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("min-lmwt", 7, "Lowest LM weight (the acoustic scale is its inverse)")
    options.add("max-lmwt", 17, "Highest LM weight")
    options.add("word-ins-penalty", "0.0,0.5,1.0", "Comma-separated word insertion penalties")
    options.add("word-symbol-table", "", "Symbol table for words; words are written as integers where it is not given")
    opts, (rspecifier, out_dir) = options.parse(argv, num_args=2)
    penalties = [p for p in opts.word_ins_penalty.replace(",", " ").split()]
    if not 0 < opts.min_lmwt <= opts.max_lmwt:
        raise OptionError(f"expected 0 < --min-lmwt <= --max-lmwt, got {opts.min_lmwt} and {opts.max_lmwt}")
    try:
        penalty_costs = [float(p) for p in penalties]
    except ValueError:
        raise OptionError(f"--word-ins-penalty: expected numbers with commas, got {opts.word_ins_penalty}") from None
    weights = list(range(opts.min_lmwt, opts.max_lmwt + 1))
    symbol = _symbols(opts.word_symbol_table)

    from sidamo.lattice.sweep import sweep_words

    lines = {(p, w): [] for p in penalties for w in weights}
    counts = Counts()

    def work(key, clat):
        words = sweep_words(clat, weights, penalty_costs, key)
        if words is None:
            log.warn(f"Best-path failed for key {key}: no path reaches a final state")
            return False
        for p, row in zip(penalties, words):
            for w, path in zip(weights, row):
                lines[p, w].append(" ".join([key, *map(symbol, path)]) + "\n")

    with SequentialReader(rspecifier, "compact_lattice") as reader:
        each(reader, counts, work)
    for (p, w), text in lines.items():
        _write(os.path.join(out_dir, f"penalty_{p}", f"{w}.txt"), text)
    log.info(f"Done {counts.done} lattices, failed for {counts.failed}")
    return counts.status()


def _symbols(path: str):
    if not path:
        return str
    from sidamo.io.symbols import SymbolTable

    table = SymbolTable.read(path)

    def symbol(number: int) -> str:
        try:
            return table.find(number)
        except (KeyError, DataError):
            raise DataError(
                f"word {number} of a lattice is not in the symbol table", file=path,
                mend="give the words.txt of the graph that the lattices were decoded with",
            ) from None  # fmt: skip

    return symbol


def _write(path: str, lines: list[str]) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    partial = f"{path}.{os.getpid()}.tmp"
    with open(partial, "w", encoding="utf-8") as f:
        f.writelines(lines)
    os.replace(partial, path)


if __name__ == "__main__":
    raise SystemExit(main())
