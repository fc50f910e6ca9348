"""score-sweep: score a decode directory at every LM weight and penalty (the work behind local/score.sh)."""

from sidamo.bin import tool
from sidamo.io import log
from sidamo.io.errors import DataError, OptionError
from sidamo.io.options import Options

USAGE = """Scores <decode-dir>/scoring_kaldi/penalty_<WIP>/<LMWT>.txt against <decode-dir>/scoring_kaldi/test_filt.txt,
all settings in one process, and writes Kaldi's layout: wer_<LMWT>_<WIP>, cer_<LMWT>_<WIP>, scoring_kaldi/best_wer,
scoring_kaldi/wer_details. A missing hypothesis counts as deletions and is named.

Usage: python3 -m sidamo.bin.score_sweep [options] <utt2spk> <decode-dir>
E.g.: python3 -m sidamo.bin.score_sweep --min-lmwt=7 --max-lmwt=17 data/test/utt2spk exp/tri1/decode_test
See also: local/score.sh, compute-wer"""


def read_utt2spk(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            rows = [line.split() for line in stream]
    except OSError as error:
        raise DataError(f"cannot read: {error.strerror}", file=path) from error
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise DataError(f"found {' '.join(row)!r}, expected <utt> <spk>", file=path, line=number)
    return dict(rows)


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("min-lmwt", 7, "Smallest LM weight (inverse acoustic scale)")
    options.add("max-lmwt", 17, "Largest LM weight")
    options.add("word-ins-penalty", "0.0,0.5,1.0", "Word insertion penalties, separated by commas")
    options.add("wer", True, "Write the word error rates")
    options.add("cer", True, "Write the character error rates")
    options.add("stats", True, "Write the details of the best setting")
    opts, (utt2spk, directory) = options.parse(argv, num_args=2)
    if opts.max_lmwt < opts.min_lmwt:
        raise OptionError(f"--max-lmwt={opts.max_lmwt} is below --min-lmwt={opts.min_lmwt}")

    from sidamo.score.sweep import score_directory, settings

    sweep = settings(opts.min_lmwt, opts.max_lmwt, opts.word_ins_penalty)
    summary, complaints = score_directory(
        directory, read_utt2spk(utt2spk), sweep, wer=opts.wer, cer=opts.cer, stats=opts.stats
    )
    for line in complaints:
        log.warn(line)
    for line in summary:
        print(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
