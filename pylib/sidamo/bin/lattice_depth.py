"""lattice-depth: how many arcs cross a frame on average."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, each, optional_writer
from sidamo.io import log
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Compute the lattice depths in terms of the average number of arcs that
cross a frame.  See also lattice-depth-per-frame

Usage: lattice-depth <lattice-rspecifier> [<depth-wspecifier>]
 e.g.: lattice-depth ark:- ark,t:-"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    opts, args = options.parse(argv, num_args=(1, 2))

    from sidamo.lattice.ops import depth

    counts, arc_frames, frames = Counts(), 0.0, 0
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(args[0], "compact_lattice"))
        writer = optional_writer(stack, args[1] if len(args) > 1 else "", "float")

        def work(key, clat):
            nonlocal arc_frames, frames
            value, length = depth(clat, key)
            if writer is not None:
                writer.write(key, value)
            arc_frames += value * length
            frames += length

        each(reader, counts, work)
    log.info(f"Done {counts.done} lattices.")
    if frames:
        log.info(f"Overall density is {arc_frames / frames:g} over {frames} frames.")
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
