"""Independently recurrent network (Li, Li, Cook, Zhu and Gao 2018): each unit remembers only itself.

    h_t = relu(W x_t + u * h_{t-1} + b), element by element in u

A stack of many layers (20 and more) replaces the mixing that the recurrence lacks; residual connections and batch
normalization of W x make such a stack trainable. |u| <= 2^(1 / time_steps) keeps a memory of that many steps from
growing more than twofold.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .layers import Dropout, MaskedBatchNorm, Subsample, length_mask, reverse_padded
from .recurrence import IndrnnScan


@dataclass(frozen=True)
class IndrnnOptions:
    """Options of the IndRNN."""

    hidden_dim: int = field(default=256, metadata={"help": "units of a layer, per direction"})
    num_layers: int = field(default=8, metadata={"help": "recurrent layers"})
    bidirectional: bool = field(default=True, metadata={"help": "read in both directions"})
    dropout: float = field(default=0.1, metadata={"help": "share of units dropped between layers"})
    time_steps: int = field(default=200, metadata={"help": "output frames over which memory may at most double"})


class IndrnnLayer(nn.Module):
    """Projection, masked batch normalization, element-wise recurrence, and the input added where sizes agree."""

    def __init__(self, input_dim: int, options: IndrnnOptions):
        super().__init__()
        directions = 2 if options.bidirectional else 1
        self.half = options.hidden_dim if options.bidirectional else 0
        width = options.hidden_dim * directions
        self.project = nn.Linear(input_dim, width)
        self.norm = MaskedBatchNorm(width)
        self.limit = 2.0 ** (1.0 / options.time_steps)
        self.recurrent = nn.Parameter(torch.empty(width).uniform_(0.0, 1.0))
        self.dropout = Dropout(options.dropout)

    def forward(self, x: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        """(B, T, W) -> (B, T, W)."""
        y = self.norm(self.project(x), mask).float()
        u = self.recurrent.clamp(-self.limit, self.limit)
        turn = self.half if self.half else y.size(2)
        if torch.jit.is_scripting():
            y = scan(y, u, lengths, turn)
        else:
            y = fast_scan(y, u, lengths, turn)
        return (x + self.dropout(y)) * mask


def scan(y: Tensor, u: Tensor, lengths: Tensor, turn: int) -> Tensor:
    """The recurrence over y (B, T, H); units from `turn` on read from right to left, within each length."""
    y = torch.cat([y[..., :turn], reverse_padded(y[..., turn:], lengths)], dim=2)
    h = torch.zeros_like(y[:, 0])
    outputs = []
    for step in y.unbind(1):
        h = torch.relu(torch.addcmul(step, u, h))
        outputs.append(h)
    y = torch.stack(outputs, dim=1)
    return torch.cat([y[..., :turn], reverse_padded(y[..., turn:], lengths)], dim=2)


@torch.jit.ignore
def fast_scan(y: Tensor, u: Tensor, lengths: Tensor, turn: int) -> Tensor:
    """The same, compiled where it can be: on a CPU, and not while torch traces an export."""
    if y.device.type != "cpu" or torch.compiler.is_compiling():
        return scan(y, u, lengths, turn)
    return IndrnnScan.apply(y, u, lengths, turn)


class Indrnn(nn.Module):
    """Subsampling, then a deep stack of IndRNN layers."""

    def __init__(self, options: IndrnnOptions, input_dim: int, subsampling: int):
        super().__init__()
        self.output_dim = options.hidden_dim * (2 if options.bidirectional else 1)
        self.lookahead = None if options.bidirectional else subsampling - 1
        self.subsample = Subsample(input_dim, self.output_dim, subsampling)
        self.layers = nn.ModuleList(IndrnnLayer(self.output_dim, options) for _ in range(options.num_layers))
        self.norm = MaskedBatchNorm(self.output_dim)

    def forward(self, feats: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x, lengths = self.subsample(feats, lengths)
        mask = length_mask(lengths, x.size(1)).unsqueeze(2).to(x.dtype)
        for layer in self.layers:
            x = layer(x, lengths, mask)
        return self.norm(x, mask), lengths
