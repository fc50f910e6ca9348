"""compute-wer: word and sentence error rates of hypotheses against references."""

import sys

from sidamo.bin import tool
from sidamo.io import log
from sidamo.io.errors import DataError, OptionError
from sidamo.io.options import Options
from sidamo.io.tables import RandomAccessReader, SequentialReader, parse_rspecifier

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


def read_hypotheses(rspecifier: str):
    """The table of hypotheses, and its keys (None where they cannot be listed: scp, or options that promise order)."""
    specifier = parse_rspecifier(rspecifier)
    if specifier is None or not specifier.archive or specifier.sorted or specifier.called_sorted or specifier.once:
        return RandomAccessReader(rspecifier, "token_vector"), None
    table: dict = {}
    with SequentialReader(rspecifier, "token_vector") as reader:
        for key, words in reader:
            if key in table:
                raise DataError(f"key {key} occurs twice", file=rspecifier, key=key, mend="sort -u -k1,1")
            table[key] = words
    return table, list(table)


@tool
def main(argv=None) -> int:
    from sidamo.score.text import named
    from sidamo.score.wer import score_stream

    options = Options(USAGE)
    options.add("mode", "strict", MODE_HELP)
    options.add("text", False, "Deprecated option! Keeping for compatibility reasons.")
    opts, (ref_rspecifier, hyp_rspecifier) = options.parse(argv, num_args=2)
    check_mode(opts.mode)

    absent, scored = [], set()

    def on_absent(key: str) -> None:
        absent.append(key)
        if opts.mode == "strict":
            raise DataError(
                f"No hypothesis for key {key} and strict mode specifier.",
                file=hyp_rspecifier, mend="--mode=all counts it as deletions, --mode=present leaves it out",
            )  # fmt: skip

    def watched(references):
        for key, words in references:
            scored.add(key)
            yield key, words

    hyps, keys = read_hypotheses(hyp_rspecifier)
    with SequentialReader(ref_rspecifier, "token_vector") as refs:
        totals = score_stream(watched(refs), hyps, opts.mode, on_absent)
    if absent:
        meaning = "counted as deletions" if opts.mode == "all" else "not scored"
        log.warn(named(absent, "utterance has", "utterances have", f"no hypothesis ({meaning})"))
    extra = [key for key in keys or () if key not in scored]
    if extra:
        log.warn(named(extra, "hypothesis has", "hypotheses have", "no reference (not scored)"))
    sys.stdout.write(totals.format())
    return 0
