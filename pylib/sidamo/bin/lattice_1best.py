"""lattice-1best: the best path of each lattice as a linear lattice."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, add_scales, each, nonzero_scales, optional_writer, single
from sidamo.io import log
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Compute best path through lattices and write out as FSTs
Note: differs from lattice-nbest with --n=1 because we won't append -1 to the utterance-ids.
Differs from lattice-best-path because output is FST. Scales and penalty only choose the path:
the output carries the original costs.

Usage: lattice-1best [options] <lattice-rspecifier> <lattice-wspecifier>
 e.g.: lattice-1best --acoustic-scale=0.1 ark:1.lats ark:1best.lats"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    add_scales(options, inverse=True)
    options.add("word-ins-penalty", 0.0, "Word insertion penalty (has no effect unless positive, as in Kaldi).")
    opts, (rspecifier, wspecifier) = options.parse(argv, num_args=2)
    scales = nonzero_scales(opts)

    from sidamo.lattice.ops import add_word_ins_penalty, best_path, scale, unscale

    penalty = max(single(opts.word_ins_penalty), 0.0)
    counts = Counts()
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, "compact_lattice"))
        writer = optional_writer(stack, wspecifier, "compact_lattice")

        def work(key, clat):
            path = best_path(add_word_ins_penalty(scale(clat, **scales), penalty), key)
            if path is None:
                log.warn(f"Possibly empty lattice for utterance-id {key} (no output)")
                return False
            writer.write(key, unscale(add_word_ins_penalty(path.to_compact(), -penalty), **scales))
            return True

        each(reader, counts, work)
    log.info(f"Done converting {counts.done} to best path, {counts.failed} had errors.")
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
