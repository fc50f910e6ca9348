"""Batch normalization over valid frames and its gradient, and dropout, compiled for a CPU: see nets.layers.

In torch's own operations it reads and writes each activation some twenty times, which costs more than the products that
made it. Here: once for the sums, once for the result; two times on the way back. Arrays are (B, P, Q), contiguous, float32
or bfloat16 (as uint16): either P is time and Q the units, or, as convolutions leave them (`time_last`), the reverse.
Frames beyond an utterance's length are not read, and are zero in the result.
"""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from numba.extending import overload

BLOCK = 1024  # numbers widened at once
FAST = {"contract", "reassoc", "nsz"}


def _read(x, n, p, size, row, bits):
    """row[:size] = x[n, p, :size]; row is float32, bits the same memory as uint32."""


def _write(row, bits, x, n, p, size):
    """x[n, p, :size] = row[:size], rounded to the type of x; zeros behind."""


@overload(_read)
def _compile_read(x, n, p, size, row, bits):
    return _copy_in if x.dtype == numba.types.float32 else _widen


@overload(_write)
def _compile_write(row, bits, x, n, p, size):
    return _copy_out if x.dtype == numba.types.float32 else _narrow


def _copy_in(x, n, p, size, row, bits):
    for i in range(size):
        row[i] = x[n, p, i]


def _copy_out(row, bits, x, n, p, size):
    for i in range(size):
        x[n, p, i] = row[i]
    for i in range(size, x.shape[2]):
        x[n, p, i] = 0


def _widen(x, n, p, size, row, bits):
    for i in range(size):  # bfloat16 is the upper half of a float32
        bits[i] = np.uint32(x[n, p, i]) << np.uint32(16)


def _narrow(row, bits, x, n, p, size):
    for i in range(size):  # to the nearest, ties to even
        odd = (bits[i] >> np.uint32(16)) & np.uint32(1)
        x[n, p, i] = np.uint16((bits[i] + np.uint32(0x7FFF) + odd) >> np.uint32(16))
    for i in range(size, x.shape[2]):
        x[n, p, i] = 0


@numba.njit(cache=True)
def _scratch(width):
    """A row of float32, and the same memory as uint32."""
    row = np.zeros(width, np.float32)
    return row, row.view(np.uint32)


@numba.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def moments(x, lengths, time_last, floor, sums):
    """Add the sum and the sum of squares of max(x, floor) of each unit to sums (2, units) float64."""
    width = x.shape[2]
    (row, bits), total, squares = _scratch(width), np.zeros(width, np.float32), np.zeros(width, np.float32)
    for b in range(len(lengths)):
        size = lengths[b] if time_last else width
        total[:], squares[:] = 0.0, 0.0
        for p in range(x.shape[1] if time_last else lengths[b]):
            _read(x, b, p, size, row, bits)
            if time_last:
                first, second = np.float32(0.0), np.float32(0.0)
                for q in range(size):
                    value = floor if row[q] < floor else row[q]
                    first += value
                    second += value * value
                sums[0, p] += first
                sums[1, p] += second
            else:
                for q in range(size):
                    value = floor if row[q] < floor else row[q]
                    total[q] += value
                    squares[q] += value * value
        if not time_last:
            sums[0] += total
            sums[1] += squares


@numba.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def scaled(x, lengths, out, time_last, floor, scale, offset):
    """out = scale max(x, floor) + offset, unit by unit; zero beyond each length."""
    width = x.shape[2]
    (row, bits), a, b = _scratch(width), scale, offset
    if time_last:
        a, b = np.zeros(width, np.float32), np.zeros(width, np.float32)
    for n in range(len(lengths)):
        size = lengths[n] if time_last else width
        rows = x.shape[1] if time_last else lengths[n]
        for p in range(rows):
            _read(x, n, p, size, row, bits)
            if time_last:
                a[:size], b[:size] = scale[p], offset[p]
            for q in range(size):
                row[q] = a[q] * (floor if row[q] < floor else row[q]) + b[q]
            _write(row, bits, out, n, p, size)
        out[n, rows:] = 0


