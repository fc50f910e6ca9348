"""egs/mboshi from recordings to the report in one go, on a small part of the corpus and with a small network."""

import re
import subprocess

import pytest

NUM_TRAIN, NUM_DEV = 80, 12
TINY = """--network=tdnn
--hidden-dim=48
--subsampling=3
--num-epochs=2
--learning-rate=0.005
--criterion=ctc-crf
--consistency-weight=0.2
--time-masks=1
--time-warp=0.1
--average=1
"""


@pytest.fixture(scope="module")
def finished(scratch_recipe, corpora, tmp_path_factory):
    corpus = tmp_path_factory.mktemp("part")
    for part, count in (("train", NUM_TRAIN), ("dev", NUM_DEV)):
        (corpus / part).mkdir()
        for text in sorted((corpora / "mboshi" / part).glob("*.mb.cleaned"))[:count]:
            (corpus / part / text.name).symlink_to(text)
            sound = text.name.replace(".mb.cleaned", ".flac")
            (corpus / part / sound).symlink_to(corpora / "mboshi" / part / sound)
    folder = scratch_recipe("mboshi")
    (folder / "conf/train_tiny.conf").write_text(TINY)
    command = ["./run.sh", "--corpus", corpus, "--network", "tiny"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return folder, result.stdout


def test_it_ends_with_error_rates_and_a_report(finished):
    folder, stdout = finished
    for name in ("greedy_dev", "decode_3gram_dev", "decode_open_dev"):
        assert (folder / "exp/tiny" / name).is_dir()
    assert len(re.findall(r"^%WER [\d.]+ \[ \d+ / \d+, ", stdout, re.MULTILINE)) >= 2
    assert len(re.findall(r"^%CER [\d.]+ \[ \d+ / \d+, ", stdout, re.MULTILINE)) >= 2
    assert (folder / "exp/tiny/report.html").stat().st_size > 10_000


def test_every_dev_utterance_has_a_hypothesis_and_no_piece_is_left(finished):
    folder, _ = finished
    for graph in ("3gram", "open"):
        scoring = folder / f"exp/tiny/decode_{graph}_dev/scoring_kaldi"
        lines = (scoring / "penalty_0.0/7.txt").read_text(encoding="utf-8").splitlines()
        assert len(lines) == NUM_DEV
    words = (folder / "exp/graph_open/words.txt").read_text(encoding="utf-8").split("\n")
    assert any(word.startswith("+a ") for word in words) and any(word.startswith("a+ ") for word in words)
    assert not any("+" in line for line in (scoring / "test_filt.txt").read_text(encoding="utf-8").splitlines())
