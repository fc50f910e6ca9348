"""linear-to-nbest: the inverse of nbest-to-linear."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, optional_writer
from sidamo.io import log
from sidamo.io.options import Options
from sidamo.io.tables import RandomAccessReader, SequentialReader

USAGE = """This does the opposite of nbest-to-linear. It takes 4 archives, containing alignments, word-sequences,
and acoustic and LM costs, and turns it into a single archive containing FSTs with a linear structure.
If the rspecifiers for lm-cost or ac-cost are the empty string, these values will default to zero.

Usage: linear-to-nbest [options] <alignments-rspecifier> <transcriptions-rspecifier>
                       (<lm-cost-rspecifier>|'') (<ac-cost-rspecifier>|'') <nbest-wspecifier>
 e.g.: linear-to-nbest ark:1.ali 'ark:sym2int.pl -f 2- words.txt text|' ark:1.lmscore ark:1.acscore ark:1.nbest"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    opts, args = options.parse(argv, num_args=5)

    import numpy as np

    from sidamo.io.lattice import Lattice, to_compact

    def linear(alignment, words, graph_cost, acoustic_cost):
        # The i-th label and the i-th word share an arc, and the costs are the final ones, as Kaldi lays them out.
        n = max(len(alignment), len(words))
        labels, olabels = np.zeros(n, np.int32), np.zeros(n, np.int32)
        labels[: len(alignment)], olabels[: len(words)] = alignment, words
        zeros = np.zeros(n)
        arcs = (range(n), labels, olabels, zeros, zeros, range(1, n + 1))
        return to_compact(Lattice.from_arcs(n + 1, 0, *arcs, {n: (graph_cost, acoustic_cost)}))

    counts = Counts()
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(args[0], "int_vector"))
        words_of = stack.enter_context(RandomAccessReader(args[1], "int_vector"))
        costs_of = [stack.enter_context(RandomAccessReader(a, "float")) if a else None for a in args[2:4]]
        writer = optional_writer(stack, args[4], "compact_lattice")
        for key, alignment in reader:
            if key not in words_of:
                counts.fail(f"No transcription for key {key}")
            elif any(table is not None and key not in table for table in costs_of):
                counts.fail(f"No LM or acoustic cost for key {key}")
            else:
                costs = [0.0 if table is None else table[key] for table in costs_of]
                writer.write(key, linear(alignment, words_of[key], *costs))
                counts.done += 1
    log.info(f"Done {counts.done} n-best entries, {counts.failed} had errors.")
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
