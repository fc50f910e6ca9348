"""A dictionary directory without a pronouncing lexicon: words spelled in characters, or in byte-pair pieces."""

from __future__ import annotations

import os
import unicodedata

from sidamo.io.errors import DataError
from sidamo.lang.dict_dir import sorted_words
from sidamo.lang.lexicon import byte_order, fields, read_lines
from sidamo.lang.prepare import write_text


def characters(word: str, keep_marks: bool = True) -> list[str]:
    """The characters of a word in any script.

    keep_marks : combining marks (accents, vowel signs) stay with the character before them, as one unit; else each code
        point is a unit of its own. Either way the word is composed first (NFC): "e" and a combining acute are "é".
    """
    units: list[str] = []
    for char in unicodedata.normalize("NFC", word):
        is_mark = unicodedata.category(char) in ("Mn", "Mc", "Me") or char in "\u200c\u200d"
        if keep_marks and is_mark and units:
            units[-1] += char
        else:
            units.append(char)
    return units


class BytePairs:
    """Pieces learnt from the words' own frequencies by the library sentencepiece (optional: pip install sentencepiece).

    Parameters
    ----------
    counts : dict word -> how often
    num_pieces : size of the inventory, characters included
    """

    def __init__(self, counts: dict[str, int], num_pieces: int):
        try:
            import sentencepiece
        except ImportError:
            mend = "pip install sentencepiece, or --units char"
            raise DataError("byte-pair pieces need the library sentencepiece, which is not installed", mend=mend) from None
        import io

        model = io.BytesIO()
        words = (word for word, count in counts.items() for _ in range(min(count, 1000)))
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=words, model_writer=model, vocab_size=num_pieces, model_type="bpe",
            character_coverage=1.0, hard_vocab_limit=False, minloglevel=2,
        )  # fmt: skip
        self.processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())

    def __call__(self, word: str) -> list[str]:
        return self.processor.encode(word, out_type=str)


def read_words(path: str, is_text: bool) -> dict[str, int]:
    """Words and how often they occur: of a Kaldi text (is_text; the first field is the key), or the first field of lines."""
    counts: dict[str, int] = {}
    for line in read_lines(path):
        for word in fields(line)[1:] if is_text else fields(line)[:1]:
            counts[word] = counts.get(word, 0) + 1
    return counts


def make_char_dict(counts, directory: str, spell, word_end: str = "", skip=("<eps>", "<s>", "</s>", "#0")) -> int:
    """Write lexicon.txt and nonsilence_phones.txt; returns the number of units.

    Words in angle brackets (<unk>, <noise>) have no spelling and are left out. A unit that Kaldi's files reserve (#...,
    <eps>, or a name that ends in _B _E _I _S) is refused.

    Raises
    ------
    DataError : no word, or a reserved unit.
    """
    rows, units = [], set()
    for word in sorted_words(counts):
        if word in skip or (word.startswith("<") and word.endswith(">")):
            continue
        spelled = [*spell(word), *([word_end] if word_end else [])]
        for unit in spelled:
            if unit.startswith("#") or unit == "<eps>" or unit.endswith(("_B", "_E", "_I", "_S")):
                raise DataError(f"unit {unit!r} of {word!r} has a reserved form", mend="remove or respell the word")
        units.update(spelled)
        rows.append(f"{word} {' '.join(spelled)}")
    if not rows:
        raise DataError("no word to spell")
    os.makedirs(directory, exist_ok=True)
    write_text(f"{directory}/lexicon.txt", rows)
    write_text(f"{directory}/nonsilence_phones.txt", sorted(units, key=byte_order))
    write_text(f"{directory}/extra_questions.txt", [])
    for name in ("lexiconp.txt", "lexiconp_silprob.txt"):
        if os.path.exists(f"{directory}/{name}"):
            os.unlink(f"{directory}/{name}")  # of an earlier run; prepare_lang would take it for newer
    return len(units)
