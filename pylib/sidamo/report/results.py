"""Read what scoring and training left behind, in the form in which the page wants it.

Everything here is optional: a file that is absent gives an empty result, and the page then says what is missing.
"""

from __future__ import annotations

import glob
import math
import os
import re
from collections import Counter

from sidamo.io.errors import DataError

WER_LINE = re.compile(
    r"%(?:WER|SER) +(\S+) +\[ *(\d+) */ *(\d+)(?:, *(\d+) +ins, *(\d+) +del, *(\d+) +sub)? *\]"
)
GAP = "***"  # "no word" in wer_details
TOP = 50  # rows of the tables of most frequent errors


def read_lines(path: str) -> list[str]:
    """Lines of a UTF-8 file, or none where it is absent."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read().split("\n")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return []


def read_word(path: str) -> str:
    """The first word of a file, or nothing."""
    words = " ".join(read_lines(path)[:1]).split()
    return words[0] if words else ""


def read_table(path: str) -> list[dict[str, str]]:
    """A tab-separated table with a header, one dict per row."""
    rows = [line.split("\t") for line in read_lines(path) if line.strip()]
    if not rows:
        return []
    head = rows[0]
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(head):
            raise DataError(f"found {len(row)} columns, expected {len(head)} as in line 1", file=path, line=number)
    return [dict(zip(head, row)) for row in rows[1:]]


def number(text: str) -> float | None:
    """A finite number, or None for anything else (JSON knows no nan)."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def learning_curve(path: str) -> dict:
    """`log/curve.tsv` as columns: {"epoch": [...], "train_loss": [...], ...}; None where a cell holds no number."""
    rows = read_table(path)
    return {name: [number(row[name]) for row in rows] for name in rows[0]} if rows else {}


def sweep(decode: str, kind: str) -> list[dict]:
    """All `wer_<LMWT>_<WIP>` files of a decode directory (kind "wer" or "cer"), as points of the sweep."""
    points = []
    for path in glob.glob(os.path.join(glob.escape(decode), f"{kind}_*_*")):
        lmwt, _, wip = os.path.basename(path)[len(kind) + 1 :].partition("_")
        if number(lmwt) is None or number(wip) is None:
            continue
        found = [match for match in map(WER_LINE.search, read_lines(path)) if match]
        if not found:
            raise DataError("no %WER line", file=path, mend="score again: local/score.sh")
        rate, errors, words, ins, dels, sub = found[0].groups()
        points.append(
            {
                "lmwt": lmwt, "wip": wip, "rate": number(rate), "errors": int(errors), "words": int(words),
                "ins": int(ins), "del": int(dels), "sub": int(sub),
                "ser": number(found[1].group(1)) if len(found) > 1 else None,
                "sentences": int(found[1].group(3)) if len(found) > 1 else None,
            }
        )  # fmt: skip
    return sorted(points, key=lambda point: (float(point["wip"]), float(point["lmwt"])))


def utterances(per_utt: str, utt2spk: dict[str, str]) -> list[dict]:
    """Alignments from a per_utt file: {"u": utterance, "s": speaker, "r": ref words, "h": hyp words, "o": letters}.

    `r` and `h` are equally long lists of words joined by blanks, `***` where there is none; `o` has a letter for each.
    """
    rows: dict[str, dict[str, list[str]]] = {}
    for line in read_lines(per_utt):
        fields = line.split()
        if len(fields) >= 2 and fields[1] in ("ref", "hyp", "op"):
            rows.setdefault(fields[0], {})[fields[1]] = fields[2:]
    out = []
    for utt, row in rows.items():
        ref, hyp, ops = (row.get(name, []) for name in ("ref", "hyp", "op"))
        if not len(ref) == len(hyp) == len(ops):
            raise DataError("ref, hyp and op differ in length", file=per_utt, key=utt, mend="local/score.sh")
        out.append({"u": utt, "s": utt2spk.get(utt, ""), "r": " ".join(ref), "h": " ".join(hyp), "o": "".join(ops)})
    return out


