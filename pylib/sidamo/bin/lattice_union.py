"""lattice-union: the union of pairs of lattices, determinized."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, each, optional_writer
from sidamo.io import log
from sidamo.io.options import Options
from sidamo.io.tables import RandomAccessReader, SequentialReader

USAGE = """Takes two archives of lattices (indexed by utterances) and computes the union of the individual
lattice pairs (one from each archive).

Usage: lattice-union [options] <lattice-rspecifier1> <lattice-rspecifier2> <lattice-wspecifier>
 e.g.: lattice-union ark:den.lats ark:num.lats ark:union.lats"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    opts, (first, second, wspecifier) = options.parse(argv, num_args=3)

    from sidamo.lattice.determinize import determinize
    from sidamo.lattice.ops import union

    counts, pairs, alone = Counts(), 0, 0
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(first, "compact_lattice"))
        others = stack.enter_context(RandomAccessReader(second, "compact_lattice"))
        writer = optional_writer(stack, wspecifier, "compact_lattice")

        def work(key, clat):
            nonlocal pairs, alone
            if key in others:
                clat = union(clat, others[key])
                pairs += 1
            else:
                log.warn(
                    f"No lattice found for utterance {key} in {second}. "
                    f"Result of union will be the lattice found in {first}"
                )
                alone += 1
            writer.write(key, determinize(clat, key=key)[0])

        each(reader, counts, work)
    log.info(
        f"Total {counts.done} lattices written. Computed union for {pairs} pairs of lattices. "
        f"Missing second lattice in {alone} cases."
    )
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
