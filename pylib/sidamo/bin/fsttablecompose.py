"""fsttablecompose: compose two transducers."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Compose two transducers (sorted as needed).

Usage: fsttablecompose [options] <left-fst> <right-fst> [<out-fst>]
 e.g.: fsttablecompose L_disambig.fst G.fst > LG.fst"""

FILTERS = ("alt_sequence", "auto", "match", "sequence", "null", "trivial")


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("connect", True, "trim the result")
    options.add("match-side", "left", "accepted for compatibility; both sides are sorted here")
    options.add("compose-filter", "sequence", "which of several orders of epsilons are left: " + "|".join(FILTERS))
    opts, args = options.parse(argv, (2, 3))

    from sidamo.io import log
    from sidamo.io.errors import OptionError
    from sidamo.io.fst import read_fst, sorted_arcs, write_fst

    if opts.match_side not in ("left", "right"):
        raise OptionError(f"--match-side={opts.match_side}: expected left or right")
    if opts.compose_filter not in FILTERS:
        raise OptionError(f"--compose-filter={opts.compose_filter}: expected one of {', '.join(FILTERS)}")
    left, right = (read_fst(name) for name in args[:2])
    if opts.compose_filter == "sequence":
        from sidamo.lang.compose_kernel import compose

        result = compose(sorted_arcs(left, "olabel"), sorted_arcs(right, "ilabel"), trimmed=opts.connect)
    else:
        import pynini

        from sidamo.lang.graph import from_pynini, to_pynini

        sides = to_pynini(left).arcsort("olabel"), to_pynini(right).arcsort("ilabel")
        result = from_pynini(pynini.compose(*sides, compose_filter=opts.compose_filter, connect=opts.connect))
    if result.num_states == 0:
        log.warn(f"the composition is empty: nothing that {args[0]} writes is read by {args[1]}")
    write_fst(args[2] if len(args) > 2 else "-", result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
