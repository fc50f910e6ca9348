"""Scoring decode directories: layout, strictness, hooks, the table of many systems, the comparison of two."""

import gzip
import json
import re

import pytest
from conftest import ROOT
from sidamo.io.tables import SequentialReader, Writer
from sidamo.score.sweep import edge_of_sweep, settings

SCORE = ROOT / "local/score.sh"
SWEEP = "python3 -m sidamo.bin.score_sweep --min-lmwt=7 --max-lmwt=8 --word-ins-penalty=0.0,0.5"
REFS = {"a-1": "one two three", "a-2": "four", "b-1": "one two", "b-2": "five six"}


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key} {text}".rstrip() + "\n" for key, text in lines.items()), encoding="utf-8")


def make_decode(folder, hyps, refs=REFS):
    """A decode directory whose setting 8, 0.5 has these hypotheses; at the other settings everything is "wrong"."""
    write(folder / "scoring_kaldi/test_filt.txt", refs)
    for wip in ("0.0", "0.5"):
        for lmwt in (7, 8):
            chosen = hyps if (lmwt, wip) == (8, "0.5") else {utt: "wrong" for utt in refs}
            write(folder / f"scoring_kaldi/penalty_{wip}/{lmwt}.txt", chosen)
    return folder


@pytest.fixture()
def sh(run):
    return lambda command, cwd: run(f"source '{ROOT}/path.sh'; {command}", cwd=cwd)


def test_kaldis_layout(tmp_path, sh):
    make_decode(tmp_path / "dec", {**REFS, "a-2": "four four", "b-1": "one"})
    write(tmp_path / "utt2spk", {utt: utt[0] for utt in REFS})
    result = sh(f"{SWEEP} utt2spk dec", tmp_path)
    assert result.returncode == 0, result.stderr
    best = "%WER 25.00 [ 2 / 8, 1 ins, 1 del, 0 sub ] dec/wer_8_0.5"
    assert best in result.stdout
    scoring = tmp_path / "dec/scoring_kaldi"
    assert (scoring / "best_wer").read_text() == best + "\n"
    details = scoring / "wer_details"
    assert (details / "lmwt").read_text() == "8\n" and (details / "wip").read_text() == "0.5\n"
    assert "a-2 ref   ***  four\na-2 hyp  four  four\n" in (details / "per_utt").read_text()
    assert (details / "ops").read_text().startswith("correct ")
    assert re.fullmatch(r"Set1: %WER \S+ 95% Conf Interval \[ \S+, \S+ \]\n", (details / "wer_bootci").read_text())
    lines = (tmp_path / "dec/wer_7_0.0").read_text().splitlines()
    assert lines[1:] == ["%WER 100.00 [ 8 / 8, 0 ins, 4 del, 4 sub ]", "%SER 100.00 [ 4 / 4 ]",
                         "Scored 4 sentences, 0 not present in hyp."]  # fmt: skip
    assert (scoring / "test_filt.chars.txt").read_text().startswith("a-1 o n e t w o")
    assert (tmp_path / "dec/cer_8_0.5").exists() and (scoring / "cer_details/per_spk").exists()


def test_a_best_weight_at_the_edge_is_told():
    sweep = settings(7, 10, "0.0,1.0")
    assert "8 is" not in "".join(edge_of_sweep(sweep, [5, 4, 5, 6, 5, 5, 5, 5]))
    assert "7, is the smallest that was tried: try --min-lmwt" in edge_of_sweep(sweep, [3, 4, 5, 6, 5, 5, 5, 5])[0]
    assert "10, is the largest that was tried: try --max-lmwt" in edge_of_sweep(sweep, [5, 4, 5, 6, 5, 5, 5, 2])[0]
    assert edge_of_sweep(sweep, [0] * 8) == [] and edge_of_sweep(settings(7, 8, "0.0"), [1, 2]) == []


def test_rates_of_an_earlier_sweep_go(tmp_path, sh):
    make_decode(tmp_path / "dec", REFS)
    write(tmp_path / "utt2spk", {utt: utt[0] for utt in REFS})
    for name in ("wer_17_0.0", "cer_3_1.0", "wer_details.txt", "wer"):
        (tmp_path / "dec" / name).write_text("%WER 0.00 [ 0 / 8 ]\n")
    sh(f"{SWEEP} utt2spk dec", tmp_path)
    left = {path.name for path in (tmp_path / "dec").iterdir()}
    assert not left & {"wer_17_0.0", "cer_3_1.0"} and left > {"wer_details.txt", "wer", "wer_8_0.5", "cer_7_0.0"}


