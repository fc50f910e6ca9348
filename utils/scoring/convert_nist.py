#!/usr/bin/env python3
"""Convert between Kaldi's transcripts and NIST's trn, ctm and stm, and count errors as sclite does.

Reads   transcripts (lines `<utterance> <words>`), data directories, trn, ctm and stm files
Writes  standard output
Example: utils/scoring/convert_nist.py text-to-trn data/test/text > ref.trn
         utils/scoring/convert_nist.py trn-to-text hyp.trn > hyp.txt
         utils/scoring/convert_nist.py data-to-stm data/test > ref.stm       # text, utt2spk; segments, or utt2dur
         utils/scoring/convert_nist.py ctm-to-text data/test exp/mono/decode_test/ctm > hyp.txt
         utils/scoring/convert_nist.py score ref.trn hyp.trn                 # as sclite -i spu_id -s -e utf-8 -o sum
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "pylib"))
from sidamo.io import script  # noqa: E402
from sidamo.io.errors import DataError, SidamoError  # noqa: E402
from sidamo.score import nist  # noqa: E402
from sidamo.score.significance import sclite_operations  # noqa: E402
from sidamo.score.text import read_transcripts  # noqa: E402


def read_map(path: str) -> dict:
    try:
        with open(path, encoding="utf-8") as stream:
            return {fields[0]: fields[1:] for fields in map(str.split, stream) if fields}
    except OSError as error:
        raise DataError(f"cannot read: {error.strerror}", file=path) from error


def turns(data: str) -> list:
    """The utterances of a data directory in time: its segments, or else whole recordings (utt2dur)."""
    if pathlib.Path(data, "segments").exists():
        times = {utt: (row[0], float(row[1]), float(row[2])) for utt, row in read_map(f"{data}/segments").items()}
    else:
        times = {utt: (utt, 0.0, float(row[0])) for utt, row in read_map(f"{data}/utt2dur").items()}
    utt2spk = {utt: row[0] for utt, row in read_map(f"{data}/utt2spk").items()}
    return nist.turns_of_data(read_transcripts(f"{data}/text").words, times, utt2spk)


def ctm_to_text(data: str, ctm: str) -> list[str]:
    """Words of a ctm under the utterances in whose time they fall."""
    text = read_transcripts(f"{data}/text").words
    listed = turns(data)
    words = nist.read_ctm(ctm)
    channels = {(turn.recording, turn.channel) for turn in listed}
    words = [w if (w.recording, w.channel) in channels else w._replace(channel="1") for w in words]
    placed = nist.words_in_turns(words, listed)
    lost = sum(len(words) for key, words in placed.items() if key[2] is None)
    if lost:
        print(f"convert_nist.py: {lost} words of {ctm} are in no utterance of {data}: left out", file=sys.stderr)
    return [" ".join([u, *placed[t.recording, t.channel, t.start]]) for u, t in zip(text, listed)]


def score(ref: str, hyp: str) -> list[str]:
    """sclite's summary: one row a speaker (the part of the name before the last - or _), then the sum."""
    refs, hyps = nist.read_trn(ref), nist.read_trn(hyp)
    missing = [utt for utt in refs if utt not in hyps]
    if missing:
        print(f"convert_nist.py: {hyp} lacks {len(missing)} utterances, the first is {missing[0]}: all words count as "
              "deletions (sclite leaves them out)", file=sys.stderr)  # fmt: skip
    rows: dict = {}
    for utt, words in refs.items():
        ops = sclite_operations(words, hyps.get(utt, []))
        speaker = utt[: max(utt.rfind("-"), utt.rfind("_"), 0)] or utt
        for name in (speaker, "Sum"):
            row = rows.setdefault(name, [0] * 8)
            counts = [1, len(words), *(ops.count(x) for x in "CSDI"), len(ops) - ops.count("C"), ops.strip("C") != ""]
            rows[name] = [a + b for a, b in zip(row, counts)]
    rows["Sum"] = rows.pop("Sum", [0] * 8)
    width = max(map(len, [*rows, "SPKR"]))
    lines = [f"{'SPKR':<{width}}  # Snt  # Wrd   Corr    Sub    Del    Ins    Err  S.Err"]
    lines += [f"{name:<{width}} " + "".join(f"{value:7d}" for value in row) for name, row in rows.items()]
    snt, wrd, *counts, err, serr = rows["Sum"]
    shares = [100 * x / wrd if wrd else 0.0 for x in (*counts, err)] + [100 * serr / snt if snt else 0.0]
    return [*lines, f"{'Sum/Avg':<{width}} {snt:7d}{wrd:7d}" + "".join(f"{x:7.1f}" for x in shares)]


def main() -> int:
    parser = script.argument_parser(__doc__)
    commands = {
        "text-to-trn": ("text", lambda a: nist.trn_lines(read_transcripts(a.text).words)),
        "trn-to-text": ("trn", lambda a: (" ".join([u, *w]) for u, w in sorted(nist.read_trn(a.trn).items()))),
        "data-to-stm": ("data", lambda a: nist.stm_lines(turns(a.data))),
        "ctm-to-text": ("data ctm", lambda a: ctm_to_text(a.data, a.ctm)),
        "score": ("ref hyp", lambda a: score(a.ref, a.hyp)),
    }
    choices = parser.add_subparsers(dest="command", required=True)
    for name, (arguments, _) in commands.items():
        choice = choices.add_parser(name)
        for argument in arguments.split():
            choice.add_argument(argument)
    args = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    for line in commands[args.command][1](args):
        print(line)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SidamoError as error:
        sys.exit(f"convert_nist.py: {error}")
    except BrokenPipeError:
        sys.exit(1)
