"""The CTC loss and its gradient for a CPU: softmax, both recursions and the gradient fused, utterances in parallel.

The idea is warp-ctc's (Baidu 2016): one pass per utterance from logits to d loss / d logits, with nothing of size
(T, V) written but the gradient. What makes it fast here: an exponential that the compiler turns into vector
instructions; recursions over linear probabilities in float64, scaled per frame, in place of logarithms; only the
columns of an utterance's own tokens are touched after the softmax. `ctc_reference` says the same in a form to be read.

Scaled probabilities can lose a path that one frame makes unlikely by more than 1e-300 against the best partial path.
Sum over states of alpha * beta is the same number P(target) in every frame; where it is not, the utterance is done
again in logarithms.
"""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

from sidamo.io.errors import DataError

LOG2E = np.float32(1.4426950408889634)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)  # ln 2 in two parts (Cody and Waite 1980)
LEAST = np.float32(-87.0)  # e^-87 is the smallest normal float32
TINY = np.float32(1e-36)  # softmax values below it may have met LEAST
INF_BITS, NEGATIVE_INF_BITS = np.int32(0x7F800000), np.int32(-8388608)  # above each (as integers) lie its NaNs
AGREEMENT = 1e-5  # in ln P(target), between frames
VANISHED = 1e-250  # a share of the probability of all partial paths that float64 no longer carries safely


@numba.njit(fastmath={"contract", "reassoc", "nsz", "arcp", "nnan"}, cache=True, error_model="numpy")
def _softmax_row(row, out, power):
    """out = softmax(row); returns whether row holds NaN or +inf. Both (V,) float32; `power` is scratch, (V,) int32.

    e^x = 2^n e^r with n = round(x / ln 2); e^r by the polynomial of Cephes' expf (Moshier), error below 2 ulp; 2^n is
    made by writing n into the exponent bits, in a loop of its own so that each loop stays a vector loop.
    """
    size = row.shape[0]
    bits, scale = row.view(np.int32), power.view(np.float32)
    largest, bad = row[0], np.int32(0)
    for v in range(size):
        largest = row[v] if row[v] > largest else largest
        # Looked for in the bits, since the flags above let the compiler assume that no number is NaN.
        bad |= np.int32(bits[v] >= INF_BITS) | np.int32(NEGATIVE_INF_BITS < bits[v] < 0)
    for v in range(size):
        x = row[v] - largest
        x = x if x > LEAST else LEAST
        n = np.floor(x * LOG2E + np.float32(0.5))
        r = x - n * LN2_HIGH - n * LN2_LOW
        p = np.float32(1.9875691500e-4)
        p = p * r + np.float32(1.3981999507e-3)
        p = p * r + np.float32(8.3334519073e-3)
        p = p * r + np.float32(4.1665795894e-2)
        p = p * r + np.float32(1.6666665459e-1)
        p = p * r + np.float32(5.0000001201e-1)
        out[v] = p * r * r + r + np.float32(1.0)
        power[v] = (np.int32(n) + np.int32(127)) << np.int32(23)
    total = np.float32(0.0)
    for v in range(size):
        out[v] *= scale[v]
        total += out[v]
    inverse = np.float32(1.0) / total
    for v in range(size):
        out[v] *= inverse
    return bad != 0


@numba.njit(cache=True, error_model="numpy")
def _log_add(a, b):
    """ln(e^a + e^b) in float64."""
    if a < b:
        a, b = b, a
    if b == -np.inf:
        return a
    return a + np.log1p(np.exp(b - a))


