"""nbest-to-ctm: word times of linear, word-aligned lattices."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import Counts, each, single
from sidamo.io import log
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Takes as input lattices which must be linear (single path), and must be in CompactLattice form where the
transition-ids on the arcs have been aligned with the word boundaries... typically the input will be a lattice that
has been piped through lattice-1best and then lattice-align-words. It outputs ctm format (with integers in place of
words), assuming the frame length is 0.01 seconds by default (change this with the --frame-shift option).
Note: the output is in the form <utterance-id> 1 <begin-time> <duration> <word-id>
and the times are relative to start of the utterance.

Usage: nbest-to-ctm [options] <aligned-linear-lattice-rspecifier> <ctm-wxfilename>
 e.g.: lattice-1best --acoustic-scale=0.08333 ark:1.lats ark:- | \\
       lattice-align-words data/lang/phones/align_lexicon.int ark:- ark:- | nbest-to-ctm ark:- 1.ctm"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("frame-shift", 0.01, "Time in seconds between frames.")
    options.add(
        "precision", 2,
        "Number of decimal places for start duration times (note: a higher value than this is used where --frame-shift "
        "is too small for it)",
    )  # fmt: skip
    options.add("print-silence", False, "If true, print optional-silence (<eps>) arcs")
    opts, (rspecifier, ctm) = options.parse(argv, num_args=2)
    shift, precision = single(opts.frame_shift), opts.precision
    # Kaldi compares a float32 0.01, which is less than 0.01: its default gives three decimals.
    if shift < 0.01 and precision <= 2:
        precision = 3
    if shift < 0.001 and precision <= 3:
        precision = 4

    from sidamo.io.streams import open_wxfilename
    from sidamo.lattice.ctm import word_alignment

    counts = Counts()
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, "compact_lattice"))
        out = stack.enter_context(open_wxfilename(ctm))

        def work(key, clat):
            for word, begin, length in word_alignment(clat, key):
                if word != 0 or opts.print_silence:
                    start, duration = single(shift * begin), single(shift * length)
                    out.write(f"{key} 1 {start:.{precision}f} {duration:.{precision}f} {word}\n".encode())

        each(reader, counts, work)
    log.info(f"Converted {counts.done} linear lattices to ctm format; {counts.failed} had errors.")
    return counts.status()


if __name__ == "__main__":
    raise SystemExit(main())
