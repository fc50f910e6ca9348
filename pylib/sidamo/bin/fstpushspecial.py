"""fstpushspecial: push weights so that what leaves each state sums to the same."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Push weights, in the log semiring, so that the probabilities that leave each state (the final one included) have
the same sum for all states, whether or not it is one. Path weights stay as they are.

Usage: fstpushspecial [options] [<in-fst> [<out-fst>]]
 e.g.: fstminimizeencoded < LG_det.fst | fstpushspecial > LG.fst"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("delta", 1.0 / 1024, "the costs of the sums differ by no more than this")
    opts, args = options.parse(argv, (0, 2))

    from sidamo.io.fst import read_fst, write_fst
    from sidamo.lang.fst_ops import push_special

    fst = push_special(read_fst(args[0] if args else "-"), opts.delta)
    write_fst(args[1] if len(args) > 1 else "-", fst)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
