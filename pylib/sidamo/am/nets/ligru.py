"""Light gated recurrent units (Ravanelli, Brakel, Omologo and Bengio 2018): no reset gate, a ReLU candidate, batch
normalization on the input path.

    z_t = sigmoid(BN(W_z x_t) + U_z h_{t-1})
    c_t = relu(BN(W_h x_t) + U_h h_{t-1})
    h_t = z_t h_{t-1} + (1 - z_t) c_t
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .layers import MaskedBatchNorm, Subsample, length_mask, reverse_padded
from .recurrence import LigruScan


@dataclass(frozen=True)
class LigruOptions:
    """Options of the light GRU."""

    hidden_dim: int = field(default=256, metadata={"help": "cells of a layer, per direction"})
    num_layers: int = field(default=4, metadata={"help": "recurrent layers"})
    bidirectional: bool = field(default=True, metadata={"help": "read in both directions"})
    dropout: float = field(default=0.2, metadata={"help": "share of units dropped, one mask for a whole utterance"})


class LigruLayer(nn.Module):
    """One layer; all directions walk through time together, the backward one over reversed utterances."""

    def __init__(self, input_dim: int, options: LigruOptions):
        super().__init__()
        self.hidden = options.hidden_dim
        self.directions = 2 if options.bidirectional else 1
        self.dropout = options.dropout
        self.input = nn.ModuleList(nn.Linear(input_dim, 2 * self.hidden, bias=False) for _ in range(self.directions))
        self.norm = nn.ModuleList(MaskedBatchNorm(2 * self.hidden) for _ in range(self.directions))
        recurrent = torch.empty(self.directions, self.hidden, 2 * self.hidden)
        for matrix in recurrent.split(self.hidden, dim=2):
            for square in matrix:
                nn.init.orthogonal_(square)
        self.recurrent = nn.Parameter(recurrent)

    def forward(self, x: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, directions * H)."""
        gates = []
        for direction, (project, norm) in enumerate(zip(self.input, self.norm)):
            y = norm(project(x), mask)  # (B, T, 2H)
            gates.append(reverse_padded(y, lengths) if direction == 1 else y)
        steps = torch.stack(gates, dim=1).permute(2, 1, 0, 3).float().contiguous()  # (T, directions, B, 2H)
        keep = torch.ones(self.directions, x.size(0), self.hidden, device=x.device)
        keep = nn.functional.dropout(keep, self.dropout, self.training)
        if torch.jit.is_scripting():
            y = scan(steps, self.recurrent, keep)
        else:
            y = fast_scan(steps, self.recurrent, keep)
        y = y.permute(1, 2, 0, 3)  # (directions, B, T, H)
        parts = [y[0]]
        if self.directions == 2:
            parts.append(reverse_padded(y[1], lengths))
        return torch.cat(parts, dim=2)


def scan(steps: Tensor, recurrent: Tensor, keep: Tensor) -> Tensor:
    """The recurrence: steps (T, directions, B, 2H), recurrent (directions, H, 2H), keep (directions, B, H)."""
    h = torch.zeros_like(keep)
    outputs = []
    for step in steps.unbind(0):
        update, candidate = (step + torch.bmm(h, recurrent)).chunk(2, dim=2)
        update = torch.sigmoid(update)
        h = update * h + (1 - update) * torch.relu(candidate) * keep
        outputs.append(h)
    return torch.stack(outputs)


@torch.jit.ignore
def fast_scan(steps: Tensor, recurrent: Tensor, keep: Tensor) -> Tensor:
    """The same with its gradient by hand (which torch cannot trace for an export)."""
    if torch.compiler.is_compiling():
        return scan(steps, recurrent, keep)
    return LigruScan.apply(steps, recurrent, keep)


class Ligru(nn.Module):
    """Subsampling, then a stack of light GRU layers."""

    def __init__(self, options: LigruOptions, input_dim: int, subsampling: int):
        super().__init__()
        self.output_dim = options.hidden_dim * (2 if options.bidirectional else 1)
        self.lookahead = None if options.bidirectional else subsampling - 1
        self.subsample = Subsample(input_dim, self.output_dim, subsampling)
        self.layers = nn.ModuleList(LigruLayer(self.output_dim, options) for _ in range(options.num_layers))

    def forward(self, feats: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x, lengths = self.subsample(feats, lengths)
        mask = length_mask(lengths, x.size(1)).unsqueeze(2).to(x.dtype)
        for layer in self.layers:
            x = layer(x, lengths, mask)
        return x * mask, lengths
