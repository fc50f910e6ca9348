"""Every network of the registry: padding never changes an output, causality holds where claimed, lengths are right."""

import numpy as np
import pytest
import torch
from sidamo.am import nets
from sidamo.am.export import Exported, to_torchscript
from sidamo.am.model import AcousticModel

SMALL = {
    "tdnn": {"hidden_dim": 16, "kernels": "3,3,3", "dilations": "1,2,3"},
    "lstm": {"hidden_dim": 12, "num_layers": 2},
    "gru": {"hidden_dim": 12, "num_layers": 2},
    "ligru": {"hidden_dim": 12, "num_layers": 2},
    "indrnn": {"hidden_dim": 12, "num_layers": 3},
    "tdnnf": {"hidden_dim": 24, "bottleneck_dim": 8, "dilations": "1,0,2"},
    "wav2letter": {"hidden_dim": 12, "wide_dim": 20, "num_layers": 2, "first_width": 9, "wide_width": 5},
    "dfsmn": {"hidden_dim": 20, "projection_dim": 8, "num_blocks": 2, "left_order": 3, "right_order": 2,
              "left_stride": 2, "right_stride": 2},
    "conformer": {"dim": 16, "num_layers": 2, "num_heads": 2, "ff_dim": 20, "kernel": 5, "intermediate_layers": "1"},
}  # fmt: skip
VARIANTS = [(name, {}) for name in nets.REGISTRY] + [
    ("tdnn", {"causal": True}),
    ("tdnn", {"mirror_edges": True}),
    ("lstm", {"bidirectional": False}),
    ("lstm", {"conv_layers": 2}),
    ("lstm", {"bidirectional": False, "conv_layers": 2}),
    ("gru", {"bidirectional": False}),
    ("ligru", {"bidirectional": False}),
    ("indrnn", {"bidirectional": False}),
    ("dfsmn", {"right_order": 0}),
    ("conformer", {"causal": True}),
    ("wav2letter", {"batch_norm": False}),
]
DIM = 5


def make(name, changes, subsampling):
    """A small model with statistics of batch normalization that are not the initial ones."""
    torch.manual_seed(1)
    options = {**SMALL[name], **changes}
    model = AcousticModel({"network": name, "options": options, "input_dim": DIM, "num_tokens": 4,
                           "subsampling": subsampling})  # fmt: skip
    for key, buffer in model.named_buffers():
        if key.endswith("running_mean"):
            buffer.uniform_(-0.5, 0.5)
        elif key.endswith("running_var"):
            buffer.uniform_(0.5, 2.0)
    return model.eval()


