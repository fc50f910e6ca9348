"""The work of utils/mkgraph.sh: `python -m sidamo.bin.mkgraph [options] <lang-dir> [<model-dir>] <graph-dir>`."""

import sys

from sidamo.bin import tool
from sidamo.io.options import Options

OUT_OF_MEMORY = 137  # as where the system stops a process; utils/mkgraph.sh says what may be the cause


@tool
def main(argv=None) -> int:
    from sidamo.lang.mkgraph import GraphBuilder, GraphOptions, bound_memory

    options = Options(__doc__)
    options.group(GraphOptions())
    values, args = options.parse(argv, (2, 3))
    opts = values.make(GraphOptions)
    bound_memory(opts.max_mb)
    try:
        GraphBuilder(args[0], args[1] if len(args) == 3 else "", args[-1], opts).run()
    except MemoryError as error:
        print(error, file=sys.stderr)
        return OUT_OF_MEMORY
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
