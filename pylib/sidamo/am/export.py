"""Export to TorchScript and ONNX: a network in a file that runs without Sidamo.

Both take (features (1, T, D) float32, lengths (1,) int64) or a padded batch of them, and give (log-likelihoods
(B, T', V), lengths (B,)): normalized features in, log posterior - prior_scale * log prior out, as compute-loglikes.
"""

import warnings

import numpy as np
import torch
from torch import Tensor, nn

from sidamo.io.errors import DataError

from .loglikes import LoglikeOptions
from .priors import log_prior


class Exported(nn.Module):
    """Encoder, output layer, log-softmax and the offset of priors in one module without Sidamo's classes around it."""

    def __init__(self, model, offset: np.ndarray):
        super().__init__()
        self.encoder, self.output = model.encoder, model.output
        self.register_buffer("offset", torch.from_numpy(offset.astype(np.float32)))

    def forward(self, feats: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x, lengths = self.encoder(feats, lengths)
        return torch.log_softmax(self.output(x), dim=2) + self.offset, lengths


def exported(model, content: dict, options: LoglikeOptions) -> Exported:
    """The module that is written."""
    counts = content["label_counts" if options.priors == "labels" else "posterior_counts"]
    offset = -options.prior_scale * log_prior(counts.numpy())
    offset[0] += np.log(options.blank_scale)
    return Exported(model, offset).eval()


def to_torchscript(module: Exported, path) -> None:
    """Compile (not trace: lengths and loops stay free) and write."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(module).save(str(path))


def to_onnx(module: Exported, path, input_dim: int) -> None:
    """Write ONNX with free batch and time; needs the packages onnx and onnxscript (pip install onnx onnxscript)."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise DataError(f"ONNX needs the package {error.name}", mend="pip install onnx onnxscript") from None
    feats, lengths = torch.randn(2, 61, input_dim), torch.tensor([61, 40])
    batch, time = torch.export.Dim("batch"), torch.export.Dim("time", min=8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (feats, lengths), str(path), input_names=["feats", "lengths"], output_names=["loglikes", "frames"],
            dynamic_shapes={"feats": {0: batch, 1: time}, "lengths": {0: batch}}, dynamo=True, external_data=False,
            verbose=False,
        )  # fmt: skip
