"""Conformer (Gulati et al. 2020): attention for the whole utterance, convolution for the neighbourhood.

    x = x + FFN(x) / 2;  x = x + attention(x);  x = x + convolution(x);  x = LayerNorm(x + FFN(x) / 2)

Attention has relative positions (Dai et al. 2019, Transformer-XL, section 3.3): a frame's score for another is
(q + u) k + (q + v) r, with r made from the sinusoids of their distance.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .layers import Dropout, MaskedBatchNorm, Subsample, length_mask


@dataclass(frozen=True)
class ConformerOptions:
    """Options of the Conformer."""

    dim: int = field(default=144, metadata={"help": "width of the residual stream"})
    num_layers: int = field(default=8, metadata={"help": "blocks"})
    num_heads: int = field(default=4, metadata={"help": "attention heads"})
    ff_dim: int = field(default=576, metadata={"help": "units of the feed-forward layers"})
    kernel: int = field(default=15, metadata={"help": "window of the depth-wise convolution, in output frames"})
    dropout: float = field(default=0.1, metadata={"help": "share of units dropped, everywhere"})
    causal: bool = field(default=False, metadata={"help": "look at the past only"})
    intermediate_layers: str = field(default="", metadata={"help": "blocks (from 1) whose output also trains on CTC"})


class FeedForward(nn.Module):
    """LayerNorm, wide layer with swish, back."""

    def __init__(self, o: ConformerOptions):
        super().__init__()
        self.norm = nn.LayerNorm(o.dim)
        self.up, self.down = nn.Linear(o.dim, o.ff_dim), nn.Linear(o.ff_dim, o.dim)
        self.dropout = Dropout(o.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, dim) -> (B, T, dim)."""
        return self.dropout(self.down(self.dropout(nn.functional.silu(self.up(self.norm(x))))))


class RelativeAttention(nn.Module):
    """Multi-headed self-attention with relative positions."""

    def __init__(self, o: ConformerOptions):
        super().__init__()
        self.heads, self.size = o.num_heads, o.dim // o.num_heads
        self.norm = nn.LayerNorm(o.dim)
        self.qkv = nn.Linear(o.dim, 3 * o.dim)
        self.position = nn.Linear(o.dim, o.dim, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(o.num_heads, 1, self.size))  # u
        self.position_bias = nn.Parameter(torch.zeros(o.num_heads, 1, self.size))  # v
        self.out = nn.Linear(o.dim, o.dim)
        self.dropout = Dropout(o.dropout)

    def forward(self, x: Tensor, distances: Tensor, blocked: Tensor) -> Tensor:
        """x (B, T, dim); distances (2T - 1, dim) sinusoids of T-1 .. -(T-1); blocked (B, 1, T or 1, T) bool."""
        batch, frames, dim = x.shape
        qkv = self.qkv(self.norm(x)).view(batch, frames, 3, self.heads, self.size)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (B, heads, T, size) each
        r = self.position(distances).view(-1, self.heads, self.size).permute(1, 2, 0)  # (heads, size, 2T - 1)
        content = torch.matmul(q + self.content_bias, k.transpose(2, 3))  # (B, heads, T, T)
        scores = (content + shift(torch.matmul(q + self.position_bias, r))) / math.sqrt(self.size)
        scores = scores.masked_fill(blocked, -10000.0)
        weights = self.dropout(torch.softmax(scores, dim=3))
        y = torch.matmul(weights.to(v.dtype), v).transpose(1, 2).reshape(batch, frames, dim)
        return self.dropout(self.out(y))


def shift(scores: Tensor) -> Tensor:
    """Columns from distances to positions: (B, heads, T, 2T - 1) -> (B, heads, T, T), [t, s] = distance t - s."""
    if torch.jit.is_scripting():
        return shift_by_padding(scores)
    return fast_shift(scores)


def shift_by_padding(scores: Tensor) -> Tensor:
    """Padding one column and reading the rows one number longer moves row t by t (Dai et al. 2019, appendix B)."""
    batch, heads, frames, width = scores.shape
    padded = nn.functional.pad(scores, (1, 0)).view(batch, heads, width + 1, frames)
    return padded[:, :, 1:].reshape(batch, heads, frames, width)[..., :frames]


@torch.jit.ignore
def fast_shift(scores: Tensor) -> Tensor:
    """The same without copies (which torch cannot trace for an export)."""
    if torch.compiler.is_compiling():
        return shift_by_padding(scores)
    return Shift.apply(scores)


