"""Deep feed-forward sequential memory network (Zhang, Lei, Yan and Dai 2018).

Memory without recurrence: each block's projection p_t is joined by learned element-wise taps on its past and future,

    m_t(l) = m_t(l-1) + p_t + sum_{i=0..N1} a_i * p_{t - s1 i} + sum_{j=1..N2} c_j * p_{t + s2 j}      (equation 8)

and skip connections carry the memory from block to block.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .layers import Dropout, Subsample, length_mask


@dataclass(frozen=True)
class DfsmnOptions:
    """Options of the DFSMN."""

    hidden_dim: int = field(default=512, metadata={"help": "units of the wide layers"})
    projection_dim: int = field(default=192, metadata={"help": "units of projection and memory"})
    num_blocks: int = field(default=8, metadata={"help": "memory blocks"})
    left_order: int = field(default=10, metadata={"help": "taps on the past (N1)"})
    right_order: int = field(default=10, metadata={"help": "taps on the future (N2); 0 for a causal network"})
    left_stride: int = field(default=1, metadata={"help": "output frames between taps on the past (s1)"})
    right_stride: int = field(default=1, metadata={"help": "output frames between taps on the future (s2)"})
    dropout: float = field(default=0.1, metadata={"help": "share of units dropped after each wide layer"})


class DfsmnBlock(nn.Module):
    """Wide layer (ReLU), linear projection, memory."""

    def __init__(self, options: DfsmnOptions):
        super().__init__()
        o = options
        dim = o.projection_dim
        self.left, self.right = o.left_order * o.left_stride, o.right_order * o.right_stride
        self.wide = nn.Linear(dim, o.hidden_dim)
        self.norm = nn.LayerNorm(o.hidden_dim)
        self.dropout = Dropout(o.dropout)
        self.project = nn.Linear(o.hidden_dim, dim, bias=False)
        self.past = nn.Conv1d(dim, dim, o.left_order + 1, groups=dim, dilation=o.left_stride, bias=False)
        self.future = None
        if o.right_order:
            self.future = nn.Conv1d(dim, dim, o.right_order, groups=dim, dilation=o.right_stride, bias=False)
            self.step = o.right_stride

    def forward(self, memory: Tensor, mask: Tensor) -> Tensor:
        """(B, T, P), mask (B, T, 1) -> (B, T, P)."""
        p = self.project(self.dropout(self.norm(torch.relu(self.wide(memory))))) * mask
        taps = p.transpose(1, 2)
        y = self.past(nn.functional.pad(taps, (self.left, 0)))
        if self.future is not None:
            y = y + self.future(nn.functional.pad(taps, (0, self.right))[:, :, self.step :])
        return (memory + p + y.transpose(1, 2)) * mask


class Dfsmn(nn.Module):
    """Subsampling, memory blocks, one wide layer on top."""

    def __init__(self, options: DfsmnOptions, input_dim: int, subsampling: int):
        super().__init__()
        self.output_dim = options.hidden_dim
        self.subsample = Subsample(input_dim, options.projection_dim, subsampling)
        self.blocks = nn.ModuleList(DfsmnBlock(options) for _ in range(options.num_blocks))
        self.norm = nn.LayerNorm(options.projection_dim)
        self.top = nn.Linear(options.projection_dim, options.hidden_dim)
        reach = sum(block.right for block in self.blocks)
        self.lookahead = subsampling * reach + subsampling - 1

    def forward(self, feats: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x, lengths = self.subsample(feats, lengths)
        mask = length_mask(lengths, x.size(1)).unsqueeze(2).to(x.dtype)
        x = x * mask
        for block in self.blocks:
            x = block(x, mask)
        return torch.relu(self.top(self.norm(x))) * mask, lengths
