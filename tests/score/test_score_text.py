"""Transcripts: every irregularity is named and counted; words keep Kaldi's separators."""

import pytest
from conftest import ROOT
from sidamo.io.errors import DataError
from sidamo.score.text import characters, parse_transcripts, read_transcripts, write_lines


def parse(*lines):
    return parse_transcripts([line.encode() if isinstance(line, str) else line for line in lines], "hyp.txt")


def test_blanks_and_empty_sentences():
    out = parse("u1  a\tb \n", "u2\n", "u3 a\u00a0b c\n", " u4 x\r\n")
    assert out.words == {"u1": ["a", "b"], "u2": [], "u3": ["a\u00a0b", "c"], "u4": ["x"]}
    assert out.lines["u1"] == "a b" and out.empty == ["u2"]


def test_irregularities_are_named_and_counted():
    out = parse("b x\n", "a y\n", "a z\n", b"c \xff\xfe\n", "d\n")
    told = out.complaints("reference")
    assert "hyp.txt: 1 utterance has more than one reference (the last one counts): a" in told
    assert "hyp.txt: 1 utterance has a reference that is not UTF-8 (compared byte by byte): c" in told
    assert any("out of LC_ALL=C order" in text and text.endswith(": a") for text in told)
    assert any("an empty reference" in text and text.endswith(": d") for text in told)
    assert out.words["a"] == ["z"]
    assert not any("empty" in text for text in out.complaints("hypothesis"))


def test_many_are_counted_and_few_are_named():
    out = parse(*(f"u{i:02d}\n" for i in range(20)))
    assert out.complaints("reference")[0].startswith("hyp.txt: 20 utterances have an empty reference")
    assert out.complaints("reference")[0].endswith("u00 u01 u02 u03 u04 ...")


def test_compute_wer_names_what_is_missing_or_extra(run, tmp_path):
    (tmp_path / "ref").write_text("a x\nb y z\nc w\n")
    (tmp_path / "hyp").write_text("a x\nc v\nd u\n")
    command = f"source '{ROOT}/path.sh'; compute-wer --mode={{}} ark:ref ark:hyp"
    done = run(command.format("all"), cwd=tmp_path)
    assert done.stdout.startswith("%WER 75.00 [ 3 / 4, 0 ins, 2 del, 1 sub ] [PARTIAL]")
    assert "1 utterance has no hypothesis (counted as deletions): b" in done.stderr
    assert "1 hypothesis has no reference (not scored): d" in done.stderr
    done = run(command.format("present"), cwd=tmp_path)
    assert done.stdout.startswith("%WER 50.00 [ 1 / 2,") and "no hypothesis (not scored): b" in done.stderr
    (tmp_path / "hyp").write_text("a x\nb y\na z\n")
    done = run(command.format("present"), cwd=tmp_path)
    assert done.returncode == 255 and "key a occurs twice" in done.stderr


def test_bad_input():
    with pytest.raises(DataError, match=r"hyp.txt:2: empty line"):
        parse("u1 a\n", "\n")
    with pytest.raises(DataError, match="cannot read: No such file"):
        read_transcripts("no/such/file")


def test_what_is_written_is_read_again(tmp_path):
    lines = {"b": "x y", "a": "", "é": "ω"}
    write_lines(tmp_path / "text", lines)
    assert (tmp_path / "text").read_text(encoding="utf-8") == "a\nb x y\né ω\n"
    assert read_transcripts(tmp_path / "text").lines == lines


def test_characters_keep_noises_whole():
    assert characters(["ab", "<unk>", "[noise]", "!SIL", "é"]) == ["a", "b", "<unk>", "[noise]", "!SIL", "é"]


def test_characters_are_those_of_kaldis_cer(golden):
    refs = read_transcripts(golden / "score/ref.txt").words
    chars = read_transcripts(golden / "score/ref.chars").words
    assert {utt: characters(words) for utt, words in refs.items()} == chars
