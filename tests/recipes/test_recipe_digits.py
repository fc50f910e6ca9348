"""egs/digits end to end, and what a student would try next: a stage alone, a missing input, a wrong option."""

import filecmp
import re
import subprocess
import time

import pytest


@pytest.fixture(scope="module")
def digits(scratch_recipe):
    """The finished recipe, its output and how long it took."""
    folder = scratch_recipe("digits")
    started = time.time()
    result = subprocess.run(["./run.sh", "--nj", "2"], cwd=folder, capture_output=True, text=True)
    return folder, result, time.time() - started


def test_word_error_rate_on_unseen_voices(digits):
    folder, result, _ = digits
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    *_, loop, trigram, report = result.stdout.splitlines()
    form = r"%WER (\S+) \[ (\d+) / (\d+),.* exp/tdnn/decode_\w+_test/wer_\d"
    rates = [re.match(form, line).groups() for line in (loop, trigram)]
    words = sum(len(line.split()) - 1 for line in open(folder / "data/test/text"))
    for rate, errors, total in rates:
        assert int(total) == words  # nothing was left out of the scoring
        assert float(rate) == pytest.approx(100 * int(errors) / words, abs=0.005)
        assert float(rate) <= 0.5
    assert report == f"report: {(folder / 'exp/tdnn/report.html').resolve()}"


def test_training_never_hears_the_test_voices(digits):
    folder, _, _ = digits
    variants = {
        part: {line.split("\t")[4] for line in open(folder / f"data/corpus/{part}.tsv").read().splitlines()[1:]}
        for part in ("train", "dev", "test")
    }
    assert len(variants["train"]) >= 40
    assert not variants["train"] & variants["test"] and not variants["train"] & variants["dev"]
    lengths = {len(line.split()) - 1 for line in open(folder / "data/train/text")}
    assert lengths == {1, 2, 3, 4, 5, 7}


def test_corpus_is_the_same_to_the_byte(digits, tmp_path):
    folder, _, _ = digits
    subprocess.run([folder / "local/make_digits.py", "--nj", "1", tmp_path / "corpus"], check=True, capture_output=True,
                   env={"PATH": _path(folder)})  # fmt: skip
    first, second = folder / "data/corpus", tmp_path / "corpus"
    names = [p.relative_to(first) for p in first.rglob("*.wav")] + [f"{part}.tsv" for part in ("train", "dev", "test")]
    assert len(names) > 1400
    same, different, missing = filecmp.cmpfiles(first, second, names, shallow=False)
    assert not different and not missing


def test_a_finished_stage_can_be_run_alone(digits):
    folder, first, _ = digits
    result = subprocess.run(["./run.sh", "--stage", "5", "--stop-stage", "5"], cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert re.findall(r"%WER.*", result.stdout) == re.findall(r"%WER.*", first.stdout)
    assert "Stage 4" not in result.stdout and "Stage 6" not in result.stdout


def test_one_utterance_is_shown(digits):
    folder, _, _ = digits
    utt, *words = open(folder / "data/test/text").readline().split()
    command = ["utils/show_utt.sh", utt, "exp/tdnn/decode_loop_test"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert f"{utt} {(folder / 'data/corpus').resolve()}" in result.stdout  # its line of wav.scp
    assert " ".join(words) in result.stdout
    times = [line.split() for line in result.stdout.splitlines() if re.match(r" *\d+\.\d\d s ", line)]
    starts = [float(t[0]) for t in times]
    assert starts == sorted(starts) and len(times) >= 1
    assert [t[4] for t in times] == re.search(rf"^{utt} hyp +(.*)$", result.stdout, re.M)[1].replace("***", "").split()
    unknown = subprocess.run([command[0], "nobody", command[2]], cwd=folder, capture_output=True, text=True)
    assert unknown.returncode != 0 and "no such utterance" in unknown.stderr


def test_missing_input_names_the_stage_that_makes_it(scratch_recipe):
    folder = scratch_recipe("digits")
    result = subprocess.run(["./run.sh", "--stage", "4"], cwd=folder, capture_output=True, text=True)
    assert result.returncode != 0
    assert "stage 4 needs data/test/feats.scp, which stage 1 makes" in result.stderr
    assert "--stage 1" in result.stderr


def _path(folder) -> str:
    command = f"cd {folder} && . ./path.sh && echo $PATH"
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout.strip()
