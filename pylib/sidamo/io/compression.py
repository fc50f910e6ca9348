"""Kaldi's compressed matrices: CM (one byte with a header per column), CM2 (two bytes), CM3 (one byte).

Source: Kaldi src/matrix/compressed-matrix.{h,cc}. The arithmetic follows it operation by operation in float32 and float64, so that
the bytes are equal. Layout: token, then min, range (float32), rows, columns (int32); CM: per column 4 uint16 (quantised values at
ranks 0, 1/4, 3/4, 1) and then column after column of bytes, in which 0..64, 64..192 and 192..255 are linear between those four.
"""

import struct

import numpy as np

from sidamo.io.errors import CheckFailed, OptionError
from sidamo.io.streams import read_exactly

AUTO, SPEECH_FEATURE, TWO_BYTE_AUTO, TWO_BYTE_SIGNED, ONE_BYTE_AUTO, ONE_BYTE_UNSIGNED, ONE_BYTE_ZERO_ONE = range(1, 8)

_FIXED_RANGE = {TWO_BYTE_SIGNED: (-32768.0, 65535.0), ONE_BYTE_UNSIGNED: (0.0, 255.0), ONE_BYTE_ZERO_ONE: (0.0, 1.0)}
_HEADER = struct.Struct("<ffii")
_STEP16 = np.float32(1.52590218966964e-05)  # 1 / 65535
_HALF = np.float32(0.49999997)  # in float32, int(x + _HALF) rounds halves up without carrying 0.49999997 to 1


def check_method(method: int) -> None:
    """Raises OptionError unless the method is 1 to 7."""
    if method not in range(1, 8):
        raise OptionError(f"Invalid compression type: {method} (--compression-method takes 1 to 7)")


def compress(matrix: np.ndarray, method: int = AUTO) -> list:
    """The matrix as the buffers that follow the binary marker in an archive.

    Parameters
    ----------
    matrix : ndarray, shape (rows, columns), finite
    method : int
        1: CM for more than 8 rows, else CM2; 2: CM; 3: CM2 from minimum to maximum; 4: CM2 for integers -32768..32767;
        5: CM3 from minimum to maximum; 6: CM3 for integers 0..255; 7: CM3 for values in [0, 1].

    Raises
    ------
    OptionError for another method; CheckFailed where a value is not finite.
    """
    check_method(method)
    matrix = np.asarray(matrix, dtype=np.float32)
    rows, columns = matrix.shape
    if rows == 0 or columns == 0:
        return [b"CM " + bytes(_HEADER.size)]
    if method == AUTO:
        method = SPEECH_FEATURE if rows > 8 else TWO_BYTE_AUTO
    low, span = _FIXED_RANGE.get(method) or _range(matrix)
    header = _HEADER.pack(low, span, rows, columns)
    low, span = np.float32(low), np.float32(span)
    if method == SPEECH_FEATURE:
        return [b"CM " + header, *_compress_columns(matrix, low, span)]
    if method in (TWO_BYTE_AUTO, TWO_BYTE_SIGNED):
        return [b"CM2 " + header, _quantize(matrix, low, span, 65535).astype("<u2")]
    return [b"CM3 " + header, _quantize(matrix, low, span, 255).astype(np.uint8)]


def _range(matrix):
    """Minimum and range, the range never zero."""
    low, high = matrix.min(), matrix.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise CheckFailed("cannot compress a matrix with NaNs or infinities")
    if high == low:
        high = np.float32(low + (1.0 + abs(float(low))))
    with np.errstate(over="ignore"):
        span = high - low
    if not np.isfinite(span):
        raise CheckFailed(f"cannot compress a matrix whose range overflows: {low} to {high}")
    return low, span


def _quantize(values, low, span, levels):
    """Integers (float64 holding whole numbers) from 0 to levels; rounding as Kaldi: int(f * levels + 0.499)."""
    fraction = (values - low) / span
    np.clip(fraction, 0, 1, out=fraction)
    fraction *= np.float32(levels)
    return np.floor(fraction.astype(np.float64) + 0.499)


