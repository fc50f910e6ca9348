"""Optimizers, learning rates per group, and the moving average of the weights."""

import re

import torch

from sidamo.io.errors import OptionError


def parse_scales(text: str) -> list[tuple[re.Pattern, float]]:
    """'encoder=0.1,output=2' -> [(pattern, factor), ...]."""
    scales = []
    for item in filter(None, text.split(",")):
        pattern, equals, factor = item.rpartition("=")
        try:
            scales.append((re.compile(pattern), float(factor)))
        except (ValueError, re.error) as error:
            raise OptionError(f"--lr-scales: {item!r}: {error}; expected regex=factor") from None
        if not equals:
            raise OptionError(f"--lr-scales: {item!r}: expected regex=factor")
    return scales


def make_optimizer(model, criterion, options):
    """AdamW (Loshchilov and Hutter 2019) or SGD with momentum; only matrices decay; groups keep their own rates."""
    scales = parse_scales(options.lr_scales)
    groups: dict[tuple[float, float], list] = {}
    named = [*model.named_parameters(), *((f"criterion.{n}", p) for n, p in criterion.named_parameters())]
    for name, parameter in named:
        if not parameter.requires_grad:
            continue
        scale = next((factor for pattern, factor in scales if pattern.search(name)), 1.0)
        decay = options.weight_decay if parameter.dim() > 1 else 0.0
        groups.setdefault((scale, decay), []).append(parameter)
    if not groups:
        raise OptionError(f"--freeze={options.freeze} leaves nothing to train")
    described = [{"params": p, "lr_scale": s, "weight_decay": d} for (s, d), p in groups.items()]
    if options.optimizer == "sgd":
        return torch.optim.SGD(described, lr=options.learning_rate, momentum=options.momentum)
    return torch.optim.AdamW(described, lr=options.learning_rate, betas=(0.9, 0.98), eps=1e-8)


def set_learning_rate(optimizer, rate: float) -> None:
    """Set every group's rate to `rate` times its own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_scale"]


class MovingAverage:
    """Exponential moving average of parameters and buffers (Polyak averaging; Tarvainen and Valpola 2017).

    The decay starts low and rises to its value, min(decay, (1 + n) / (10 + n)), so that the random start is forgotten.
    """

    def __init__(self, model, decay: float):
        self.decay, self.count = decay, 0
        self.values = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model) -> None:
        """Take in the weights after an update."""
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        self.count += 1
        for name, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                self.values[name].lerp_(value, 1 - decay)
            else:
                self.values[name].copy_(value)

    @torch.no_grad()
    def swap(self, model) -> None:
        """Exchange the average and the model's weights."""
        for name, value in model.state_dict().items():
            kept = value.clone()
            value.copy_(self.values[name])
            self.values[name].copy_(kept)

    def state(self) -> dict:
        """For a checkpoint."""
        return {"count": self.count, "values": self.values}

    def load(self, state: dict) -> None:
        """From a checkpoint."""
        self.count = state["count"]
        for name, value in state["values"].items():
            self.values[name].copy_(value)
