"""The auto segmentation criterion of wav2letter (Collobert, Puhrsch and Synnaeve 2016): no blank, learned transitions.

A path gives each frame a unit; its score is the sum of the network's scores f_t(unit) and of transition scores
g(before, unit), none of them normalized per frame. With logadd over all paths of the whole graph as the one global
normalization,

    loss = logadd over all paths of (score) - logadd over the target's paths of (score)            (equation 3)

A token may last any number of frames. Equal neighbours in a target could not be told from one long token, so the
second of two is written as column 0, which reads "the same again" (the paper has extra letters for that; here the
column of CTC's blank is free).
"""

import numpy as np
import torch
from torch import Tensor, nn

from .greedy import collapse_asg

AGAIN = 0  # the column that repeats the unit before it


def with_repetitions(columns) -> list[int]:
    """[3, 3, 3, 1] -> [3, 0, 3, 1]: no two neighbours are equal in the result."""
    out: list[int] = []
    for i, column in enumerate(columns):
        again = i > 0 and columns[i - 1] == column and out[-1] != AGAIN
        out.append(AGAIN if again else int(column))
    return out


class AsgCriterion(nn.Module):
    """ASG over a padded batch; forward(outputs, targets, target_lengths) as CtcCriterion.

    Parameters
    ----------
    num_tokens : int, V

    Attributes
    ----------
    transitions : (V, V), score of going from row to column
    """

    def __init__(self, num_tokens: int):
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(num_tokens, num_tokens))

    def forward(self, outputs, targets: Tensor, target_lengths: Tensor):
        scores, lengths = outputs[-1]
        parts = torch.split(targets.cpu(), target_lengths.cpu().tolist())
        states = [with_repetitions(p.tolist()) for p in parts]
        sizes = torch.tensor([len(s) for s in states], device=scores.device)
        padded = torch.zeros(len(states), max(1, int(sizes.max())), dtype=torch.long, device=scores.device)
        for row, state in zip(padded, states):
            row[: len(state)] = torch.tensor(state, dtype=torch.long)
        losses = self.all_paths(scores, lengths) - self.target_paths(scores, lengths, padded, sizes)
        # An empty target, or one longer than its utterance, has no path.
        losses = torch.where((sizes > 0) & (sizes <= lengths), losses, torch.inf)
        return losses, torch.where(torch.isinf(losses), 0.0, losses).sum()

    def all_paths(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """logadd over all paths: alpha_t(j) = f_t(j) + logadd_i (alpha_{t-1}(i) + g(i, j)). (B, T, V) -> (B,)."""
        alpha = scores[:, 0]  # (B, V)
        for t in range(1, scores.size(1)):
            step = torch.logsumexp(alpha[:, :, None] + self.transitions, dim=1) + scores[:, t]
            alpha = torch.where((t < lengths)[:, None], step, alpha)
        return torch.logsumexp(alpha, dim=1)

    def target_paths(self, scores: Tensor, lengths: Tensor, states: Tensor, sizes: Tensor) -> Tensor:
        """logadd over the paths that spell the target: each state stays or goes on. states (B, S) -> (B,)."""
        none = torch.full_like(scores[:, 0, :1], -1e30)
        stay = self.transitions[states, states]  # (B, S)
        enter = self.transitions[states[:, :-1], states[:, 1:]]  # (B, S - 1)
        emit = torch.gather(scores, 2, states[:, None, :].expand(-1, scores.size(1), -1))  # (B, T, S)
        alpha = torch.cat([emit[:, 0, :1], none.expand(-1, states.size(1) - 1)], dim=1)
        for t in range(1, scores.size(1)):
            entered = torch.cat([none, alpha[:, :-1] + enter], dim=1)
            step = torch.logaddexp(alpha + stay, entered) + emit[:, t]
            alpha = torch.where((t < lengths)[:, None], step, alpha)
        return alpha.gather(1, (sizes - 1).clamp(min=0)[:, None])[:, 0]

    def best_columns(self, logits: Tensor, lengths: Tensor) -> np.ndarray:
        """Viterbi over each utterance's frames with the transitions: (B, T, V), (B,) -> (B, T)."""
        scores, ends = logits.float().cpu().numpy(), lengths.cpu().numpy()
        g = self.transitions.detach().cpu().numpy()
        batch, frames, size = scores.shape
        back = np.zeros(scores.shape, dtype=np.int64)
        best = scores[:, 0]
        for t in range(1, frames):
            ways = best[:, :, None] + g  # (B, from, to)
            inside = (t < ends)[:, None]
            back[:, t] = np.where(inside, ways.argmax(1), np.arange(size))  # beyond the end all stays as it is
            best = np.where(inside, ways.max(1) + scores[:, t], best)
        path = np.zeros((batch, frames), dtype=np.int64)
        path[:, -1] = best.argmax(1)
        for t in range(frames - 1, 0, -1):
            path[:, t - 1] = np.take_along_axis(back[:, t], path[:, t][:, None], 1)[:, 0]
        return path

    def collapse(self, columns) -> list[int]:
        """Frame string -> token string."""
        return collapse_asg(columns)