def test_the_interval_is_that_of_compute_wer_bootci(tmp_path, sh):
    make_decode(tmp_path / "dec", {**REFS, "b-1": "one"})
    write(tmp_path / "utt2spk", {utt: utt[0] for utt in REFS})
    sh(f"{SWEEP} utt2spk dec", tmp_path)
    scoring = "ark:dec/scoring_kaldi"
    tool = sh(f"compute-wer-bootci {scoring}/test_filt.txt {scoring}/penalty_0.5/8.txt", tmp_path)
    assert tool.stdout == (tmp_path / "dec/scoring_kaldi/wer_details/wer_bootci").read_text()


def test_nothing_is_scored_silently(tmp_path, sh):
    refs = {**REFS, "c-1": ""}
    make_decode(tmp_path / "dec", {"a-1": REFS["a-1"], "b-1": "one two", "z-9": "extra", "b-2": "five six"}, refs)
    write(tmp_path / "utt2spk", {utt: utt[0] for utt in refs})
    result = sh(f"{SWEEP} utt2spk dec", tmp_path)
    assert result.returncode == 0
    assert "%WER 12.50 [ 1 / 8, 0 ins, 1 del, 0 sub ] [PARTIAL] dec/wer_8_0.5" in result.stdout
    told = (tmp_path / "dec/scoring_kaldi/complaints").read_text()
    assert "2 utterances have no hypothesis (all words count as deletions): a-2 c-1" in told
    assert "1 hypothesis has no reference (not scored): z-9" in told
    assert "1 utterance has an empty reference" in told
    assert "a hypothesis out of LC_ALL=C order" in told
    assert told.splitlines()[0] in result.stderr


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda d: (d / "scoring_kaldi/penalty_0.5/8.txt").unlink(), "cannot read: No such file"),
        (lambda d: (d / "scoring_kaldi/test_filt.txt").write_text(""), "no utterances"),
        (lambda d: (d.parent / "utt2spk").write_text("a-1\n"), "expected <utt> <spk>"),
    ],
)
def test_bad_input(tmp_path, sh, change, message):
    make_decode(tmp_path / "dec", REFS)
    write(tmp_path / "utt2spk", {utt: utt[0] for utt in REFS})
    change(tmp_path / "dec")
    result = sh(f"{SWEEP} utt2spk dec", tmp_path)
    assert result.returncode == 255 and message in result.stderr


