"""The files of a training run: checkpoint, models of epochs, curve, posteriors of one dev utterance."""

import math
import os
from dataclasses import asdict, dataclass, field

import numpy as np
import torch

from sidamo.io.errors import DataError

from .model import load_file, save_file, save_model

LAST = "checkpoint.pt"
CURVE = ("epoch", "step", "train_loss", "dev_loss", "dev_ter", "dev_wer", "lr", "seconds", "cpu_seconds")


@dataclass
class State:
    """Position and running sums of a training run."""

    epoch: int = 0  # epochs done
    update: int = 0  # updates done within the epoch
    step: int = 0  # updates done in all
    lr: float = 0.0
    newbob: float = 1.0
    epoch_loss: float = 0.0  # nats
    epoch_tokens: float = 0.0
    epoch_seconds: float = 0.0
    epoch_cpu_seconds: float = 0.0
    running_loss: float = 0.0
    num_good: int = 0
    num_bad: int = 0
    num_infeasible: int = 0
    curve: list = field(default_factory=list)


def write_last(out, model, criterion, optimizer, ema, state: State) -> None:
    """Write everything that is needed to go on, atomically."""
    save_file(os.path.join(out, LAST), {
        "config": model.config, "model": model.state_dict(), "criterion": criterion.state_dict(),
        "optimizer": optimizer.state_dict(), "ema": ema.state() if ema else None, "state": asdict(state),
    })  # fmt: skip


def read_last(out, model, criterion, optimizer, ema, device) -> State | None:
    """Load the checkpoint into model, criterion, optimizer and ema; None where there is none."""
    path = os.path.join(out, LAST)
    if not os.path.exists(path):
        return None
    content = load_file(path, map_location=device)
    if content["config"] != model.config:
        changed = [k for k in model.config if content["config"].get(k) != model.config[k]]
        raise DataError(
            f"the checkpoint was made with another {', '.join(changed)}", file=path,
            mend=f"give the old options, or begin anew: rm -r {out}",
        )  # fmt: skip
    model.load_state_dict(content["model"])
    criterion.load_state_dict(content["criterion"])
    optimizer.load_state_dict(content["optimizer"])
    if ema is not None and content["ema"] is not None:
        ema.load(content["ema"])
    return State(**content["state"])


def epoch_path(out, epoch: int) -> str:
    """Path of the model after `epoch` epochs."""
    return os.path.join(out, f"epoch_{epoch}.pt")


def write_epoch(out, epoch: int, model, keep: list[int], **extra) -> None:
    """Write this epoch's model where it is among those to be averaged, and drop those that no longer are."""
    if epoch in keep:
        save_model(epoch_path(out, epoch), model, **extra)
    for other in range(1, epoch):
        path = epoch_path(out, other)
        if other not in keep and os.path.exists(path):
            os.unlink(path)


def average_models(paths) -> dict:
    """Mean of the weights of several model files (Izmailov et al. 2018), summed in float64."""
    total, count = {}, 0
    for path in paths:
        content = load_file(path)
        count += 1
        for name, value in content["state"].items():
            total[name] = value.double() + total[name] if name in total else value.double()
            kinds = content["state"]
    return {name: (value / count).to(kinds[name].dtype) for name, value in total.items()}


def write_text(path, text: str) -> None:
    """Write a text file under a temporary name, then rename."""
    temporary = f"{path}.tmp.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def write_curve(out, rows) -> None:
    """log/curve.tsv: one line an epoch."""
    lines = ["\t".join(CURVE)]
    lines += ["\t".join(f"{row.get(c, math.nan):.6g}" for c in CURVE) for row in rows]
    os.makedirs(os.path.join(out, "log"), exist_ok=True)
    write_text(os.path.join(out, "log", "curve.tsv"), "\n".join(lines) + "\n")


def write_posteriors(out, epoch: int, key: str, posteriors: np.ndarray) -> None:
    """Add one dev utterance's posteriors (T', V) to log/posteriors.ark, under `<key>-epoch<N>`."""
    from sidamo.io import tables

    os.makedirs(os.path.join(out, "log"), exist_ok=True)
    path = os.path.join(out, "log", "posteriors.ark")
    entries = {}
    if os.path.exists(path):
        with tables.SequentialReader(f"ark:{path}", "matrix") as reader:
            entries = {name: np.array(value) for name, value in reader}
    entries[f"{key}-epoch{epoch}"] = posteriors.astype(np.float32)
    with tables.Writer(f"ark:{path}", "matrix") as writer:
        for name, value in entries.items():
            writer.write(name, value)


def restore_average(model, out, epochs: list[int]) -> None:
    """Load the mean of the epochs' models into `model`."""
    with torch.no_grad():
        model.load_state_dict(average_models([epoch_path(out, e) for e in epochs]))
