"""Pieces that the networks share: masks, subsampling, masked batch normalization.

Every network maps (B, T, D) features with lengths (B,) to (B, T', H) with lengths (B,), T' = ceil(T / subsampling),
and gives the same output for an utterance whatever padding its batch brings. Two rules ensure that: whatever looks
sideways in time (a convolution, a recurrence from the right, attention, statistics over frames) sees zeros, or
nothing, beyond an utterance's end.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout


def length_mask(lengths: Tensor, num_frames: int) -> Tensor:
    """Mask of valid frames: (B,) -> (B, num_frames) bool."""
    return torch.arange(num_frames, device=lengths.device)[None, :] < lengths[:, None]


def subsampled(lengths: Tensor, factor: int) -> Tensor:
    """Output frames for input frames: ceil(length / factor)."""
    return torch.div(lengths + factor - 1, factor, rounding_mode="floor")


def reverse_padded(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each utterance within its length; padding stays where it is. (B, T, D) -> (B, T, D)."""
    time = torch.arange(x.size(1), device=x.device)[None, :]  # (1, T)
    index = torch.where(time < lengths[:, None], lengths[:, None] - 1 - time, time)  # (B, T)
    if torch.jit.is_scripting():
        return torch.gather(x, 1, index[:, :, None].expand(-1, -1, x.size(2)))
    return reorder(x, index)


@torch.jit.ignore
def reorder(x: Tensor, index: Tensor) -> Tensor:
    """x[b, index[b, t]] where index is its own inverse. (B, T, D), (B, T) -> (B, T, D)."""
    first = torch.arange(x.size(0), device=x.device)[:, None] * x.size(1)
    return Involution.apply(x, (index + first).flatten())


class Involution(torch.autograd.Function):
    """Whole rows reordered by a permutation that is its own inverse: torch's gather goes element by element."""

    @staticmethod
    def forward(ctx, x, index):
        ctx.save_for_backward(index)
        return x.flatten(0, 1).index_select(0, index).view(x.shape)

    @staticmethod
    def backward(ctx, grad):
        (index,) = ctx.saved_tensors
        return grad.flatten(0, 1).index_select(0, index).view(grad.shape), None


