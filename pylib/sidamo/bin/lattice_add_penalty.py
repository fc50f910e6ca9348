"""lattice-add-penalty: add a word insertion penalty to graph costs."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, each, optional_writer, single
from sidamo.io import log
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Add word insertion penalty to the lattice.
Note: penalties are negative log-probs, base e, and are added to the 'language model' part of the cost.

Usage: lattice-add-penalty [options] <lattice-rspecifier> <lattice-wspecifier>
 e.g.: lattice-add-penalty --word-ins-penalty=1.0 ark:- ark:-"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("word-ins-penalty", 0.0, "Word insertion penalty")
    opts, (rspecifier, wspecifier) = options.parse(argv, num_args=2)
    penalty = single(opts.word_ins_penalty)

    from sidamo.lattice.ops import add_word_ins_penalty

    counts = Counts()
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, "compact_lattice"))
        writer = optional_writer(stack, wspecifier, "compact_lattice")
        each(reader, counts, lambda key, lat: writer.write(key, add_word_ins_penalty(lat, penalty)))
    log.info(f"Done adding word insertion penalty to {counts.done} lattices.")
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
