"""Normalization before scoring: what is taken away, what stays, and bad maps."""

import subprocess
import sys

import pytest
from conftest import ROOT
from sidamo.io.errors import DataError, OptionError
from sidamo.score.normalize import NormalizeOptions, Normalizer, read_map

FILTER = ROOT / "utils/scoring/normalize_text.py"


def words(text, **options):
    return " ".join(Normalizer(NormalizeOptions(**options)).words(text.split()))


def test_unicode_forms():
    assert words("e\u0301") == "\u00e9" and words("\u00e9", unicode="NFD") == "e\u0301"
    assert words("e\u0301", unicode="none") == "e\u0301" and words("\ufb01x", unicode="NFKC") == "fix"


def test_case():
    assert words("Straße ÉTÉ", case="lower") == "straße été"
    assert words("Straße", case="fold") == "strasse" and words("é", case="upper") == "É"


def test_punctuation_goes_but_not_inside_words():
    said = "Well , don\u2019t (stop) mother-in-law - 'tis !"
    assert words(said, punctuation=False) == "Well don't stop mother-in-law tis"
    assert words("<unk> [noise] a;b", punctuation=False, case="upper") == "<unk> [noise] AB"
    assert words("北京。 一起", punctuation=False) == "北京 一起"


def test_map_takes_the_longest_and_looks_once(tmp_path):
    path = tmp_path / "equal.glm"
    path.write_text("""
;; a comment
* name "test.glm"
okay => ok
ok => all right
all  right => fine   # after the words
[UH] => [] / [ ] __ [ ]
[GOING TO] => [GONNA] / [ ] __ [ ]
""")
    assert words("okay then all right so", map=str(path)) == "ok then fine so"
    assert words("UH I'm GOING TO go", map=str(path)) == "I'm GONNA go"
    assert words("Okay", map=str(path), case="lower") == "ok"


@pytest.mark.parametrize(
    "line, message",
    [
        ("no arrow here", r"glm:1: found 'no arrow here', expected `words => words`"),
        ("=> x", "expected `words => words`"),
        ("[A] => { [B] / [C] }", "expected `words => words`"),
        ("a => b\na => c", "glm:2: a second rule for 'a'"),
    ],
)
def test_bad_maps(tmp_path, line, message):
    (tmp_path / "glm").write_text(line + "\n")
    with pytest.raises(DataError, match=message):
        read_map(tmp_path / "glm")


def test_bad_options():
    with pytest.raises(OptionError, match="--unicode=NFX: expected one of"):
        NormalizeOptions(unicode="NFX")
    with pytest.raises(OptionError, match="--case=big: expected one of"):
        NormalizeOptions(case="big")
    with pytest.raises(DataError, match="cannot read"):
        words("a", map="no/such/file")


def test_the_filter_and_the_hook():
    text = "u1 Caf\u0065\u0301 !\nu2\n"
    for command, expected in (
        ([sys.executable, FILTER, "--case", "lower", "--no-punctuation"], "u1 caf\u00e9\nu2\n"),
        ([ROOT / "local/wer_output_filter"], "u1 Caf\u00e9 !\nu2\n"),
    ):
        done = subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8")
        assert done.stdout == expected and done.returncode == 0
    done = subprocess.run([FILTER, "--map", "nix"], input="", capture_output=True, text=True)
    assert done.returncode == 1 and "normalize_text.py: nix: cannot read" in done.stderr
