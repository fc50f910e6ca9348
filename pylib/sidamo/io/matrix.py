"""Matrices and vectors in Kaldi's binary and text forms (Kaldi src/matrix/kaldi-matrix.cc, kaldi-vector.cc).

Binary: token `FM ` or `DM ` (`FV `, `DV `), then `\\4` and int32 for each dimension, then the numbers row by row.
Text: `[`, rows ended by a newline or `;`, `]`; numbers with 7 significant digits.
"""

import io
import re
import struct

import numpy as np

from sidamo.io import log
from sidamo.io.compression import compress, decompress
from sidamo.io.errors import DataError
from sidamo.io.streams import CHUNK, check_size, read_exactly

_DTYPES = {"FM": np.dtype("<f4"), "DM": np.dtype("<f8"), "FV": np.dtype("<f4"), "DV": np.dtype("<f8")}
_SPECIAL = {b"inf": np.inf, b"infinity": np.inf, b"nan": np.nan}
_NUMBER = re.compile(rb"-?(\d+\.?\d*|(?<=-)\.\d+)([eE][+-]?\d+)?")  # what Kaldi reads as a finite number
_BAD_START = re.compile(rb"(?:^|[\s;])[+.]")


def read_marker(stream) -> bool:
    """Skips the binary marker `\\0B`; returns whether it is there."""
    if stream.peek(1)[:1] != b"\0":
        return False
    marker = stream.read(2)
    if marker != b"\0B":
        raise DataError(f"expected the binary marker \\0B, found {marker!r}")
    return True


def read_token(stream) -> str:
    """A token of the binary form, up to and with the blank after it."""
    token = b""
    while True:
        byte = stream.read(1)
        if not byte or byte.isspace() or len(token) > 20:
            return token.decode("latin1")
        token += byte


def read_int32(stream) -> int:
    """A binary int32 with its size byte."""
    data = read_exactly(stream, 5)
    if data[0] != 4:
        raise DataError(f"expected the size byte 4 of an int32, found {data[0]}")
    return struct.unpack_from("<i", data, 1)[0]


def _read_numbers(stream, shape, dtype):
    if int(np.prod(shape)) * dtype.itemsize > CHUNK:  # a damaged header must not make us allocate what it promises
        data = read_exactly(stream, int(np.prod(shape)) * dtype.itemsize)
        return np.frombuffer(bytearray(data), dtype).reshape(shape)
    array = np.empty(shape, dtype)
    view = memoryview(array).cast("B") if array.size else b""
    done = 0
    while done < len(view):
        count = stream.readinto(view[done:])
        if not count:
            raise DataError(f"the data end early: expected {len(view)} bytes of numbers, found {done}")
        done += count
    return array


def read_matrix(stream) -> np.ndarray:
    """Reads a matrix, in whichever form it is.

    Returns
    -------
    ndarray, shape (rows, columns), float32 or float64 (token DM); text gives float32.
    """
    if not read_marker(stream):
        return _read_text(stream, matrix=True)
    token = read_token(stream)
    if token in ("FM", "DM"):
        rows, columns = read_int32(stream), read_int32(stream)
        check_size(rows, columns, _DTYPES[token].itemsize)
        return _read_numbers(stream, (rows, columns), _DTYPES[token])
    if token in ("CM", "CM2", "CM3"):
        return decompress(stream, token)
    raise DataError(f"expected a matrix (token FM, DM, CM, CM2 or CM3), found {_describe(token)}")


def read_vector(stream) -> np.ndarray:
    """Reads a vector: ndarray, shape (dim,), float32 or float64 (token DV); text gives float32."""
    if not read_marker(stream):
        return _read_text(stream, matrix=False)
    token = read_token(stream)
    if token not in ("FV", "DV"):
        raise DataError(f"expected a vector (token FV or DV), found {_describe(token)}")
    size = read_int32(stream)
    check_size(size, 1, _DTYPES[token].itemsize)
    return _read_numbers(stream, (size,), _DTYPES[token])


def _describe(token):
    known = {"FM": "a matrix", "DM": "a matrix", "FV": "a vector", "DV": "a vector", "CM": "a compressed matrix"}
    return f"{known[token]} ({token})" if token in known else repr(token)


def _read_until(stream, mark: bytes) -> bytes:
    """Everything up to the mark, which is consumed but not returned."""
    parts = []
    while True:
        buffered = stream.peek(1)
        if not buffered:
            raise DataError(f"Got EOF while reading matrix data: expected {mark.decode()!r} at the end")
        end = buffered.find(mark)
        if end >= 0:
            parts.append(stream.read(end + 1)[:-1])
            return b"".join(parts)
        parts.append(stream.read(len(buffered)))


def _read_text(stream, matrix: bool) -> np.ndarray:
    token = _text_token(stream)
    if token == b"[]":
        return np.zeros((0, 0) if matrix else 0, np.float32)
    if token != b"[":
        raise DataError(f'Expected "[", got "{token[:20].decode("utf-8", "replace")}"')
    body = _read_until(stream, b"]")
    if stream.peek(1)[:1] == b"\r":
        stream.read(1)
    if stream.peek(1)[:1] == b"\n":
        stream.read(1)
    if not matrix and b"\n" in body:
        raise DataError("Newline found while reading vector (maybe it's a matrix?)")
    rows = [row.split() for row in (body.replace(b";", b"\n").split(b"\n") if matrix else [body])]
    rows = [row for row in rows if row]
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            found = f"{len(rows[0])} in the first row, {len(row)} in row {number}"
            raise DataError(f"Matrix has inconsistent #cols: {found}")
    values = _parse_numbers(body, [word for row in rows for word in row])
    return values.reshape(len(rows), -1 if rows else 0) if matrix else values


