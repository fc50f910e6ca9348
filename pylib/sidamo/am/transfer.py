"""Start from another model: copy what fits, freeze what should stay."""

import re

import torch

from sidamo.io.errors import DataError, OptionError
from sidamo.io.log import info

from .model import load_model


def initialize(model, tokens: list[str], path) -> None:
    """Copy the encoder of the model file at `path`; of its output layer, the rows of tokens that both models have.

    A layer of another shape raises DataError, except the first projection where the feature dimension differs: that one
    is left as it was made.
    """
    source, content = load_model(path)
    if source.config["network"] != model.config["network"]:
        raise DataError(
            f"a {source.config['network']}, but --network={model.config['network']}", file=str(path),
            mend=f"--network={source.config['network']}",
        )  # fmt: skip
    theirs, ours = source.encoder.state_dict(), model.encoder.state_dict()
    kept = []
    for name, value in ours.items():
        if name in theirs and theirs[name].shape == value.shape:
            value.copy_(theirs[name])
        elif source.config["input_dim"] != model.config["input_dim"] and name.startswith("subsample"):
            kept.append(name)
        else:
            found = tuple(theirs[name].shape) if name in theirs else "nothing"
            raise DataError(
                f"encoder.{name}: {found}, expected shape {tuple(value.shape)}", file=str(path),
                mend="give the options that the model was trained with: they lie in the file `config` beside it",
            )  # fmt: skip
    shared = [(i, content["tokens"].index(t)) for i, t in enumerate(tokens) if t in content.get("tokens", [])]
    with torch.no_grad():
        for i, j in shared:
            model.output.weight[i] = source.output.weight[j]
            model.output.bias[i] = source.output.bias[j]
    info(f"started from {path}: encoder{' without ' + ' '.join(kept) if kept else ''}, {len(shared)} of "
         f"{len(tokens)} output rows")  # fmt: skip


def freeze(model, pattern: str) -> None:
    """Stop the training of parameters whose name matches the regular expression (searched); '' freezes none."""
    if not pattern:
        return
    try:
        names = [n for n, _ in model.named_parameters() if re.search(pattern, n)]
    except re.error as error:
        raise OptionError(f"--freeze={pattern}: {error}") from None
    if not names:
        raise OptionError(f"--freeze={pattern} matches no parameter; names begin with encoder. or output.")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in names)
    info(f"frozen: {len(names)} parameter tensors")
