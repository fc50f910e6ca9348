"""NIST's transcript formats, as sclite reads them: trn, ctm and stm.

    trn   word word ... (speaker-utterance)
    ctm   <recording> <channel> <start> <duration> <word> [<confidence>]
    stm   <recording> <channel> <speaker> <start> <end> [<label,label>] word word ...

Times are seconds. `;;` begins a comment line in all three; sclite cuts a trn word at a single `;`, so that such a word
is refused when writing. Source: SCTK, doc/infmts.htm.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sidamo.io.errors import DataError

TRN_LINE = re.compile(r"^(.*?)\s*\(([^()\s]+)\)\s*$")


class TimedWord(NamedTuple):
    """A line of a ctm: times in seconds, confidence in [0, 1] or None."""

    recording: str
    channel: str
    start: float
    duration: float
    word: str
    confidence: float | None = None


class Turn(NamedTuple):
    """A line of an stm: times in seconds; label without its angle brackets, or empty."""

    recording: str
    channel: str
    speaker: str
    start: float
    end: float
    label: str
    words: list[str]


def _lines(path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    """Lines that are neither blank nor comments, with their numbers."""
    try:
        with open(path, encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip() and not line.startswith(";;"):
                    yield number, line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8: {error}", file=os.fspath(path), mend="iconv -f <its encoding> -t utf-8") from error
    except OSError as error:
        raise DataError(f"cannot read: {error.strerror}", file=os.fspath(path)) from error


def _number(text: str, what: str, path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise DataError(f"{what}: found {text!r}, expected seconds", file=os.fspath(path), line=line)
    return value


def read_trn(path: str | os.PathLike) -> dict[str, list[str]]:
    """Read a trn file: utterance -> words. A word is cut at `;` (the rest of the line is a comment), as in sclite."""
    out: dict[str, list[str]] = {}
    for number, line in _lines(path):
        found = TRN_LINE.match(line)
        if not found:
            raise DataError(f"found {line!r}, expected words and (utterance)", file=os.fspath(path), line=number)
        text, utt = found.groups()
        if utt in out:
            raise DataError("a second line for the utterance", file=os.fspath(path), line=number, key=utt)
        out[utt] = text.partition(";")[0].split()
    return out


def trn_lines(sentences: dict[str, Iterable[str]]) -> Iterator[str]:
    """Lines of a trn file; refuses what sclite would read as something else."""
    for utt, words in sentences.items():
        words = list(words)
        bad = [word for word in words if ";" in word or word.startswith(("(", "{")) and word.endswith((")", "}"))]
        if bad or any(c in utt for c in "() "):
            what = f"the word {bad[0]!r}" if bad else "an utterance name with a bracket or blank"
            raise DataError(f"{what} means something else to sclite", key=utt, mend="replace it: utils/apply_map.pl")
        yield " ".join([*words, f"({utt})"])


def read_ctm(path: str | os.PathLike) -> list[TimedWord]:
    """Read a ctm file, in its order."""
    out = []
    for number, line in _lines(path):
        fields = line.split()
        if len(fields) not in (5, 6):
            expected = "<recording> <channel> <start> <duration> <word> [<confidence>]"
            raise DataError(f"found {line!r}, expected {expected}", file=os.fspath(path), line=number)
        start = _number(fields[2], "start", path, number)
        duration = _number(fields[3], "duration", path, number)
        confidence = _number(fields[5], "confidence", path, number) if len(fields) == 6 and fields[5] != "NA" else None
        out.append(TimedWord(fields[0], fields[1], start, duration, fields[4], confidence))
    return out


def ctm_lines(words: Iterable[TimedWord]) -> Iterator[str]:
    """Lines of a ctm file, sorted as sclite wants them: recording, channel, start."""
    for w in sorted(words, key=lambda w: (w.recording.encode(), w.channel, w.start)):
        tail = "" if w.confidence is None else f" {w.confidence:.2f}"
        yield f"{w.recording} {w.channel} {w.start:.2f} {w.duration:.2f} {w.word}{tail}"


def read_stm(path: str | os.PathLike) -> list[Turn]:
    """Read an stm file, in its order."""
    out = []
    for number, line in _lines(path):
        fields = line.split()
        if len(fields) < 5:
            expected = "<recording> <channel> <speaker> <start> <end> [<labels>] words"
            raise DataError(f"found {line!r}, expected {expected}", file=os.fspath(path), line=number)
        start, end = _number(fields[3], "start", path, number), _number(fields[4], "end", path, number)
        if end < start:
            raise DataError(f"end {end} is before start {start}", file=os.fspath(path), line=number)
        label, words = "", fields[5:]
        if words and words[0].startswith("<") and words[0].endswith(">"):
            label, words = words[0][1:-1], words[1:]
        out.append(Turn(*fields[:3], start, end, label, words))
    return out


def stm_lines(turns: Iterable[Turn]) -> Iterator[str]:
    """Lines of an stm file, sorted by recording, channel, start."""
    for t in sorted(turns, key=lambda t: (t.recording.encode(), t.channel, t.start)):
        label = [f"<{t.label}>"] if t.label else []
        yield " ".join([t.recording, t.channel, t.speaker, f"{t.start:.3f}", f"{t.end:.3f}", *label, *t.words])


def turns_of_data(text: dict, segments: dict, utt2spk: dict, channel: str = "1") -> list[Turn]:
    """An stm from a data directory.

    Parameters
    ----------
    text : utterance -> words
    segments : utterance -> (recording, start, end), seconds
    utt2spk : utterance -> speaker
    """
    out = []
    for utt, words in text.items():
        if utt not in segments:
            raise DataError("the utterance has no time", key=utt, mend="utils/data/get_segments_for_data.sh or utt2dur")
        recording, start, end = segments[utt]
        out.append(Turn(recording, channel, utt2spk.get(utt, utt), start, end, "", list(words)))
    return out


def words_in_turns(words: Iterable[TimedWord], turns: Iterable[Turn]) -> dict[tuple, list[str]]:
    """Give each word of a ctm to the turn of its recording and channel in which its middle lies.

    Returns
    -------
    dict, (recording, channel, start of the turn) -> words in the order of time; every turn has an entry. Words outside
    all turns are under (recording, channel, None): they are not scored, and the caller should say so.
    """
    by_channel: dict[tuple, list[Turn]] = {}
    out: dict[tuple, list[str]] = {}
    for turn in sorted(turns, key=lambda t: t.start):
        by_channel.setdefault((turn.recording, turn.channel), []).append(turn)
        out[(turn.recording, turn.channel, turn.start)] = []
    for w in sorted(words, key=lambda w: w.start):
        middle = w.start + w.duration / 2
        inside = [t.start for t in by_channel.get((w.recording, w.channel), []) if t.start <= middle < t.end]
        out.setdefault((w.recording, w.channel, inside[0] if inside else None), []).append(w.word)
    return out
