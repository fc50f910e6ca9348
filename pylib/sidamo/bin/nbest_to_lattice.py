"""nbest-to-lattice: the union of n-best entries utt-1, utt-2, ... of each utterance."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, optional_writer
from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Read in a Table containing N-best entries from a lattices (i.e. individual lattices with a linear structure,
one for each N-best entry, indexed by utt_id_a-1, utt_id_a-2, etc., and take the union of them for each utterance id.

Usage: nbest-to-lattice [options] <nbest-rspecifier> <lattices-wspecifier>
 e.g.: nbest-to-lattice ark:1.nbest ark:1.lats"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    opts, (rspecifier, wspecifier) = options.parse(argv, num_args=2)

    from sidamo.io.lattice import empty_compact_lattice
    from sidamo.lattice.ops import check_costs, union

    counts, entries, utterance, joined = Counts(), 0, None, None
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, "compact_lattice"))
        writer = optional_writer(stack, wspecifier, "compact_lattice")

        def finish():
            if utterance is not None:
                writer.write(utterance, joined)
                counts.done += 1

        for key, clat in reader:
            name, _, _ = key.rpartition("-")
            if not name:
                message = "expected a key of the form utt-n (as lattice-to-nbest writes)"
                raise DataError(message, key=key, file=rspecifier)
            if name != utterance:
                finish()
                utterance, joined = name, empty_compact_lattice()
            try:
                check_costs(clat, key)
            except DataError as e:
                counts.fail(e)
                continue
            joined = union(joined, clat)
            entries += 1
        finish()
    log.info(
        f"Done joining n-best into lattices for {counts.done} utterances, with on average "
        f"{entries / max(counts.done, 1):g} N-best paths per utterance."
    )
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
