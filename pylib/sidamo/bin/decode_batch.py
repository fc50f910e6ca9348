"""decode-batch: best paths as decode-faster's, of many utterances at a time, on a GPU."""

from sidamo.bin import tool
from sidamo.bin.decode_faster import Tally, write_path
from sidamo.io.options import Options

USAGE = """Decode batches of utterances in step, every arc of the graph at every frame: for a GPU and graphs of up to some
million arcs (decode-faster is for all others, and faster without a GPU). Log-likelihoods and outputs are decode-faster's.

Usage: decode-batch [options] <fst-in> <loglikes-rspecifier> <words-wspecifier> [<alignments-wspecifier>]
E.g.: decode-batch --acoustic-scale=1.0 --use-gpu=yes TLG.fst scp:loglikes.scp ark,t:words.int
See also: decode-faster"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("acoustic-scale", 0.1, "Scaling factor for acoustic likelihoods")
    options.add("beam", 16.0, "Decoding beam: of it depends what is found, but not how long it takes")
    options.add("allow-partial", True, "Produce output even when final state was not reached")
    options.add("word-symbol-table", "", "Symbol table for words [for debug output]")
    options.add("max-mem", 2_000_000_000, "Bytes of back-pointers: a batch has as many utterances as fit, at most 32")
    options.add("use-gpu", "auto", "auto | yes | no")
    options.add("num-threads", 1, "threads on a CPU")
    opts, args = options.parse(argv, num_args=(3, 4))

    from contextlib import ExitStack

    import numpy as np

    from sidamo.am.batch_decoder import BatchDecoder
    from sidamo.am.loglikes import in_batches
    from sidamo.am.parallel import join
    from sidamo.io import log
    from sidamo.io.fst import read_fst
    from sidamo.io.symbols import SymbolTable
    from sidamo.io.tables import SequentialReader, Writer

    table = SymbolTable.read(opts.word_symbol_table) if opts.word_symbol_table else None
    decoder = BatchDecoder(read_fst(args[0]), join(opts.use_gpu, opts.num_threads).device, opts.acoustic_scale, opts.beam)
    room = opts.max_mem // (4 * decoder.fst.num_states)  # frames of a batch, padded
    tally = Tally()

    def fit_to_decode(reader):
        for key, matrix in reader:
            if len(matrix) and np.all(matrix < np.inf):
                yield key, matrix
                continue
            what = "cannot be decoded: not all numbers are below inf" if len(matrix) else "has no frames"
            log.warn(f"Utterance {key} {what}")
            tally.failed += 1

    with ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(args[1], "matrix"))
        words_out = stack.enter_context(Writer(args[2], "int_vector"))
        labels_out = stack.enter_context(Writer(args[3], "int_vector")) if len(args) > 3 else None
        for batch in in_batches(fit_to_decode(reader), room):
            paths = decoder.decode([matrix for _, matrix in batch])
            for (key, matrix), path in zip(batch, paths, strict=True):
                if path is None or not (path.reached_final or opts.allow_partial):
                    log.warn(f"Did not successfully decode utterance {key}, len = {len(matrix)}")
                    tally.failed += 1
                    continue
                write_path(key, path, words_out, labels_out, table)
                tally.add(key, path, opts.acoustic_scale, len(matrix))
    return tally.close()