class Subsample(nn.Module):
    """Stack `factor` neighbouring frames into one and project: (B, T, D) -> (B, ceil(T / factor), H).

    The last stack is filled up with zeros. Stacking needs no more than factor - 1 frames of the future.

    Parameters
    ----------
    input_dim, output_dim : int
    factor : int, 1 to 4
    """

    def __init__(self, input_dim: int, output_dim: int, factor: int):
        super().__init__()
        self.factor = factor
        self.project = nn.Linear(input_dim * factor, output_dim)

    def forward(self, feats: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        batch, frames, dim = feats.shape
        mask = length_mask(lengths, frames).unsqueeze(2).to(feats.dtype)
        missing = (-frames) % self.factor
        feats = nn.functional.pad(feats * mask, (0, 0, 0, missing))
        stacked = feats.reshape(batch, (frames + missing) // self.factor, dim * self.factor)
        return self.project(stacked), subsampled(lengths, self.factor)


class MaskedBatchNorm(nn.Module):
    """Batch normalization over valid frames only; over all processes where training is distributed.

    Ioffe and Szegedy 2015; the masked statistics are what makes padding harmless in training too.

    Parameters
    ----------
    dim : int
    affine : bool, learn scale and offset
    momentum : float, share of a batch in the running statistics
    eps : float, added to the variance. 1e-3 as in Kaldi's nnet3: behind a ReLU that hardly ever opened in training the
        variance is next to nothing, and with 1e-5 one frame that opens it is blown up 300 times in each layer (seen in
        egs/digits: logits of 10,000 for one utterance of a new voice).
    relu : bool, rectify first

    forward(x (B, T, dim), mask (B, T, 1) in x's type) -> (B, T, dim), zero beyond each length.
    """

    def __init__(self, dim: int, affine: bool = True, momentum: float = 0.1, eps: float = 1e-3, relu: bool = False):
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.relu = relu
        self.weight = nn.Parameter(torch.ones(dim), requires_grad=affine)
        self.bias = nn.Parameter(torch.zeros(dim), requires_grad=affine)
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        if torch.jit.is_scripting():
            return self.by_torch(x, mask)
        if not self.training or x.device.type != "cpu" or x.dtype not in (torch.float32, torch.bfloat16):
            return self.by_torch(x, mask)
        y, mean, var = CompiledBatchNorm.apply(x, (mask[..., 0] > 0).sum(1), self.weight, self.bias, self.eps, self.relu)
        self.remember(mean, var)
        return y

    def by_torch(self, x: Tensor, mask: Tensor) -> Tensor:
        """In torch's operations: to be read, for GPUs, and for export."""
        if self.relu:
            x = torch.relu(x)
        if self.training:
            masked = (x * mask).float()
            count = mask.float().sum()
            sums = torch.cat([masked.sum((0, 1)), (masked * masked).sum((0, 1)), count[None]])
            if not torch.jit.is_scripting():
                sums = sum_over_processes(sums)
            dim = x.size(2)
            count = sums[2 * dim].clamp(min=1.0)
            mean = sums[:dim] / count
            var = (sums[dim : 2 * dim] / count - mean * mean).clamp(min=0.0)
            self.remember(mean.detach(), var.detach())
        else:
            mean, var = self.running_mean, self.running_var
        scale = self.weight * torch.rsqrt(var + self.eps)
        offset = self.bias - mean * scale
        return torch.addcmul(offset.to(x.dtype), x, scale.to(x.dtype)) * mask

    def remember(self, mean: Tensor, var: Tensor) -> None:
        """Take the statistics of a batch into the running ones."""
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var, self.momentum)


class CompiledBatchNorm(torch.autograd.Function):
    """MaskedBatchNorm in training on a CPU: apply(x, lengths, weight, bias, eps, relu) -> y, mean, variance."""

    @staticmethod
    def forward(ctx, x, lengths, weight, bias, eps: float, relu: bool):
        from . import activation_kernel

        x, time_last = contiguous_rows(x)
        head = (time_last, np.float32(0.0 if relu else -np.inf))
        arrays = (raw(x), lengths.numpy())
        sums = np.zeros((2, len(weight)))
        activation_kernel.in_shares(activation_kernel.moments, torch.get_num_threads(), arrays, head, sums)
        total = sum_over_processes(torch.from_numpy(np.append(sums, lengths.sum()))).numpy()
        count = max(1.0, total[-1])
        mean, square = total[:-1].reshape(2, -1) / count
        var = np.maximum(0.0, square - mean * mean)
        inverse = 1 / np.sqrt(var + eps)
        scale = weight.detach().numpy() * inverse
        rest = (*head, scale.astype(np.float32), (bias.detach().numpy() - mean * scale).astype(np.float32))
        y = torch.empty_like(x)
        activation_kernel.in_shares(activation_kernel.scaled, torch.get_num_threads(), (*arrays, raw(y)), rest)
        ctx.save_for_backward(x, lengths)
        ctx.head, ctx.statistics = head, (mean, inverse, scale, count)
        mean, var = torch.from_numpy(mean).float(), torch.from_numpy(var).float()
        ctx.mark_non_differentiable(mean, var)
        return y.transpose(1, 2) if time_last else y, mean, var

    @staticmethod
    def backward(ctx, grad, *_):
        from . import activation_kernel

        x, lengths = ctx.saved_tensors
        mean, inverse, scale, count = ctx.statistics
        grad = grad.transpose(1, 2).contiguous() if ctx.head[0] else grad.contiguous()
        arrays = (raw(grad), raw(x), lengths.numpy())
        sums = np.zeros((2, len(mean)))
        activation_kernel.in_shares(activation_kernel.gradient_sums, torch.get_num_threads(), arrays, ctx.head, sums)
        sums[1] = inverse * (sums[1] - mean * sums[0])  # of grad times the normalized x
        grad_bias, grad_weight = torch.from_numpy(sums).float()
        whole, product = sum_over_processes(torch.from_numpy(sums)).numpy()
        by_x = -scale * inverse * product / count
        rest = (*ctx.head, *(a.astype(np.float32) for a in (scale, by_x, -scale * whole / count - by_x * mean)))
        out = torch.empty_like(x)
        activation_kernel.in_shares(activation_kernel.gradient, torch.get_num_threads(), (*arrays, raw(out)), rest)
        return out.transpose(1, 2) if ctx.head[0] else out, None, grad_weight, grad_bias, None, None


def contiguous_rows(x: Tensor) -> tuple[Tensor, bool]:
    """(B, T, H) as it lies in memory, and whether that is (B, H, T)."""
    if x.transpose(1, 2).is_contiguous() and not x.is_contiguous():
        return x.detach().transpose(1, 2), True
    return x.detach().contiguous(), False


def raw(x: Tensor) -> np.ndarray:
    """A float32 tensor as an array, a bfloat16 one as its bits."""
    return x.numpy() if x.dtype == torch.float32 else x.view(torch.uint16).numpy()


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014) that is not the dearest part of a training on a CPU.

    torch draws one Bernoulli number at a time there: 8 ns each, a third of a Conformer's training. Here eight values share
    one 64-bit random number, so the share is a multiple of 1/256. Seeded from torch's generator.
    """

    def __init__(self, share: float = 0.5):
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, kept: zeros with probability `share`, the others scaled so that the mean stays."""
        if not self.training or self.share == 0.0:
            return x
        if torch.jit.is_scripting() or x.device.type != "cpu" or x.dtype not in (torch.float32, torch.bfloat16):
            return dropout(x, self.share, True)
        return compiled_dropout(x, self.share)


