"""Kaldi's rspecifiers and wspecifiers taken apart (Kaldi src/util/kaldi-table.cc); `tables` tells what they mean."""

import re
from dataclasses import dataclass

from sidamo.io.errors import DataError

# Option -> (field, value); None where it changes nothing.
_READ_FLAGS = {
    "o": ("once", True), "no": ("once", False), "s": ("sorted", True), "ns": ("sorted", False),
    "cs": ("called_sorted", True), "ncs": ("called_sorted", False), "p": ("permissive", True),
    "np": ("permissive", False), "bg": None, "b": None, "t": None, "f": None, "nf": None,
}  # fmt: skip
_WRITE_FLAGS = {
    "b": ("binary", True), "t": ("binary", False), "f": ("flush", True), "nf": ("flush", False),
    "p": ("permissive", True),
}  # fmt: skip


@dataclass(frozen=True)
class Specifier:
    """A parsed rspecifier or wspecifier; `archive` and `script` are file names where the kind has them."""

    kind: str  # ark, scp, or both
    archive: str = ""
    script: str = ""
    permissive: bool = False
    once: bool = False
    sorted: bool = False
    called_sorted: bool = False
    binary: bool = True
    flush: bool = False


def _parse(text, flags):
    """(["ark"] or ["scp"] or both, fields, what stands after the colon), or None."""
    before, colon, rest = text.partition(":")
    if not colon or text[-1].isspace():
        return None
    types, fields = [], {}
    for word in re.split("[, ]", before):
        if word in ("ark", "scp"):
            types.append(word)
        elif word not in flags:
            return None
        elif flags[word]:
            name, value = flags[word]
            fields[name] = value
    return types, fields, rest


def parse_rspecifier(text: str) -> Specifier | None:
    """A Specifier of kind ark or scp, or None where the text is not an rspecifier."""
    parsed = _parse(text, _READ_FLAGS)
    if parsed is None:
        return None
    types, fields, rest = parsed
    if types == ["ark"]:
        return Specifier("ark", archive=rest, **fields)
    return Specifier("scp", script=rest, **fields) if types == ["scp"] else None


def parse_wspecifier(text: str) -> Specifier | None:
    """A Specifier of kind ark, scp or both, or None where the text is not a wspecifier."""
    parsed = _parse(text, _WRITE_FLAGS)
    if parsed is None:
        return None
    types, fields, rest = parsed
    if types == ["ark"]:
        return Specifier("ark", archive=rest, **fields)
    if types == ["scp"]:
        return Specifier("scp", script=rest, **fields)
    if types == ["ark", "scp"] and "," in rest:
        archive, _, script = rest.partition(",")
        return Specifier("both", archive, script, **fields)
    return None


def is_rspecifier(text: str) -> bool:
    """Whether the text is an rspecifier (and not an rxfilename)."""
    return parse_rspecifier(text) is not None


def is_wspecifier(text: str) -> bool:
    """Whether the text is a wspecifier (and not a wxfilename)."""
    return parse_wspecifier(text) is not None


def require_rspecifier(text: str) -> Specifier:
    """The parsed rspecifier; raises DataError where it is none."""
    specifier = parse_rspecifier(text)
    if specifier is None:
        mend = "write it like ark:file or scp:file (no blanks at the ends)"
        raise DataError(f"invalid rspecifier {text!r}", mend=mend)
    return specifier


def require_wspecifier(text: str) -> Specifier:
    """The parsed wspecifier; raises DataError where it is none."""
    specifier = parse_wspecifier(text)
    if specifier is None:
        mend = "write it like ark:file, ark,t:file or ark,scp:file,file (no blanks at the ends)"
        raise DataError(f"invalid wspecifier {text!r}", mend=mend)
    return specifier
