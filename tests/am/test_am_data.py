"""Corpora, batches, augmentation, schedules, priors, averaging, configurations."""

import pathlib

import numpy as np
import pytest
import torch
from sidamo.am import augment, data, optim, priors, schedule
from sidamo.am.options import TrainOptions
from sidamo.am.tokens import read_columns
from sidamo.io import tables
from sidamo.io.errors import DataError, OptionError

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture()
def corpus_dir(tmp_path):
    rng = np.random.default_rng(0)
    with (
        tables.Writer(f"ark,scp:{tmp_path}/f.ark,{tmp_path}/f.scp", "matrix") as feats,
        tables.Writer(f"ark:{tmp_path}/t.ark", "int_vector") as targets,
    ):
        for i, frames in enumerate([30, 9, 20, 41]):
            feats.write(f"u{i}", rng.normal(size=(frames, 3)).astype(np.float32))
            targets.write(f"u{i}", [2, 2, 3] if i != 1 else [2, 3, 3, 2])
    return tmp_path


def test_features_are_mapped_and_compressed_ones_are_read(corpus_dir):
    store = data.FeatureStore(corpus_dir / "f.scp")
    for key, matrix in tables.SequentialReader(f"scp:{corpus_dir}/f.scp", "matrix"):
        np.testing.assert_array_equal(store[store.index[key]], matrix)
    assert store.num_frames.tolist() == [30, 9, 20, 41] and store.dim == 3
    with tables.Writer(f"ark,scp:{corpus_dir}/c.ark,{corpus_dir}/c.scp", "matrix", compression_method=2) as writer:
        for key, matrix in tables.SequentialReader(f"scp:{corpus_dir}/f.scp", "matrix"):
            writer.write(key, matrix)
    packed = data.FeatureStore(corpus_dir / "c.scp")
    assert packed.num_frames.tolist() == [30, 9, 20, 41]
    np.testing.assert_allclose(packed[0], store[0], atol=0.05)


def test_what_cannot_be_trained_on_is_dropped_with_its_reason(corpus_dir):
    corpus = data.Corpus(corpus_dir / "f.scp", f"ark:{corpus_dir}/t.ark", 3, 3)
    assert corpus.keys == ["u0", "u2", "u3"]
    assert corpus.dropped == {"u1": "3 output frames, but its 4 tokens need 5"}
    assert corpus.targets[0].tolist() == [1, 1, 2]
    with pytest.raises(DataError, match="training set: only 3 of 4 utterances can be used; .*u1: 3 output frames"):
        corpus.check("training set")
    with pytest.raises(DataError, match="labels from 2 to 3, but units run from 2 to 2"):
        data.Corpus(corpus_dir / "f.scp", f"ark:{corpus_dir}/t.ark", 2, 3)
    (corpus_dir / "bad.scp").write_text("u0\n")
    with pytest.raises(DataError, match="bad.scp:1.*expected `<utt> <rxfilename>`"):
        data.FeatureStore(corpus_dir / "bad.scp")


def test_batches_hold_each_utterance_once_within_their_limits():
    rng = np.random.default_rng(1)
    frames = rng.integers(50, 900, 300)
    plans = [data.make_batches(frames, 4000, 12, 0, epoch) for epoch in (0, 0, 1)]
    for plan in plans:
        assert sorted(np.concatenate(plan)) == list(range(300))
        assert all(len(b) <= 12 and len(b) * frames[b].max() <= 4000 for b in plan)
    assert all((a == b).all() for a, b in zip(plans[0], plans[1]))
    assert any(len(a) != len(b) or (a != b).any() for a, b in zip(plans[0], plans[2]))
    padding = sum(len(b) * frames[b].max() - frames[b].sum() for b in plans[0]) / frames.sum()
    assert padding < 0.1
    ordered = data.make_batches(frames, 4000, 12, 0, 0, sort=True)
    assert [frames[b].max() for b in ordered] == sorted(frames[b].max() for b in ordered)


def test_prefetch_keeps_order_and_hands_errors_over():
    assert list(data.prefetch(lambda x: x * x, range(20))) == [x * x for x in range(20)]

    def broken(x):
        if x == 3:
            raise ValueError("three")
        return x

    with pytest.raises(ValueError, match="three"):
        list(data.prefetch(broken, range(9)))


def test_augmentation_depends_on_seed_epoch_and_utterance_alone():
    feats = np.random.default_rng(2).normal(size=(80, 12)).astype(np.float32)
    change = augment.Augment(5, time_masks=1, time_mask_max=10, freq_masks=1, freq_mask_max=4, time_warp=0.1,
                             freq_warp=0.1, noise=0.2, tilt=0.3)  # fmt: skip
    before = feats.copy()
    np.testing.assert_array_equal(change(feats, 1, 7), change(feats, 1, 7))
    np.testing.assert_array_equal(feats, before)
    shapes = {change(feats, epoch, 7).shape for epoch in range(9)}
    assert len(shapes) > 1 and all(72 <= frames <= 88 for frames, _ in shapes)
    masked = augment.Augment(5, time_masks=1, time_mask_max=10, time_mask_share=0.05)(feats, 0, 0)
    hidden = np.flatnonzero((masked == 0).all(1))
    assert len(hidden) <= 4 and (np.diff(hidden) == 1).all()


