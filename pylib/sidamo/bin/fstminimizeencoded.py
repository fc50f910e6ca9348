"""fstminimizeencoded: minimize a transducer as an acceptor over (input, output, weight)."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Minimize a transducer without moving its weights or outputs.

Usage: fstminimizeencoded [options] [<in-fst> [<out-fst>]]
 e.g.: fstdeterminizestar --use-log=true LG.fst | fstminimizeencoded > LG_min.fst"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("delta", 1.0 / 1024, "weights are rounded to multiples of this")
    opts, args = options.parse(argv, (0, 2))

    from sidamo.io.fst import read_fst, write_fst
    from sidamo.lang.arpa import connect
    from sidamo.lang.minimize_kernel import minimize_encoded

    fst = minimize_encoded(connect(read_fst(args[0] if args else "-")), opts.delta)
    write_fst(args[1] if len(args) > 1 else "-", fst)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
