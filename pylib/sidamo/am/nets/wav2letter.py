"""The convolutional network of wav2letter (Collobert, Puhrsch and Synnaeve 2016), in its form for features.

A wide convolution, seven of width 7, then two wide fully connected ones (as convolutions); ReLU after each. The paper
has no normalization; batch normalization (on by default here) makes it train in far fewer epochs.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .layers import Dropout, MaskedBatchNorm, length_mask, subsampled


@dataclass(frozen=True)
class Wav2letterOptions:
    """Options of wav2letter's network."""

    hidden_dim: int = field(default=250, metadata={"help": "units of the convolutions"})
    first_width: int = field(default=48, metadata={"help": "window of the first convolution, in input frames"})
    width: int = field(default=7, metadata={"help": "window of the others, in output frames"})
    num_layers: int = field(default=7, metadata={"help": "convolutions after the first"})
    wide_dim: int = field(default=2000, metadata={"help": "units of the last two layers"})
    wide_width: int = field(default=32, metadata={"help": "window of the first wide layer, in output frames"})
    dropout: float = field(default=0.1, metadata={"help": "share of units dropped after each layer"})
    batch_norm: bool = field(default=True, metadata={"help": "batch normalization after each layer"})


class ConvLayer(nn.Module):
    """Convolution centred on its frame, ReLU, batch normalization where asked, dropout."""

    def __init__(self, input_dim: int, output_dim: int, width: int, stride: int, options: Wav2letterOptions):
        super().__init__()
        self.width, self.stride = width, stride
        self.right = width // 2
        self.conv = nn.Conv1d(input_dim, output_dim, width, stride=stride)
        self.norm = MaskedBatchNorm(output_dim, relu=True) if options.batch_norm else None
        self.dropout = Dropout(options.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D), zero beyond each length -> (B, ceil(T / stride), H); mask is the output's."""
        y = nn.functional.pad(x.transpose(1, 2), (self.width - 1 - self.right, self.right + (-x.size(1)) % self.stride))
        y = self.conv(y).transpose(1, 2)[:, : mask.size(1)]
        y = self.norm(y, mask) if self.norm is not None else torch.relu(y) * mask
        return self.dropout(y)


class Wav2letter(nn.Module):
    """The stack; the first convolution's stride is the subsampling."""

    def __init__(self, options: Wav2letterOptions, input_dim: int, subsampling: int):
        super().__init__()
        o = options
        self.output_dim, self.factor = o.wide_dim, subsampling
        plan = [(input_dim, o.hidden_dim, o.first_width, subsampling)]
        plan += [(o.hidden_dim, o.hidden_dim, o.width, 1)] * o.num_layers
        plan += [(o.hidden_dim, o.wide_dim, o.wide_width, 1), (o.wide_dim, o.wide_dim, 1, 1)]
        self.layers = nn.ModuleList(ConvLayer(*shape, o) for shape in plan)
        rest = sum(layer.right for layer in self.layers[1:])
        self.lookahead = self.layers[0].right + subsampling * rest

    def forward(self, feats: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x = feats * length_mask(lengths, feats.size(1)).unsqueeze(2).to(feats.dtype)
        lengths = subsampled(lengths, self.factor)
        frames = (feats.size(1) + self.factor - 1) // self.factor
        mask = length_mask(lengths, frames).unsqueeze(2).to(feats.dtype)
        for layer in self.layers:
            x = layer(x, mask)
        return x, lengths
