"""Words to CTC tokens."""

from __future__ import annotations

from sidamo.io.errors import DataError
from sidamo.lang.lexicon import fields, read_lines, read_table


def first_pronunciations(lang_dir) -> dict[str, list[int]]:
    """word -> token labels of the first of its most probable pronunciations (lexiconp.txt of the lang directory)."""
    path = f"{lang_dir}/lexiconp.txt"
    tokens = read_table(f"{lang_dir}/tokens.txt")
    best: dict[str, tuple[float, list[str]]] = {}
    for number, line in enumerate(read_lines(path), 1):
        parts = fields(line)
        try:
            word, probability, phones = parts[0], float(parts[1]), parts[2:]
        except (IndexError, ValueError):
            raise DataError(f"found {line!r}; expected a word, a probability and units", file=path, line=number) from None
        if word not in best or probability > best[word][0]:
            best[word] = probability, phones
    try:
        return {word: [tokens[phone] for phone in phones] for word, (_, phones) in best.items()}
    except KeyError as error:
        raise DataError(f"unit {error.args[0]!r} is not in {lang_dir}/tokens.txt", file=path,
                        mend="make both with one run of utils/prepare_lang.sh") from None  # fmt: skip
