"""lattice-to-ctm-conf: CTM with word times and confidences from lattice posteriors."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, acoustic_scale, add_scales, each, single
from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.options import Options
from sidamo.io.tables import RandomAccessReader, SequentialReader, is_wspecifier

USAGE = """This tool turns a lattice into a ctm with confidences, based on the posterior probabilities in the lattice.
The word sequence in the ctm is determined as follows. Firstly we determine the initial word sequence. In the
3-argument form, we read it from the <1best-rspecifier> input; otherwise it is the 1-best of the lattice. Then, if
--decode-mbr=true, we iteratively refine the hypothesis using Minimum Bayes Risk decoding. If you don't need
confidences, you can do lattice-1best and pipe to nbest-to-ctm. The ctm this program produces will be relative to the
utterance-id. The times produced by this program will only be meaningful if you do lattice-align-words on the input.

Usage: lattice-to-ctm-conf [options] <lattice-rspecifier> [ <1best-rspecifier> [ <times-rspecifier> ] ] <ctm-wxfilename>
 e.g.: lattice-to-ctm-conf --acoustic-scale=0.1 ark:1.lats 1.ctm
   or: lattice-to-ctm-conf --acoustic-scale=0.1 --decode-mbr=false ark:1.lats ark:1.1best 1.ctm
See also: lattice-mbr-decode, nbest-to-ctm, steps/get_ctm.sh"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    add_scales(options, inverse=True)
    options.add("frame-shift", 0.01, "Time in seconds between frames.")
    options.add("confidence-digits", 2, "Number of decimal digits for the times and the confidence.")
    options.add("decode-mbr", True, "If true, do Minimum Bayes Risk decoding (else, Maximum a Posteriori)")
    options.add(
        "print-silence", False,
        "Keep the inter-word '<eps>' bins in the 1-best output (ctm, <eps> can be a 'silence' or a 'deleted' word)",
    )  # fmt: skip
    opts, args = options.parse(argv, num_args=(2, 4))
    rspecifier, ctm = args[0], args[-1]
    if is_wspecifier(ctm):
        raise DataError(f"the output ctm file should not be a wspecifier, found {ctm}: use names like 1.ctm, not ark:-")
    scales = {"lm_scale": single(opts.lm_scale), "acoustic_scale": acoustic_scale(opts)}

    from sidamo.io.streams import open_wxfilename
    from sidamo.lattice.mbr import MbrOptions, decode
    from sidamo.lattice.ops import scale

    mbr_options = MbrOptions(opts.decode_mbr, opts.print_silence)
    shift, digits = single(opts.frame_shift), max(0, opts.confidence_digits)
    counts, num_words, total_risk = Counts(), 0, 0.0
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, "compact_lattice"))
        one_best = stack.enter_context(RandomAccessReader(args[1], "int_vector")) if len(args) > 2 else None
        starts = stack.enter_context(RandomAccessReader(args[2], "float_pair_vector")) if len(args) > 3 else None
        out = stack.enter_context(open_wxfilename(ctm))

        def work(key, clat):
            nonlocal num_words, total_risk
            if one_best is not None and key not in one_best:
                log.warn(f"No 1-best present for utterance {key}")
                return False
            if starts is not None and key not in starts:
                log.warn(f"No 'times' present for utterance {key}")
                return False
            words = None if one_best is None else one_best[key]
            result = decode(scale(clat, **scales), mbr_options, words=words, key=key)
            for word, (begin, end), confidence in zip(result.words, result.times, result.confidences):
                start, length = single(shift * begin), single(shift * single(end - begin))
                out.write(
                    f"{key} 1 {start:.{digits}f} {length:.{digits}f} {word} "
                    f"{confidence:.{digits}f}\n".encode()
                )
            average = sum(result.confidences) / max(len(result.words), 1)
            log.info(
                f"For utterance {key}, Bayes Risk {result.bayes_risk:g}, avg. confidence per-word {average:g}"
            )
            num_words += len(result.words)
            total_risk += result.bayes_risk
            return True

        each(reader, counts, work)
    log.info(f"Done {counts.done} lattices.")
    if counts.done:
        log.info(
            f"Overall average Bayes Risk per sentence is {total_risk / counts.done:g} and per word, "
            f"{total_risk / max(num_words, 1):g}"
        )
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
