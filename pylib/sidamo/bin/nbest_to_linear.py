"""nbest-to-linear: alignments, words and costs of linear lattices."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, each, optional_writer
from sidamo.io import log
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Takes as input lattices/n-bests which must be linear (single path);
convert from lattice to up to 4 archives containing transcriptions, alignments, and acoustic and LM costs
(note: use ark:/dev/null for unwanted outputs)

Usage: nbest-to-linear [options] <nbest-rspecifier> <alignments-wspecifier>
                       [<transcriptions-wspecifier> [<lm-cost-wspecifier> [<ac-cost-wspecifier>]]]
 e.g.: lattice-to-nbest --n=10 ark:1.lats ark:- | nbest-to-linear ark:- ark,t:1.ali ark,t:1.tra"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    opts, args = options.parse(argv, num_args=(2, 5))

    from sidamo.io.lattice import INF
    from sidamo.lattice.nbest import linear_path

    counts = Counts()
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(args[0], "compact_lattice"))
        kinds = ("int_vector", "int_vector", "float", "float")
        writers = [optional_writer(stack, target, kind) for target, kind in zip(args[1:], kinds)]

        def work(key, clat):
            values = ([], [], INF, INF)  # of a lattice without states, as in Kaldi
            if clat.start >= 0:
                path = linear_path(clat, key)
                values = (path.alignment, path.words, path.graph_cost, path.acoustic_cost)
            for writer, value in zip(writers, values):
                if writer is not None:
                    writer.write(key, value)

        each(reader, counts, work)
    log.info(f"Done {counts.done} n-best entries, {counts.failed} had errors.")
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
