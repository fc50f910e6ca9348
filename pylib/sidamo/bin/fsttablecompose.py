"""fsttablecompose: compose two transducers."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Compose two transducers (sorted as needed).

Usage: fsttablecompose [options] <left-fst> <right-fst> [<out-fst>]
 e.g.: fsttablecompose L_disambig.fst G.fst > LG.fst"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("connect", True, "trim the result")
    options.add("match-side", "left", "accepted for compatibility; both sides are sorted here")
    options.add("compose-filter", "sequence", "accepted for compatibility")
    opts, args = options.parse(argv, (2, 3))

    import pynini

    from sidamo.io import log
    from sidamo.io.fst import read_fst, write_fst
    from sidamo.lang.graph import from_pynini, to_pynini

    left, right = (to_pynini(read_fst(name)) for name in args[:2])
    result = from_pynini(pynini.compose(left.arcsort("olabel"), right.arcsort("ilabel"), connect=opts.connect))
    if result.num_states == 0:
        log.warn(f"the composition is empty: nothing that {args[0]} writes is read by {args[1]}")
    write_fst(args[2] if len(args) > 2 else "-", result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