@numba.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def gradient_sums(grad, x, lengths, time_last, floor, sums):
    """Add the sums of grad and of grad max(x, floor) of each unit to sums (2, units) float64."""
    width = x.shape[2]
    (row, bits), (slope, slope_bits) = _scratch(width), _scratch(width)
    total, product = np.zeros(width, np.float32), np.zeros(width, np.float32)
    for b in range(len(lengths)):
        size = lengths[b] if time_last else width
        total[:], product[:] = 0.0, 0.0
        for p in range(x.shape[1] if time_last else lengths[b]):
            _read(x, b, p, size, row, bits)
            _read(grad, b, p, size, slope, slope_bits)
            if time_last:
                first, second = np.float32(0.0), np.float32(0.0)
                for q in range(size):
                    first += slope[q]
                    second += slope[q] * (floor if row[q] < floor else row[q])
                sums[0, p] += first
                sums[1, p] += second
            else:
                for q in range(size):
                    total[q] += slope[q]
                    product[q] += slope[q] * (floor if row[q] < floor else row[q])
        if not time_last:
            sums[0] += total
            sums[1] += product


@numba.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def gradient(grad, x, lengths, out, time_last, floor, by_grad, by_x, constant):
    """out = by_grad grad + by_x x + constant where x > floor, else zero."""
    width = x.shape[2]
    (row, bits), (slope, slope_bits) = _scratch(width), _scratch(width)
    a, b, c = by_grad, by_x, constant
    if time_last:
        a, b, c = np.zeros(width, np.float32), np.zeros(width, np.float32), np.zeros(width, np.float32)
    for n in range(len(lengths)):
        size = lengths[n] if time_last else width
        rows = x.shape[1] if time_last else lengths[n]
        for p in range(rows):
            _read(x, n, p, size, row, bits)
            _read(grad, n, p, size, slope, slope_bits)
            if time_last:
                a[:size], b[:size], c[:size] = by_grad[p], by_x[p], constant[p]
            for q in range(size):
                value = a[q] * slope[q] + b[q] * row[q] + c[q]
                row[q] = np.float32(0.0) if row[q] <= floor else value
            _write(row, bits, out, n, p, size)
        out[n, rows:] = 0


def _drop(x, kept, dropped, scale, out):
    """out = scale x where kept >= dropped, else 0; all of shape (N,)."""


@overload(_drop)
def _compile_drop(x, kept, dropped, scale, out):
    return _drop_wide if x.dtype == numba.types.float32 else _drop_narrow


def _drop_wide(x, kept, dropped, scale, out):
    for i in range(len(x)):
        out[i] = x[i] * scale if kept[i] >= dropped else np.float32(0.0)


def _drop_narrow(x, kept, dropped, scale, out):
    row, bits = _scratch(BLOCK)
    for start in range(0, len(x), BLOCK):  # slices: an index of two terms might be negative, and would not be vectorized
        a, k, b = x[start : start + BLOCK], kept[start : start + BLOCK], out[start : start + BLOCK]
        for i in range(len(a)):
            bits[i] = np.uint32(a[i]) << np.uint32(16)
        for i in range(len(a)):
            row[i] = row[i] * scale if k[i] >= dropped else np.float32(0.0)
        for i in range(len(a)):
            odd = (bits[i] >> np.uint32(16)) & np.uint32(1)
            b[i] = np.uint16((bits[i] + np.uint32(0x7FFF) + odd) >> np.uint32(16))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def dropout(x, kept, out, dropped, scale):
    """out = scale x where kept >= dropped, else 0; all of shape (N,)."""
    _drop(x, kept, dropped, scale, out)


_helpers: dict[int, ThreadPoolExecutor] = {}


def in_shares(kernel, threads: int, arrays, rest, sums=None) -> None:
    """kernel(*shares of arrays, *rest[, sums]) over shares of the batch, one a thread.

    arrays : cut along the batch; sums : where given, a float64 array to which each share adds its part, in order
    """
    threads = max(1, min(threads, len(arrays[0])))
    cuts = [len(arrays[0]) * i // threads for i in range(threads + 1)]
    parts = [() if sums is None else (np.zeros_like(sums),) for _ in range(threads)]

    def work(i):
        kernel(*(a[cuts[i] : cuts[i + 1]] for a in arrays), *rest, *parts[i])

    if threads not in _helpers:
        _helpers[threads] = ThreadPoolExecutor(max(1, threads - 1), thread_name_prefix="norm")
    waiting = [_helpers[threads].submit(work, i) for i in range(1, threads)]
    work(0)
    for share in waiting:
        share.result()
    for (part,) in parts if sums is not None else ():
        sums += part