def _percentiles(columns_first, low, span):
    """The four quantised values per column, strictly increasing: uint16, shape (4, D)."""
    rows = columns_first.shape[1]
    if rows >= 5:
        ranks = [0, rows // 4, 3 * (rows // 4), rows - 1]
        picked = np.partition(columns_first, ranks, axis=1)[:, ranks]
    else:
        picked = np.sort(columns_first, axis=1)
    quantised = _quantize(picked, low, span, 65535).astype(np.int64)
    result = np.empty((4, len(quantised)), np.int64)
    previous = np.full(len(quantised), -1)
    for i in range(4):
        value = np.maximum(quantised[:, i], previous + 1) if i < rows else previous + 1
        result[i] = previous = np.minimum(value, 65532 + i)
    return result.astype("<u2")


def _levels(percentiles, low, span):
    """The percentiles as float32."""
    return low + span * _STEP16 * percentiles.astype(np.float32)


def _compress_columns(matrix, low, span):
    """Column headers and bytes of CM. A byte is the sum of three clipped ramps, one per segment."""
    values = np.ascontiguousarray(matrix.T)  # (D, T)
    percentiles = _percentiles(values, low, span)
    edges = _levels(percentiles, low, span)
    total = np.zeros(values.shape, np.uint8)
    ramp = np.empty_like(values)
    for start, end, steps in zip(edges[:3], edges[1:], (64, 128, 63)):
        np.subtract(values, start[:, None], out=ramp)
        ramp /= (end - start)[:, None]
        np.clip(ramp, 0, 1, out=ramp)
        ramp *= np.float32(steps)
        ramp += _HALF
        total += ramp.astype(np.uint8)
    return [np.ascontiguousarray(percentiles.T), total]


def decompress(stream, token: str) -> np.ndarray:
    """Reads what follows the token CM, CM2 or CM3; returns float32, shape (rows, columns)."""
    from sidamo.io.matrix import check_size

    low, span, rows, columns = _HEADER.unpack(read_exactly(stream, _HEADER.size))
    if columns == 0 or rows == 0:
        return np.zeros((0, 0), np.float32)
    check_size(rows, columns)
    low, span = np.float32(low), np.float32(span)
    if token == "CM":
        return _decompress_columns(stream, low, span, rows, columns)
    if token == "CM2":
        data = np.frombuffer(read_exactly(stream, 2 * rows * columns), "<u2")
        step = np.float32(float(span) * (1 / 65535.0))
    else:
        data = np.frombuffer(read_exactly(stream, rows * columns), np.uint8)
        step = np.float32(float(span) * (1 / 255.0))
    values = data.astype(np.float32)
    values *= step
    values += low
    return values.reshape(rows, columns)


def _decompress_columns(stream, low, span, rows, columns):
    percentiles = np.frombuffer(read_exactly(stream, 8 * columns), "<u2").reshape(columns, 4)
    data = np.frombuffer(read_exactly(stream, rows * columns), np.uint8).reshape(columns, rows)
    p0, p25, p75, p100 = _levels(percentiles.T, low, span)[:, :, None]  # each (D, 1)
    table = np.empty((columns, 256), np.float32)  # the value of every byte
    bytes_ = np.arange(256, dtype=np.float32)
    # From the last segment to the first, because the bytes 64 and 192 belong to the segment below.
    for first, start, end, steps in ((192, p75, p100, 63), (64, p25, p75, 128), (0, p0, p25, 64)):
        ramp = (end - start) * bytes_[: steps + 1]  # float32, as in Kaldi; what follows is float64
        table[:, first : first + steps + 1] = start + ramp.astype(np.float64) * (1.0 / steps)
    index = data + (256 * np.arange(columns))[:, None]
    return np.ascontiguousarray(table.ravel()[index].T)
