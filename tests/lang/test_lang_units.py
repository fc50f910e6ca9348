"""Characters of any script as units."""

import pathlib

import pytest
from sidamo.io.errors import DataError
from sidamo.lang.units import BytePairs, characters, make_char_dict, read_words

UTILS = pathlib.Path(__file__).resolve().parents[2] / "utils"


@pytest.mark.parametrize(
    "word, kept, apart",
    [
        ("cat", ["c", "a", "t"], ["c", "a", "t"]),
        ("e\u0301t", ["é", "t"], ["é", "t"]),  # composed first
        ("ɔ\u0301ba", ["ɔ\u0301", "b", "a"], ["ɔ", "\u0301", "b", "a"]),  # no composed form: Mboshi
        ("नमस्ते", ["न", "म", "स्", "ते"], ["न", "म", "स", "्", "त", "े"]),
        ("汉字", ["汉", "字"], ["汉", "字"]),
    ],
)
def test_characters(word, kept, apart):
    assert characters(word) == kept and characters(word, keep_marks=False) == apart


def test_a_dictionary_of_characters_makes_a_lang(run, tmp_path):
    (tmp_path / "text").write_text("u1 ɔ\u0301ba <unk> ba\nu2 ba cat\n", encoding="utf-8")
    done = run(f"{UTILS}/make_char_dict.sh text dict", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "dict/lexicon.txt").read_text(encoding="utf-8") == "ba b a\ncat c a t\nɔ\u0301ba ɔ\u0301 b a\n"
    done = run(f"{UTILS}/prepare_lang.sh --ctc true dict '<unk>' tmp lang", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    tokens = [line.split()[0] for line in (tmp_path / "lang/tokens.txt").read_text(encoding="utf-8").splitlines()]
    assert tokens[:7] == ["<eps>", "<blk>", "a", "b", "c", "t", "ɔ\u0301"]


def test_word_end_and_words(tmp_path):
    (tmp_path / "words.txt").write_text("<eps> 0\nab 1\n#0 2\n<s> 3\n</s> 4\n")
    assert make_char_dict(read_words(str(tmp_path / "words.txt"), False), str(tmp_path / "d"), characters, "|") == 3
    assert (tmp_path / "d/lexicon.txt").read_text() == "ab a b |\n"


def test_bad_input(tmp_path):
    with pytest.raises(DataError, match="unit '#' of 'a#' has a reserved form"):
        make_char_dict({"a#": 1}, str(tmp_path), characters)
    with pytest.raises(DataError, match="no word to spell"):
        make_char_dict({"<unk>": 3}, str(tmp_path), characters)
    try:
        import sentencepiece  # noqa: F401
    except ImportError:
        with pytest.raises(DataError, match="(?s)sentencepiece, which is not installed.*pip install"):
            BytePairs({"a": 1}, 10)


def test_byte_pairs():
    pytest.importorskip("sentencepiece", reason="optional: pip install sentencepiece")
    spell = BytePairs({"banana": 50, "bandana": 30, "ban": 20}, 12)
    assert "".join(spell("banana")).strip("▁") == "banana" and len(spell("banana")) < 6
