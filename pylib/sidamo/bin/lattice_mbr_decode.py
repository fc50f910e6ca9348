"""lattice-mbr-decode: minimum Bayes risk decoding of lattices, with sausages."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import (
    Counts,
    acoustic_scale,
    add_scales,
    each,
    optional_writer,
    print_words,
    read_symbols,
    single,
)
from sidamo.io import log
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Do Minimum Bayes Risk decoding (decoding that aims to minimize the expected word error rate).
Possible outputs include the 1-best path (i.e. the word-sequence, as a sequence of ints per utterance),
the computed Bayes Risk for each utterance, and the sausage stats as (for each utterance)
[ word posterior word posterior ... ] [ ... ], one list per bin, word 0 for no word.
times-wspecifier writes pairs of (start-time, end-time) in frames, for each sausage position, or for
each one-best entry if --one-best-times=true.
Note: use ark:/dev/null or the empty string for unwanted outputs.
Note: times will only be very meaningful if you first use lattice-align-words.
If you need ctm-format output, don't use this program but use lattice-to-ctm-conf with --decode-mbr=true.

Usage: lattice-mbr-decode [options] <lattice-rspecifier> <transcriptions-wspecifier>
                          [ <bayes-risk-wspecifier> [ <sausage-stats-wspecifier> [ <times-wspecifier> ] ] ]
 e.g.: lattice-mbr-decode --acoustic-scale=0.1 ark:1.lats ark,t:1.tra ark:/dev/null ark:1.sau"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    add_scales(options, inverse=True)
    options.add("word-symbol-table", "", "Symbol table for words [for debug output]")
    options.add("one-best-times", False, "If true, output times corresponding to one-best, not whole sausage.")
    options.add("decode-mbr", True, "If true, do Minimum Bayes Risk decoding (else, Maximum a Posteriori)")
    options.add("print-silence", False, "Keep the inter-word '<eps>' bins in the 1-best output")
    opts, args = options.parse(argv, num_args=(2, 5))
    rspecifier, words_to, risk_to, sausage_to, times_to = (args + [""] * 3)[:5]
    scales = {"lm_scale": single(opts.lm_scale), "acoustic_scale": acoustic_scale(opts)}
    symbols = read_symbols(opts.word_symbol_table)

    from sidamo.lattice.mbr import MbrOptions, decode
    from sidamo.lattice.ops import scale

    mbr_options = MbrOptions(opts.decode_mbr, opts.print_silence)
    counts, num_words, total_risk = Counts(), 0, 0.0
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, "compact_lattice"))
        kinds = ("int_vector", "float", "posterior", "float_pair_vector")
        targets = (words_to, risk_to, sausage_to, times_to)
        writers = [optional_writer(stack, target, kind) for target, kind in zip(targets, kinds)]

        def work(key, clat):
            nonlocal num_words, total_risk
            result = decode(scale(clat, **scales), mbr_options, key=key)
            times = result.times if opts.one_best_times else result.sausage_times
            values = (result.words, result.bayes_risk, result.sausage, times)
            for writer, value in zip(writers, values):
                if writer is not None:
                    writer.write(key, value)
            if symbols is not None:
                print_words(result.words, symbols, key)
            num_words += len(result.words)
            total_risk += result.bayes_risk

        each(reader, counts, work)
    log.info(f"Done {counts.done} lattices, {counts.failed} failed.")
    if counts.done:
        log.info(
            f"Average Bayes Risk per sentence is {total_risk / counts.done:g} and per word, "
            f"{total_risk / max(num_words, 1):g}"
        )
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
