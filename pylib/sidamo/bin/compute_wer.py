"""compute-wer: word and sentence error rates of hypotheses against references."""

import sys

from sidamo.bin import tool
from sidamo.io.errors import DataError, OptionError
from sidamo.io.options import Options
from sidamo.io.tables import RandomAccessReader, SequentialReader

USAGE = """Compute WER by comparing different transcriptions
Takes two transcription files, in integer or text format,
and outputs overall WER statistics to standard output.

Usage: compute-wer [options] <ref-rspecifier> <hyp-rspecifier>
E.g.: compute-wer --text --mode=present ark:data/train/text ark:hyp_text
See also: align-text, compute-wer-bootci"""

MODE_HELP = (
    'Scoring mode: "present"|"all"|"strict":\n'
    '  "present" means score those we have transcriptions for\n'
    '  "all" means treat absent transcriptions as empty\n'
    '  "strict" means die if all in ref not also in hyp'
)


def check_mode(mode: str) -> None:
    if mode not in ("present", "all", "strict"):
        raise OptionError(f'--mode option invalid: expected "present"|"all"|"strict", got {mode}')


@tool
def main(argv=None) -> int:
    from sidamo.score.wer import score_stream

    options = Options(USAGE)
    options.add("mode", "strict", MODE_HELP)
    options.add("text", False, "Deprecated option! Keeping for compatibility reasons.")
    opts, (ref_rspecifier, hyp_rspecifier) = options.parse(argv, num_args=2)
    check_mode(opts.mode)

    def on_absent(key: str) -> None:
        if opts.mode == "strict":
            raise DataError(
                f"No hypothesis for key {key} and strict mode specifier.",
                file=hyp_rspecifier, mend="--mode=all counts it as deletions, --mode=present leaves it out",
            )  # fmt: skip

    with SequentialReader(ref_rspecifier, "token_vector") as refs, RandomAccessReader(
        hyp_rspecifier, "token_vector"
    ) as hyps:
        totals = score_stream(refs, hyps, opts.mode, on_absent)
    sys.stdout.write(totals.format())
    return 0
