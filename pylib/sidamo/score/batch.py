"""Score many decode directories at once: one table of all systems on all test sets, with intervals and significance.

What is computed for a directory is kept in `scoring_kaldi/summary.json` with the size and date of every file that it
was computed from; a second run reads that and computes only what has changed. The comparisons of pairs are kept in the
table's own JSON file.
"""

from __future__ import annotations

import glob
import itertools
import json
import os
import re
import zlib
from dataclasses import asdict, dataclass, field

import numpy as np

from sidamo.io.errors import DataError
from sidamo.score.bootstrap import percentile_interval, resampling
from sidamo.score.fast import BatchScorer
from sidamo.score.significance import matched_pairs, sclite_operations
from sidamo.score.sweep import compare_keys
from sidamo.score.text import characters, read_transcripts, write_atomically

VERSION = 2  # of summary.json; raise it where its contents change
REPLICATIONS = 1000  # bootstrap samples of intervals and comparisons


@dataclass
class Summary:
    """Figures of one decode directory at its best setting.

    Attributes
    ----------
    wer, cer, ser : float, percent; None without reference words
    interval : [low, high], 95% of the WER, percent (bootstrap percentiles)
    speed : real-time factor of decoding (seconds of work per second of speech), or None where the logs do not say
    parameters : number of the model's parameters, or None
    reference : checksum of the reference: only systems with the same one can be compared
    fingerprint : checksum of all that the figures were computed from
    """

    decode: str
    test_set: str
    setting: str
    wer: float | None
    interval: list[float] | None
    cer: float | None
    ser: float | None
    ins: int
    del_: int
    sub: int
    words: int
    sentences: int
    absent: int
    speed: float | None
    parameters: int | None
    reference: str
    fingerprint: str
    complaints: list[str] = field(default_factory=list)


def best_setting(decode: str) -> tuple[str, str]:
    """LM weight and penalty that local/score.sh found best."""
    details = os.path.join(decode, "scoring_kaldi", "wer_details")
    try:
        with open(os.path.join(details, "lmwt")) as lmwt, open(os.path.join(details, "wip")) as wip:
            return lmwt.read().strip(), wip.read().strip()
    except OSError as error:
        raise DataError("not scored yet", file=decode, mend="local/score.sh <data> <graph> " + decode) from error


def inputs(decode: str) -> dict[str, list]:
    """The files that a summary depends on, each with its size and time of change (ns)."""
    lmwt, wip = best_setting(decode)
    paths = ["scoring_kaldi/test_filt.txt", f"scoring_kaldi/penalty_{wip}/{lmwt}.txt"]
    paths += [os.path.relpath(path, decode) for path in sorted(glob.glob(f"{glob.escape(decode)}/log/decode.*.log"))]
    out = {}
    for path in paths:
        try:
            status = os.stat(os.path.join(decode, path))
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}", file=decode, mend="local/score.sh") from error
        out[path] = [status.st_size, status.st_mtime_ns]
    return out


def summarize(decode: str) -> tuple[Summary, dict, bool]:
    """Figures and per-utterance results of a decode directory, from its cache where nothing has changed.

    Returns
    -------
    summary
    per_utt : utterance -> [errors, reference words, sclite's alignment letters]
    computed : False where the cache was good
    """
    stamp = {"version": VERSION, "inputs": inputs(decode)}
    fingerprint = checksum(json.dumps([decode, stamp], sort_keys=True))
    cache = os.path.join(decode, "scoring_kaldi", "summary.json")
    try:
        with open(cache, encoding="utf-8") as stream:
            kept = json.load(stream)
        if kept["stamp"] == stamp and kept["summary"]["decode"] == decode:
            return Summary(**kept["summary"]), kept["per_utt"], False
    except (OSError, ValueError, KeyError, TypeError):
        pass  # absent, damaged, or of another version: computed anew
    summary, per_utt = compute(decode, fingerprint)
    kept = {"stamp": stamp, "summary": asdict(summary), "per_utt": per_utt}
    write_atomically(cache, json.dumps(kept, ensure_ascii=True, separators=(",", ":")))
    return summary, per_utt, True


def checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode('utf-8', 'surrogateescape')):08x}"


def compute(decode: str, fingerprint: str) -> tuple[Summary, dict]:
    """The work of `summarize`."""
    lmwt, wip = best_setting(decode)
    scoring = os.path.join(decode, "scoring_kaldi")
    refs = read_transcripts(os.path.join(scoring, "test_filt.txt"))
    hyps = read_transcripts(os.path.join(scoring, f"penalty_{wip}", f"{lmwt}.txt"))
    said, recognized = refs.words, hyps.words
    scores = BatchScorer(said).one(hyps.lines)
    totals, errors, words = scores.totals(), scores.errors(), scores.table[:, 0]
    spelled = {utt: " ".join(characters(line)) for utt, line in recognized.items()}
    chars = BatchScorer({utt: characters(line) for utt, line in said.items()}).one(spelled).totals()
    interval = [round(x, 4) for x in percentile_interval(errors, words, REPLICATIONS)] if totals.ref_words else None
    per_utt = {
        utt: [errs, num, sclite_operations(said[utt], recognized.get(utt, []))]
        for utt, errs, num in zip(scores.utts, errors.tolist(), words.tolist())
    }
    reference = checksum("\n".join(f"{utt} {line}" for utt, line in sorted(refs.lines.items())))
    summary = Summary(
        decode, test_set_of(decode), f"{lmwt}_{wip}", _rate(totals.errors, totals.ref_words), interval,
        _rate(chars.errors, chars.ref_words), _rate(totals.wrong_sentences, totals.sentences), totals.ins, totals.del_,
        totals.sub, totals.ref_words, totals.sentences, totals.absent, real_time_factor(decode), parameters(decode),
        reference, fingerprint,
        refs.complaints("reference") + compare_keys(refs, [hyps]),
    )  # fmt: skip
    return summary, per_utt


def _rate(part: int, whole: int) -> float | None:
    return round(100.0 * part / whole, 4) if whole else None


def test_set_of(decode: str) -> str:
    """Name of the test set: the data directory that was scored, else the end of the decode directory's name."""
    data = noted_inputs(decode).get("data", "").rstrip("/")
    return os.path.basename(data) or os.path.basename(decode.rstrip("/")).rpartition("_")[2]


