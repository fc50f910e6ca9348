"""lattice-interp: interpolate the costs of pairs of lattices."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, each, optional_writer, single
from sidamo.io import log
from sidamo.io.options import Options
from sidamo.io.tables import RandomAccessReader, SequentialReader

USAGE = """Takes two archives of lattices (indexed by utterances) and combines the individual lattice pairs (one from
each archive). Keeps the alignments from the first lattice. Equivalent to projecting the second archive on words, then
composing the pairs of lattices, then scaling graph and acoustic costs by 0.5. You can control the individual scales
with --alpha, which is the scale of the first lattices (the second is 1-alpha).

Usage: lattice-interp [options] <lattice-rspecifier-a> <lattice-rspecifier-b> <lattice-wspecifier>
 e.g.: lattice-interp --alpha=0.5 ark:1.lats ark:2.lats ark:composed.lats"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("alpha", 0.5, "Scale of the first lattice in the pair (should be in range [0, 1])")
    options.add("write-compact", True, "If true, write in normal (compact) form.")
    opts, (first, second, wspecifier) = options.parse(argv, num_args=3)
    alpha = single(opts.alpha)

    from sidamo.io.lattice import to_compact, to_lattice
    from sidamo.lattice.acoustic import FrameCosts
    from sidamo.lattice.compose import compose, without_strings
    from sidamo.lattice.ops import scale

    counts, missing, empty = Counts(), 0, 0
    kind = "compact_lattice" if opts.write_compact else "lattice"
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(first, kind))
        others = stack.enter_context(RandomAccessReader(second, "compact_lattice"))
        writer = optional_writer(stack, wspecifier, kind)

        def work(key, lat):
            nonlocal missing, empty
            if key not in others:
                log.warn(f"No lattice found for utterance {key} in {second}. Not producing output")
                missing += 1
                return False
            other = scale(without_strings(others[key]), lm_scale=1.0 - alpha, acoustic_scale=1.0 - alpha)
            clat = lat if opts.write_compact else to_compact(lat)
            composed = compose(scale(clat, lm_scale=alpha, acoustic_scale=alpha), other)
            if composed.start < 0:
                log.warn(f"For utterance {key}, composed result is empty.")
                empty += 1
                return False
            writer.write(key, composed if opts.write_compact else FrameCosts(lat, key).put_back(to_lattice(composed), key))
            return True

        each(reader, counts, work)
    log.info(
        f"Done {counts.done + empty} lattices; {counts.done} had nonempty result, {empty} had empty composition; "
        f"in {missing}, had empty second lattice."
    )
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
