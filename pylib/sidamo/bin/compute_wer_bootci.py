"""compute-wer-bootci: the WER's 95% confidence interval, and the probability that a second system is better."""

import sys

from sidamo.bin import tool
from sidamo.bin.compute_wer import MODE_HELP, check_mode
from sidamo.io.errors import DataError
from sidamo.io.options import Options
from sidamo.io.tables import RandomAccessReader, SequentialReader

USAGE = """Compute a bootstrapping of WER to extract the 95% confidence interval.
Take a reference and a transcription file, in integer or text format,
and outputs overall WER statistics to standard output along with its
confidence interval using the bootstrap method of Bisani and Ney.
If a second transcription file corresponding to the same reference is
provided, a bootstrap comparison of the two transcription is performed
to estimate the probability of improvement.

Usage: compute-wer-bootci [options] <ref-rspecifier> <hyp-rspecifier> [<hyp2-rspecifier>]
E.g.: compute-wer-bootci --mode=present ark:data/train/text ark:hyp_text
or compute-wer-bootci ark:data/train/text ark:hyp_text ark:hyp_text2
See also: compute-wer"""


BOTH = "in both transcripts comparison is not possible."


def errors_of(refs, tables, mode):
    """Per utterance: reference words, and the errors of each system (a list of equally long tuples)."""
    from sidamo.score.align import edit_counts

    rows = []
    for key, ref in refs:
        present = [key in table for table in tables]
        if not all(present):
            if mode == "strict":
                tail = "and strict mode specifier." if len(tables) == 1 else BOTH
                raise DataError(f"No hypothesis for key {key} {tail}", mend="--mode=all counts it as deletions")
            if mode == "present":
                continue
        hyps = [list(table[key]) if there else [] for table, there in zip(tables, present)]
        rows.append((len(ref), *(edit_counts(list(ref), hyp).errors for hyp in hyps)))
    return rows


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("mode", "strict", MODE_HELP)
    options.add("replications", 10000, "Number of replications to compute the intervals")
    opts, (ref_rspecifier, *hyp_rspecifiers) = options.parse(argv, num_args=(2, 3))
    check_mode(opts.mode)
    hyp_rspecifiers = [name for name in hyp_rspecifiers if name]
    tables = [RandomAccessReader(name, "token_vector") for name in hyp_rspecifiers]
    with SequentialReader(ref_rspecifier, "token_vector") as refs:
        rows = errors_of(refs, tables, opts.mode)

    import numpy as np

    from sidamo.score.bootstrap import GlibcRand, probability_of_improvement, wer_interval
    from sidamo.score.sweep import format_interval
    from sidamo.score.wer import two_digits

    columns = np.array(rows, np.int64).reshape(len(rows), 1 + len(tables)).T
    rand = GlibcRand()
    for number, errors in enumerate(columns[1:], 1):
        mean, half = wer_interval(errors, columns[0], opts.replications, rand)
        sys.stdout.write(format_interval(f"Set{number}", mean, half) + "\n")
    if len(tables) == 2:
        improvement = probability_of_improvement(columns[1], columns[2], opts.replications, rand)
        sys.stdout.write(f"Probability of Set2 improving Set1: {two_digits(np.float32(100) * improvement)}\n")
    return 0
