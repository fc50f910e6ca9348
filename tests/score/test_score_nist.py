"""NIST's formats: what is written is read again, also by sclite; bad lines are named."""

import re
import subprocess

import pytest
from conftest import ROOT
from sidamo.io.errors import DataError
from sidamo.score.nist import (
    TimedWord,
    Turn,
    ctm_lines,
    read_ctm,
    read_stm,
    read_trn,
    stm_lines,
    trn_lines,
    turns_of_data,
    words_in_turns,
)
from test_score_significance import SCLITE, needs_sclite

TURNS = [
    Turn("r1", "1", "anna", 0.0, 2.0, "", ["one", "two"]),
    Turn("r1", "1", "bert", 2.0, 5.0, "o,f0", ["three"]),
    Turn("r2", "A", "anna", 1.0, 3.5, "", ["four", "five", "six"]),
]
WORDS = [
    TimedWord("r1", "1", 0.1, 0.4, "one", 0.9),
    TimedWord("r1", "1", 0.6, 0.4, "too", 0.5),
    TimedWord("r1", "1", 2.5, 1.0, "three", 0.75),
    TimedWord("r2", "A", 1.2, 0.5, "four", None),
    TimedWord("r2", "A", 2.2, 0.5, "six", None),
]


def write(path, lines):
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def test_round_trips(tmp_path):
    sentences = {"anna-1": ["é", "ω"], "bert-2": []}
    assert read_trn(write(tmp_path / "t.trn", trn_lines(sentences))) == sentences
    assert read_ctm(write(tmp_path / "t.ctm", ctm_lines(reversed(WORDS)))) == WORDS
    assert read_stm(write(tmp_path / "t.stm", stm_lines(reversed(TURNS)))) == TURNS


def test_comments_and_cut_words(tmp_path):
    path = write(tmp_path / "t.trn", [";; a comment", "a;b c (anna-1)", "x y  (anna-2) "])
    assert read_trn(path) == {"anna-1": ["a"], "anna-2": ["x", "y"]}


@pytest.mark.parametrize(
    "read, line, message",
    [
        (read_trn, "words without name", r"t:2: found .* expected words and \(utterance\)"),
        (read_ctm, "r1 1 0.0 0.5", r"t:2: found .* expected <recording>"),
        (read_ctm, "r1 1 zero 0.5 word", r"t:2: start: found 'zero', expected seconds"),
        (read_ctm, "r1 1 0 -1 word", r"t:2: duration: found '-1', expected seconds"),
        (read_stm, "r1 1 anna 0", r"t:2: found .* expected <recording>"),
        (read_stm, "r1 1 anna 2 1 word", r"t:2: end 1.0 is before start 2.0"),
    ],
)
def test_bad_lines_are_named(tmp_path, read, line, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "t", [";; first", line]))


def test_bad_files(tmp_path):
    (tmp_path / "latin1").write_bytes("caf\xe9 (a-1)\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8.*\n  to mend: iconv"):
        read_trn(tmp_path / "latin1")
    with pytest.raises(DataError, match="a second line.*") as info:
        read_trn(write(tmp_path / "t", ["a (u-1)", "b (u-1)"]))
    assert info.value.key == "u-1"
    with pytest.raises(DataError, match="means something else to sclite"):
        list(trn_lines({"u-1": ["a;b"]}))


def test_stm_of_a_data_directory():
    turns = turns_of_data({"u1": ["a"]}, {"u1": ("r1", 1.0, 2.0)}, {"u1": "anna"})
    assert list(stm_lines(turns)) == ["r1 1 anna 1.000 2.000 a"]
    with pytest.raises(DataError, match="the utterance has no time"):
        turns_of_data({"u2": ["a"]}, {}, {})


def test_words_go_to_the_turn_of_their_middle():
    out = words_in_turns([*WORDS, TimedWord("r2", "A", 9.0, 0.1, "late")], TURNS)
    assert out[("r1", "1", 0.0)] == ["one", "too"] and out[("r1", "1", 2.0)] == ["three"]
    assert out[("r2", "A", None)] == ["late"]


@needs_sclite
def test_sclite_reads_our_stm_and_ctm(tmp_path):
    write(tmp_path / "ref.stm", stm_lines(TURNS))
    write(tmp_path / "hyp.ctm", ctm_lines(WORDS))
    command = [*SCLITE, "-r", "ref.stm", "stm", "-h", "hyp.ctm", "ctm", "-o", "rsum", "stdout", "-f", "0"]
    out = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    found = re.search(r"\| Sum +\| +(\d+) +(\d+) +\| +(\d+) +(\d+) +(\d+) +(\d+)", out)
    assert list(map(int, found.groups())) == [3, 6, 4, 1, 1, 0]


CONVERT = ROOT / "utils/scoring/convert_nist.py"


def convert(*arguments):
    return subprocess.run([CONVERT, *map(str, arguments)], capture_output=True, text=True, encoding="utf-8")


def test_conversions(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    write(data / "text", ["anna-1 one two", "anna-2 ω", "bert-1"])
    write(data / "utt2spk", ["anna-1 anna", "anna-2 anna", "bert-1 bert"])
    write(data / "segments", ["anna-1 r1 0.0 2.0", "anna-2 r1 2.0 4.5", "bert-1 r2 0 1"])
    trn = convert("text-to-trn", data / "text").stdout
    assert trn == "one two (anna-1)\nω (anna-2)\n(bert-1)\n"
    (tmp_path / "ref.trn").write_text(trn, encoding="utf-8")
    assert convert("trn-to-text", tmp_path / "ref.trn").stdout == "anna-1 one two\nanna-2 ω\nbert-1\n"
    stm = convert("data-to-stm", data).stdout.splitlines()
    assert stm[1] == "r1 1 anna 2.000 4.500 ω"
    write(tmp_path / "ctm", ["r1 1 0.1 0.5 one", "r1 A 2.5 0.5 ω 0.9", "r1 1 9.0 0.1 late"])
    done = convert("ctm-to-text", data, tmp_path / "ctm")
    assert done.stdout == "anna-1 one\nanna-2 ω\nbert-1\n" and "1 words of" in done.stderr
    (data / "segments").unlink()
    write(data / "utt2dur", ["anna-1 2.0", "anna-2 2.5", "bert-1 1"])
    assert convert("data-to-stm", data).stdout.splitlines()[1] == "anna-2 1 anna 0.000 2.500 ω"
    assert convert("text-to-trn", tmp_path / "nix").returncode == 1 and convert("no-such").returncode == 2


def test_score_is_sclites_table(golden):
    folder = golden / "score/sclite"
    report = (folder / "utf8/out.raw").read_text()
    lines = convert("score", folder / "ref.trn", folder / "hyp.trn").stdout.splitlines()
    table = {line.split()[0]: line.split()[1:] for line in lines}
    for speaker in ("abiayi", "en01", "kouarata", "martial", "zh01", "zh02"):  # x01 has the word with a semicolon
        row = re.search(rf"\| {speaker} +\|(.*)\|", report).group(1).replace("|", " ").split()
        assert table[speaker] == row
    done = convert("score", folder / "ref.trn", folder / "missing.trn")
    assert "lacks 2 utterances" in done.stderr