@torch.jit.ignore
def compiled_dropout(x: Tensor, share: float) -> Tensor:
    """Dropout of a share of a float32 or bfloat16 tensor on a CPU."""
    return CompiledDropout.apply(x, share)


class CompiledDropout(torch.autograd.Function):
    """apply(x, share): zeros, or x / (1 - share)."""

    @staticmethod
    def forward(ctx, x, share: float):
        seed = int(torch.randint(2**62, (1,)))
        words = np.random.Generator(np.random.SFC64(seed)).integers(0, 2**64, size=-(-x.numel() // 8), dtype=np.uint64)
        dropped = round(share * 256)
        ctx.kept = words.view(np.uint8)[: x.numel()]
        ctx.rest = (np.uint8(min(255, dropped)), np.float32(256 / max(1, 256 - dropped)))
        x, ctx.turned = contiguous_rows(x) if x.dim() == 3 else (x.detach().contiguous(), False)
        return CompiledDropout.drop(ctx, x)

    @staticmethod
    def drop(ctx, x):
        from . import activation_kernel

        out = torch.empty_like(x)
        arrays = (raw(x).reshape(-1), ctx.kept, raw(out).reshape(-1))
        activation_kernel.in_shares(activation_kernel.dropout, torch.get_num_threads(), arrays, ctx.rest)
        return out.transpose(1, 2) if ctx.turned else out

    @staticmethod
    def backward(ctx, grad):
        return CompiledDropout.drop(ctx, (grad.transpose(1, 2) if ctx.turned else grad).contiguous()), None


@torch.jit.ignore
def sum_over_processes(x: Tensor) -> Tensor:
    """Sum of x over all processes, differentiable; x itself where there is one process."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        import torch.distributed.nn.functional as distributed

        return distributed.all_reduce(x)
    return x
