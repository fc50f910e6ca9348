"""fstdeterminizestar: determinize a transducer."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Determinize a transducer: from each state at most one arc with each input label. Epsilon is a label like
others here (Kaldi's program removes input epsilons on the way); path weights are the same.

Usage: fstdeterminizestar [options] [<in-fst> [<out-fst>]]
 e.g.: fsttablecompose L_disambig.fst G.fst | fstdeterminizestar --use-log=true > LG.fst"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("use-log", False, "add the probabilities of paths (log semiring) instead of taking the best")
    options.add("delta", 1.0 / 1024, "weights closer than this are the same")
    options.add("max-states", -1, "an input with more states than this is refused; -1: no bound")
    opts, args = options.parse(argv, (0, 2))

    import pynini

    from sidamo.io.errors import DataError
    from sidamo.io.fst import read_fst, write_fst
    from sidamo.lang.graph import from_pynini, to_pynini
    from sidamo.lang.mkgraph import bound_memory

    name = args[0] if args else "-"
    source = read_fst(name)
    if 0 <= opts.max_states < source.num_states:
        raise DataError(f"{source.num_states} states, more than --max-states={opts.max_states}", file=name)
    bound_memory(0)
    fst = to_pynini(source)
    if opts.use_log:
        fst = pynini.arcmap(
            pynini.determinize(pynini.arcmap(fst, map_type="to_log"), delta=opts.delta), map_type="to_std"
        )
    else:
        fst = pynini.determinize(fst, delta=opts.delta)
    write_fst(args[1] if len(args) > 1 else "-", from_pynini(fst))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