def confusions(utts: list[dict]) -> dict:
    """The most frequent errors: substituted pairs, missed words, inserted words, and how often each word was right."""
    pairs, missed, inserted, total = Counter(), Counter(), Counter(), Counter()
    for utt in utts:
        for ref, hyp, op in zip(utt["r"].split(), utt["h"].split(), utt["o"]):
            if op != "I":
                total[ref] += 1
            if op == "S":
                pairs[ref, hyp] += 1
            elif op == "D":
                missed[ref] += 1
            elif op == "I":
                inserted[hyp] += 1
    wrong = missed + Counter()
    for (ref, _), count in pairs.items():
        wrong[ref] += count
    return {
        "substitutions": [[ref, hyp, count, total[ref]] for (ref, hyp), count in pairs.most_common(TOP)],
        "missed": [[ref, count, total[ref]] for ref, count in wrong.most_common(TOP)],
        "inserted": [[hyp, count] for hyp, count in inserted.most_common(TOP)],
        "vocabulary": len(total),
    }


def totals(utts: list[dict]) -> dict:
    """Counts over utterances: sentences, words, correct, sub, ins, del, wrong sentences."""
    letters = Counter("".join(utt["o"] for utt in utts))
    wrong = sum(utt["o"].strip("C") != "" for utt in utts)
    c, s, i, d = (letters[x] for x in "CSID")
    return {"sent": len(utts), "words": c + s + d, "c": c, "s": s, "i": i, "d": d, "wrong": wrong}


def by_speaker(utts: list[dict]) -> list[dict]:
    groups: dict[str, list[dict]] = {}
    for utt in utts:
        groups.setdefault(utt["s"], []).append(utt)
    return [{"name": name, **totals(group)} for name, group in sorted(groups.items())]


def by_length(utts: list[dict], most_groups: int = 8) -> list[dict]:
    """Totals by the number of reference words, neighbouring lengths joined so that at most `most_groups` remain."""
    groups: dict[int, list[dict]] = {}
    for utt in utts:
        groups.setdefault(sum(op != "I" for op in utt["o"]), []).append(utt)
    lengths = sorted(groups)
    per_group = -(-len(lengths) // most_groups) if lengths else 1
    out = []
    for begin in range(0, len(lengths), per_group):
        part = lengths[begin : begin + per_group]
        name = str(part[0]) if len(part) == 1 else f"{part[0]} to {part[-1]}"
        out.append({"name": name, **totals([utt for length in part for utt in groups[length]])})
    return out


def decode_result(decode: str, name: str, utt2spk: dict[str, str]) -> dict:
    """Everything that scoring wrote into one decode directory."""
    details = os.path.join(decode, "scoring_kaldi", "wer_details")
    utts = utterances(os.path.join(details, "per_utt"), utt2spk)
    return {
        "name": name,
        "wer": sweep(decode, "wer"),
        "cer": sweep(decode, "cer"),
        "lmwt": read_word(os.path.join(details, "lmwt")),
        "wip": read_word(os.path.join(details, "wip")),
        "interval": interval(os.path.join(details, "wer_bootci")),
        "complaints": [line for line in read_lines(os.path.join(decode, "scoring_kaldi", "complaints")) if line],
        "utts": utts,
        "confusions": confusions(utts),
        "speakers": by_speaker(utts),
        "lengths": by_length(utts),
    }


def interval(path: str) -> list[float] | None:
    """The 95% interval that compute-wer-bootci wrote, in percent; its normal approximation is cut at 0."""
    found = re.search(r"Interval \[ (\S+), (\S+) \]", " ".join(read_lines(path)))
    return [max(0.0, float(found.group(1))), float(found.group(2))] if found and "nan" not in found.group(0) else None


def read_pairs(path: str) -> dict[str, str]:
    """`<key> <rest>` lines as a dict."""
    pairs = (line.split(None, 1) for line in read_lines(path) if line.strip())
    return {pair[0]: pair[1].strip() if len(pair) > 1 else "" for pair in pairs}
