"""lattice-best-path: words and alignments of the best path through each lattice."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import (
    Counts,
    acoustic_scale,
    add_scales,
    each,
    nonzero_scales,
    optional_writer,
    print_words,
    read_symbols,
    single,
)
from sidamo.io import log
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Generate 1-best path through lattices; output as transcriptions and alignments

Usage: lattice-best-path [options] <lattice-rspecifier> [ <transcriptions-wspecifier> [ <alignments-wspecifier>] ]
 e.g.: lattice-best-path --acoustic-scale=0.1 ark:1.lats 'ark,t:|int2sym.pl -f 2- words.txt > text' ark:1.ali"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    add_scales(options, inverse=True)
    options.add("word-symbol-table", "", "Symbol table for words [for debug output]")
    options.add("write-lattices", "", "If supplied, write 1-best path as lattices to this wspecifier")
    opts, args = options.parse(argv, num_args=(1, 3))
    rspecifier, words_to, alignments_to = (args + ["", ""])[:3]
    scales = {"lm_scale": single(opts.lm_scale), "acoustic_scale": acoustic_scale(opts)}
    if opts.write_lattices:
        scales = nonzero_scales(opts)
    symbols = read_symbols(opts.word_symbol_table)

    from sidamo.lattice.ops import best_path, scale, unscale

    counts, frames, total = Counts(), 0, [0.0, 0.0]
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, "compact_lattice"))
        words_out = optional_writer(stack, words_to, "int_vector")
        alignments_out = optional_writer(stack, alignments_to, "int_vector")
        lattices_out = optional_writer(stack, opts.write_lattices, "compact_lattice")

        def work(key, clat):
            nonlocal frames
            path = best_path(scale(clat, **scales), key)
            if path is None:
                log.warn(f"Best-path failed for key {key}: no path reaches a final state")
                return False
            words, alignment = path.words, path.alignment
            log.info(
                f"For utterance {key}, best cost {path.graph_cost:g} + {path.acoustic_cost:g} = "
                f"{path.graph_cost + path.acoustic_cost:g} over {len(alignment)} frames."
            )
            if symbols is not None:
                print_words(words, symbols, key)
            if words_out is not None:
                words_out.write(key, words)
            if alignments_out is not None:
                alignments_out.write(key, alignment)
            if lattices_out is not None:
                lattices_out.write(key, unscale(path.to_compact(), **scales))
            frames += len(alignment)
            total[0] += path.graph_cost
            total[1] += path.acoustic_cost
            return True

        each(reader, counts, work)
    if frames:
        graph, acoustic = total[0] / frames, total[1] / frames
        log.info(
            f"Overall cost per frame is {graph + acoustic:g} = {graph:g} [graph] + {acoustic:g} [acoustic] "
            f"over {frames} frames."
        )
    log.info(f"Done {counts.done} lattices, failed for {counts.failed}")
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
