"""Time-delay network: dilated convolutions over time (Waibel et al. 1989; Peddinti, Povey and Khudanpur 2015)."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .layers import Dropout, MaskedBatchNorm, Subsample, length_mask, subsampled


@dataclass(frozen=True)
class TdnnOptions:
    """Options of the time-delay network."""

    hidden_dim: int = field(default=256, metadata={"help": "units of a layer"})
    kernels: str = field(default="3,3,3,3,3,3", metadata={"help": "window of each layer, in its own steps"})
    dilations: str = field(default="1,1,2,2,3,3", metadata={"help": "step of each layer, in output frames"})
    dropout: float = field(default=0.1, metadata={"help": "share of units dropped after each layer"})
    causal: bool = field(default=False, metadata={"help": "look at the past only"})
    residual: bool = field(default=True, metadata={"help": "add each layer's input to its output"})
    mirror_edges: bool = field(default=False, metadata={"help": "an utterance's ends are continued by mirroring"})


class TdnnLayer(nn.Module):
    """Convolution, ReLU, masked batch normalization, dropout, and the input added where asked."""

    def __init__(self, dim: int, kernel: int, dilation: int, options: TdnnOptions):
        super().__init__()
        reach = (kernel - 1) * dilation
        self.left = reach if options.causal else reach // 2
        self.right = reach - self.left
        self.conv = nn.Conv1d(dim, dim, kernel, dilation=dilation)
        self.norm = MaskedBatchNorm(dim, relu=True)
        self.dropout = Dropout(options.dropout)
        self.residual = options.residual

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, H), zero beyond each length; mask (B, T, 1) -> the same."""
        y = nn.functional.pad(x.transpose(1, 2), (self.left, self.right))
        y = self.dropout(self.norm(self.conv(y).transpose(1, 2), mask))
        return x + y if self.residual else y


def mirror(feats: Tensor, lengths: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
    """Continue each utterance at both ends by its mirror image: (B, T, D) -> (B, T + 2 num_frames, D), lengths (B,)."""
    at = torch.arange(-num_frames, feats.size(1) + num_frames, device=feats.device)[None, :]
    period = 2 * lengths[:, None]
    at = torch.remainder(at, period)  # an utterance shorter than num_frames is mirrored again
    at = torch.minimum(at, period - 1 - at)
    return torch.gather(feats, 1, at[:, :, None].expand(-1, -1, feats.size(2))), lengths + 2 * num_frames


class Tdnn(nn.Module):
    """Subsampling, then dilated convolutions."""

    def __init__(self, options: TdnnOptions, input_dim: int, subsampling: int):
        super().__init__()
        kernels = [int(k) for k in options.kernels.split(",")]
        dilations = [int(d) for d in options.dilations.split(",")]
        if len(kernels) != len(dilations):
            raise ValueError(f"{len(kernels)} kernels but {len(dilations)} dilations: {options}")
        self.output_dim = options.hidden_dim
        self.subsample = Subsample(input_dim, options.hidden_dim, subsampling)
        self.norm = MaskedBatchNorm(options.hidden_dim, relu=True)
        self.layers = nn.ModuleList(
            TdnnLayer(options.hidden_dim, k, d, options) for k, d in zip(kernels, dilations)
        )
        self.lookahead = subsampling * sum(layer.right for layer in self.layers) + subsampling - 1
        self.subsampling = subsampling
        self.edge = max(sum(layer.left for layer in self.layers), sum(layer.right for layer in self.layers))
        self.mirror_edges = options.mirror_edges

    def forward(self, feats: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        if not self.mirror_edges:
            return self.convolve(feats, lengths)
        # Zeros at the ends tell the network where a recording begins: on a small corpus it learns to say there what
        # most recordings begin with. The mirror image of a pause is a pause.
        x, _ = self.convolve(*mirror(feats, lengths, self.edge * self.subsampling))
        lengths = subsampled(lengths, self.subsampling)
        x = x[:, self.edge : self.edge + int(lengths.max())]
        return x * length_mask(lengths, x.size(1)).unsqueeze(2).to(x.dtype), lengths

    def convolve(self, feats: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The network itself, with zeros beyond the ends."""
        x, lengths = self.subsample(feats, lengths)
        mask = length_mask(lengths, x.size(1)).unsqueeze(2).to(x.dtype)
        x = self.norm(x, mask)
        for layer in self.layers:
            x = layer(x, mask)
        return x, lengths
