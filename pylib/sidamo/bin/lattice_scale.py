"""lattice-scale: scale graph and acoustic costs."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, acoustic_scale, add_scales, each, optional_writer, single
from sidamo.io import log
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Apply scaling to lattice weights

Usage: lattice-scale [options] <lattice-rspecifier> <lattice-wspecifier>
 e.g.: lattice-scale --lm-scale=0.0 ark:1.lats ark:scaled.lats"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    add_scales(options, inverse=True)
    options.add("acoustic2lm-scale", 0.0, "Add this times original acoustic costs to LM costs")
    options.add("lm2acoustic-scale", 0.0, "Add this times original LM costs to acoustic costs")
    options.add("write-compact", True, "If true, write in normal (compact) form.")
    opts, (rspecifier, wspecifier) = options.parse(argv, num_args=2)
    scales = {
        "lm_scale": single(opts.lm_scale),
        "acoustic_scale": acoustic_scale(opts),
        "acoustic2lm_scale": single(opts.acoustic2lm_scale),
        "lm2acoustic_scale": single(opts.lm2acoustic_scale),
    }

    from sidamo.lattice.ops import scale

    kind = "compact_lattice" if opts.write_compact else "lattice"
    counts = Counts()
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, kind))
        writer = optional_writer(stack, wspecifier, kind)
        each(reader, counts, lambda key, lat: writer.write(key, scale(lat, **scales)))
    log.info(f"Done {counts.done} lattices, {counts.failed} had errors.")
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
