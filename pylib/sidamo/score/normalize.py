"""Text normalization before scoring: spellings that mean the same should not count as errors.

Unicode forms (é as one letter or two), case, punctuation, and a map of equal spellings in the manner of NIST's GLM
files. What is taken away can hide real errors, so that nothing is on by default but the Unicode form.
"""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass, field

from sidamo.io.errors import DataError, OptionError

FORMS = ("NFC", "NFD", "NFKC", "NFKD", "none")
CASES = ("keep", "lower", "upper", "fold")
INNER = "'’-"  # kept inside a word: don't, mother-in-law


@dataclass(frozen=True)
class NormalizeOptions:
    """Which differences in spelling are taken away."""

    unicode: str = field(default="NFC", metadata={"help": "Unicode form: NFC|NFD|NFKC|NFKD|none"})
    case: str = field(default="keep", metadata={"help": "Letter case: keep|lower|upper|fold"})
    punctuation: bool = field(default=True, metadata={"help": "Keep punctuation (false: remove it, not inside words)"})
    map: str = field(default="", metadata={"help": "File of equal spellings: lines `some words => other words`"})

    def __post_init__(self):
        if self.unicode not in FORMS:
            raise OptionError(f"--unicode={self.unicode}: expected one of {' '.join(FORMS)}")
        if self.case not in CASES:
            raise OptionError(f"--case={self.case}: expected one of {' '.join(CASES)}")


def is_special(word: str) -> bool:
    """<unk>, [noise] and the like are no text: nothing in them is changed."""
    return len(word) > 2 and word[0] + word[-1] in ("<>", "[]")


def without_punctuation(word: str) -> str:
    """Remove punctuation and symbols; apostrophes and hyphens stay between two letters."""
    if is_special(word):
        return word
    out = []
    for i, c in enumerate(word):
        inside = 0 < i < len(word) - 1 and word[i - 1].isalnum() and word[i + 1].isalnum()
        if unicodedata.category(c)[0] not in "PS" or c in INNER and inside:
            out.append("'" if c == "’" else c)
    return "".join(out)


class Normalizer:
    """Applies NormalizeOptions to lists of words.

    Examples
    --------
    >>> Normalizer(NormalizeOptions(case="lower", punctuation=False)).words(["Don’t", "panic", "!"])
    ["don't", 'panic']
    """

    def __init__(self, options: NormalizeOptions):
        self.options = options
        self._cases = {"lower": str.lower, "upper": str.upper, "fold": str.casefold, "keep": lambda word: word}
        self.rules = read_map(options.map) if options.map else {}
        self.rules = {tuple(self._spell(left)): self._spell(right) for left, right in self.rules.items()}
        self._longest = max(map(len, self.rules), default=0)

    def _spell(self, words) -> list[str]:
        """Everything but the map, which is itself spelled that way."""
        out = []
        for word in words:
            if not is_special(word):
                word = word if self.options.unicode == "none" else unicodedata.normalize(self.options.unicode, word)
                word = self._cases[self.options.case](word)
                word = word if self.options.punctuation else without_punctuation(word)
            if word:
                out.append(word)
        return out

    def words(self, words: list[str]) -> list[str]:
        """Normalize one sentence."""
        return self.mapped(self._spell(words))

    def mapped(self, words: list[str]) -> list[str]:
        """Replace spellings by the map, left to right, the longest first; what is put in is not looked at again."""
        out, i = [], 0
        while i < len(words):
            for size in range(min(self._longest, len(words) - i), 0, -1):
                right = self.rules.get(tuple(words[i : i + size]))
                if right is not None:
                    out += right
                    i += size
                    break
            else:
                out.append(words[i])
                i += 1
        return out


# NIST writes `[some words] => [other words] / [ ] __ [ ]`; the context after the slash is "between blanks".
RULE = re.compile(r"^\s*\[?([^\]\[]*?)\]?\s*=>\s*\[?([^\]\[/]*?)\]?\s*(?:/\s*\[\s*\]\s*__\s*\[\s*\]\s*)?$")


def read_map(path: str | os.PathLike) -> dict[tuple[str, ...], list[str]]:
    """Read a map of spellings: words to words; `;;` and `#` begin comments, an empty right side deletes.

    Raises DataError for a line that is no rule (NIST's alternatives `{ a / b }` and contexts are not taken), and for
    two rules with one left side.
    """
    rules: dict[tuple[str, ...], list[str]] = {}
    try:
        with open(path, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
    except OSError as error:
        raise DataError(f"cannot read: {error.strerror}", file=os.fspath(path)) from error
    for number, line in enumerate(lines, 1):
        line = re.sub(r";;.*|(^|\s)#.*", "", line)
        if not line.strip() or line.lstrip().startswith("*"):  # GLM files carry directives like `* name "x"`
            continue
        found = RULE.match(line)
        left = tuple(found.group(1).split()) if found else ()
        if not left:
            raise DataError(f"found {line.strip()!r}, expected `words => words`", file=os.fspath(path), line=number)
        if left in rules and rules[left] != found.group(2).split():
            raise DataError(f"a second rule for {' '.join(left)!r}", file=os.fspath(path), line=number)
        rules[left] = found.group(2).split()
    return rules
