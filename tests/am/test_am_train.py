"""The trainer as its users run it: it learns, survives kill -9, bad batches and a full disk, in many processes too."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from sidamo.io import tables

TOKENS = ["<eps>", "<blk>", "a", "b", "c", "#0"]
DIM = 6
BASE = [
    "--network=tdnn", "--hidden-dim=24", "--kernels=3,3", "--dilations=1,2", "--num-threads=1", "--num-epochs=3",
    "--max-utts=4", "--learning-rate=0.01", "--warmup-steps=5", "--use-gpu=no", "--time-masks=1", "--time-mask-max=5",
    "--freq-masks=1", "--freq-mask-max=2", "--time-warp=0.1", "--ema-decay=0.9",
]  # fmt: skip


def write_set(folder, count, seed, spoil=None):
    """A toy corpus: each token is a burst on its own channels; `spoil` names the utterance that holds a NaN."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    with (
        tables.Writer(f"ark,scp:{folder}/feats.ark,{folder}/feats.scp", "matrix") as feats,
        tables.Writer(f"ark:{folder}/targets.ark", "int_vector") as targets,
    ):
        for i in range(count):
            key = f"utt{seed}-{i:03d}"
            tokens = rng.integers(0, 3, rng.integers(1, 5))
            parts = [rng.normal(0, 0.3, (4, DIM))]
            for token in tokens:
                burst = rng.normal(0, 0.3, (rng.integers(6, 12), DIM))
                burst[:, 2 * token : 2 * token + 2] += 2.0
                parts += [burst, rng.normal(0, 0.3, (4, DIM))]
            matrix = np.concatenate(parts).astype(np.float32)
            if key == spoil:
                matrix[3, 1] = np.nan
            feats.write(key, matrix)
            targets.write(key, [int(t) + 2 for t in tokens])


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    root = tmp_path_factory.mktemp("toy")
    write_set(root / "train", 40, 1)
    write_set(root / "dev", 10, 2)
    (root / "tokens.txt").write_text("".join(f"{t} {i}\n" for i, t in enumerate(TOKENS)))
    return root


def command(toy, out, *options, train="train"):
    return [
        "train-ctc", *BASE, *options, f"{toy}/{train}/feats.scp", f"ark:{toy}/{train}/targets.ark",
        f"{toy}/dev/feats.scp", f"ark:{toy}/dev/targets.ark", f"{toy}/tokens.txt", str(out),
    ]  # fmt: skip


