"""From features to log-likelihoods for the decoder: log posterior - prior_scale * log prior."""

import numpy as np
import torch

from sidamo.io.errors import DataError

from .options import LoglikeOptions
from .priors import log_prior


def offset(content: dict, options: LoglikeOptions) -> np.ndarray:
    """What is added to log posteriors: (V,) float32. content: a model file's, with the counts that `options` asks for."""
    name = {"labels": "label_counts", "posteriors": "posterior_counts"}[options.priors]
    if options.prior_scale == 0.0:
        added = np.zeros(content["config"]["num_tokens"], np.float32)
    elif name in content:
        added = -options.prior_scale * log_prior(content[name].cpu().numpy())
    else:
        raise DataError(
            f"the model has no {name.replace('_', ' ')}, which --priors={options.priors} needs",
            mend="take final.pt, --priors=labels, or --prior-scale=0" if options.priors == "posteriors" else
            "take final.pt, or --prior-scale=0",
        )  # fmt: skip
    added[0] += np.log(options.blank_scale)
    return added


class Scorer:
    """Callable ([feats (T, D), ...]) -> [loglikes (T', V) float32, ...].

    Parameters
    ----------
    model : AcousticModel, in evaluation mode
    content : dict, the rest of the model file: label_counts, posterior_counts (V,)
    options : LoglikeOptions
    """

    def __init__(self, model, content: dict, options: LoglikeOptions, device="cpu"):
        self.model, self.device = model, device
        self.offset = offset(content, options)

    def __call__(self, batch: list[np.ndarray], keys=None) -> list[np.ndarray]:
        dim = self.model.config["input_dim"]
        for position, feats in enumerate(batch):
            if feats.ndim != 2 or feats.shape[1] != dim or not len(feats):
                raise DataError(
                    f"features of shape {feats.shape}, expected (frames, {dim}) as in training",
                    key=keys[position] if keys else None,
                    mend="make features with the configuration that the model was trained with",
                )
        lengths = torch.tensor([len(f) for f in batch])
        padded = np.zeros((len(batch), int(lengths.max()), dim), np.float32)
        for row, feats in zip(padded, batch):
            row[: len(feats)] = feats
        with torch.inference_mode():
            logits, frames = self.model(torch.from_numpy(padded).to(self.device), lengths.to(self.device))
            # Not normalized again after the offsets: Kaldi's decoders take pseudo log-likelihoods.
            loglikes = torch.log_softmax(logits, 2).cpu().numpy()
        return [row[: int(n)] + self.offset for row, n in zip(loglikes, frames)]


def in_batches(pairs, max_frames: int, max_utts: int = 32):
    """Group consecutive (key, feats) so that a padded group holds at most max_frames: yields lists of pairs."""
    group, longest = [], 0
    for key, feats in pairs:
        with_it = max(longest, len(feats))
        if group and (with_it * (len(group) + 1) > max_frames or len(group) >= max_utts):
            yield group
            group, with_it = [], len(feats)
        group.append((key, feats))
        longest = with_it
    if group:
        yield group
