"""Pronunciations of a lang directory as network columns."""

import os

from sidamo.io.errors import DataError

from .tokens import read_columns


class Lexicon:
    """Words and their pronunciations.

    Parameters
    ----------
    lang : path of a lang directory: tokens.txt, lexiconp.txt, oov.txt, phones/optional_silence.txt

    Attributes
    ----------
    columns : list of str, name of each network column
    silence : list of columns of the optional silence, or None where the tokens hold none
    """

    def __init__(self, lang):
        self.columns = read_columns(os.path.join(lang, "tokens.txt"))
        number = {name: i for i, name in enumerate(self.columns)}
        self._words: dict[str, list] = {}
        path = os.path.join(lang, "lexiconp.txt")
        if not os.path.exists(path):
            raise DataError("no such file", file=path, mend="utils/prepare_lang.sh writes it")
        for line, text in enumerate(open(path, encoding="utf-8"), 1):
            fields = text.split()
            missing = next((u for u in fields[2:] if u not in number), None)
            if len(fields) < 3 or missing:
                found = f"unit {missing} is not in tokens.txt" if missing else f"found {text!r}"
                raise DataError(f"{found}; expected `word probability unit...`", file=path, line=line,
                                mend="utils/prepare_lang.sh writes both files")  # fmt: skip
            self._words.setdefault(fields[0], []).append((float(fields[1]), [number[u] for u in fields[2:]]))
        oov = os.path.join(lang, "oov.txt")
        self.oov = open(oov, encoding="utf-8").read().strip() if os.path.exists(oov) else ""
        names = os.path.join(lang, "phones", "optional_silence.txt")
        silence = open(names, encoding="utf-8").read().split() if os.path.exists(names) else []
        self.silence = [number[silence[0]]] if silence and silence[0] in number else None

    def pronunciations(self, words) -> list:
        """Pronunciations of each word (of the OOV word for unknown ones); DataError where neither has any."""
        found = []
        for word in words:
            entry = self._words.get(word) or self._words.get(self.oov)
            if entry is None:
                raise DataError(f"word {word!r} has no pronunciation", mend="utils/extend_lang.sh adds words")
            found.append(entry)
        return found
