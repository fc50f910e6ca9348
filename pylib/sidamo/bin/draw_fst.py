"""The work of utils/draw_fst.sh: `python -m sidamo.bin.draw_fst [options] <fst> <svg>`."""

import os

from sidamo.bin import tool
from sidamo.io.options import Options


@tool
def main(argv=None) -> int:
    from sidamo.io.fst import read_fst
    from sidamo.lang.draw import draw_svg
    from sidamo.lang.lexicon import read_table

    options = Options(__doc__)
    options.add("isymbols", "", "symbol table of the inputs")
    options.add("osymbols", "", "symbol table of the outputs")
    options.add("max-states", 60, "refuse to draw more")
    options.add("max-arcs", 300, "refuse to draw more")
    opts, (path, svg) = options.parse(argv, 2)
    fst = read_fst(path)
    tables = []
    for name, own in ((opts.isymbols, fst.isymbols), (opts.osymbols, fst.osymbols)):
        tables.append({k: symbol for symbol, k in read_table(name).items()} if name else own)
    text = draw_svg(fst, *tables, opts.max_states, opts.max_arcs)
    with open(f"{svg}.tmp{os.getpid()}", "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(text)
    os.replace(f"{svg}.tmp{os.getpid()}", svg)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
