"""fstisstochastic: do the probabilities that leave each state sum to one?"""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Print the largest and the smallest -log(sum of the probabilities leaving a state, final included) over
the states; the exit status is 0 where both are near 0.

Usage: fstisstochastic [options] [<in-fst>]
 e.g.: fstisstochastic G.fst"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("delta", 0.01, "how near to 0")
    options.add("test-in-log", True, "sum probabilities; false: take the largest")
    opts, args = options.parse(argv, (0, 1))

    from sidamo.io.fst import read_fst
    from sidamo.lang.fst_ops import state_sums

    sums = state_sums(read_fst(args[0] if args else "-"), opts.test_in_log)
    largest, smallest = (float(sums.max()), float(sums.min())) if len(sums) else (0.0, 0.0)
    print(f"{largest:.6g} {smallest:.6g}")
    return 0 if max(abs(largest), abs(smallest)) <= opts.delta else 1


if __name__ == "__main__":
    raise SystemExit(main())
