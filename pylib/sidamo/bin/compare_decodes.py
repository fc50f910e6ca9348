"""compare-decodes: where two systems differ, utterance by utterance, worst first (the work behind utils/compare.sh)."""

import os

from sidamo.bin import tool
from sidamo.io.errors import DataError
from sidamo.io.options import Options

USAGE = """Prints the utterances that two decode directories recognize differently, those where the second is worse
first: errors of both, then reference and hypotheses one below the other (errors in capitals, *** for no word).

Usage: python3 -m sidamo.bin.compare_decodes [options] <decode-a> <decode-b>
E.g.: python3 -m sidamo.bin.compare_decodes --max=20 exp/mono/decode_test exp/tri/decode_test
See also: utils/compare.sh, utils/score_batch.sh"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("max", 0, "Print at most this many utterances; 0: all")
    opts, names = options.parse(argv, num_args=2)

    from sidamo.score.batch import best_setting, compare, summarize
    from sidamo.score.differences import differences, three_lines
    from sidamo.score.tables import probability
    from sidamo.score.text import read_transcripts

    names = [name.rstrip("/") for name in names]
    summaries = [summarize(name) for name in names]
    if summaries[0][0].reference != summaries[1][0].reference:
        raise DataError(f"{names[0]} and {names[1]} were scored on different references", mend="local/score.sh on both")
    refs = read_transcripts(os.path.join(names[0], "scoring_kaldi", "test_filt.txt")).words
    hyps = []
    for name in names:
        lmwt, wip = best_setting(name)
        hyps.append(read_transcripts(os.path.join(name, "scoring_kaldi", f"penalty_{wip}", f"{lmwt}.txt")).words)
    rows = differences(refs, *hyps)
    for utt, first, second in rows[: opts.max or None]:
        print(f"{utt}  errors {first} -> {second}")
        lines = three_lines(refs[utt], hyps[0].get(utt, []), hyps[1].get(utt, []))
        for label, line in zip(("ref", " a ", " b "), lines):
            print(f"  {label} {line}".rstrip())
    worse, better = sum(b > a for _, a, b in rows), sum(b < a for _, a, b in rows)
    print(f"{len(rows)} of {len(refs)} utterances differ: b is worse in {worse}, better in {better}")
    for label, name, (summary, *_) in zip("ab", names, summaries):
        print(f"{label}: %WER {summary.wer:.2f} {name}" if summary.wer is not None else f"{label}: {name}")
    test = compare(summaries[0][1], summaries[1][1])
    print(f"matched pairs: z = {test['z']:.2f}, {probability(test['p'])} ({test['segments']} segments)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
