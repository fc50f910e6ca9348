"""lattice-lmrescore: add the costs of a grammar FST to lattices."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, each, optional_writer, single
from sidamo.io import log
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Add lm_scale * [cost of best path through LM FST] to graph-cost of paths through lattice. Does this by
composing with LM FST, then lattice-determinizing (it has to negate weights first if lm_scale<0)

Usage: lattice-lmrescore [options] <lattice-rspecifier> <lm-fst-in> <lattice-wspecifier>
 e.g.: lattice-lmrescore --lm-scale=-1.0 ark:in.lats 'fstproject --project_type=output data/lang/G.fst|' ark:out.lats"""


def add_options(options) -> None:
    """Options of all rescoring tools."""
    options.add("lm-scale", 1.0, "Scaling factor for language model costs; frequently 1.0 or -1.0")
    options.add("write-compact", True, "If true, write in normal (compact) form.")
    options.add(
        "determinize", True,
        "If false, then the output will retain all the non-deterministic paths in the original lattice, "
        "but rescored with LM score from the best path in the LM",
    )  # fmt: skip


def rescore(rspecifier: str, wspecifier: str, model, opts) -> int:
    """The loop over lattices; returns the exit status."""
    from sidamo.io.lattice import to_compact, to_lattice
    from sidamo.lattice.acoustic import FrameCosts
    from sidamo.lattice.rescore import add_lm_cost

    lm_scale, counts = single(opts.lm_scale), Counts()
    kind = "compact_lattice" if opts.write_compact else "lattice"
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, kind))
        writer = optional_writer(stack, wspecifier, kind)

        def work(key, lat):
            if lm_scale == 0.0:
                writer.write(key, lat)
                return True
            clat = lat if opts.write_compact else to_compact(lat)
            rescored = add_lm_cost(clat, model, lm_scale, determinize=opts.determinize, key=key)
            if rescored.start < 0:
                log.warn(f"Empty lattice for utterance {key} (incompatible LM?)")
                return False
            writer.write(key, rescored if opts.write_compact else FrameCosts(lat, key).put_back(to_lattice(rescored), key))
            return True

        each(reader, counts, work)
    log.info(f"Done {counts.done} lattices, failed for {counts.failed}")
    return counts.status()


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    add_options(options)
    options.add("num-states-cache", 50000, "Accepted as in Kaldi; has no effect here.")
    opts, (rspecifier, fst_rxfilename, wspecifier) = options.parse(argv, num_args=3)

    from sidamo.io.errors import DataError
    from sidamo.io.fst import read_fst
    from sidamo.io.streams import open_rxfilename
    from sidamo.lattice.compose import Grammar

    with open_rxfilename(fst_rxfilename) as f:
        fst = read_fst(f.read())
    if fst.num_states == 0 or fst.start < 0:
        raise DataError("the LM FST is empty", file=fst_rxfilename)
    return rescore(rspecifier, wspecifier, Grammar(fst), opts)


if __name__ == "__main__":
    raise SystemExit(main())