def environment():
    return dict(os.environ, PATH=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"], OMP_NUM_THREADS="1")


def train(*args, **kwargs):
    return subprocess.run(command(*args, **kwargs), capture_output=True, text=True, env=environment(), timeout=300)


def train_here(capfd, words):
    """The same in this process (importing torch takes longer than most of these trainings): (status, stderr)."""
    from sidamo.bin.train_ctc import main

    status = main(words[1:])
    return status, capfd.readouterr().err


def weights(out, name="final.pt"):
    return torch.load(out / name, weights_only=True)["state"]


def curve(out):
    lines = (out / "log/curve.tsv").read_text().splitlines()
    return [dict(zip(lines[0].split("\t"), map(float, line.split("\t")))) for line in lines[1:]]


@pytest.fixture(scope="module")
def unbroken(toy, tmp_path_factory):
    out = tmp_path_factory.mktemp("unbroken")
    result = train(toy, out, "--num-epochs=12")
    assert result.returncode == 0, result.stderr
    return out


def test_it_learns_and_leaves_what_a_stranger_needs(toy, unbroken):
    rows = curve(unbroken)
    assert list(rows[0]) == ["epoch", "step", "train_loss", "dev_loss", "dev_ter", "dev_wer", "lr", "seconds", "cpu_seconds"]
    assert [row["epoch"] for row in rows] == list(range(1, 13))
    assert min(row["dev_ter"] for row in rows) < 10
    assert rows[-1]["train_loss"] < 0.3 * rows[0]["train_loss"]
    assert "--hidden-dim=24" in (unbroken / "config").read_text().splitlines()
    facts = dict(line.split("\t", 1) for line in (unbroken / "provenance.txt").read_text().splitlines())
    assert facts["seed"] == "0" and facts["train_utterances"] == "40" and "train-ctc" in facts["command"]
    content = torch.load(unbroken / "final.pt", weights_only=True)
    assert content["tokens"] == ["<blk>", "a", "b", "c"]
    labels = sum(len(v) for _, v in tables.SequentialReader(f"ark:{toy}/train/targets.ark", "int_vector"))
    assert content["label_counts"].tolist()[0] == labels + 40  # blanks interleaved: one more than tokens, per utterance
    assert len(list(unbroken.glob("epoch_*.pt"))) == 5
    posteriors = dict(tables.SequentialReader(f"ark:{unbroken}/log/posteriors.ark", "matrix"))
    assert len(posteriors) == 12 and "utt2-000-epoch12" in posteriors
    np.testing.assert_allclose(posteriors["utt2-000-epoch1"].sum(1), 1, atol=1e-5)


def test_two_runs_are_equal_to_the_bit(toy, unbroken, tmp_path):
    assert train(toy, tmp_path, "--num-epochs=12").returncode == 0
    for name, value in weights(tmp_path).items():
        assert torch.equal(value, weights(unbroken)[name]), name


def test_kill_and_resume_ends_with_the_same_bits(toy, unbroken, tmp_path):
    """Killed by SIGKILL at several instants, within epochs and between them, with a checkpoint after every update."""
    run = command(toy, tmp_path, "--num-epochs=12", "--save-seconds=0")
    steps = []
    for kill_after in (6, 31, 57, 80):
        process = subprocess.Popen(run, stderr=subprocess.DEVNULL, env=environment())
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if (tmp_path / "checkpoint.pt").exists():
                try:
                    step = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["state"]["step"]
                except (OSError, RuntimeError):
                    continue
                if step >= kill_after:
                    break
            time.sleep(0.002)
        assert process.poll() is None, "the run should be killed before its end"
        process.send_signal(signal.SIGKILL)
        process.wait()
        steps.append(torch.load(tmp_path / "checkpoint.pt", weights_only=True)["state"]["step"])
        assert not (tmp_path / "final.pt").exists()
    assert steps == sorted(steps) and len(set(steps)) == 4
    result = subprocess.run(run, capture_output=True, text=True, env=environment())
    assert result.returncode == 0 and "going on after epoch" in result.stderr
    ours, theirs = weights(tmp_path), weights(unbroken)
    for name in theirs:
        assert torch.equal(ours[name], theirs[name]), name
    for a, b in zip(curve(tmp_path), curve(unbroken)):
        for name in ("epoch", "step", "train_loss", "dev_loss", "dev_ter", "lr"):
            assert a[name] == b[name], name


@pytest.mark.parametrize("criterion", ["ctc", "ctc-crf"])
def test_a_bad_batch_is_named_skipped_and_counted(toy, tmp_path, criterion):
    write_set(tmp_path / "bad", 20, 3, spoil="utt3-007")
    for part in ("dev", "tokens.txt"):
        (tmp_path / part).symlink_to(toy / part)
    result = train(tmp_path, tmp_path / "out", "--max-utts=2", f"--criterion={criterion}", train="bad")
    assert result.returncode == 0, result.stderr
    named = [line for line in result.stderr.splitlines() if "skipped a bad batch" in line]
    assert len(named) == 3 and all("utt3-007" in line and "loss nan" in line for line in named)
    assert "3 bad batches were skipped" in result.stderr
    assert all(torch.isfinite(v).all() for v in weights(tmp_path / "out").values())


def test_a_run_of_bad_batches_stops_with_the_last_good_checkpoint(toy, tmp_path):
    assert train(toy, tmp_path, "--num-epochs=1").returncode == 0
    before = (tmp_path / "checkpoint.pt").read_bytes()
    # From here on every loss counts as exploded.
    result = train(toy, tmp_path, "--explode=0", "--max-bad-batches=4", "--num-epochs=60", "--save-seconds=0")
    assert result.returncode == 0 or "bad batches in a row" in result.stderr
    assert "4 bad batches in a row" in result.stderr and "to mend" in result.stderr
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["state"]["num_bad"] == 0
    assert all(torch.isfinite(v).all() for v in state["model"].values())
    assert before  # the first checkpoint was written at all


def test_a_full_disk_never_destroys_the_last_checkpoint(toy, tmp_path):
    """ulimit -f makes every larger write fail, as a full disk does."""
    assert train(toy, tmp_path, "--num-epochs=1").returncode == 0
    before = (tmp_path / "checkpoint.pt").read_bytes()
    line = " ".join(f"'{word}'" for word in command(toy, tmp_path, "--num-epochs=2"))
    result = subprocess.run(["bash", "-c", f"trap '' XFSZ; ulimit -f 8; {line}"], capture_output=True, text=True,
                            env=environment())  # fmt: skip
    assert result.returncode != 0 or "no checkpoint written" in result.stderr
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert not list(tmp_path.glob("*.tmp.*"))
    assert train(toy, tmp_path, "--num-epochs=2").returncode == 0  # with space again it goes on


def test_two_processes_equal_one_with_twice_the_batch(toy, tmp_path):
    changes = ["--dropout=0", "--num-epochs=2", "--ema-decay=0"]
    one, two = tmp_path / "one", tmp_path / "two"
    assert train(toy, one, *changes, "--max-utts=8").returncode == 0
    result = subprocess.run(
        ["torchrun", "--standalone", "--nproc-per-node=2", "--no-python", *command(toy, two, *changes, "--max-utts=4")],
        capture_output=True, text=True, env=environment(), timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    for a, b in zip(curve(one), curve(two)):
        assert a["train_loss"] == pytest.approx(b["train_loss"], abs=1e-4)
        assert a["dev_loss"] == pytest.approx(b["dev_loss"], abs=1e-4)
    assert len(curve(two)) == 2


@pytest.mark.parametrize("options", [
    ["--optimizer=sgd", "--schedule=newbob", "--learning-rate=0.05"],
    ["--schedule=noam", "--accumulate=2", "--label-smoothing=0.1"],
    ["--schedule=onecycle", "--average-mode=last", "--average=2", "--precision=bfloat16"],
    ["--network=conformer", "--dim=16", "--num-layers=2", "--num-heads=2", "--ff-dim=16", "--intermediate-layers=1",
     "--intermediate-weight=0.3"],
    ["--network=conformer", "--dim=16", "--num-layers=2", "--num-heads=2", "--ff-dim=16", "--intermediate-layers=1",
     "--intermediate-weight=0.3", "--criterion=ctc-crf", "--label-smoothing=0.01"],
    ["--network=tdnnf", "--bottleneck-dim=8", "--dilations=1,2", "--patience=1", "--ctc=torch"],
    ["--consistency-weight=0.2"],
    ["--criterion=ctc-crf", "--consistency-weight=0.2"],
], ids=lambda o: o[0])  # fmt: skip
def test_options_train(toy, tmp_path, options, capfd):
    base = [w for w in BASE if not any(o.split("=")[0] == w.split("=")[0] for o in options)]
    if any(o.startswith("--network") for o in options):
        drop = ("--kernels", "--dilations", "--hidden-dim")
        base = [w for w in base if w.split("=")[0] not in drop]
    words = command(toy, tmp_path)
    words = [words[0], *base, *options, *words[1 + len(BASE) :]]
    status, stderr = train_here(capfd, words)
    assert status == 0, stderr
    rows = curve(tmp_path)
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]


def test_it_stops_early(toy, tmp_path, capfd):
    """A learning rate of nothing never gets better: one epoch to compare with, then `patience` more."""
    words = command(toy, tmp_path, "--learning-rate=1e-12", "--patience=2", "--num-epochs=30", "--ema-decay=0")
    status, stderr = train_here(capfd, words)
    assert status == 0 and "early stop: dev TER has not improved" in stderr and "for 2 epochs" in stderr
    assert len(curve(tmp_path)) < 10


@pytest.mark.parametrize("options,message", [
    (["--schedule=cosin"], "--schedule=cosin: expected one of constant, cosine"),
    (["--network=rnnt"], "no network is called 'rnnt'; there are: conformer"),
    (["--num-epoch=3"], "did you mean --num-epochs"),
    (["--subsampling=9"], "--subsampling=9: expected 1 to 8"),
    (["--freeze=nothing"], "--freeze=nothing matches no parameter"),
    (["--init-model=/nowhere/final.pt"], "/nowhere/final.pt: no such model"),
    (["--use-gpu=yes"], "torch finds no GPU" if not torch.cuda.is_available() else ""),
    (["--lr-scales=encoder"], "expected regex=factor"),
    (["--crf-order=1"], "--crf-order=1: expected 2 to 4"),
    (["--word-boundary=a b"], "one unit of tokens.txt, without blanks"),
])  # fmt: skip
def test_bad_options_say_what_is_wrong(toy, tmp_path, options, message, capfd):
    if not message:
        pytest.skip("there is a GPU")
    status, stderr = train_here(capfd, command(toy, tmp_path, *options))
    assert status == 255 and message in stderr, stderr


def test_a_changed_network_is_not_resumed(toy, unbroken, tmp_path, capfd):
    import shutil

    shutil.copytree(unbroken, tmp_path / "m")
    status, stderr = train_here(capfd, command(toy, tmp_path / "m", "--hidden-dim=32"))
    assert status == 255
    assert "the checkpoint was made with another options" in stderr and "begin anew" in stderr


def test_a_damaged_checkpoint_is_named(toy, unbroken, tmp_path, capfd):
    import shutil

    shutil.copytree(unbroken, tmp_path / "m")
    data = (tmp_path / "m/checkpoint.pt").read_bytes()
    (tmp_path / "m/checkpoint.pt").write_bytes(data[: len(data) // 2])
    status, stderr = train_here(capfd, command(toy, tmp_path / "m"))
    assert status == 255 and "checkpoint.pt: not a whole torch file" in stderr


def test_transfer_copies_what_fits(toy, unbroken, tmp_path):
    (tmp_path / "new").mkdir()
    changes = ["--freeze=encoder.layers.0", "--num-epochs=1", "--ema-decay=0", "--lr-scales=encoder=0.1"]
    result = train(toy, tmp_path / "new", f"--init-model={unbroken}/final.pt", *changes)
    assert result.returncode == 0, result.stderr
    assert "4 of 4 output rows" in result.stderr
    old, new = weights(unbroken), weights(tmp_path / "new")
    assert torch.equal(old["encoder.layers.0.conv.weight"], new["encoder.layers.0.conv.weight"])
    assert not torch.equal(old["encoder.layers.1.conv.weight"], new["encoder.layers.1.conv.weight"])
    result = train(toy, tmp_path / "other", f"--init-model={unbroken}/final.pt", "--hidden-dim=32")
    assert result.returncode == 255 and "expected shape (32," in result.stderr
