"""fstdeterminizestar: remove epsilons and determinize in one step."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Remove input epsilons and determinize in one step: from each state at most one arc with each input label. An
arc that has to write more than one symbol is followed by arcs without input.

Usage: fstdeterminizestar [options] [<in-fst> [<out-fst>]]
 e.g.: fsttablecompose L_disambig.fst G.fst | fstdeterminizestar --use-log=true > LG.fst"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("use-log", False, "add the probabilities of paths (log semiring) instead of taking the best")
    options.add("delta", 1.0 / 1024, "weights closer than this are the same")
    options.add("max-states", -1, "stop with an error beyond this number of states; -1: no bound")
    opts, args = options.parse(argv, (0, 2))

    from sidamo.io.fst import read_fst, write_fst
    from sidamo.lang.compose_kernel import trim
    from sidamo.lang.determinize_kernel import determinize_star
    from sidamo.lang.mkgraph import bound_memory

    bound_memory(0)
    fst = trim(read_fst(args[0] if args else "-"))
    result = determinize_star(fst, opts.use_log, opts.delta, opts.max_states)
    write_fst(args[1] if len(args) > 1 else "-", result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
