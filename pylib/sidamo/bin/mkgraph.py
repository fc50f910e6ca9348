"""The work of utils/mkgraph.sh: `python -m sidamo.bin.mkgraph [options] <lang-dir> [<model-dir>] <graph-dir>`."""

from sidamo.bin import tool
from sidamo.io.options import Options


@tool
def main(argv=None) -> int:
    from sidamo.lang.mkgraph import GraphBuilder, GraphOptions, bound_memory

    options = Options(__doc__)
    options.group(GraphOptions())
    values, args = options.parse(argv, (2, 3))
    opts = values.make(GraphOptions)
    bound_memory(opts.max_mb)
    GraphBuilder(args[0], args[1] if len(args) == 3 else "", args[-1], opts).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
