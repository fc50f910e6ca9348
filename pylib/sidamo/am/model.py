"""A network with its output layer, and the file that holds both."""

import os
import pickle

import torch
from torch import Tensor, nn

from sidamo.io.errors import DataError

from . import nets

FORMAT = "sidamo-am-1"


class AcousticModel(nn.Module):
    """Encoder and output layer: features in, unnormalized log-probabilities of tokens out.

    Parameters
    ----------
    config : dict with
        network (str), options (dict of the network's dataclass), input_dim (D), num_tokens (V), subsampling

    forward(feats (B, T, D), lengths (B,)) -> logits (B, T', V), lengths (B,); column 0 is blank.
    """

    def __init__(self, config: dict):
        super().__init__()
        self.config = dict(config)
        self.encoder = nets.build(config["network"], config["options"], config["input_dim"], config["subsampling"])
        self.output = nn.Linear(self.encoder.output_dim, config["num_tokens"])

    def forward(self, feats: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x, lengths = self.encoder(feats, lengths)
        return self.output(x).float(), lengths

    def forward_training(self, feats: Tensor, lengths: Tensor) -> list[tuple[Tensor, Tensor]]:
        """All outputs that training can use: those of hidden layers where the network has them, then its own."""
        if getattr(self.encoder, "intermediate", 0):
            hidden, lengths = self.encoder.forward_intermediate(feats, lengths)
        else:
            x, lengths = self.encoder(feats, lengths)
            hidden = [x]
        return [(self.output(x).float(), lengths) for x in hidden]

    @property
    def num_parameters(self) -> int:
        """Number of trained values."""
        return sum(p.numel() for p in self.parameters())


def save_file(path, content: dict) -> None:
    """torch.save to a temporary name, flushed to the disk, then renamed: `path` is always whole or as it was."""
    temporary = f"{path}.tmp.{os.getpid()}"
    try:
        with open(temporary, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def load_file(path, map_location="cpu") -> dict:
    """Read what save_file wrote; raises DataError where it is absent or damaged."""
    if not os.path.exists(path):
        raise DataError("no such model", file=str(path), mend="train one: steps/train_ctc.sh")
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise DataError(f"not a whole torch file: {error}", file=str(path), mend="train or copy it again") from None


def save_model(path, model: AcousticModel, **extra) -> None:
    """Write a model with its configuration; `extra` holds tensors and plain values (label counts, provenance)."""
    save_file(path, {"format": FORMAT, "config": model.config, "state": model.state_dict(), **extra})


def load_model(path, device="cpu") -> tuple[AcousticModel, dict]:
    """Read a model: (model in evaluation mode, the whole content of the file)."""
    content = load_file(path, map_location=device)
    if content.get("format") != FORMAT:
        raise DataError(
            f"format {content.get('format')!r}, expected {FORMAT!r}", file=str(path),
            mend="name final.pt or epoch_N.pt, not a checkpoint of the trainer",
        )  # fmt: skip
    model = AcousticModel(content["config"]).to(device)
    model.load_state_dict(content["state"])
    return model.eval(), content
