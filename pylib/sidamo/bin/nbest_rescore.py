"""nbest-rescore: mix scores from outside into the graph costs of n-best entries."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, each, optional_writer
from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.options import Options
from sidamo.io.tables import RandomAccessReader, SequentialReader

USAGE = """Mixes log-probabilities from outside into the graph costs of n-best entries (linear lattices utt-1, utt-2,
...): graph cost = (1 - weight) * graph cost - weight * log-probability.

Usage: nbest-rescore [options] <nbest-rspecifier> <log-probability-rspecifier> <nbest-wspecifier>
 e.g.: nbest-rescore --weight=0.5 ark:1.nbest ark,t:1.scores ark:1.rescored
The scores are lines `utt-n log-probability` (natural logarithm, higher is better)."""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("weight", 0.5, "Weight of the scores; 1 replaces the graph costs")
    opts, (rspecifier, scores_from, wspecifier) = options.parse(argv, num_args=3)

    from sidamo.lattice.nbest import add_to_first, linear_path
    from sidamo.lattice.ops import scale

    counts = Counts()
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, "compact_lattice"))
        scores = stack.enter_context(RandomAccessReader(scores_from, "float"))
        writer = optional_writer(stack, wspecifier, "compact_lattice")

        def work(key, clat):
            linear_path(clat, key)
            if key not in scores:
                raise DataError("no score for this entry", key=key, mend=f"{scores_from} needs a line for every entry")
            mixed = scale(clat, lm_scale=1.0 - opts.weight)
            writer.write(key, add_to_first(mixed, -opts.weight * scores[key]))

        each(reader, counts, work)
    log.info(f"Done rescoring {counts.done} n-best entries, {counts.failed} had errors.")
    if counts.failed:
        raise DataError(
            f"{counts.failed} of {counts.done + counts.failed} entries have no score: costs could not be compared",
            file=scores_from,
        )
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
