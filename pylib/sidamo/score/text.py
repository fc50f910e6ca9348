"""Transcripts (`<utterance> <word> ...`) read with every irregularity named and counted.

Kaldi's own readers die at the first irregularity or pass it over; here each is collected, so that a score can say what
it stands on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from sidamo.io.errors import DataError

WHOLE = re.compile(r"\[.*\]|<.*>|!SIL")  # words that are one character each in a CER
BLANKS = bytes.maketrans(b"\t\n\v\f\r", b"     ")
SHOWN = 5  # how many keys of one kind of irregularity are named; the rest is only counted


@dataclass
class Transcripts:
    """Sentences of one file.

    Attributes
    ----------
    name : str, the file, for messages
    lines : dict, utterance -> words joined by single blanks (str; undecodable bytes as lone surrogates, PEP 383)
    duplicates, empty, undecodable, unsorted : lists of utterances, in the order of the file
    """

    name: str = ""
    lines: dict[str, str] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    undecodable: list[str] = field(default_factory=list)
    unsorted: list[str] = field(default_factory=list)

    @property
    def words(self) -> dict[str, list[str]]:
        """The same as lists of words."""
        return {utt: line.split(" ") if line else [] for utt, line in self.lines.items()}

    def complaints(self, what: str) -> list[str]:
        """One sentence per kind of irregularity; `what` is "reference" or "hypothesis"."""
        mend = "mend: utils/fix_data_dir.sh" if what == "reference" else "mend: LC_ALL=C sort"
        kinds = [
            (self.duplicates, f"more than one {what} (the last one counts)"),
            (self.undecodable, f"a {what} that is not UTF-8 (compared byte by byte)"),
            (self.unsorted, f"a {what} out of LC_ALL=C order ({mend})"),
        ]
        if what == "reference":
            kinds.append((self.empty, "an empty reference (every word recognized there is an insertion)"))
        return [f"{self.name}: {named(keys, 'utterance has', 'utterances have', text)}" for keys, text in kinds if keys]


def named(keys: list[str], one: str, many: str, text: str) -> str:
    """"3 <many> <text>: a b c": a count, and the first few names."""
    shown = " ".join(keys[:SHOWN]) + (" ..." if len(keys) > SHOWN else "")
    return f"{len(keys)} {one if len(keys) == 1 else many} {text}: {shown}"


def parse_transcripts(lines: Iterable[bytes], name: str) -> Transcripts:
    """Read lines of `<utterance> <words>`.

    Raises
    ------
    DataError where a line has no key, naming file and line.
    """
    out = Transcripts(name)
    previous = b""
    for number, line in enumerate(lines, 1):
        # Kaldi's separators only (ASCII white space): a no-break space is part of a word, as it is for its tools.
        key_bytes, _, rest = line.translate(BLANKS).strip(b" ").partition(b" ")
        while b"  " in rest:
            rest = rest.replace(b"  ", b" ")
        if not key_bytes:
            raise DataError("empty line", file=name, line=number, mend="remove it: each line is <utterance> <words>")
        key = key_bytes.decode("utf-8", "surrogateescape")
        try:
            text = rest.lstrip(b" ").decode("utf-8")
        except UnicodeDecodeError:
            text = rest.lstrip(b" ").decode("utf-8", "surrogateescape")
            out.undecodable.append(key)
        if key in out.lines:
            out.duplicates.append(key)
        elif key_bytes < previous:
            out.unsorted.append(key)
        if not text:
            out.empty.append(key)
        out.lines[key] = text
        previous = key_bytes
    return out


def read_transcripts(path: str | os.PathLike) -> Transcripts:
    """Read a transcript file (see `parse_transcripts`)."""
    try:
        with open(path, "rb") as stream:
            return parse_transcripts(stream, os.fspath(path))
    except OSError as error:
        raise DataError(f"cannot read: {error.strerror}", file=os.fspath(path)) from error


def write_lines(path: str | os.PathLike, lines: dict[str, str]) -> None:
    """Write `<utterance> <words>` lines, sorted by byte value, atomically."""
    keys = sorted(lines, key=lambda key: key.encode("utf-8", "surrogateescape"))
    write_atomically(path, "".join(f"{key} {lines[key]}".rstrip(" ") + "\n" for key in keys))


def write_atomically(path: str | os.PathLike, text: str) -> None:
    """Write to a temporary name beside `path`, then rename."""
    temporary = f"{os.fspath(path)}.tmp{os.getpid()}"
    with open(temporary, "wb") as stream:
        stream.write(text.encode("utf-8", "surrogateescape"))
    os.replace(temporary, path)


def characters(words: Iterable[str]) -> list[str]:
    """Split words into characters for a CER, as Kaldi's score_kaldi_cer.sh does: [noise], <unk> and !SIL stay whole."""
    out: list[str] = []
    for word in words:
        if WHOLE.search(word):
            out.append(word)
        else:
            out.extend(word)
    return out