@numba.njit(cache=True, error_model="numpy")
def _log_domain(logits, labels, skip, grad, want_grad):
    """Loss of one utterance with all in logarithms (float64); grad holds softmax and becomes the gradient."""
    frames, size = logits.shape
    states = labels.shape[0]
    norm = np.empty(frames)
    for t in range(frames):
        largest = -np.inf
        for v in range(size):
            largest = max(largest, logits[t, v])
        total = 0.0
        for v in range(size):
            total += np.exp(np.float64(logits[t, v]) - largest)
        norm[t] = largest + np.log(total)
    alpha = np.full((frames, states), -np.inf)
    alpha[0, 0] = logits[0, labels[0]] - norm[0]
    if states > 1:
        alpha[0, 1] = logits[0, labels[1]] - norm[0]
    for t in range(1, frames):
        for s in range(states):
            a = alpha[t - 1, s]
            if s > 0:
                a = _log_add(a, alpha[t - 1, s - 1])
            if s > 1 and skip[s] > 0:
                a = _log_add(a, alpha[t - 1, s - 2])
            alpha[t, s] = a + logits[t, labels[s]] - norm[t]
    total = alpha[frames - 1, states - 1]
    if states > 1:
        total = _log_add(total, alpha[frames - 1, states - 2])
    if not want_grad or not np.isfinite(total):
        return -total
    beta = np.full(states, -np.inf)  # of the frames after t
    beta[states - 1] = 0.0
    if states > 1:
        beta[states - 2] = 0.0
    for t in range(frames - 1, -1, -1):
        for s in range(states):
            grad[t, labels[s]] -= np.float32(np.exp(alpha[t, s] + beta[s] - total))
        for s in range(states):  # upwards: beta[s + 1], beta[s + 2] are still those of frame t
            b = beta[s] + logits[t, labels[s]] - norm[t]
            if s + 1 < states:
                b = _log_add(b, beta[s + 1] + logits[t, labels[s + 1]] - norm[t])
            if s + 2 < states and skip[s + 2] > 0:
                b = _log_add(b, beta[s + 2] + logits[t, labels[s + 2]] - norm[t])
            beta[s] = b
    return -total


@numba.njit(cache=True, error_model="numpy")
def _exact(row, out, labels, y):
    """y(s) = softmax of row at labels[s] in float64, computed again where float32 cut it off."""
    best = np.argmax(row)
    for s in range(labels.shape[0]):
        if out[labels[s]] <= TINY:
            y[s] = np.exp(np.float64(row[labels[s]]) - np.float64(row[best])) * out[best]


@numba.njit(cache=True)
def _states(targets, blank):
    """Labels (S,) of the states blank, token, ..., blank, and 1.0 where a state may be entered from two before."""
    length = targets.shape[0]
    labels = np.full(2 * length + 1, blank, dtype=np.int64)
    skip = np.zeros(2 * length + 1)
    for i in range(length):
        labels[2 * i + 1] = targets[i]
        if i > 0 and targets[i] != targets[i - 1]:
            skip[2 * i + 1] = 1.0
    return labels, skip


@numba.njit(fastmath={"contract", "reassoc", "nsz", "arcp"}, cache=True, error_model="numpy")
def _forward(prob, skip, alpha, log_scale):
    """Graves et al. 2006, equations 5 to 8, each row scaled to sum 1; returns ln P(target), or NaN where it vanishes.

    alpha_t(s) = (alpha_{t-1}(s) + alpha_{t-1}(s-1) + skip(s) alpha_{t-1}(s-2)) y_t(s).
    prob : (T, S) y_t(s); alpha : (T, S + 2), zeros in two columns before each row spare the tests at its start;
    log_scale : (T,) becomes the sum of ln(scale) up to t.
    """
    frames, states = prob.shape
    alpha[0, 2] = prob[0, 0]
    if states > 1:
        alpha[0, 3] = prob[0, 1]
    sum_of_logs = 0.0
    for t in range(frames):
        row, y = alpha[t], prob[t]
        if t > 0:
            before = alpha[t - 1]
            for s in range(states):
                row[s + 2] = (before[s + 2] + before[s + 1] + skip[s] * before[s]) * y[s]
        total = 0.0
        for s in range(states):
            total += row[s + 2]
        if total < VANISHED:
            return np.nan
        inverse = 1.0 / total
        for s in range(states):
            row[s + 2] *= inverse
        sum_of_logs += np.log(total)
        log_scale[t] = sum_of_logs
    last = alpha[frames - 1, states + 1]
    if states > 1:
        last += alpha[frames - 1, states]
    return sum_of_logs + np.log(last) if last > VANISHED else np.nan


