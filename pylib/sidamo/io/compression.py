"""Kaldi's compressed matrices: CM (one byte with a header per column), CM2 (two bytes), CM3 (one byte).

Source: Kaldi src/matrix/compressed-matrix.{h,cc}. The arithmetic follows it operation by operation in float32 and
float64, so that the bytes are equal. Layout: token, then min, range (float32), rows, columns (int32); CM: per column
4 uint16 (quantised values at ranks 0, 1/4, 3/4, 1) and then column after column of bytes, in which 0..64, 64..192 and
192..255 are linear between those four.
"""

import struct

import numpy as np

from sidamo.io.errors import CheckFailed, OptionError
from sidamo.io.streams import check_size, read_exactly

AUTO, SPEECH_FEATURE, TWO_BYTE_AUTO, TWO_BYTE_SIGNED, ONE_BYTE_AUTO, ONE_BYTE_UNSIGNED, ONE_BYTE_ZERO_ONE = range(1, 8)

_FIXED_RANGE = {TWO_BYTE_SIGNED: (-32768.0, 65535.0), ONE_BYTE_UNSIGNED: (0.0, 255.0), ONE_BYTE_ZERO_ONE: (0.0, 1.0)}
_HEADER = struct.Struct("<ffii")
_STEP16 = np.float32(1.52590218966964e-05)  # 1 / 65535
_BLOCK = 1 << 15  # numbers worked on at a time
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
    with np.errstate(over="ignore"):
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
        return [b"CM2 " + header, _quantize_all(matrix, low, span, 65535, "<u2")]
    return [b"CM3 " + header, _quantize_all(matrix, low, span, 255, "u1")]


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


def _quantize_all(matrix, low, span, levels, dtype):
    """A whole matrix quantised, row after row, in blocks that stay in the cache."""
    values = np.ascontiguousarray(matrix).reshape(-1)
    result = np.empty(values.size, dtype)
    step = _BLOCK // 2  # the work is in float64
    for first in range(0, values.size, step):
        block = slice(first, first + step)
        result[block] = _quantize(values[block], low, span, levels)
    return result


def _compress_columns(matrix, low, span):
    """Column headers and bytes of CM, a block of columns at a time so that the work stays in the cache."""
    rows, columns = matrix.shape
    headers = np.empty((columns, 4), "<u2")
    data = np.empty((columns, rows), np.uint8)
    step = max(1, _BLOCK // rows)
    for first in range(0, columns, step):
        block = slice(first, first + step)
        values = np.ascontiguousarray(matrix[:, block].T)
        headers[block] = _percentiles(values, low, span)
        _encode_columns(values, _levels(headers[block], low, span), data[block])
    return [headers, data]


def column_parts(rows: int, columns: int, low: float, high: float, column):
    """CM of a matrix too large for memory, part by part, as the buffers that follow the binary marker.

    Parameters
    ----------
    rows, columns : int, rows over 8
    low, high : float
        Least and greatest value of the whole matrix.
    column : function of an index
        One column, shape (rows,), float32; each is asked for twice.
    """
    low, span = _range(np.array([low, high], np.float32))
    yield b"CM " + _HEADER.pack(low, span, rows, columns)
    headers = np.empty((columns, 4), "<u2")
    for index in range(columns):
        headers[index] = _percentiles(column(index)[np.newaxis], low, span)[0]
    yield headers
    for index in range(columns):
        data = np.empty((1, rows), np.uint8)
        _encode_columns(column(index)[np.newaxis], _levels(headers[index : index + 1], low, span), data)
        yield data


def _percentiles(values, low, span):
    """Quantised values at ranks 0, 1/4, 3/4 and 1 of each row of `values` (D, T), strictly increasing: shape (D, 4)."""
    rows = values.shape[1]
    ranks = [0, rows // 4, 3 * (rows // 4), rows - 1] if rows >= 5 else slice(None)
    # A whole vectorised sort is faster than numpy's partition at several ranks.
    picked = _quantize(np.sort(values, axis=1)[:, ranks], low, span, 65535)
    result = np.empty((len(values), 4))
    previous = -1.0
    for i in range(4):
        value = np.maximum(picked[:, i], previous + 1) if i < rows else previous + 1
        result[:, i] = previous = np.minimum(value, 65532 + i)
    return result


def _levels(percentiles, low, span):
    """The percentiles as float32."""
    return low + span * _STEP16 * percentiles.astype(np.float32)


def _encode_columns(values, edges, out):
    """Bytes of `values` (D, T) from the float percentiles (D, 4): the sum of three clipped ramps."""
    out[:] = 0
    ramp = np.empty_like(values)
    for i, steps in enumerate((64, 128, 63)):
        start, end = edges[:, i : i + 1], edges[:, i + 1 : i + 2]
        width = end - start
        np.subtract(values, start, out=ramp)
        with np.errstate(all="ignore"):
            ramp /= width
        if not width.all():  # a segment of no width, where the range is less than the precision of the values
            ramp = np.where(width == 0, (values >= end) & (i < 2), ramp).astype(np.float32)
        np.clip(ramp, 0, 1, out=ramp)
        ramp *= np.float32(steps)
        ramp += _HALF
        out += ramp.astype(np.uint8)


def decompress(stream, token: str) -> np.ndarray:
    """Reads what follows the token CM, CM2 or CM3; returns float32, shape (rows, columns)."""
    low, span, rows, columns = _HEADER.unpack(read_exactly(stream, _HEADER.size))
    check_size(rows, columns)
    if columns == 0 or rows == 0:
        return np.zeros((0, 0), np.float32)
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
    table = _byte_values(_levels(percentiles, low, span))
    result = np.empty((rows, columns), np.float32)
    step = max(1, _BLOCK // rows)
    for first in range(0, columns, step):
        block = slice(first, first + step)
        index = np.add(data[block], 256 * np.arange(len(data[block]))[:, None], dtype=np.intp)
        result[:, block] = table[block].ravel().take(index).T
    return result


def _byte_values(edges):
    """The value of each of the 256 bytes in every column, from the float percentiles (D, 4): shape (D, 256)."""
    table = np.empty((len(edges), 256), np.float32)
    counts = np.arange(129, dtype=np.float32)
    # From the last segment to the first, because the bytes 64 and 192 belong to the segment below.
    for i, first, steps in ((2, 192, 63), (1, 64, 128), (0, 0, 64)):
        start, end = edges[:, i : i + 1], edges[:, i + 1 : i + 2]
        ramp = (end - start) * counts[: steps + 1]  # float32, as in Kaldi; what follows is float64
        table[:, first : first + steps + 1] = start + ramp.astype(np.float64) * (1.0 / steps)
    return table
