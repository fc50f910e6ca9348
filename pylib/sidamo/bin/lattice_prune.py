"""lattice-prune: drop the arcs whose best path is worse than the best of all by more than a beam."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, add_scales, each, nonzero_scales, optional_writer
from sidamo.io import log
from sidamo.io.errors import CheckFailed
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Apply beam pruning to lattices
Prunes on scaled costs and writes unscaled ones.

Usage: lattice-prune [options] <lattice-rspecifier> <lattice-wspecifier>
 e.g.: lattice-prune --acoustic-scale=0.1 --beam=4.0 ark:1.lats ark:pruned.lats"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    add_scales(options, inverse=True)
    options.add("beam", 10.0, "Pruning beam [applied after acoustic scaling]")
    options.add("write-compact", True, "If true, write in normal (compact) form.")
    opts, (rspecifier, wspecifier) = options.parse(argv, num_args=2)
    scales = nonzero_scales(opts)
    if not opts.beam > 0:
        raise CheckFailed(f"--beam={opts.beam:g}: expected a beam above 0")

    from sidamo.lattice.ops import prune, scale, unscale

    kind = "compact_lattice" if opts.write_compact else "lattice"
    counts, sizes = Counts(), [0, 0, 0, 0]
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, kind))
        writer = optional_writer(stack, wspecifier, kind)

        def work(key, lat):
            pruned = prune(scale(lat, **scales), opts.beam, key)
            before, after = (lat.num_states, lat.num_arcs), (pruned.num_states, pruned.num_arcs)
            log.info(
                f"For utterance {key}, pruned #states from {before[0]} to {after[0]} "
                f"and #arcs from {before[1]} to {after[1]}"
            )
            for i, n in enumerate(before + after):
                sizes[i] += n
            writer.write(key, unscale(pruned, **scales))

        each(reader, counts, work)
    states, arcs, states_left, arcs_left = (n / max(counts.done, 1) for n in sizes)
    log.info(
        f"Overall, pruned from on average {states:g} to {states_left:g} states, and from {arcs:g} to {arcs_left:g} "
        f"arcs, over {counts.done} utterances."
    )
    log.info(f"Done {counts.done} lattices.")
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
