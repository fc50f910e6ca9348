"""Export to TorchScript and ONNX: a network in a file that runs without Sidamo.

Both take (features (1, T, D) float32, lengths (1,) int64) or a padded batch of them, and give (log-likelihoods
(B, T', V), lengths (B,)): normalized features in, log posterior - prior_scale * log prior out, as compute-loglikes.
"""

import warnings

import numpy as np
import torch
from torch import Tensor, nn

from sidamo.io.errors import DataError

from .loglikes import Scorer, in_batches, offset
from .options import LoglikeOptions


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
    return Exported(model, offset(content, options)).eval()


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


def runner(path):
    """The exported file as a callable (feats (B, T, D) float32, lengths (B,) int64) -> (loglikes, lengths) ndarrays."""
    if not str(path).endswith(".onnx"):
        script = torch.jit.load(str(path))

        def run(feats, lengths):
            with torch.inference_mode():
                return [x.numpy() for x in script(torch.from_numpy(feats), torch.from_numpy(lengths))]

        return run
    try:
        import onnxruntime
    except ImportError:
        raise DataError("running ONNX needs the package onnxruntime", mend="pip install onnxruntime") from None
    session = onnxruntime.InferenceSession(str(path))
    return lambda feats, lengths: session.run(None, {"feats": feats, "lengths": lengths})


def largest_difference(path, scorer: Scorer, pairs, at_once: int = 4) -> tuple[float, int]:
    """Run padded groups of utterances through the exported file and through the model.

    pairs : iterable of (key, feats (T, D)) -> (largest absolute difference of log-likelihoods, number of utterances)
    """
    run, largest, count = runner(path), 0.0, 0
    for group in in_batches(pairs, 10**9, at_once):
        keys, matrices = zip(*group)
        expected = scorer(list(matrices), keys)
        lengths = np.array([len(m) for m in matrices])
        padded = np.zeros((len(group), lengths.max(), matrices[0].shape[1]), np.float32)
        for row, matrix in zip(padded, matrices):
            row[: len(matrix)] = matrix
        loglikes, frames = run(padded, lengths)
        for key, row, n, reference in zip(keys, loglikes, frames, expected):
            if n != len(reference):
                raise DataError(f"the exported model gives {n} frames, the model {len(reference)}", file=str(path), key=key)
            largest = max(largest, float(np.abs(row[: int(n)] - reference).max()))
            count += 1
    return largest, count
