"""From a network's outputs to the number that is minimized."""

import torch
from torch import Tensor, nn

from .greedy import collapse
from .loss import ctc_losses
from .nets.layers import length_mask


class CtcCriterion(nn.Module):
    """CTC (Graves 2006), with label smoothing and CTC on hidden layers where asked.

    forward(outputs, targets, target_lengths) -> (losses (B,) in nats, objective): outputs is a list of
    (logits (B, T, V), lengths (B,)), the network's own last; the objective is the sum over utterances of
    (1 - w) final + w mean(intermediate) (Lee and Watanabe 2021), plus smoothing.
    """

    def __init__(self, options):
        super().__init__()
        self.kind, self.smoothing, self.weight = options.ctc, options.label_smoothing, options.intermediate_weight

    def forward(self, outputs, targets: Tensor, target_lengths: Tensor):
        logits, lengths = outputs[-1]
        losses, objective = self.final(logits, lengths, targets, target_lengths)
        hidden = outputs[:-1]
        if hidden and self.weight > 0:
            parts = [ctc_losses(z, n, targets, target_lengths, self.kind) for z, n in hidden]
            extra = sum(torch.where(torch.isinf(p), 0.0, p).sum() for p in parts) / len(parts)
            objective = (1 - self.weight) * objective + self.weight * extra
        if self.smoothing > 0:
            mask = length_mask(lengths, logits.size(1))
            uniform = -torch.log_softmax(logits, 2).mean(2)  # cross-entropy of each frame to the uniform distribution
            objective = (1 - self.smoothing) * objective + self.smoothing * (uniform * mask).sum()
        return losses, objective

    def final(self, logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor):
        """The network's own output: (losses (B,), inf where infeasible; sum of those that are not)."""
        losses = ctc_losses(logits, lengths, targets, target_lengths, self.kind)
        return losses, torch.where(torch.isinf(losses), 0.0, losses).sum()

    def flat_start(self, outputs, targets: Tensor, target_lengths: Tensor, feats: Tensor) -> Tensor:
        """Cross-entropy to labels spread evenly over the loud frames: a first guess where each unit lies.

        The equal alignment from which Kaldi's monophone training starts, with two changes: time is measured in
        loudness (the mean of a frame's features above that of its utterance), so that pauses take no part, and
        label u of U is expected in the middle half of the u-th of U equal parts only, blank elsewhere.
        feats (B, T, D): the network's input. -> scalar, nats per frame of each utterance times its number of labels,
        so that it weighs like CTC.
        """
        logits, lengths = outputs[-1]
        step = -(-feats.size(1) // logits.size(1))
        loudness = feats.mean(2)[:, ::step].cpu()
        expected = torch.zeros(logits.shape[:2], dtype=torch.long)
        for row, labels in enumerate(torch.split(targets, target_lengths.tolist())):
            frames = int(lengths[row])
            if len(labels) and frames:
                expected[row, :frames] = equal_alignment(labels.long(), loudness[row, :frames])
        expected = expected.to(logits.device)
        losses = nn.functional.cross_entropy(logits.transpose(1, 2), expected, reduction="none")
        mean = (losses * length_mask(lengths, logits.size(1))).sum(1) / lengths.clamp(min=1)
        return (mean * target_lengths.to(mean.device)).sum()

    def best_columns(self, logits: Tensor, lengths: Tensor):
        """(B, T, V), (B,) -> (B, T) ndarray: the best column of each frame."""
        return logits.argmax(2).cpu().numpy()

    def collapse(self, columns) -> list[int]:
        """Frame string -> token string."""
        return collapse(columns)


def disagreement(logits: Tensor, lengths: Tensor) -> Tensor:
    """How far two views of the same utterances are from each other (CR-CTC, Yao et al. 2024, section 3.2).

    logits (2 B, T, V): all first views, then all second ones -> scalar, nats: the sum over frames of KL(a, b) + KL(b, a),
    where the view that pulls is held fixed.
    """
    first, second = torch.log_softmax(logits, 2).chunk(2)
    mask = length_mask(lengths, logits.size(1)).chunk(2)[0].unsqueeze(2)
    parts = [
        nn.functional.kl_div(pulled, fixed.detach(), reduction="none", log_target=True)
        for pulled, fixed in ((first, second), (second, first))
    ]
    return ((parts[0] + parts[1]) * mask).sum()


def equal_alignment(labels: Tensor, loudness: Tensor) -> Tensor:
    """Labels (U,) spread over frames of some loudness (T,) -> (T,): a label, or 0 (blank) between and in pauses."""
    weight = (loudness - loudness.mean()).clamp(min=0.0)
    if not float(weight.sum()) > 0:  # nothing louder than the rest
        weight = torch.ones_like(loudness)
    part = (weight.cumsum(0) - 0.5 * weight) / weight.sum() * len(labels)
    middle = (weight > 0) & (part % 1 >= 0.25) & (part % 1 < 0.75)
    return torch.where(middle, labels[part.long().clamp(max=len(labels) - 1)], 0)


def make_criterion(options, num_tokens: int, targets=()) -> nn.Module:
    """The criterion that the options name; `targets` (arrays of columns) are the training transcripts."""
    if options.criterion == "ctc-crf":
        from .crf import CrfCriterion
        from .token_graph import TokenGraph

        return CrfCriterion(options, TokenGraph.estimate(targets, num_tokens, options.crf_order))
    if options.criterion == "asg":
        from .asg import AsgCriterion

        return AsgCriterion(num_tokens)
    return CtcCriterion(options)