@pytest.fixture()
def lattices(golden, tmp_path, sh):
    """A data directory, a graph directory and a decode directory with Kaldi's own lattices."""
    text = (golden / "ctc/ref.txt").read_text(encoding="utf-8")
    write(tmp_path / "data/utt2spk", {line.split()[0]: "spk" for line in text.splitlines()})
    (tmp_path / "data/text").write_text(text, encoding="utf-8")
    (tmp_path / "graph").mkdir()
    (tmp_path / "graph/words.txt").write_bytes((golden / "ctc/words.txt").read_bytes())
    (tmp_path / "dec").mkdir()
    with SequentialReader(f"ark:{golden}/lat/lat.ark", "compact_lattice") as reader:
        items = list(reader)
    for job in range(12):  # more than nine, so that the order of the files matters
        with gzip.open(tmp_path / f"dec/lat.{job + 1}.gz", "wb") as stream:
            with Writer(f"ark:{tmp_path}/dec/part", "compact_lattice") as writer:
                for key, lattice in items[job * len(items) // 12 : (job + 1) * len(items) // 12]:
                    writer.write(key, lattice)
            stream.write((tmp_path / "dec/part").read_bytes())
    return tmp_path


def test_from_lattices(lattices, sh, golden):
    """At LM weight 1 the best paths are those of lattice-best-path --acoustic-scale=1, whose WER Kaldi computed."""
    result = sh(f"{SCORE} --min-lmwt 1 --max-lmwt 2 --word-ins-penalty 0.0 data graph dec", lattices)
    assert result.returncode == 0, result.stderr
    words = dict(reversed(line.split()) for line in open(lattices / "graph/words.txt", encoding="utf-8"))
    best = {}
    for line in (golden / "lat/best.words").read_text().splitlines():
        utt, *ids = line.split()
        best[utt] = [words[i] for i in ids]
    got = (lattices / "dec/scoring_kaldi/penalty_0.0/1.txt").read_text(encoding="utf-8").splitlines()
    assert {line.split()[0]: line.split()[1:] for line in got} == best
    assert (lattices / "dec/wer_1_0.0").exists() and (lattices / "dec/cer_2_0.0").exists()
    assert (lattices / "dec/scoring_kaldi/inputs").read_text() == "data data\ngraph graph\n"
    assert "%WER" in result.stdout and "order" not in (lattices / "dec/scoring_kaldi/complaints").read_text()
    (lattices / "dec/lat.5.gz").unlink()
    result = sh(f"{SCORE} data graph dec", lattices)
    assert result.returncode == 1 and "dec/lat.5.gz is missing" in result.stderr


def test_filters_and_mbr(lattices, sh):
    (lattices / "local").mkdir()
    hook = lattices / "local/wer_output_filter"
    hook.write_text("#!/bin/sh\nexec sed -e 's/ two\\>/ 2/g'\n")
    hook.chmod(0o755)
    options = "--decode-mbr true --min-lmwt 1 --max-lmwt 1 --word-ins-penalty 0.0 --cer false"
    result = sh(f"{SCORE} {options} data graph dec", lattices)
    assert result.returncode == 0, result.stderr
    for name in ("test_filt.txt", "penalty_0.0/1.txt"):
        text = (lattices / "dec/scoring_kaldi" / name).read_text(encoding="utf-8")
        assert " 2" in text and " two" not in text
    assert not (lattices / "dec/cer_1_0.0").exists()
    again = sh(f"{SCORE} --stage 2 --min-lmwt 1 --max-lmwt 1 --word-ins-penalty 0.0 data graph dec", lattices)
    assert again.returncode == 0 and (lattices / "dec/cer_1_0.0").exists()


@pytest.mark.parametrize("script", ["local/score.sh", "steps/scoring/score_kaldi_wer.sh", "utils/compare.sh"])
def test_wrong_calls(script, sh, tmp_path):
    result = sh(f"'{ROOT}/{script}' a", tmp_path)
    assert result.returncode == 1 and "usage:" in result.stderr
    assert sh(f"'{ROOT}/{script}' --no-such-thing 1 a b c", tmp_path).returncode == 1
    told = sh(f"'{ROOT}/{script}' --help", tmp_path)
    assert told.returncode == 0 and "Example:" in told.stdout


def test_missing_inputs(sh, tmp_path):
    result = sh(f"{SCORE} data graph dec", tmp_path)
    assert result.returncode == 1 and "no such file data/text" in result.stderr
    result = sh(f"'{ROOT}/utils/score_batch.sh' dec", tmp_path)
    assert result.returncode == 1 and "not scored yet" in result.stdout


def test_best_wer(sh, tmp_path):
    best = f"'{ROOT}/utils/best_wer.sh'"
    lines = ["d/wer_9_0.0:%WER 10.50 [ 21 / 200, 1 ins, 2 del, 18 sub ]", "d/wer_10_0.5:%WER 9.50 [ 19 / 200, 1 ins ]"]
    (tmp_path / "lines").write_text("\n".join([*lines, "d/wer_11_0.5:%WER 9.50 [ 19 / 200 ]", "noise"]) + "\n")
    assert sh(f"{best} < lines", tmp_path).stdout == "%WER 9.50 [ 19 / 200, 1 ins ] d/wer_10_0.5\n"
    (tmp_path / "sys").write_text("x.sys:| Sum/Avg|  100   500 | 90.0    6.0    4.0    2.0   12.0   50.0 |\n")
    assert sh(f"{best} < sys", tmp_path).stdout.startswith("%WER 12.0 | 100 500 | 90.0 6.0 4.0 2.0 12.0 50.0 |")
    (tmp_path / "wer_7_0.0").write_text("compute-wer\n%WER -nan [ 0 / 0 ]\n")
    (tmp_path / "wer_8_0.0").write_text("compute-wer\n%WER 3.00 [ 3 / 100 ]\n%SER 1.00 [ 1 / 100 ]\n")
    assert sh(f"{best} wer_*", tmp_path).stdout == "%WER 3.00 [ 3 / 100 ] wer_8_0.0\n"
    assert sh(f"{best} < /dev/null", tmp_path).stdout == ""
    assert "no such file nix" in sh(f"{best} nix", tmp_path).stderr


@pytest.fixture()
def three_systems(tmp_path, sh):
    """Three systems over 60 utterances: good, a copy of it, and a bad one; and one on another test set."""
    refs = {f"s{i % 3}-{i:02d}": "one two three four" for i in range(60)}
    write(tmp_path / "utt2spk", {utt: utt[:2] for utt in refs})
    good = {utt: "one two three" if i % 10 == 0 else text for i, (utt, text) in enumerate(refs.items())}
    bad = {utt: "one too three for" for utt in refs}
    make_decode(tmp_path / "m1/decode_test", good, refs)
    make_decode(tmp_path / "m2/decode_test", good, refs)
    make_decode(tmp_path / "m3/decode_test", bad, refs)
    make_decode(tmp_path / "m3/decode_dev", REFS, REFS)
    write(tmp_path / "utt2spk", {utt: "s" for utt in [*refs, *REFS]})
    for name in ("m1/decode_test", "m2/decode_test", "m3/decode_test", "m3/decode_dev"):
        assert sh(f"{SWEEP} utt2spk {name}", tmp_path).returncode == 0
    return tmp_path


def test_batch(three_systems, sh):
    batch = f"'{ROOT}/utils/score_batch.sh' --out out/table m?/decode_*"
    first = sh(batch, three_systems)
    assert first.returncode == 0, first.stderr
    assert "4 scored anew, 3 pairs compared anew" in first.stderr
    table = json.loads((three_systems / "out/table.json").read_text())
    rates = {system["decode"]: system["wer"] for system in table["systems"]}
    assert rates == {"m3/decode_dev": 0.0, "m1/decode_test": 2.5, "m2/decode_test": 2.5, "m3/decode_test": 50.0}
    assert all(low <= rates[s["decode"]] <= high for s in table["systems"] for low, high in [s["interval"]])
    pairs = {(table["systems"][p["a"]]["decode"], table["systems"][p["b"]]["decode"]): p for p in table["pairs"]}
    same, other = pairs["m1/decode_test", "m2/decode_test"], pairs["m1/decode_test", "m3/decode_test"]
    assert same["p"] == 1 and same["improvement"] == 0
    assert other["p"] < 1e-6 and other["z"] < 0 and other["improvement"] == 0
    assert "is better than m3/decode_test" in first.stdout and "does not differ significantly" in first.stdout
    rows = [line.split("\t") for line in (three_systems / "out/table.tsv").read_text().splitlines()]
    assert len(rows) == 5 and len({len(row) for row in rows}) == 1
    assert "<table>" in (three_systems / "out/table.html").read_text()


def test_batch_computes_only_what_has_changed(three_systems, sh):
    batch = f"'{ROOT}/utils/score_batch.sh' --out out/table m?/decode_test"
    first = sh(batch, three_systems)
    again = sh(batch, three_systems)
    assert "0 scored anew, 0 pairs compared anew" in again.stderr and again.stdout == first.stdout
    path = three_systems / "m3/decode_test/scoring_kaldi/penalty_0.5/8.txt"
    path.write_text(path.read_text().replace("too", "two"))
    (three_systems / "out/table.json").write_text("{ cut off")
    third = sh(batch, three_systems)
    assert "1 scored anew, 3 pairs compared anew" in third.stderr and " 25.00 " in third.stdout


def test_compare(three_systems, sh):
    result = sh(f"'{ROOT}/utils/compare.sh' --max 2 m1/decode_test m3/decode_test", three_systems)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "s0-03  errors 0 -> 2"
    assert lines[1:4] == ["  ref one two three four", "   a  one two three four", "   b  one TOO three FOR"]
    assert "60 of 60 utterances differ: b is worse in 60, better in 0" in lines
    assert "p < 0.0001" in lines[-1]
    result = sh(f"'{ROOT}/utils/compare.sh' m1/decode_test m3/decode_dev", three_systems)
    assert result.returncode == 255 and "different references" in result.stderr


def test_kaldis_comparison(three_systems, sh):
    script = f"'{ROOT}/steps/scoring/score_kaldi_compare.sh' --replications 500"
    result = sh(f"{script} m3/decode_test m1/decode_test out", three_systems)
    assert result.returncode == 0, result.stderr
    lines = (three_systems / "out/wer_bootci_comparison").read_text().splitlines()
    assert lines[0].startswith("Set1: %WER 50.00 ") and lines[2] == "Probability of Set2 improving Set1: 100.00"
    result = sh(f"{script} m3/decode_test m3/decode_dev out", three_systems)
    assert result.returncode == 1 and "different references" in result.stderr
    result = sh(f"{script} m3/decode_test nix out", three_systems)
    assert result.returncode == 1 and "nix is not scored" in result.stderr