def real_time_factor(decode: str) -> float | None:
    """Seconds of work per second of speech.

    From what the decoder's logs say ("real-time factor ... is 0.12"; the mean over jobs), else from the jobs' elapsed
    times (whole seconds) and the utt2dur of the data.
    """
    said, elapsed = [], 0
    for path in glob.glob(f"{glob.escape(decode)}/log/decode.*.log"):
        with open(path, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
        said += re.findall(r"real[- ]time factor[^\n]*?(?: is |[=: ])\s*([\d.]+(?:e-?\d+)?)", text, re.I)
        elapsed += sum(map(int, re.findall(r"# Ended .*elapsed time (\d+) seconds", text)))
    if said:
        return round(sum(map(float, said)) / len(said), 5)
    try:
        with open(os.path.join(noted_inputs(decode).get("data", ""), "utt2dur"), encoding="utf-8") as stream:
            speech = sum(float(line.split()[1]) for line in stream)
    except (OSError, ValueError, IndexError):
        return None
    return round(elapsed / speech, 5) if elapsed and speech else None


def noted_inputs(decode: str) -> dict[str, str]:
    """What local/score.sh noted: the data and graph directories."""
    try:
        with open(os.path.join(decode, "scoring_kaldi", "inputs"), encoding="utf-8") as stream:
            rows = [line.split(None, 1) for line in stream]
    except OSError:
        return {}
    return {row[0]: row[1].strip() for row in rows if len(row) == 2}


def parameters(decode: str) -> int | None:
    """Number of parameters, from the training log of the model directory above ("... N parameters")."""
    model = os.path.dirname(os.path.abspath(decode))
    for name in ("log/train.log", "provenance.txt"):
        try:
            with open(os.path.join(model, name), encoding="utf-8", errors="replace") as stream:
                found = re.search(r"([\d,]+) parameters|(?:num[-_ ])?parameters\s*[=:]?\s*([\d,]+)", stream.read())
        except OSError:
            continue
        if found:
            return int((found.group(1) or found.group(2)).replace(",", ""))
    return None


def compare(first: dict, second: dict) -> dict:
    """The matched-pairs test of two systems over the same reference (`per_utt` of `summarize`).

    Returns
    -------
    {"z", "p", "segments"}; z below 0: the first system is better
    """
    test = matched_pairs((first[utt][2], second[utt][2]) for utt in first)
    return {"z": round(test.z, 4), "p": test.p, "segments": test.segments}


def improvements(rows: list[dict]) -> np.ndarray:
    """Probability of improvement of every system over every other (Bisani and Ney), all over the same reference.

    Parameters
    ----------
    rows : S `per_utt` of `summarize`

    Returns
    -------
    (S, S) float64; [a, b] is the fraction of bootstrap samples in which b makes fewer errors than a

    Notes
    -----
    All pairs are compared on the same samples: one product of (samples, utterances) by (utterances, systems) does.
    """
    errors = np.array([[row[utt][0] for utt in rows[0]] for row in rows], np.float64).T  # (N, S)
    sums = resampling(len(errors), REPLICATIONS) @ errors  # (R, S)
    return np.array([(sums[:, [a]] > sums).mean(axis=0) for a in range(len(rows))])


def score_all(decodes: list[str], known: dict | None = None) -> dict:
    """The whole table.

    Parameters
    ----------
    decodes : decode directories
    known : an earlier result of this function: its comparisons are taken over where neither system has changed

    Returns
    -------
    {"systems": list of Summary as dict, "pairs": list of {"a", "b", "test_set", "z", "p", "segments", "improvement"},
    "computed": int, "compared": int, "failed": {directory: message}}

    `a` and `b` are indices into systems; only systems with the same reference are compared.
    """
    systems, rows, failed, computed = [], [], {}, 0
    for decode in dict.fromkeys(name.rstrip("/") for name in decodes):
        try:
            summary, per_utt, new = summarize(decode)
        except DataError as error:
            failed[decode] = str(error)
            continue
        systems.append(summary)
        rows.append(per_utt)
        computed += new
    order = sorted(range(len(systems)), key=lambda i: (systems[i].test_set, _key(systems[i].wer), systems[i].decode))
    systems, rows = [systems[i] for i in order], [rows[i] for i in order]
    pairs, compared = compare_all(systems, rows, known or {})
    out = {"systems": [asdict(s) for s in systems], "pairs": pairs}
    return {**out, "computed": computed, "compared": compared, "failed": failed}


def compare_all(systems: list[Summary], rows: list[dict], known: dict) -> tuple[list[dict], int]:
    """Both tests for all pairs with the same reference, and how many of them were computed anew."""
    prints = [system["fingerprint"] for system in known.get("systems", [])]
    kept = {(prints[pair["a"]], prints[pair["b"]]): pair for pair in known.get("pairs", [])}
    pairs, compared = [], 0
    for reference in dict.fromkeys(system.reference for system in systems):
        group = [i for i, system in enumerate(systems) if system.reference == reference]
        better = None
        for a, b in itertools.combinations(group, 2):
            pair = kept.get((systems[a].fingerprint, systems[b].fingerprint))
            if pair is None:
                better = improvements([rows[i] for i in group]) if better is None else better
                chance = float(better[group.index(a), group.index(b)])
                pair = {**compare(rows[a], rows[b]), "improvement": round(chance, 4)}
                compared += 1
            pairs.append({**pair, "a": a, "b": b, "test_set": systems[a].test_set})
    return pairs, compared


def _key(rate: float | None) -> float:
    return float("inf") if rate is None else rate


