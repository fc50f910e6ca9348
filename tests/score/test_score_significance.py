"""Matched pairs and sclite's alignment: worked by hand, and against NIST's own programs where they are installed."""

import math
import re
import shutil
import subprocess

import pytest
from sidamo.score.nist import read_trn, trn_lines
from sidamo.score.significance import matched_pairs, sclite_operations, segments

SCLITE = ["sclite"] if shutil.which("sclite") else ["sctk", "sclite"] if shutil.which("sctk") else None
SC_STATS = ["sc_stats"] if shutil.which("sc_stats") else ["sctk", "sc_stats"]
needs_sclite = pytest.mark.skipif(SCLITE is None, reason="sclite is absent (Debian: apt-get install sctk)")


def test_two_correct_words_end_a_segment():
    assert segments("CSCDCC", "CCCCCC") == [(2, 0)]
    assert segments("CSCCDCC", "CCCCCCC") == [(1, 0), (1, 0)]
    assert segments("CCC", "CCC") == []
    assert segments("S", "D") == [(1, 1)]


def test_insertions_belong_to_the_segment_before_the_next_word():
    assert segments("CICC", "CCC") == [(1, 0)]
    assert segments("CCC", "CCCI") == [(0, 1)]
    assert segments("", "II") == [(0, 2)]


def test_z_by_hand():
    # Differences 2, 1, -1, 2: mean 1, variance 6/3 = 2, z = 1 / (sqrt(2) / 2) = sqrt(2)
    test = matched_pairs([("SS", "CC"), ("S", "C"), ("C", "S"), ("SS", "CC")])
    assert test.segments == 4 and test.mean == 1
    assert test.z == pytest.approx(math.sqrt(2))
    assert test.p == pytest.approx(math.erfc(1.0), rel=1e-9)


def test_no_difference():
    assert matched_pairs([("CC", "CC")]).p == 1
    assert matched_pairs([("S", "S"), ("D", "D")]).z == 0


def test_swapping_the_systems_turns_the_sign():
    pairs = [("CSCCD", "CCCCC"), ("SIC", "CC"), ("CC", "IIICC")]
    one, two = matched_pairs(pairs), matched_pairs([(b, a) for a, b in pairs])
    assert one.z == -two.z and one.p == two.p


def test_sclites_counts_per_utterance(golden):
    """What sclite printed for each utterance into the golden report."""
    refs, hyps = (read_trn(golden / "score/sclite" / name) for name in ("ref.trn", "hyp.trn"))
    report = (golden / "score/sclite/utf8/out.pra").read_text(encoding="utf-8")
    found = re.findall(r"id: \((\S+)\)\nScores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)", report)
    assert len(found) == 197
    for utt, *counts in found:
        if utt == "x01-012":  # "a;b ;": sclite cuts at the first semicolon and makes an empty word of the second
            continue
        ops = sclite_operations(refs[utt], hyps[utt])
        assert [ops.count(x) for x in "CSDI"] == list(map(int, counts)), utt


@pytest.fixture()
def transcripts(golden, tmp_path):
    """Golden sentences as trn, without those that sclite cannot take (no words, or a semicolon)."""
    texts = {}
    for name, out in (("ref", "ref"), ("hyp_full", "hyp1"), ("hyp2_full", "hyp2")):
        lines = (line.split() for line in (golden / f"score/{name}.txt").read_text(encoding="utf-8").splitlines())
        texts[out] = {line[0]: line[1:] for line in lines}
    keep = [utt for utt, words in texts["ref"].items() if words and not any(";" in w for w in words)]
    keep = [utt for utt in keep if utt != "x01-003"]  # sclite takes no empty hypothesis either
    for name, rows in texts.items():
        (tmp_path / f"{name}.trn").write_text("\n".join(trn_lines({u: rows[u] for u in keep})) + "\n", encoding="utf-8")
    return tmp_path


@needs_sclite
def test_sclite_agrees(transcripts):
    for name in ("hyp1", "hyp2"):
        command = [*SCLITE, "-r", "ref.trn", "trn", "-h", f"{name}.trn", "trn", "-i", "spu_id", "-e", "utf-8", "-s"]
        out = subprocess.run(
            [*command, "-o", "rsum", "stdout", "-f", "0"], cwd=transcripts, capture_output=True, text=True, check=True
        ).stdout
        found = re.search(r"\| Sum +\| +(\d+) +(\d+) +\| +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)", out)
        refs, hyps = read_trn(transcripts / "ref.trn"), read_trn(transcripts / f"{name}.trn")
        ops = "".join(sclite_operations(refs[utt], hyps[utt]) for utt in refs)
        assert [int(x) for x in found.groups()[2:6]] == [ops.count(x) for x in "CSDI"]


@needs_sclite
def test_sc_stats_agrees(transcripts):
    for name in ("hyp1", "hyp2"):
        command = [*SCLITE, "-r", "ref.trn", "trn", "-h", f"{name}.trn", "trn", name, "-i", "spu_id", "-e", "utf-8"]
        command += ["-s", "-o", "sgml", "-O", ".", "-n", name, "-f", "0"]
        subprocess.run(command, cwd=transcripts, check=True, capture_output=True)
    sgml = "".join((transcripts / f"{name}.sgml").read_text(encoding="utf-8") for name in ("hyp1", "hyp2"))
    subprocess.run(
        [*SC_STATS, "-p", "-t", "mapsswe", "-v", "-n", "out"], cwd=transcripts, input=sgml, text=True, check=True,
        capture_output=True,
    )  # fmt: skip
    report = (transcripts / "out.stats.mapsswe").read_text()
    found = re.search(r"# segs: (\d+)\).*mean: (\S+)\) \(std dev: (\S+)\) \(Z Stat: (\S+)\)", report)
    refs, one, two = (read_trn(transcripts / f"{name}.trn") for name in ("ref", "hyp1", "hyp2"))
    test = matched_pairs((sclite_operations(refs[u], one[u]), sclite_operations(refs[u], two[u])) for u in refs)
    assert test.segments == int(found.group(1))
    assert [f"{x:.3f}" for x in (test.mean, test.std_dev, test.z)] == list(found.groups()[1:])
