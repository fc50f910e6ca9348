"""latgen-faster: a lattice of each utterance; latgen-faster-mapped is the same with Kaldi's model argument."""

from sidamo.bin import tool
from sidamo.bin.decode_faster import Tally, add_common_options, print_words, read_graph, read_words
from sidamo.io import log
from sidamo.io.errors import CheckFailed
from sidamo.io.options import Options

USAGE = """Generate lattices, reading log-likelihoods (of token labels: column v is label v + 1) as matrices.

Usage: latgen-faster [options] <fst-in> <loglikes-rspecifier> <lattice-wspecifier> \\
          [<words-wspecifier> [<alignments-wspecifier>]]
E.g.: latgen-faster --acoustic-scale=1.0 --beam=13 --lattice-beam=8 TLG.fst scp:loglikes.scp "ark:|gzip -c >lat.1.gz"
See also: decode-faster, lattice-best-path"""


def make_options(usage: str) -> Options:
    from sidamo.decode.options import LatticeOptions

    options = Options(usage)
    add_common_options(options)
    options.add("allow-partial", False, "If true, produce output even if end state was not reached.")
    options.add("determinize-lattice", True, "If true, determinize the lattice (one path for each word sequence)")
    options.add("post-decode-acwt", 1.0, "Factor of the acoustic costs as written (10 where scoring sweeps LMWT 7..17)")
    options.add("prune-scale", 0.1, "Kaldi's measure of how exact pruning on the way is; it is exact here")
    options.add("memory-pool-tokens-block-size", 256, "Kaldi's memory pools; have no effect here")
    options.add("memory-pool-links-block-size", 256, "Kaldi's memory pools; have no effect here")
    options.add("phone-determinize", True, "Kaldi's first pass over phones; labels are tokens here, one pass does")
    options.add("word-determinize", True, "If true, determinize on words (the pass that is made here)")
    options.add("minimize", False, "If true, push and minimize after determinization")
    options.add("delta", 1.0 / 1024.0, "Tolerance used in determinization")
    options.add("max-mem", 50000000, "Maximum approximate memory usage in determinization (bytes)")
    options.group(LatticeOptions())
    return options


def determinizer(opts, lattice_beam: float):
    """Function (raw lattice, key) -> what is written: a CompactLattice, or the raw one where that is asked for."""
    if not opts.determinize_lattice:
        return lambda lat, key: lat
    from sidamo.io.lattice import is_top_sorted, top_sort
    from sidamo.lattice.determinize import DeterminizeOptions, determinize

    limits = DeterminizeOptions(delta=opts.delta, max_mem=opts.max_mem)

    def finish(lat, key):
        clat, reached = determinize(lat, lattice_beam, limits, key, as_decoded=True)
        if reached < lattice_beam:
            log.warn(
                f"Determinization finished earlier than the beam for utterance {key} (at {reached:.3g} of "
                f"{lattice_beam:g}); --max-mem allows more"
            )
        if opts.minimize:
            from sidamo.lattice.minimize import minimize

            clat = minimize(clat)
        return clat if is_top_sorted(clat) else top_sort(clat, key)

    return finish


@tool
def main(argv=None) -> int:
    opts, args = make_options(USAGE).parse(argv, num_args=(3, 5))
    return run(opts, args)


def run(opts, args) -> int:
    """Decode with parsed options; args: graph, log-likelihoods, lattices[, words[, alignments]]."""
    from contextlib import ExitStack

    from sidamo.decode.options import LatticeOptions
    from sidamo.decode.parallel import in_order
    from sidamo.decode.search import BadMatrix
    from sidamo.io.tables import SequentialReader, Writer

    pruning = opts.make(LatticeOptions)
    if not 0.0 < opts.prune_scale < 1.0:
        raise CheckFailed(f"--prune-scale={opts.prune_scale:g}: must be between 0 and 1 (Kaldi asserts it)")
    table, hot = read_words(opts)
    graph, search_kind = read_graph(opts, args[0])
    finish = determinizer(opts, pruning.lattice_beam)
    kind = "compact_lattice" if opts.determinize_lattice else "lattice"
    tally = Tally()

    def make_worker():
        search = search_kind(graph, pruning, opts.acoustic_scale, hot)

        def work(key, loglikes):
            if len(loglikes) == 0:
                return key, 0, None, None, f"Zero-length utterance: {key}"
            search.reset()
            try:
                search.advance(loglikes)
            except BadMatrix as e:
                return key, len(loglikes), None, None, f"Utterance {key} cannot be decoded: {e}"
            if not opts.allow_partial and not search.reached_final:
                problem = (
                    f"Not producing output for utterance {key} since no final-state reached and --allow-partial=false."
                )
                return key, len(loglikes), None, None, problem
            path = search.best_path()
            lattice = search.raw_lattice(opts.acoustic_scale)
            lattice = finish(lattice, key)
            scale = opts.post_decode_acwt / opts.acoustic_scale if opts.acoustic_scale != 0 else 1.0
            if scale != 1.0:
                lattice.acoustic_cost = lattice.acoustic_cost * scale
                lattice.final_acoustic = lattice.final_acoustic * scale
            return key, len(loglikes), path, lattice, ""

        return work

    with ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(args[1], "matrix"))
        lattices_out = stack.enter_context(Writer(args[2], kind))
        words_out = stack.enter_context(Writer(args[3], "int_vector")) if len(args) > 3 and args[3] else None
        labels_out = stack.enter_context(Writer(args[4], "int_vector")) if len(args) > 4 and args[4] else None
        for key, num_frames, path, lattice, problem in in_order(reader, make_worker, opts.num_threads):
            if path is None:
                log.warn(problem)
                tally.failed += 1
                continue
            if not path.reached_final:
                log.warn(f"Outputting partial output for utterance {key} since no final-state reached")
            if words_out is not None:
                words_out.write(key, path.words)
            if labels_out is not None:
                labels_out.write(key, path.labels)
            print_words(key, path.words, table)
            lattices_out.write(key, lattice)
            tally.add(key, path, opts.acoustic_scale, num_frames)
    return tally.close()
