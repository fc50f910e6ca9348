"""Label priors: what a posterior is divided by to become a likelihood, up to a factor."""

import numpy as np
import torch

from . import data


def label_counts(targets, num_tokens: int) -> np.ndarray:
    """Counts of the columns with a blank before, between and after the tokens of each utterance (as EESEN).

    targets : list of ndarray of columns -> (V,) float64; blank gets length + 1 an utterance
    """
    counts = np.zeros(num_tokens)
    for columns in targets:
        counts += np.bincount(columns, minlength=num_tokens)
        counts[0] += len(columns) + 1
    return counts


def posterior_counts(model, corpus, device, max_utts: int = 200) -> np.ndarray:
    """Sum of the network's posteriors over the frames of up to max_utts utterances, evenly spread: (V,) float64."""
    chosen = np.unique(np.linspace(0, len(corpus) - 1, min(max_utts, len(corpus))).astype(np.int64))
    total = np.zeros(model.config["num_tokens"])
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(chosen), 16):
            batch = data.collate(corpus, chosen[start : start + 16])
            feats, lengths = torch.from_numpy(batch.feats), torch.from_numpy(batch.lengths)
            logits, lengths = model(feats.to(device), lengths.to(device))
            for row, frames in zip(torch.softmax(logits, 2), lengths):
                total += row[: int(frames)].double().sum(0).cpu().numpy()
    return total


def log_prior(counts: np.ndarray, floor: float = 1e-8) -> np.ndarray:
    """Natural logarithm of the relative frequencies, floored: (V,) float32."""
    return np.log(np.maximum(counts / counts.sum(), floor)).astype(np.float32)
