"""lattice-to-nbest: the n best paths of each lattice as linear lattices utt-1, utt-2, ..."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, add_scales, each, nonzero_scales, optional_writer
from sidamo.io import log
from sidamo.io.errors import CheckFailed
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Work out N-best paths in lattices and write out as FSTs
Note: only guarantees distinct word sequences if distinct paths in
input lattices had distinct word-sequences (this will not be true if
you produced lattices with --determinize-lattice=false, i.e. state-level
lattices).

Usage: lattice-to-nbest [options] <lattice-rspecifier> <lattice-wspecifier>
 e.g.: lattice-to-nbest --acoustic-scale=0.1 --n=10 ark:1.lats ark:nbest.lats"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    add_scales(options, inverse=True)
    options.add("n", 1, "Number of distinct paths")
    options.add("random", False, "If true, generate n random paths instead of n-best paths")
    options.add("srand", 0, "Seed for random number generator (only relevant if --random=true)")
    opts, (rspecifier, wspecifier) = options.parse(argv, num_args=2)
    scales = nonzero_scales(opts)
    if opts.n <= 0:
        raise CheckFailed(f"--n={opts.n}: expected a positive number of paths")

    from sidamo.lattice.nbest import nbest_paths, path_lattices, random_paths
    from sidamo.lattice.ops import scale, unscale

    if opts.random:
        import numpy as np

        rng = np.random.default_rng(opts.srand)
    counts, num_paths = Counts(), 0
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, "compact_lattice"))
        writer = optional_writer(stack, wspecifier, "compact_lattice")

        def work(key, clat):
            nonlocal num_paths
            scaled = scale(clat, **scales)
            paths = random_paths(scaled, opts.n, rng, key) if opts.random else nbest_paths(scaled, opts.n, key)
            if not paths:
                log.warn(f"Possibly empty lattice for utterance-id {key} (no N-best entries)")
                return False
            for k, linear in enumerate(path_lattices(paths, opts.n), 1):
                writer.write(f"{key}-{k}", unscale(linear, **scales))
            num_paths += len(paths)
            return True

        each(reader, counts, work)
    log.info(
        f"Done applying N-best algorithm to {counts.done} lattices with n = {opts.n}, average actual #paths is "
        f"{num_paths / max(counts.done, 1):g}"
    )
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
