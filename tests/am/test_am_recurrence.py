"""Recurrences whose gradient is written by hand against torch's own autograd and modules."""

import pytest
import torch
from sidamo.am.nets import indrnn, layers, ligru, rnn
from torch import nn


def gradients(function, inputs, seed=3):
    """Outputs, and gradients of a random linear form of them."""
    inputs = [x.detach().clone().requires_grad_(x.is_floating_point()) for x in inputs]
    out = function(*inputs)
    torch.manual_seed(seed)
    (out * torch.randn(out.shape)).sum().backward()
    return [out.detach(), *(x.grad for x in inputs if x.grad is not None)]


def same(function, reference, inputs):
    for a, b in zip(gradients(function, inputs), gradients(reference, inputs), strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("directions", [1, 2])
def test_light_gru(directions):
    torch.manual_seed(0)
    steps, weight = torch.randn(9, directions, 3, 10), torch.randn(directions, 5, 10)
    keep = (torch.rand(directions, 3, 5) > 0.3) / 0.7
    same(lambda g, u: ligru.fast_scan(g, u, keep), lambda g, u: ligru.scan(g, u, keep), [steps, weight])


@pytest.mark.parametrize("turn", [4, 7])
def test_indrnn(turn):
    torch.manual_seed(0)
    lengths = torch.tensor([6, 1, 9])
    mask = layers.length_mask(lengths, 9).unsqueeze(2)
    y, u = torch.randn(3, 9, 7), torch.rand(7) * 1.2 - 0.1
    same(lambda y, u: indrnn.fast_scan(y, u, lengths, turn) * mask,
         lambda y, u: indrnn.scan(y, u, lengths, turn) * mask, [y, u])  # fmt: skip


@pytest.mark.parametrize("bidirectional", [False, True])
def test_gru(bidirectional):
    """A whole network against nn.GRU under autograd: every parameter's gradient."""
    torch.manual_seed(0)
    options = rnn.RnnOptions(hidden_dim=5, num_layers=2, bidirectional=bidirectional, dropout=0.0)
    net = rnn.Gru(options, 4, 1).train()
    feats, lengths = torch.randn(3, 8, 4), torch.tensor([8, 1, 5])
    weight = torch.randn(3, 8, net.output_dim)
    results = []
    for walk in (net.walk_in_training, net.walk):
        net.walk_in_training = walk
        net.zero_grad()
        (net(feats, lengths)[0] * weight).sum().backward()
        results.append([p.grad.clone() for p in net.parameters()])
    assert isinstance(net.forward_layers[0], nn.GRU)
    for a, b in zip(*results):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)


def test_reversal_is_its_own_inverse_and_gradient():
    lengths = torch.tensor([4, 1, 3])
    x = torch.arange(24.0).view(3, 4, 2)
    y = layers.reverse_padded(x, lengths)
    assert y[0, :, 0].tolist() == [6, 4, 2, 0] and y[2, :, 0].tolist() == [20, 18, 16, 22]
    assert torch.equal(layers.reverse_padded(y, lengths), x)
    torch.autograd.gradcheck(lambda x: layers.reverse_padded(x, lengths), x.double().requires_grad_())


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("time_last", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_batch_normalization(kind, relu, time_last, threads, monkeypatch):
    """The compiled one against torch's operations, in both orders in which activations lie in memory."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    torch.manual_seed(0)
    norm = layers.MaskedBatchNorm(6, relu=relu).train()
    nn.init.uniform_(norm.weight)
    nn.init.uniform_(norm.bias)
    lengths = torch.tensor([9, 1, 4])
    mask = layers.length_mask(lengths, 9).unsqueeze(2).to(kind)
    x, weight = (torch.randn(3, 9, 6) + 0.5).to(kind), torch.randn(3, 9, 6).to(kind)
    if time_last:
        x = x.transpose(1, 2).contiguous().transpose(1, 2)
    results = []
    for function in (norm.forward, norm.by_torch):
        norm.zero_grad()
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0)
        leaf = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
        y = function(leaf, mask)
        (y * weight).float().sum().backward()
        assert y.dtype == kind and leaf.grad.dtype == kind
        results.append([y, leaf.grad, norm.weight.grad, norm.bias.grad, norm.running_mean, norm.running_var])
        results[-1] = [r.detach().clone().float() for r in results[-1]]
    for a, b in zip(*results):
        torch.testing.assert_close(a, b, atol=1e-5 if kind == torch.float32 else 0.06, rtol=1e-4)
    assert torch.equal(results[0][0] == 0, results[1][0] == 0)


def test_batch_normalization_hands_on_what_is_no_number():
    x = torch.randn(1, 5, 3)
    x[0, 2, 1] = float("nan")
    y = layers.MaskedBatchNorm(3, relu=True).train()(x, torch.ones(1, 5, 1))
    assert y.isnan().any(), "else the trainer would not see a bad batch"


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("time_last", [False, True])
def test_dropout(kind, time_last):
    torch.manual_seed(0)
    x = torch.full((4, 300, 70), 1.5).to(kind)
    x = (x.transpose(1, 2).contiguous().transpose(1, 2) if time_last else x).requires_grad_()
    y = layers.Dropout(0.25).train()(x)
    (3 * y).sum().backward()
    share = float((y == 0).float().mean())
    assert share == pytest.approx(0.25, abs=0.01) and y.shape == x.shape
    assert set(y.flatten().tolist()) == {0.0, 2.0}
    torch.testing.assert_close(x.grad, (2 * y).detach(), atol=0, rtol=0), "the gradient meets the same mask"
    assert not torch.equal(y, layers.Dropout(0.25).train()(x))
    assert layers.Dropout(0.25).eval()(x) is x
