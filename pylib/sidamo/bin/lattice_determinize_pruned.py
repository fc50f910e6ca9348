"""lattice-determinize-pruned: compact lattices with one path per word sequence, within a beam."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, acoustic_scale, add_scales, each, optional_writer
from sidamo.io import log
from sidamo.io.errors import OptionError
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Determinize lattices, keeping only the best path (sequence of acoustic states) for each input-symbol
sequence. This version does pruning as part of the determinization algorithm, which is more efficient and prevents
blowup.

Usage: lattice-determinize-pruned [options] <lattice-rspecifier> <lattice-wspecifier>
 e.g.: lattice-determinize-pruned --acoustic-scale=0.1 --beam=6.0 ark:in.lats ark:det.lats"""


@tool
def main(argv=None) -> int:
    from sidamo.lattice.determinize import DeterminizeOptions, determinize
    from sidamo.lattice.ops import depth, scale, unscale

    options = Options(USAGE)
    add_scales(options, inverse=True, lm=False)
    options.add("beam", 10.0, "Pruning beam [applied after acoustic scaling].")
    options.add("minimize", False, "If true, push and minimize after determinization")
    options.add("write-compact", True, "If true, write in normal (compact) form.")
    options.group(DeterminizeOptions())
    opts, (rspecifier, wspecifier) = options.parse(argv, num_args=2)
    scales = {"acoustic_scale": acoustic_scale(opts)}
    if scales["acoustic_scale"] == 0.0:
        raise OptionError("do not use a zero acoustic scale (cannot be inverted)")
    if not opts.beam >= 0:
        raise OptionError(f"--beam={opts.beam:g}: expected a beam of at least 0")
    limits = opts.make(DeterminizeOptions)

    from sidamo.io.lattice import is_top_sorted, to_lattice, top_sort
    from sidamo.lattice.acoustic import FrameCosts

    counts, depths, warned = Counts(), [0.0, 0.0, 0], 0
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, "lattice"))
        writer = optional_writer(stack, wspecifier, "compact_lattice" if opts.write_compact else "lattice")

        def work(key, lat):
            nonlocal warned
            clat, reached = determinize(scale(lat, **scales), opts.beam, limits, key)
            if clat.start < 0:
                log.warn(f"For key {key}, determinized and trimmed lattice was empty.")
                warned += 1
            elif reached < opts.beam:
                warned += 1
                log.warn(
                    f"For key {key}, effective beam is {reached:g} instead of {opts.beam:g} "
                    "(limited by --max-mem, --max-arcs or --max-states)"
                )
            if opts.minimize and clat.start >= 0:
                from sidamo.lattice.minimize import minimize

                clat = minimize(clat)
            clat = clat if is_top_sorted(clat) else top_sort(clat, key)
            value, frames = depth(clat, key)
            depths[0] += lat.num_arcs
            depths[1] += value * frames
            depths[2] += frames
            if opts.write_compact:
                writer.write(key, unscale(clat, **scales))
            else:
                writer.write(key, FrameCosts(lat, key).put_back(to_lattice(unscale(clat, **scales)), key))
            return True

        each(reader, counts, work)
    if depths[2]:
        log.info(
            f"Average input-lattice depth (measured at at state level) is {depths[0] / depths[2]:g}, "
            f"output depth is {depths[1] / depths[2]:g}, over {depths[2]} frames "
            f"(average num-frames = {depths[2] / max(counts.done, 1):g})."
        )
    log.info(
        f"Done {counts.done} lattices, determinization finished earlier than specified by the beam (or output was empty) on "
        f"{warned} of these."
    )
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