@pytest.mark.parametrize("subsampling", [1, 2, 3, 4])
@pytest.mark.parametrize("name,changes", VARIANTS, ids=lambda x: str(x).replace(" ", ""))
def test_padding_never_changes_an_output(name, changes, subsampling):
    model = make(name, changes, subsampling)
    lengths = torch.tensor([37, 12, 1, 24, 36])
    # Garbage beyond the ends: only masking can make it harmless.
    feats = torch.randn(5, 37, DIM)
    with torch.inference_mode():
        together, out_lengths = model(feats, lengths)
        assert out_lengths.tolist() == [-(-n // subsampling) for n in lengths.tolist()]
        assert together.shape == (5, int(out_lengths.max()), 4)
        for row, n in enumerate(lengths.tolist()):
            alone, _ = model(feats[row : row + 1, :n], torch.tensor([n]))
            torch.testing.assert_close(together[row, : int(out_lengths[row])], alone[0], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", list(nets.REGISTRY))
def test_padding_never_changes_a_gradient(name):
    """In training too (batch statistics over valid frames only): more padding, the same gradients."""
    changes = {"dropout": 0.0}
    results = []
    for extra in (0, 9):
        model = make(name, changes, 3).train()
        torch.manual_seed(2)
        feats = torch.randn(3, 30, DIM)
        lengths = torch.tensor([30, 21, 10])
        for row, n in enumerate(lengths):
            feats[row, n:] = 7.0
        feats = torch.nn.functional.pad(feats, (0, 0, 0, extra), value=3.0)
        outputs = model.forward_training(feats, lengths)
        total = sum((z[row, : int(n)] ** 2).sum() for z, ns in outputs for row, n in enumerate(ns))
        total.backward()
        results.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for a, b in zip(*results):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name,changes", VARIANTS, ids=lambda x: str(x).replace(" ", ""))
def test_a_network_sees_no_further_than_it_says(name, changes):
    model = make(name, changes, 3)
    lookahead = model.encoder.lookahead
    if lookahead is None or changes.get("mirror_edges"):
        pytest.skip("sees the whole utterance")
    torch.manual_seed(3)
    feats = torch.randn(1, 90, DIM)
    changed = feats.clone()
    first = 60  # input frame from which all is different
    changed[:, first:] = torch.randn(1, 30, DIM)
    with torch.inference_mode():
        a, b = (model(x, torch.tensor([90]))[0][0] for x in (feats, changed))
    # Output t stands at input 3 t and sees up to 3 t + lookahead.
    blind = [t for t in range(len(a)) if 3 * t + lookahead < first]
    assert blind, "the test has to have frames that see nothing new"
    torch.testing.assert_close(a[blind], b[blind], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(a[-1], b[-1], atol=1e-4)
    if changes.get("causal") or changes.get("bidirectional") is False or changes.get("right_order") == 0:
        assert lookahead == 2, "a causal network sees only the rest of its own stack of frames"


@pytest.mark.parametrize("name", list(nets.REGISTRY))
def test_every_network_compiles_for_export(name, tmp_path):
    """As TorchScript it gives the same outputs, also for lengths that it was not made with."""
    model = Exported(make(name, {}, 3), np.zeros(4)).eval()
    to_torchscript(model, tmp_path / "m.ts")
    loaded = torch.jit.load(tmp_path / "m.ts")
    with torch.inference_mode():
        for lengths in ([37, 12, 24], [50]):
            feats, lengths = torch.randn(len(lengths), max(lengths), DIM), torch.tensor(lengths)
            for a, b in zip(loaded(feats, lengths), model(feats, lengths)):
                torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_a_semi_orthogonal_factor_is_approached():
    from sidamo.am.nets.tdnnf import TdnnfLayer, TdnnfOptions

    torch.manual_seed(0)
    layer = TdnnfLayer(TdnnfOptions(hidden_dim=32, bottleneck_dim=8), 1)

    def distance():
        m = layer.linear.weight.detach().reshape(8, -1)
        p = m @ m.T
        a = (p * p).sum() / p.trace()
        return float((p / a - torch.eye(8)).norm())

    before = distance()
    for _ in range(20):
        layer.constrain()
    assert before > 0.5 and distance() < 1e-3


def test_relative_shift_by_hand():
    from sidamo.am.nets.conformer import shift, shift_by_padding

    frames = 4
    distance = torch.arange(frames - 1, -frames, -1.0).expand(1, 1, frames, -1)  # column = distance
    t = torch.arange(frames)
    for function in (shift, shift_by_padding):
        assert torch.equal(function(distance)[0, 0], (t[:, None] - t[None, :]).float())
    scores = torch.randn(2, 3, 5, 9, dtype=torch.double, requires_grad=True)
    assert torch.equal(shift(scores), shift_by_padding(scores))
    assert torch.autograd.gradcheck(shift, scores)


@pytest.mark.parametrize("name", list(nets.REGISTRY))
def test_options_read_from_the_source_are_those_of_the_class(name):
    from dataclasses import asdict, fields

    real, described = nets.options_class(name), nets.described_options(name)
    assert asdict(real()) == asdict(described())
    for a, b in zip(fields(real), fields(described), strict=True):
        assert (a.name, a.type, a.metadata) == (b.name, b.type, b.metadata)


def test_unknown_network_names_the_known_ones():
    from sidamo.io.errors import OptionError

    with pytest.raises(OptionError, match="no network is called 'rnnt'; there are: conformer, dfsmn"):
        nets.build("rnnt", {}, 3, 3)