def test_warps_of_straight_lines_by_hand():
    ramp = np.arange(10, dtype=np.float32)
    np.testing.assert_allclose(augment.resample_rows(ramp[:, None], 0.5)[:, 0], [0, 2.25, 4.5, 6.75, 9])
    np.testing.assert_allclose(augment.warp_columns(ramp[None], 0.5)[0], ramp / 2)
    np.testing.assert_allclose(augment.warp_columns(ramp[None], 2.0)[0], [0, 2, 4, 6, 8, 9, 9, 9, 9, 9])
    still = augment.Augment(0, freq_warp=0.3, warp_bins=6)(ramp[None].repeat(4, 0), 0, 0)
    np.testing.assert_array_equal(still[:, 6:], ramp[None, 6:].repeat(4, 0))


@pytest.mark.parametrize("name,points", [
    ("constant", [(0.0, 0, 0.1), (0.5, 500, 1.0), (1.0, 1000, 1.0)]),
    ("cosine", [(0.0, 4, 0.5), (0.5, 500, 0.505), (1.0, 1000, 0.01)]),
    ("linear", [(0.5, 500, 0.505), (1.0, 1000, 0.01)]),
    ("noam", [(0.0, 4, 0.5), (0.1, 39, 0.5), (0.2, 9, 1.0)]),
    ("onecycle", [(0.3, 300, 1.0), (1.0, 1000, 0.01), (0.0, 0, 0.04)]),
])  # fmt: skip
def test_learning_rates_by_hand(name, points):
    options = TrainOptions(schedule=name, learning_rate=1.0, warmup_steps=10)
    for progress, step, expected in points:
        assert schedule.learning_rate(options, progress, step) == pytest.approx(expected, rel=1e-6)
    newbob = TrainOptions(schedule="newbob", learning_rate=1.0, warmup_steps=1)
    assert schedule.learning_rate(newbob, 0.5, 100, newbob=0.25) == 0.25


def test_priors_count_blanks_between_tokens():
    counts = priors.label_counts([np.array([1, 2, 1]), np.array([], dtype=np.int64)], 4)
    assert counts.tolist() == [5, 2, 1, 0]
    np.testing.assert_allclose(priors.log_prior(counts), np.log([5 / 8, 2 / 8, 1 / 8, 1e-8]), rtol=1e-6)


def test_moving_average_by_hand():
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    average = optim.MovingAverage(model, 0.5)
    model.weight.data.fill_(2.0)
    average.update(model)  # decay min(0.5, 1/10)
    assert float(average.values["weight"]) == pytest.approx(0.1 * 1 + 0.9 * 2)
    average.swap(model)
    assert float(model.weight) == pytest.approx(1.9) and float(average.values["weight"]) == 2.0


@pytest.mark.parametrize("text,message", [
    ("<blk> 0\n<eps> 1\na 2\n", "found `<blk> 0`, expected `<eps> 0`"),
    ("<eps> 0\n<blk> 1\na 3\n", "found `a 3`, expected `a 2`"),
    ("<eps> 0\n<blk> 1\n#0 2\na 3\n", "there is no unit|unit a comes after #0"),
    ("<eps> 0\n<blk> 1\n#0 2\n", "there is no unit"),
])  # fmt: skip
def test_tokens_in_the_wrong_order_are_refused(tmp_path, text, message):
    (tmp_path / "tokens.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_columns(tmp_path / "tokens.txt")


def test_every_configuration_names_existing_options(tmp_path):
    from sidamo.am import nets
    from sidamo.bin.train_ctc import find_network
    from sidamo.io.options import Options

    files = [*ROOT.glob("conf/train_*.conf"), *ROOT.glob("egs/*/conf/train*.conf")]
    assert len(files) >= 10
    for path in files:
        network = nets.options_class(find_network([f"--config={path}"]))
        options = Options("test")
        options.add("network", "tdnn", "")
        options.group(TrainOptions())
        options.group(network())
        values, _ = options.parse(["--print-args=false", f"--config={path}"])
        values.make(TrainOptions), values.make(network)


def test_options_are_checked():
    with pytest.raises(OptionError, match="--ema-decay=1.0: expected 0 <= decay < 1"):
        TrainOptions(ema_decay=1.0)
    with pytest.raises(OptionError, match="--average=0: expected more than 0"):
        TrainOptions(average=0)