def _text_token(stream) -> bytes:
    """Skips white space and returns the next word; the white space after it stays."""
    word = b""
    while True:
        byte = stream.peek(1)[:1]
        if not byte or (byte.isspace() and word):
            return word
        stream.read(1)
        if not byte.isspace():
            word += byte


def _parse_numbers(body, words):
    """float32 numbers as Kaldi reads them: with `inf` and `nan`, without `-inf`, a leading `+` or `.` and overflow."""
    special = {}  # position -> infinity or NaN
    if body.translate(None, b"0123456789.eE+-; \t\r\n\f\v") or _BAD_START.search(body):
        special = {i: _SPECIAL[word.lower()] for i, word in enumerate(words) if word.lower() in _SPECIAL}
        bad = [word for i, word in enumerate(words) if i not in special and not _NUMBER.fullmatch(word)]
        if bad:
            raise DataError(f"Expecting numeric data, got {bad[0][:20].decode('utf-8', 'replace')}")
        if special:
            log.warn(f"Reading {len(special)} infinite or NaN values")
    try:
        values = np.array([0.0 if i in special else float(word) for i, word in enumerate(words)] if special else
                          list(map(float, words)), np.float64)  # fmt: skip
    except ValueError as e:
        raise DataError(f"Expecting numeric data, got {str(e).rpartition(':')[2].strip()}") from None
    result = as_float32(values)
    if not np.isfinite(result).all():
        word = words[int(np.argmin(np.isfinite(result)))]
        raise DataError(f"{word.decode()} does not fit into a float")
    for position, value in special.items():
        result[position] = value
    return result


def as_float32(array) -> np.ndarray:
    """The array in single precision, the type of Kaldi's features (a value that does not fit becomes infinite)."""
    with np.errstate(over="ignore"):
        return np.asarray(array, np.float32)


def format_number(value: float) -> str:
    """A number with 7 significant digits, as C++ prints it (`-nan` keeps its sign)."""
    text = f"{value:.7g}"
    return "-nan" if text == "nan" and np.signbit(value) else text


def format_row(row: np.ndarray) -> str:
    """Numbers of a row, each followed by a blank."""
    if np.isnan(row).any():
        return "".join(format_number(x) + " " for x in row)
    return ("%.7g " * len(row)) % tuple(row.tolist())


def encode_matrix(matrix, binary: bool = True, compression_method: int | None = None) -> list:
    """The buffers of a matrix after its key: float64 gives DM, all else FM, a compression method CM, CM2 or CM3.

    In text a compression method shows in the rounding of the values only.
    """
    matrix = np.asarray(matrix)
    if matrix.ndim != 2:
        raise DataError(f"expected a matrix, found an array of shape {matrix.shape}")
    if compression_method is not None:
        parts = compress(matrix, compression_method)
        if binary:
            return [b"\0B", *parts]
        matrix = read_matrix(io.BufferedReader(io.BytesIO(b"\0B" + b"".join(parts))))
    if not binary:
        if 0 in matrix.shape:
            return [b" [ ]\n"]
        return [(" [" + "".join("\n  " + format_row(row) for row in matrix) + "]\n").encode()]
    token = b"DM" if matrix.dtype == np.float64 else b"FM"
    data = np.ascontiguousarray(matrix, _DTYPES[token.decode()])
    rows, columns = matrix.shape if data.size else (0, 0)
    return [b"\0B" + token + struct.pack("<BBiBi", 32, 4, rows, 4, columns), data]


def encode_vector(vector, binary: bool = True) -> list:
    """The buffers of a vector after its key: float64 gives DV, everything else FV."""
    vector = np.asarray(vector)
    if vector.ndim != 1:
        raise DataError(f"expected a vector, found an array of shape {vector.shape}")
    if not binary:
        return [(" [ " + format_row(vector) + "]\n").encode()]
    token = b"DV" if vector.dtype == np.float64 else b"FV"
    data = np.ascontiguousarray(vector, _DTYPES[token.decode()])
    return [b"\0B" + token + struct.pack("<BBi", 32, 4, len(vector)), data]


def check_finite(array, what: str = "the matrix") -> None:
    """Raises DataError that names the first NaN or infinity of an array."""
    array = np.asarray(array)
    with np.errstate(all="ignore"):  # a sum is finite unless a summand is not: one cheap pass in the usual case
        if np.isfinite(np.sum(array, dtype=np.float64)):
            return
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        names = ("row", "column") if array.ndim == 2 else ("index",)
        place = ", ".join(f"{name} {i}" for name, i in zip(names, bad[0]))
        value = array[tuple(bad[0])]
        raise DataError(f"{what} has {len(bad)} values that are not finite, the first ({value}) at {place}")
