"""The CTC loss of a padded batch: torch's, or our own kernel for the CPU (see ctc_kernel), behind one function.

Rules, the same for all: an empty target is the all-blank path; an infeasible target (fewer frames than tokens plus
blanks between equal neighbours) has infinite loss and no gradient, so it is counted by the caller and teaches nothing.
"""

import torch
from torch import Tensor

from sidamo.io.errors import OptionError


def ctc_losses(logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, kind: str = "auto") -> Tensor:
    """-ln P(target | utterance) of each utterance.

    Parameters
    ----------
    logits : (B, T, V) float32, before softmax; column 0 is blank
    lengths : (B,) int64, valid frames
    targets : (sum of target lengths,) int32, columns
    target_lengths : (B,) int64
    kind : 'torch', 'fused' (CPU, float32), or 'auto': fused on a CPU

    Returns
    -------
    (B,) losses in nats, inf where infeasible; differentiable
    """
    if kind == "auto":
        kind = "fused" if logits.device.type == "cpu" and logits.dtype == torch.float32 else "torch"
    if kind == "fused" and logits.device.type != "cpu":
        raise OptionError("--ctc=fused runs on a CPU; --ctc=auto takes torch's on a GPU")
    if kind == "fused":
        return FusedCtc.apply(logits, lengths, targets, target_lengths)
    return torch_ctc_losses(logits, lengths, targets, target_lengths)


def torch_ctc_losses(logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """The same by torch (cuDNN where it applies)."""
    log_probs = torch.log_softmax(logits, dim=2).transpose(0, 1)  # (T, B, V)
    losses = torch.nn.functional.ctc_loss(
        log_probs, targets.to(log_probs.device), lengths, target_lengths, blank=0, reduction="none", zero_infinity=True
    )
    return torch.where(feasible(lengths, targets, target_lengths).to(losses.device), losses, torch.inf)


def feasible(lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """(B,) bool: has the utterance frames enough for its target?"""
    from .data import frames_needed

    parts = torch.split(targets.cpu(), target_lengths.cpu().tolist())
    needed = torch.tensor([frames_needed(p.numpy()) for p in parts])
    return lengths.cpu() >= needed


class FusedCtc(torch.autograd.Function):
    """Softmax, both recursions and the gradient in one pass over the batch (ctc_kernel.ctc_loss_and_grad)."""

    @staticmethod
    def forward(ctx, logits, lengths, targets, target_lengths):
        from .ctc_kernel import ctc_loss_and_grad

        losses, grad = ctc_loss_and_grad(
            logits.detach().contiguous().numpy(), lengths.numpy(), targets.numpy(), target_lengths.numpy(),
            threads=torch.get_num_threads(), want_grad=ctx.needs_input_grad[0],
        )  # fmt: skip
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(torch.from_numpy(grad))
        return torch.from_numpy(losses)

    @staticmethod
    def backward(ctx, grad_losses):
        (grad,) = ctx.saved_tensors
        scale = torch.nan_to_num(grad_losses, nan=0.0, posinf=0.0, neginf=0.0)
        if bool((scale == scale[0]).all()):
            return grad.mul_(scale[0]), None, None, None
        return grad * scale[:, None, None], None, None, None
