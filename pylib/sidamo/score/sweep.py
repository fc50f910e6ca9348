"""Score a decode directory: every LM weight and insertion penalty in one process, in Kaldi's layout.

Reads   <dir>/scoring_kaldi/test_filt.txt, <dir>/scoring_kaldi/penalty_<WIP>/<LMWT>.txt, utt2spk
Writes  <dir>/wer_<LMWT>_<WIP>, <dir>/cer_<LMWT>_<WIP>,
        <dir>/scoring_kaldi/{best_wer,best_cer,complaints},
        <dir>/scoring_kaldi/{wer,cer}_details/{lmwt,wip,per_utt,per_spk,ops,*_bootci}

A missing hypothesis counts as deletions (compute-wer --mode=all); Kaldi's own script leaves it out of the score.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sidamo.io.errors import DataError
from sidamo.score.best import best_line
from sidamo.score.bootstrap import GlibcRand, wer_interval
from sidamo.score.details import ops_lines, per_spk_table, per_utt_lines, sort_ops
from sidamo.score.fast import BatchScorer, Scores, batch_align
from sidamo.score.text import Transcripts, characters, named, read_transcripts, write_atomically, write_lines
from sidamo.score.wer import Totals, two_digits

SPECIAL = "***"  # stands for "no word" in wer_details, as in Kaldi's scripts
REPLICATIONS = 10000


@dataclass(frozen=True)
class Setting:
    """One point of the sweep; both parts keep the spelling under which files are named."""

    lmwt: str
    wip: str

    def hyp_path(self, directory: str) -> str:
        return os.path.join(directory, "scoring_kaldi", f"penalty_{self.wip}", f"{self.lmwt}.txt")


def settings(min_lmwt: int, max_lmwt: int, penalties: str) -> list[Setting]:
    """All settings, in the order in which Kaldi's script searches for the best: penalty by penalty."""
    return [Setting(str(lmwt), wip) for wip in penalties.split(",") for lmwt in range(min_lmwt, max_lmwt + 1)]


def score_directory(
    directory: str, utt2spk: dict[str, str], sweep: Sequence[Setting], wer=True, cer=True, stats=True
) -> tuple[list[str], list[str]]:
    """Score all settings and write Kaldi's files (see above).

    Returns
    -------
    summary : lines to print (best WER, best CER)
    complaints : sentences about missing and extra hypotheses, empty references, duplicates, encoding, order
    """
    scoring = os.path.join(directory, "scoring_kaldi")
    refs = read_transcripts(os.path.join(scoring, "test_filt.txt"))
    if not refs.lines:
        raise DataError("no utterances", file=refs.name, mend="is <data>/text empty, or does a filter drop everything?")
    hyps = [read_transcripts(setting.hyp_path(directory)) for setting in sweep]
    complaints = refs.complaints("reference") + compare_keys(refs, hyps)
    summary = []
    if wer:
        best, errors = _score(directory, "wer", refs.lines, [h.lines for h in hyps], utt2spk, sweep, stats)
        summary.append(best)
        complaints += edge_of_sweep(sweep, errors)
    if cer:
        spelled = functools.cache(lambda line: " ".join(characters(line.split(" "))))
        ref_chars, *hyp_chars = [{utt: spelled(line) for utt, line in t.lines.items()} for t in (refs, *hyps)]
        write_lines(os.path.join(scoring, "test_filt.chars.txt"), ref_chars)
        summary.append(_score(directory, "cer", ref_chars, hyp_chars, utt2spk, sweep, stats)[0])
    write_atomically(os.path.join(scoring, "complaints"), "".join(line + "\n" for line in complaints))
    return summary, complaints


def compare_keys(refs: Transcripts, hyps: Sequence[Transcripts]) -> list[str]:
    """Sentences about hypotheses that are missing or extra; files that lack the same ones share a sentence."""
    found: dict[str, list[str]] = {}
    for hyp in hyps:
        missing = [utt for utt in refs.lines if utt not in hyp.lines]
        extra = [utt for utt in hyp.lines if utt not in refs.lines]
        if missing:
            text = named(missing, "utterance has", "utterances have", "no hypothesis (all words count as deletions)")
            found.setdefault(text, []).append(hyp.name)
        if extra:
            text = named(extra, "hypothesis has", "hypotheses have", "no reference (not scored)")
            found.setdefault(text, []).append(hyp.name)
        for text in hyp.complaints("hypothesis"):
            found.setdefault(text.partition(": ")[2], []).append(hyp.name)
    more = {text: f" and {len(names) - 1} more files" if len(names) > 1 else "" for text, names in found.items()}
    return [f"{names[0]}{more[text]}: {text}" for text, names in found.items()]