@numba.njit(fastmath={"contract", "reassoc", "nsz", "arcp"}, cache=True, error_model="numpy")
def _backward(prob, skip, alpha, log_scale, labels, log_total, grad, blank):
    """Subtract each frame's occupancies from grad (softmax on entry); returns False where probability was lost.

    beta_t(s) = w(s) + w(s+1) + skip(s+2) w(s+2) with w(s) = beta_{t+1}(s) y_{t+1}(s): the frames after t, scaled.
    Occupancy = alpha beta / sum, and that sum, unscaled, is P(target) in every frame.
    """
    frames, states = prob.shape
    ahead = np.zeros(states + 2)  # skip, shifted by two; zeros behind spare the tests at the end
    for s in range(states - 2):
        ahead[s] = skip[s + 2]
    weighted, beta, gamma = np.zeros(states + 2), np.zeros(states), np.zeros(states)
    beta[states - 1] = 1.0
    if states > 1:
        beta[states - 2] = 1.0
    beta_scale = 0.0
    for t in range(frames - 1, -1, -1):
        if t < frames - 1:
            y = prob[t + 1]
            total = 0.0
            for s in range(states):
                weighted[s] = beta[s] * y[s]
            for s in range(states):
                beta[s] = weighted[s] + weighted[s + 1] + ahead[s] * weighted[s + 2]
                total += beta[s]
            if total < VANISHED:
                return False
            inverse = 1.0 / total
            for s in range(states):
                beta[s] *= inverse
            beta_scale += np.log(total)
        row = alpha[t]
        total = 0.0
        for s in range(states):
            gamma[s] = row[s + 2] * beta[s]
            total += gamma[s]
        if not abs(log_scale[t] + beta_scale + np.log(total) - log_total) < AGREEMENT:
            return False
        inverse = 1.0 / total
        blanks = gamma[states - 1]
        for s in range(0, states - 1, 2):
            blanks += gamma[s]
            grad[t, labels[s + 1]] -= np.float32(gamma[s + 1] * inverse)
        grad[t, blank] -= np.float32(blanks * inverse)
    return True


@numba.njit(cache=True, error_model="numpy")
def _utterance(logits, targets, blank, grad, want_grad):
    """Loss of one utterance; grad (T, V) becomes d loss / d logits. Returns (loss, was it done in logarithms)."""
    frames, size = logits.shape
    labels, skip = _states(targets, blank)
    states = labels.shape[0]
    needed = targets.shape[0]
    for i in range(1, targets.shape[0]):
        needed += targets[i] == targets[i - 1]
    if frames < needed:
        return np.inf, False
    if frames == 0:
        return 0.0, False
    power = np.empty(size, dtype=np.int32)
    scratch = np.empty(0 if want_grad else size, dtype=np.float32)
    prob = np.empty((frames, states))
    bad = False
    for t in range(frames):
        out = grad[t] if want_grad else scratch
        bad |= _softmax_row(logits[t], out, power)
        y, p_blank = prob[t], out[blank]
        least = p_blank
        for s in range(0, states - 1, 2):
            p = out[labels[s + 1]]
            least = min(least, p)
            y[s] = p_blank
            y[s + 1] = p
        y[states - 1] = p_blank
        if least <= TINY:
            _exact(logits[t], out, labels, y)
    if bad:
        grad[:] = np.nan
        return np.nan, False
    alpha = np.zeros((frames, states + 2))
    log_scale = np.empty(frames)
    log_total = _forward(prob, skip, alpha, log_scale)
    if not np.isnan(log_total):
        if not want_grad or _backward(prob, skip, alpha, log_scale, labels, log_total, grad, blank):
            return -log_total, False
        for t in range(frames):  # undo what was subtracted so far
            _softmax_row(logits[t], grad[t], power)
    return _log_domain(logits, labels, skip, grad, want_grad), True


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _range(first, end, logits, lengths, targets, starts, blank, grad, losses, in_logs, want_grad):
    """_utterance over utterances first..end-1; frames beyond each length get a zero gradient."""
    for b in range(first, end):
        frames = lengths[b]
        rows = grad[b, :frames] if want_grad else grad[0, :0]
        losses[b], in_logs[b] = _utterance(
            logits[b, :frames], targets[starts[b] : starts[b + 1]], blank, rows, want_grad
        )
        if want_grad:
            if losses[b] == np.inf:
                rows[:] = 0.0
            grad[b, frames:] = 0.0


