"""LSTM (Hochreiter and Schmidhuber 1997) and GRU (Cho et al. 2014), one or both directions (Graves 2006 for CTC).

A direction is a recurrent layer of its own that runs over the whole padded batch; the backward one reads each
utterance reversed within its length, so neither meets padding before it has left the utterance. This keeps torch's
fused kernels (oneDNN, cuDNN), which packed sequences do not reach on a CPU. Time-delay layers before the recurrent ones
(TDNN-LSTM, Peddinti et al. 2018) end CTC's first plateau, where all is blank, several times sooner.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .layers import Dropout, Subsample, length_mask, reverse_padded
from .recurrence import GruScan
from .tdnn import TdnnLayer, TdnnOptions


@dataclass(frozen=True)
class RnnOptions:
    """Options of the recurrent networks."""

    hidden_dim: int = field(default=320, metadata={"help": "cells of a layer, per direction"})
    num_layers: int = field(default=4, metadata={"help": "recurrent layers"})
    bidirectional: bool = field(default=True, metadata={"help": "read in both directions"})
    dropout: float = field(default=0.2, metadata={"help": "share of units dropped between layers"})
    conv_layers: int = field(default=0, metadata={"help": "time-delay layers (window 3) before the recurrent ones"})


class Recurrent(nn.Module):
    """A stack of recurrent layers after subsampling; `cell` is nn.LSTM or nn.GRU."""

    def __init__(self, cell, options: RnnOptions, input_dim: int, subsampling: int):
        super().__init__()
        hidden = options.hidden_dim
        directions = 2 if options.bidirectional else 1
        self.output_dim = hidden * directions
        self.lookahead = None if options.bidirectional else subsampling - 1
        conv = TdnnOptions(dropout=options.dropout, causal=not options.bidirectional)
        self.conv_layers = nn.ModuleList(
            TdnnLayer(self.output_dim, 3, 1 + i % 2, conv) for i in range(options.conv_layers)
        )
        self.subsample = Subsample(input_dim, self.output_dim, subsampling)
        self.norm = nn.LayerNorm(self.output_dim)
        self.forward_layers = nn.ModuleList(
            cell(self.output_dim, hidden, batch_first=True) for _ in range(options.num_layers)
        )
        self.backward_layers = nn.ModuleList(
            cell(self.output_dim, hidden, batch_first=True) for _ in range(options.num_layers * (directions - 1))
        )
        self.dropout = Dropout(options.dropout)

    def forward(self, feats: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x, lengths = self.subsample(feats, lengths)
        mask = length_mask(lengths, x.size(1)).unsqueeze(2).to(x.dtype)
        x = torch.relu(self.norm(x)) * mask  # (B, T', H)
        for layer in self.conv_layers:
            x = layer(x, mask)
        if torch.jit.is_scripting():
            x = self.walk(x, lengths)
        else:
            x = self.walk_in_training(x, lengths) if self.training else self.walk(x, lengths)
        return x * mask, lengths

    def walk(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The recurrent layers: (B, T', H) -> (B, T', H)."""
        if len(self.backward_layers):
            for ahead, back in zip(self.forward_layers, self.backward_layers):
                rightward = ahead(x)[0]
                leftward = reverse_padded(back(reverse_padded(x, lengths))[0], lengths)
                x = self.dropout(torch.cat([rightward, leftward], dim=2))
        else:
            for ahead in self.forward_layers:
                x = self.dropout(ahead(x)[0])
        return x

    def walk_in_training(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The same; for a cell whose gradient is slow in torch."""
        return self.walk(x, lengths)


class Lstm(Recurrent):
    """Long short-term memory."""

    def __init__(self, options: RnnOptions, input_dim: int, subsampling: int):
        super().__init__(nn.LSTM, options, input_dim, subsampling)


class Gru(Recurrent):
    """Gated recurrent units."""

    def __init__(self, options: RnnOptions, input_dim: int, subsampling: int):
        super().__init__(nn.GRU, options, input_dim, subsampling)

    def walk_in_training(self, x: Tensor, lengths: Tensor) -> Tensor:
        """On a CPU torch has no fused GRU as it has an LSTM: directions walk together, with the gradient by hand."""
        if x.device.type != "cpu":
            return self.walk(x, lengths)
        backs = self.backward_layers or [None] * len(self.forward_layers)
        for ahead, back in zip(self.forward_layers, backs):
            x = self.dropout(gru_layer(ahead, back, x, lengths))
        return x


def gru_layer(ahead: nn.GRU, back: nn.GRU | None, x: Tensor, lengths: Tensor) -> Tensor:
    """One nn.GRU, or two of which the second reads from right to left: (B, T, D) -> (B, T, directions * H)."""
    cells = [ahead] if back is None else [ahead, back]
    inputs = [x, reverse_padded(x, lengths)][: len(cells)]
    size = ahead.hidden_size
    gates = []
    for cell, values in zip(cells, inputs):
        early, late = cell.bias_hh_l0.split([2 * size, size])  # that of n is scaled by r: it stays with the recurrence
        bias = cell.bias_ih_l0 + torch.cat([early, torch.zeros_like(late)])
        gates.append(nn.functional.linear(values, cell.weight_ih_l0, bias))
    steps = torch.stack(gates, dim=1).permute(2, 1, 0, 3).float().contiguous()  # (T, directions, B, 3H)
    weight = torch.stack([cell.weight_hh_l0.T for cell in cells])
    bias = torch.stack([cell.bias_hh_l0[2 * size :] for cell in cells]).unsqueeze(1)
    y = GruScan.apply(steps, weight, bias).permute(1, 2, 0, 3)  # (directions, B, T, H)
    return torch.cat([y[0], reverse_padded(y[1], lengths)], dim=2) if back is not None else y[0]