def _score(
    directory: str, kind: str, refs: dict, hyps: list[dict], utt2spk: dict, sweep: Sequence[Setting], stats: bool
) -> tuple[str, list[int]]:
    """Score one kind ("wer" or "cer") and write its files; returns the best line, and the errors at each setting."""
    words = {utt: line.split(" ") if line else [] for utt, line in refs.items()}
    results = BatchScorer(words).many(hyps)
    lines = []
    for setting, scores in zip(sweep, results):
        totals = scores.totals()
        path = os.path.join(directory, f"{kind}_{setting.lmwt}_{setting.wip}")
        write_atomically(path, _wer_file(setting.hyp_path(directory), totals))
        lines.append(f"{path}:{totals.format().splitlines()[0]}")
    remove_stale(directory, kind, sweep)
    best = best_line(lines)
    if best is None:  # no rate is a number: nothing but empty references
        best = best_line(line.replace("-nan", "0.00") for line in lines)
    scoring = os.path.join(directory, "scoring_kaldi")
    write_atomically(os.path.join(scoring, f"best_{kind}"), best + "\n")
    winner = next(i for i, setting in enumerate(sweep) if best.endswith(f"{kind}_{setting.lmwt}_{setting.wip}"))
    if kind == "cer":
        write_lines(sweep[winner].hyp_path(directory)[: -len(".txt")] + ".chars.txt", hyps[winner])
    if stats:
        details = os.path.join(scoring, f"{kind}_details")
        write_details(details, kind, words, hyps[winner], results[winner], utt2spk, sweep[winner])
    return best, [scores.totals().errors for scores in results]


def remove_stale(directory: str, kind: str, sweep: Sequence[Setting]) -> None:
    """Remove the rates of an earlier, wider sweep: they may be those of other lattices, and best_wer.sh would see them."""
    current = {f"{kind}_{setting.lmwt}_{setting.wip}" for setting in sweep}
    for name in os.listdir(directory):
        if re.fullmatch(rf"{kind}_-?\d+_-?[\d.]+", name) and name not in current:
            os.remove(os.path.join(directory, name))


def edge_of_sweep(sweep: Sequence[Setting], errors: Sequence[int]) -> list[str]:
    """A sentence where the fewest errors are reached only at the smallest or the largest LM weight, or nothing."""
    weights = sorted({int(setting.lmwt) for setting in sweep})
    best = {int(setting.lmwt) for setting, count in zip(sweep, errors) if count == min(errors)}
    if len(weights) < 3 or best & set(weights[1:-1]) or len(best) > 1:
        return []
    where, option = ("smallest", "--min-lmwt") if best == {weights[0]} else ("largest", "--max-lmwt")
    return [f"the best LM weight, {best.pop()}, is the {where} that was tried: try {option} beyond it"]


def _wer_file(hyp_path: str, totals: Totals) -> str:
    """What Kaldi leaves in wer_<LMWT>_<WIP>: the echoed command and the three lines."""
    return f"compute-wer --text --mode=all ark:test_filt.txt ark,p:{hyp_path}\n{totals.format()}"


def write_details(
    details: str, kind: str, refs: dict, hyps: dict[str, str], scores: Scores, utt2spk: dict, setting: Setting
) -> None:
    """Write lmwt, wip, per_utt, per_spk, ops and the bootstrap interval of one setting."""
    os.makedirs(details, exist_ok=True)
    said = list(refs.values())
    recognized = [hyps[utt].split(" ") if hyps.get(utt) else [] for utt in refs]
    per_utt, csid, pairs = [], [], []
    for utt, ref, hyp, aligned in zip(refs, said, recognized, batch_align(said, recognized)):
        words = [(ref[i] if i >= 0 else SPECIAL, hyp[j] if j >= 0 else SPECIAL) for i, j in aligned]
        lines = list(per_utt_lines(utt, words, SPECIAL))
        per_utt.extend(lines)
        csid.append((utt, tuple(map(int, lines[-1].split()[2:]))))
        pairs.extend(words)
    mean, half = wer_interval(scores.errors(), scores.table[:, 0], REPLICATIONS, GlibcRand())
    files = {
        "lmwt": [setting.lmwt],
        "wip": [setting.wip],
        "per_utt": per_utt,
        "per_spk": list(per_spk_table(csid, utt2spk)),
        "ops": sort_ops(ops_lines(pairs, SPECIAL)),
        f"{kind}_bootci": [format_interval("Set1", mean, half)],
    }
    for name, lines in files.items():
        write_atomically(os.path.join(details, name), "".join(line + "\n" for line in lines))


def format_interval(name: str, mean, half) -> str:
    """compute-wer-bootci's line; the arguments are float32 fractions, and so are all intermediate results."""
    hundred = np.float32(100)
    with np.errstate(all="ignore"):
        low, high = hundred * mean - hundred * half, hundred * mean + hundred * half
    return f"{name}: %WER {two_digits(hundred * mean)} 95% Conf Interval [ {two_digits(low)}, {two_digits(high)} ]"
