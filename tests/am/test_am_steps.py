"""The modelling steps as scripts, on a toy corpus: files, messages, exit statuses; export against the model."""


import pathlib
import subprocess

import numpy as np
import pytest
import torch
from sidamo.io import tables

DIM = 6
WORDS = {"ay": "a", "bee": "b", "see": "c c"}
COLUMNS = {"ay": [0], "bee": [1], "see": [2, 2]}
CONFIG = """--network=tdnn
--hidden-dim=24
--kernels=3,3
--dilations=1,2
--num-epochs=14
--max-utts=4
--learning-rate=0.01
--warmup-steps=5
--subsampling=2
"""


def sh(command, cwd):
    """Run a command in the environment of path.sh."""
    return subprocess.run(["bash", "-c", command], cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with data/{train,dev}, data/lang and links to steps, utils."""
    root = pathlib.Path(__file__).resolve().parents[2]
    folder = tmp_path_factory.mktemp("steps")
    for name in ("steps", "utils", "path.sh"):
        (folder / name).symlink_to(root / name)
    rng = np.random.default_rng(0)
    for part, count in (("train", 36), ("dev", 8)):
        data = folder / "data" / part
        data.mkdir(parents=True)
        text, utt2spk = [], []
        with tables.Writer(f"ark,scp:{data}/feats.ark,{data}/feats.scp", "matrix") as writer:
            for i in range(count):
                utt = f"s{i % 2}-{part}{i:02d}"
                words = list(rng.choice(list(WORDS), rng.integers(1, 4)))
                parts = [rng.normal(0, 0.3, (6, DIM))]
                for channel in (c for w in words for c in COLUMNS[w]):
                    burst = rng.normal(0, 0.3, (8, DIM))
                    burst[:, 2 * channel : 2 * channel + 2] += 2.0
                    parts += [burst, rng.normal(0, 0.3, (5, DIM))]
                text.append((utt, " ".join(words)))
                utt2spk.append((utt, utt[:2]))
                writer.write(utt, np.concatenate(parts).astype(np.float32))
        for name, rows in (("text", text), ("utt2spk", utt2spk)):
            (data / name).write_text("".join(f"{k} {v}\n" for k, v in sorted(rows)))
        (data / "feats.scp").write_text("".join(sorted((data / "feats.scp").read_text().splitlines(True))))
        (data / "frame_shift").write_text("0.01\n")
    prepare = """. ./path.sh
        for part in train dev; do
          utils/utt2spk_to_spk2utt.pl data/$part/utt2spk > data/$part/spk2utt
          compute-cmvn-stats --spk2utt=ark:data/$part/spk2utt scp:data/$part/feats.scp \
            ark,scp:$PWD/data/$part/cmvn.ark,data/$part/cmvn.scp
        done
        utils/prepare_lang.sh --ctc true data/dict "<unk>" data/tmp data/lang"""
    dictionary = folder / "data/dict"
    dictionary.mkdir()
    (dictionary / "lexicon.txt").write_text("".join(f"{w} {p}\n" for w, p in WORDS.items()))
    (dictionary / "nonsilence_phones.txt").write_text("a\nb\nc\n")
    for name in ("silence_phones", "optional_silence", "extra_questions"):
        (dictionary / f"{name}.txt").write_text("")
    (folder / "train.conf").write_text(CONFIG)
    result = sh(prepare, folder)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(autouse=True)
def inside(work, monkeypatch):
    """Paths in scp files are relative to the folder of the recipe."""
    monkeypatch.chdir(work)


TRAIN = "steps/train_ctc.sh --nj 2 --train-config train.conf --num-threads 1 --use-gpu no"


@pytest.fixture(scope="module")
def model(work):
    result = sh(f"{TRAIN} data/train data/dev data/lang exp/m", work)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "train_ctc.sh: done 14 epochs; exp/m/final.pt; final.pt is the mean of epochs" in result.stdout
    return work / "exp/m"


def test_training_leaves_the_files_of_the_contract(work, model):
    names = "final.pt tokens.txt cmvn_opts config provenance.txt curve.svg log/curve.tsv log/train.log .done"
    for name in names.split():
        assert (model / name).exists(), name
    assert (model / "frame_subsampling_factor").read_text() == "2\n"
    again = sh(f"{TRAIN} data/train data/dev data/lang exp/m", work)
    assert again.returncode == 0 and "--overwrite true trains anew" in again.stderr


def test_a_model_belongs_to_its_data(work, model):
    """Trained on other data, in the same place: the old model is kept aside, and nothing of it is continued."""
    sh("cp -r data/train data/other; sed -i '1d' data/other/feats.scp; cp -r exp/m exp/n", work)
    result = sh(f"{TRAIN} --num-epochs 2 data/other data/dev data/lang exp/n", work)
    assert result.returncode == 0, result.stderr
    assert "was trained with other data, options or configuration; it is kept in exp/n/.before" in result.stderr
    assert (work / "exp/n/.before/final.pt").read_bytes() == (model / "final.pt").read_bytes()
    assert "train_ctc.sh: done 2 epochs" in result.stdout
    # Features made anew count as other features, also where their lines in feats.scp are the same.
    sh("touch data/other/feats.scp", work)
    result = sh(f"{TRAIN} --num-epochs 2 data/other data/dev data/lang exp/n", work)
    assert "trained with an older data/other/feats.scp" in result.stderr and "done 2 epochs" in result.stdout


def test_loglikes_are_log_posteriors_less_priors(work, model):
    variants = {"plain": "", "scaled": "--prior-scale 0.5", "own": "--prior-scale 1 --priors posteriors",
                "blank": "--blank-scale 0.5"}  # fmt: skip
    for name, options in variants.items():
        result = sh(f"steps/compute_loglikes.sh --nj 3 {options} data/dev exp/m exp/ll_{name}", work)
        assert result.returncode == 0 and "done 8/8 utterances" in result.stdout, result.stderr
    read = {
        name: dict(tables.SequentialReader(f"scp:{work}/exp/ll_{name}/loglikes.scp", "matrix"))
        for name in ("plain", "scaled", "own", "blank")
    }
    content = torch.load(model / "final.pt", weights_only=True)
    for utt, plain in read["plain"].items():
        np.testing.assert_allclose(np.exp(plain).sum(1), 1, atol=1e-5)
        for name, scale, counts in (("scaled", 0.5, "label_counts"), ("own", 1.0, "posterior_counts")):
            prior = content[counts] / content[counts].sum()
            expected = plain - scale * np.log(np.maximum(prior.numpy(), 1e-8))
            np.testing.assert_allclose(read[name][utt], expected, atol=1e-4)
        np.testing.assert_allclose(read["blank"][utt][:, 0], plain[:, 0] + np.log(0.5), atol=1e-5)


def transcripts(path):
    return dict(line.split(" ", 1) for line in path.read_text().splitlines())


def count_right(hyps, refs):
    """Utterances whose units are those of their words."""
    return sum(hyps[utt].split() == " ".join(WORDS[w] for w in words.split()).split() for utt, words in refs.items())


def test_greedy_decoding_and_alignment(work, model):
    result = sh("steps/decode_greedy.sh --nj 2 data/dev exp/m exp/greedy", work)
    assert result.returncode == 0, result.stderr
    refs = transcripts(work / "data/dev/text")
    assert count_right(transcripts(work / "exp/greedy/text"), refs) >= 7

    result = sh("steps/align_ctc.sh --nj 2 --textgrid true data/dev data/lang exp/m exp/ali", work)
    assert result.returncode == 0 and "done 8/8 utterances" in result.stdout, result.stderr
    for utt, words in refs.items():
        rows = [line.split() for line in (work / "exp/ali/ctm").read_text().splitlines() if line.startswith(utt + " ")]
        assert [row[4] for row in rows] == words.split()
        # The first burst lies at 0.06 to 0.14 s.
        assert float(rows[0][2]) < 0.14 and float(rows[0][2]) + float(rows[0][3]) > 0.06
        starts = [float(row[2]) for row in rows]
        assert starts == sorted(starts)
        assert (work / f"exp/ali/TextGrid/{utt}.TextGrid").exists()
    alignment = dict(tables.SequentialReader(f"ark:gunzip -c {work}/exp/ali/ali.*.gz |", "int_vector"))
    loglikes = dict(tables.SequentialReader(f"scp:{work}/exp/ali/loglikes.scp", "matrix"))
    assert {utt: len(a) for utt, a in alignment.items()} == {utt: len(m) for utt, m in loglikes.items()}


def test_a_model_of_ctc_crf_is_decoded_beside_its_token_lm(work, model):
    config = CONFIG + "--criterion=ctc-crf\n--crf-order=2\n"
    (work / "crf.conf").write_text(config)
    result = sh(f"{TRAIN.replace('train.conf', 'crf.conf')} data/train data/dev data/lang exp/crf", work)
    assert result.returncode == 0, result.stdout + result.stderr
    result = sh("steps/decode_greedy.sh --nj 1 data/dev exp/crf exp/crf/greedy", work)
    assert result.returncode == 0, result.stderr
    assert count_right(transcripts(work / "exp/crf/greedy/text"), transcripts(work / "data/dev/text")) >= 7
    result = sh("decode-greedy --token-lm=exp/m/final.pt exp/crf/tokens.txt scp:exp/crf/greedy/loglikes.scp ark,t:-", work)
    assert result.returncode != 0 and "exp/m/final.pt" in result.stderr


def test_transfer_starts_from_the_source(work, model):
    result = sh(
        "steps/transfer_ctc.sh --nj 2 --num-threads 1 --use-gpu no --freeze 'encoder.subsample' "
        "'--train-opts=--num-epochs=2 --learning-rate=0.0001' exp/m data/train data/dev data/lang exp/t", work,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "started from exp/m/final.pt" in (work / "exp/t/log/train.log").read_text()
    first = (work / "exp/t/log/curve.tsv").read_text().splitlines()[1].split("\t")
    assert float(first[4]) < 20  # dev TER after one epoch: it did not begin from nothing


def test_exported_torchscript_gives_the_same_numbers(work, model, tmp_path):
    result = sh(f". ./path.sh; export-ctc --prior-scale=0.3 exp/m/final.pt {tmp_path}/m.ts", work)
    assert result.returncode == 0, result.stderr
    script = torch.jit.load(f"{tmp_path}/m.ts")
    check_exported(work, lambda feats, lengths: script(torch.from_numpy(feats), torch.from_numpy(lengths)))


def test_export_script_checks_what_it_wrote(work, model):
    result = sh("steps/export_ctc.sh --format ts --prior-scale 0.3 data/dev exp/m exp/exported", work)
    assert result.returncode == 0, result.stderr
    assert "export_ctc.sh: done exp/exported/model.ts; checked: the log-likelihoods of 8 utterances" in result.stdout
    for name in ("tokens.txt", "cmvn_opts"):
        assert (work / "exp/exported" / name).read_bytes() == (model / name).read_bytes()
    assert (work / "exp/exported/frame_subsampling_factor").read_text() == "2\n"
    assert (work / "exp/exported/.done").exists()


def test_an_export_that_differs_is_refused(work, model):
    result = sh(". ./path.sh; export-ctc --check=scp:exp/m/dump/dev/feats.scp --tolerance=-1 exp/m/final.pt exp/x.ts", work)
    assert result.returncode == 255 and "expected at most -1" in result.stderr
    assert not list((work / "exp").glob("x*.ts")), "a refused export leaves no file"


def test_models_of_single_epochs_decode(work, model):
    epoch = max(p.name for p in model.glob("epoch_*.pt"))
    out = sh(f"steps/compute_loglikes.sh --nj 1 --model {epoch} --prior-scale 0.5 data/dev exp/m exp/ll_epoch", work)
    assert out.returncode == 0, out.stderr
    out = sh(f"steps/decode_greedy.sh --nj 1 --model {epoch} data/dev exp/m exp/greedy_epoch", work)
    assert out.returncode == 0, out.stderr
    out = sh(f". ./path.sh; compute-loglikes --prior-scale=1 --priors=posteriors exp/m/{epoch} scp:data/dev/feats.scp "
             "ark:/dev/null", work)  # fmt: skip
    assert out.returncode == 255 and "the model has no posterior counts" in out.stderr
    # As written before epochs carried their counts: enough where no prior is asked for.
    content = torch.load(model / epoch, weights_only=True)
    torch.save({k: content[k] for k in ("format", "config", "state")}, work / "bare.pt")
    for scale, status in ((0, 0), (1, 255)):
        out = sh(f". ./path.sh; compute-loglikes --prior-scale={scale} bare.pt scp:data/dev/feats.scp ark:/dev/null", work)
        assert out.returncode == status, out.stderr
    assert "the model has no label counts" in out.stderr and "--prior-scale=0" in out.stderr


def test_exported_onnx_gives_the_same_numbers(work, model, tmp_path):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed: an optional extra (pip install {package})")
    import onnxruntime

    result = sh(f". ./path.sh; export-ctc --prior-scale=0.3 exp/m/final.pt {tmp_path}/m.onnx", work)
    assert result.returncode == 0, result.stderr
    session = onnxruntime.InferenceSession(f"{tmp_path}/m.onnx")
    check_exported(work, lambda feats, lengths: session.run(None, {"feats": feats, "lengths": lengths}))


def check_exported(work, run):
    """A padded batch of two utterances against compute-loglikes."""
    result = sh("steps/compute_loglikes.sh --nj 1 --prior-scale 0.3 data/dev exp/m exp/ll_export", work)
    assert result.returncode == 0, result.stderr
    expected = dict(tables.SequentialReader(f"scp:{work}/exp/ll_export/loglikes.scp", "matrix"))
    feats = dict(tables.SequentialReader(f"scp:{work}/exp/m/dump/dev/feats.scp", "matrix"))
    utts = sorted(feats)[:2]
    lengths = np.array([len(feats[u]) for u in utts])
    batch = np.zeros((2, lengths.max(), DIM), np.float32)
    for row, utt in zip(batch, utts):
        row[: len(feats[utt])] = feats[utt]
    with torch.inference_mode():
        loglikes, frames = (np.asarray(x) for x in run(batch, lengths))
    for row, n, utt in zip(loglikes, frames, utts):
        np.testing.assert_allclose(row[: int(n)], expected[utt], atol=1e-4)


@pytest.mark.parametrize("command,message", [
    (f"{TRAIN} data/train data/dev data/lang", "usage: steps/train_ctc.sh"),
    (f"{TRAIN} data/train data/none data/lang exp/x", "data/none/utt2spk is missing"),
    (f"{TRAIN} --train-config nowhere.conf data/train data/dev data/lang exp/x", "nowhere.conf is missing"),
    (f"{TRAIN} --num-epoch 3 data/train data/dev data/lang exp/x", "num-epochs"),
    (f"{TRAIN} --train-opts=--hidden=3 data/train data/dev data/lang exp/x", "did you mean --hidden-dim"),
    ("steps/compute_loglikes.sh data/dev exp/none exp/x", "exp/none/final.pt is missing; to mend: steps/train_ctc.sh"),
    ("steps/compute_loglikes.sh data/lang exp/m exp/x", "data/lang/feats.scp is missing; to mend: steps/make_fbank.sh"),
    ("steps/align_ctc.sh data/dev data/dev exp/m exp/x", "data/dev/lexiconp.txt is missing"),
    ("steps/decode_greedy.sh data/dev exp/none exp/x", "exp/none/tokens.txt is missing"),
    ("steps/decode_greedy.sh --word-boundary '|' data/dev exp/m exp/x", "--word-boundary=| is no unit"),
    ("steps/export_ctc.sh data/dev exp/none exp/x", "exp/none/final.pt is missing; to mend: steps/train_ctc.sh"),
    ("steps/export_ctc.sh data/dev exp/m", "usage: steps/export_ctc.sh"),
    ("steps/transfer_ctc.sh exp/none data/train data/dev data/lang exp/x", "exp/none/final.pt is missing"),
    (". ./path.sh; export-ctc exp/m/final.pt exp/m/final.bin", "should end in .onnx, .ts or .torchscript"),
    (". ./path.sh; export-ctc data/lang/tokens.txt exp/x.ts", "tokens.txt: not a whole torch file"),
    (". ./path.sh; compute-loglikes --priors=none exp/m/final.pt scp:data/dev/feats.scp ark:/dev/null",
     "--priors=none: expected labels or posteriors"),
])  # fmt: skip
def test_bad_input_says_what_is_wrong(work, model, command, message):
    result = sh(command, work)
    assert result.returncode != 0
    assert message in result.stderr + result.stdout, result.stderr


def test_features_of_another_dimension_are_refused(work, model):
    with tables.Writer(f"ark:{work}/odd.ark", "matrix") as writer:
        writer.write("u", np.zeros((9, DIM + 1), np.float32))
    result = sh(". ./path.sh; compute-loglikes exp/m/final.pt ark:odd.ark ark:/dev/null", work)
    assert result.returncode == 255
    assert f"features of shape (9, {DIM + 1}), expected (frames, {DIM}) as in training" in result.stderr
