"""The detail scripts: Kaldi's formats by hand, ties, odd words, and bad input with its message."""

import subprocess

import pytest
from conftest import ROOT
from sidamo.score.details import ops_lines, parse_alignment, per_spk_table, per_utt_lines, sort_ops

SCRIPTS = ROOT / "utils/scoring"


def script(name, text, *arguments):
    command = [SCRIPTS / name, *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8")


def test_a_separator_may_be_a_word():
    assert parse_alignment("u1 a;b a ; ; b", ";") == ("u1", [("a;b", "a"), (";", "b")])
    assert parse_alignment("u1", ";") == ("u1", [])


def test_lines_of_an_utterance():
    pairs = [("a", "a"), ("long", "x"), ("***", "ω")]
    assert list(per_utt_lines("u1", pairs, "***")) == [
        "u1 ref  a  long  ***",
        "u1 hyp  a    x    ω ",
        "u1 op   C    S    I ",
        "u1 #csid 1 1 1 0",
    ]


def test_speakers_by_hand():
    csid = [("u1", (1, 1, 0, 0)), ("u2", (0, 0, 1, 0)), ("u3", (2, 0, 0, 0))]
    table = list(per_spk_table(csid, {"u1": "b", "u2": "a", "u3": "b"}))
    assert [" ".join(line.split()[:2]) for line in table[1:]] == ["a raw", "b raw", "b sys", "SUM raw", "SUM sys"]
    assert table[3].split()[2:] == ["2", "4", "75.00", "25.00", "0.00", "0.00", "25.00", "50.00"]
    assert list(per_spk_table([], {}))[1].split() == ["SUM", "raw", *"00000000"]


def test_operations_are_sorted_as_by_sort():
    pairs = [("b", "b"), ("a", "x"), ("a", "x"), ("é", "y"), ("ω", "y"), ("***", "z"), ("q", "***")]
    lines = ops_lines(pairs, "***")
    assert lines[0] == "insertion     ***      z    1"
    command = ["sort", "-b", "-i", "-k", "1,1", "-k", "4,4rn", "-k", "2,2", "-k", "3,3"]
    text = "\n".join(lines) + "\n"
    expected = subprocess.run(command, input=text, capture_output=True, text=True, env={"LC_ALL": "C"})
    if expected.returncode:
        pytest.skip("no sort program")
    assert sort_ops(lines) == expected.stdout.splitlines()


@pytest.mark.parametrize(
    "name, text, arguments, status, message",
    [
        ("wer_per_utt_details.pl", "u1 a b ; c\n", [], 1, "<stdin>:1 (key u1): found 'a b ; c', expected pairs"),
        ("wer_per_utt_details.pl", "u1 a b c d e\n", [], 1, "separated by ';'"),
        ("wer_per_utt_details.pl", "", ["--no-such"], 2, "--no-such"),
        ("wer_per_spk_details.pl", "u1 #csid 1 2\n", ["UTT2SPK"], 1, "expected <utt> #csid and four counts"),
        ("wer_per_spk_details.pl", "", ["nix"], 1, "nix: cannot read: No such file"),
        ("wer_per_spk_details.pl", "", [], 2, "the following arguments are required"),
        ("wer_ops_details.pl", "u1 ref a\nu1 hyp a b\n", [], 1, "found 1 words of ref and 2 of hyp"),
        ("wer_ops_details.pl", "u1 ref a\nu1 ref a\n", [], 1, "a second 'ref' line"),
    ],
)
def test_bad_input(name, text, arguments, status, message, tmp_path):
    (tmp_path / "utt2spk").write_text("u1 s1\n")
    done = script(name, text, *[str(tmp_path / "utt2spk") if a == "UTT2SPK" else a for a in arguments])
    assert done.returncode == status and message in done.stderr


def test_an_utterance_without_a_speaker_is_named(tmp_path):
    (tmp_path / "utt2spk").write_text("u1 s1\n")
    done = script("wer_per_spk_details.pl", "u1 #csid 1 0 0 0\nu2 #csid 0 1 0 0\n", tmp_path / "utt2spk")
    assert done.returncode == 0 and "lacks 1 utterances, the first is u2" in done.stderr
    assert done.stdout.splitlines()[-1].split()[:4] == ["SUM", "sys", "2", "2"]


def test_other_symbols():
    text = script("wer_per_utt_details.pl", "u1 a <eps> | b c\n", "--separator", "|").stdout
    assert "u1 op     D    S\n" in text
    assert script("wer_ops_details.pl", text).stdout.splitlines()[0].split() == ["deletion", "a", "<eps>", "1"]
