"""Factorized time-delay network (Povey, Cheng, Wang, Li, Xu, Yarmohammadi and Khudanpur 2018).

Each layer's matrix is the product of two, with a narrow linear bottleneck between them; the first is kept close to
semi-orthogonal (M M^T a multiple of the identity), which makes the pair as stable to train as one matrix.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .layers import Dropout, MaskedBatchNorm, Subsample, length_mask


@dataclass(frozen=True)
class TdnnfOptions:
    """Options of the factorized time-delay network."""

    hidden_dim: int = field(default=512, metadata={"help": "units of a layer"})
    bottleneck_dim: int = field(default=96, metadata={"help": "units between the two factors"})
    dilations: str = field(default="1,1,1,0,3,3,3,3", metadata={"help": "time step of each layer; 0: no context"})
    bypass_scale: float = field(default=0.66, metadata={"help": "factor on a layer's input, added to its output"})
    dropout: float = field(default=0.1, metadata={"help": "share of units dropped after each layer"})


class TdnnfLayer(nn.Module):
    """Linear factor over (t - d, t), affine factor over (t, t + d), ReLU, batch normalization, scaled bypass."""

    def __init__(self, options: TdnnfOptions, dilation: int):
        super().__init__()
        width = 2 if dilation else 1
        self.dilation, self.scale = dilation, options.bypass_scale
        wide, narrow, step = options.hidden_dim, options.bottleneck_dim, max(1, dilation)
        self.linear = nn.Conv1d(wide, narrow, width, dilation=step, bias=False)
        self.affine = nn.Conv1d(narrow, wide, width, dilation=step)
        self.norm = MaskedBatchNorm(options.hidden_dim, relu=True)
        self.dropout = Dropout(options.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, H), zero beyond each length; mask (B, T, 1) -> the same.

        The convolutions as matrix products of whole rows, twice as fast in training on a CPU as torch's.
        """
        first, second = self.linear.weight, self.affine.weight  # (N, H, width), (H, N, width)
        y = nn.functional.linear(x, first.permute(2, 0, 1).flatten(0, 1))  # (B, T, width * N)
        if self.dilation > 0:
            before, now = y.chunk(2, dim=2)
            y = now + nn.functional.pad(before, (0, 0, self.dilation, 0))[:, : x.size(1)]
        y = y * mask  # the bottleneck has to be zero beyond the end as well
        if self.dilation > 0:
            y = torch.cat([y, nn.functional.pad(y, (0, 0, 0, self.dilation))[:, self.dilation :]], dim=2)
        y = nn.functional.linear(y, second.transpose(1, 2).flatten(1), self.affine.bias)
        return torch.add(self.dropout(self.norm(y, mask)), x, alpha=self.scale)

    @torch.no_grad()
    def constrain(self) -> None:
        """One step towards a semi-orthogonal first factor: M -= (M M^T - a I) M / (2 a), a = tr(P P^T) / tr(P).

        Povey et al. 2018, section 2.3 (floating scale).
        """
        weight = self.linear.weight
        m = weight.reshape(weight.size(0), -1)
        p = m @ m.T
        a = (p * p).sum() / p.trace()
        p.diagonal().sub_(a)
        m.sub_(p @ m / (2 * a))
        weight.copy_(m.view_as(weight))


class Tdnnf(nn.Module):
    """Subsampling, then factorized layers."""

    def __init__(self, options: TdnnfOptions, input_dim: int, subsampling: int):
        super().__init__()
        dilations = [int(d) for d in options.dilations.split(",")]
        self.output_dim = options.hidden_dim
        self.lookahead = subsampling * sum(dilations) + subsampling - 1
        self.subsample = Subsample(input_dim, options.hidden_dim, subsampling)
        self.norm = MaskedBatchNorm(options.hidden_dim, relu=True)
        self.layers = nn.ModuleList(TdnnfLayer(options, d) for d in dilations)
        self.updates = 0

    def forward(self, feats: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x, lengths = self.subsample(feats, lengths)
        mask = length_mask(lengths, x.size(1)).unsqueeze(2).to(x.dtype)
        x = self.norm(x, mask)
        for layer in self.layers:
            x = layer(x, mask)
        return x, lengths

    def after_update(self, step: int) -> None:
        """Called by the trainer after each update; every fourth one constrains all first factors."""
        if step % 4 == 0:
            for layer in self.layers:
                layer.constrain()