_helpers: dict[int, ThreadPoolExecutor] = {}


def _run(threads, batch, arguments) -> None:
    """_range over the batch in `threads` shares: plain threads (the kernel gives up Python's lock) start in
    microseconds, and numba's parallel loops take seconds to compile."""
    if threads == 1:
        _range(0, batch, *arguments)
        return
    if threads not in _helpers:
        _helpers[threads] = ThreadPoolExecutor(threads - 1, thread_name_prefix="ctc")
    ends = [batch * (i + 1) // threads for i in range(threads)]
    waiting = [_helpers[threads].submit(_range, a, b, *arguments) for a, b in zip(ends, ends[1:])]
    _range(0, ends[0], *arguments)
    for share in waiting:
        share.result()


def ctc_loss_and_grad(logits, lengths, targets, target_lengths, blank=0, threads=1, want_grad=True):
    """Losses of a padded batch and their gradients.

    Parameters
    ----------
    logits : ndarray (B, T, V) float32, C-contiguous, before softmax
    lengths : ndarray (B,), valid frames, at most T
    targets : ndarray (sum of target_lengths,), columns in [0, V), none of them blank
    target_lengths : ndarray (B,)
    blank : int, column of blank
    threads : int

    Returns
    -------
    losses : ndarray (B,) float32, -ln P(target), in nats: inf where infeasible, NaN where logits do
    grad : ndarray (B, T, V) float32, d loss / d logits: zero beyond each length and where infeasible; or None

    Raises DataError where shapes or targets do not fit.
    """
    lengths, target_lengths = np.asarray(lengths, np.int64), np.asarray(target_lengths, np.int64)
    targets = np.asarray(targets, np.int64)
    batch, frames, size = logits.shape
    starts = np.concatenate([[0], np.cumsum(target_lengths)])
    if len(lengths) != batch or len(target_lengths) != batch or starts[-1] != len(targets):
        raise DataError(f"{batch} utterances, but {len(lengths)} lengths, {len(target_lengths)} target lengths "
                        f"that sum to {starts[-1]}, {len(targets)} targets")  # fmt: skip
    if batch and not 0 <= lengths.min() <= lengths.max() <= frames:
        raise DataError(f"lengths from {lengths.min()} to {lengths.max()}, expected 0 to {frames}")
    if len(targets) and (targets.min() < 0 or targets.max() >= size or (targets == blank).any()):
        raise DataError(f"targets from {targets.min()} to {targets.max()}, expected columns below {size} without the "
                        f"blank, {blank}")  # fmt: skip
    losses, in_logs = np.empty(batch, np.float32), np.zeros(batch, np.bool_)
    grad = np.empty(logits.shape if want_grad else (1, 0, size), np.float32)
    arguments = (logits, lengths, targets, starts, blank, grad, losses, in_logs, want_grad)
    _run(max(1, min(threads, batch)), batch, arguments)
    return losses, grad if want_grad else None
