"""The CTC loss to be read: Graves, Fernandez, Gomez and Schmidhuber 2006, in logarithms, float64, one utterance.

A target such as [3, 5, 5] is stretched to its states [0, 3, 0, 5, 0, 5, 0] (0 is blank). A path gives each frame a
state; it begins in one of the first two, ends in one of the last two, and from frame to frame stays, goes one on, or
goes two on where that skips a blank between unlike tokens. The loss is -ln of the sum over all paths of the product
of the frames' probabilities. `ctc_kernel` computes the same, fast.
"""

import numpy as np


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities of each frame: (T, V) -> (T, V) float64."""
    x = np.asarray(logits, dtype=np.float64)
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def ctc_loss(log_probs: np.ndarray, target, blank: int = 0) -> tuple[float, np.ndarray]:
    """Loss and occupancies of one utterance.

    Parameters
    ----------
    log_probs : ndarray (T, V), log-probabilities (log_softmax of the activations)
    target : sequence of columns, without blanks; may be empty
    blank : int

    Returns
    -------
    loss : float, -ln P(target), in nats; inf where no path exists
    occupancy : ndarray (T, V), posterior probability that frame t is spent in a state labelled v: rows sum to 1.
        d loss / d log_probs = -occupancy; d loss / d activations = softmax - occupancy. Zero where the loss is inf.
    """
    log_probs = np.asarray(log_probs, dtype=np.float64)
    frames, size = log_probs.shape
    occupancy = np.zeros((frames, size))
    states = np.full(2 * len(target) + 1, blank)
    states[1::2] = target
    count = len(states)
    # may_skip[s]: state s can be entered from s - 2.
    may_skip = np.zeros(count, dtype=bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    if frames == 0:
        return (0.0 if count == 1 else np.inf), occupancy

    y = log_probs[:, states]  # (T, V) -> (T, S)
    alpha = np.full((frames, count), -np.inf)  # paths up to and with frame t that end in state s
    alpha[0, :2] = y[0, :2]
    for t in range(1, frames):
        alpha[t] = y[t] + entering(alpha[t - 1], may_skip)
    log_total = np.logaddexp.reduce(alpha[-1, -2:])
    if log_total == -np.inf:
        return np.inf, occupancy

    beta = np.full((frames, count), -np.inf)  # paths after frame t that start from state s at t
    beta[-1, -2:] = 0.0
    for t in range(frames - 2, -1, -1):
        # Seen from behind, leaving is entering.
        beta[t] = entering((beta[t + 1] + y[t + 1])[::-1], leaving(may_skip))[::-1]
    gamma = np.exp(alpha + beta - log_total)  # (T, S)
    for s, label in enumerate(states):
        occupancy[:, label] += gamma[:, s]
    return float(-log_total), occupancy


def entering(before: np.ndarray, may_skip: np.ndarray) -> np.ndarray:
    """ln of the sum over the states s, s - 1 and (where allowed) s - 2: (S,) -> (S,)."""
    none = -np.inf
    one = np.concatenate([[none], before[:-1]])
    two = np.where(may_skip, np.concatenate([[none, none], before[:-2]])[: len(before)], none)
    return np.logaddexp(np.logaddexp(before, one), two)


def leaving(may_skip: np.ndarray) -> np.ndarray:
    """may_skip for time reversed: s may be left towards s + 2 where s + 2 may be entered from s; in reversed order."""
    return np.concatenate([may_skip[2:], [False, False]])[: len(may_skip)][::-1]


def ctc_loss_and_grad(activations: np.ndarray, target, blank: int = 0) -> tuple[float, np.ndarray]:
    """Loss and d loss / d activations (T, V), where activations are numbers before softmax; zero where infeasible."""
    log_probs = log_softmax(activations)
    loss, occupancy = ctc_loss(log_probs, target, blank)
    return loss, np.exp(log_probs) - occupancy if np.isfinite(loss) else occupancy