class Shift(torch.autograd.Function):
    """Row t begins at column T - 1 - t: a view whose rows lie one number closer."""

    @staticmethod
    def window(scores: Tensor) -> Tensor:
        batch, heads, frames, width = scores.shape
        strides = (heads * frames * width, frames * width, width - 1, 1)
        return scores.as_strided((batch, heads, frames, frames), strides, scores.storage_offset() + frames - 1)

    @staticmethod
    def forward(ctx, scores):
        ctx.shape = scores.shape
        return Shift.window(scores.contiguous()).contiguous()

    @staticmethod
    def backward(ctx, grad):
        out = grad.new_zeros(ctx.shape)
        Shift.window(out).copy_(grad)
        return out


def sinusoids(frames: int, dim: int, device: torch.device) -> Tensor:
    """Sines and cosines of the distances frames - 1, ..., -(frames - 1): (2 frames - 1, dim)."""
    distance = torch.arange(frames - 1, -frames, -1, device=device, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, dim, 2, device=device, dtype=torch.float32) * (-math.log(10000.0) / dim))
    return torch.stack([torch.sin(distance * rate), torch.cos(distance * rate)], dim=2).flatten(1)


class Convolution(nn.Module):
    """Point-wise with gate, depth-wise over time, batch normalization, swish, point-wise."""

    def __init__(self, o: ConformerOptions):
        super().__init__()
        reach = o.kernel - 1
        self.left = reach if o.causal else reach // 2
        self.right = reach - self.left
        self.norm = nn.LayerNorm(o.dim)
        self.gate = nn.Linear(o.dim, 2 * o.dim)
        self.depthwise = nn.Conv1d(o.dim, o.dim, o.kernel, groups=o.dim)
        self.batch_norm = MaskedBatchNorm(o.dim)
        self.out = nn.Linear(o.dim, o.dim)
        self.dropout = Dropout(o.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, dim), mask (B, T, 1) -> (B, T, dim)."""
        y = nn.functional.glu(self.gate(self.norm(x)), dim=2) * mask
        y = self.depthwise(nn.functional.pad(y.transpose(1, 2), (self.left, self.right))).transpose(1, 2)
        return self.dropout(self.out(nn.functional.silu(self.batch_norm(y, mask))))


class Block(nn.Module):
    """One Conformer block."""

    def __init__(self, o: ConformerOptions):
        super().__init__()
        self.first, self.last = FeedForward(o), FeedForward(o)
        self.attention, self.convolution = RelativeAttention(o), Convolution(o)
        self.norm = nn.LayerNorm(o.dim)

    def forward(self, x: Tensor, distances: Tensor, blocked: Tensor, mask: Tensor) -> Tensor:
        x = x + 0.5 * self.first(x)
        x = x + self.attention(x, distances, blocked)
        x = x + self.convolution(x, mask)
        return self.norm(x + 0.5 * self.last(x))


class Conformer(nn.Module):
    """Subsampling, then Conformer blocks."""

    def __init__(self, options: ConformerOptions, input_dim: int, subsampling: int):
        super().__init__()
        o = options
        self.output_dim, self.causal = o.dim, o.causal
        self.lookahead = subsampling - 1 if o.causal else None
        self.subsample = Subsample(input_dim, o.dim, subsampling)
        self.dropout = Dropout(o.dropout)
        self.blocks = nn.ModuleList(Block(o) for _ in range(o.num_layers))
        self.taps = [int(n) - 1 for n in o.intermediate_layers.split(",") if n]
        self.intermediate = len(self.taps)

    def forward(self, feats: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        hidden, lengths = self.forward_intermediate(feats, lengths)
        return hidden[-1], lengths

    def forward_intermediate(self, feats: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Outputs of the blocks named by intermediate_layers, then of the last one."""
        x, lengths = self.subsample(feats, lengths)
        frames = x.size(1)
        valid = length_mask(lengths, frames)
        mask = valid.unsqueeze(2).to(x.dtype)
        blocked = ~valid[:, None, None, :]  # (B, 1, 1, T)
        if self.causal:
            later = torch.ones(frames, frames, dtype=torch.bool, device=x.device).triu(1)
            blocked = blocked | later[None, None]
        distances = sinusoids(frames, x.size(2), x.device)
        x = self.dropout(x)
        hidden: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            x = block(x, distances, blocked, mask)
            if number in self.taps:
                hidden.append(x * mask)
        hidden.append(x * mask)
        return hidden, lengths
