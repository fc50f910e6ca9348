"""The recurrence of the IndRNN and its gradient, compiled for a CPU: see nets.recurrence.IndrnnScan."""

import numba
import numpy as np


@numba.njit(cache=True, fastmath={"contract"}, error_model="numpy")
def forward(y, u, lengths, turn, out):
    """out[b, t] = relu(y[b, t] + u out[b, t-1]); units from `turn` on: t+1 instead. Arrays (B, T, H), u (H,)."""
    size = len(u)
    nothing = np.zeros(size, np.float32)
    for b in range(len(lengths)):
        frames = lengths[b]
        for i in range(frames):
            _step(y[b, i], u, nothing if i == 0 else out[b, i - 1], 0, turn, out[b, i])
            t = frames - 1 - i
            _step(y[b, t], u, nothing if i == 0 else out[b, t + 1], turn, size, out[b, t])


@numba.njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _step(y, u, before, first, last, out):
    """One frame of the units first..last-1."""
    for d in range(first, last):
        out[d] = max(y[d] + u[d] * before[d], np.float32(0.0))


@numba.njit(cache=True, fastmath={"contract"}, error_model="numpy")
def backward(grad, out, u, lengths, turn, grad_y, grad_u):
    """Gradients of y (B, T, H) and u (H,) float64 (added to) from that of out."""
    size = len(u)
    nothing = np.zeros(size, np.float32)
    carried = np.zeros(size, np.float32)
    for b in range(len(lengths)):
        frames = lengths[b]
        carried[:] = 0.0
        for i in range(frames):  # i frames from the end of each unit's walk
            t = frames - 1 - i
            before = out[b, t - 1] if t > 0 else nothing
            _step_back(grad[b, t], out[b, t], u, before, 0, turn, carried, grad_y[b, t], grad_u)
            before = out[b, i + 1] if i + 1 < frames else nothing
            _step_back(grad[b, i], out[b, i], u, before, turn, size, carried, grad_y[b, i], grad_u)


@numba.njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _step_back(grad, out, u, before, first, last, carried, grad_y, grad_u):
    """One frame of the units first..last-1; `carried` is what the frame walked through before passes on."""
    for d in range(first, last):
        g = grad[d] + carried[d] if out[d] > 0 else np.float32(0.0)
        grad_y[d] = g
        carried[d] = g * u[d]
        grad_u[d] += g * before[d]
