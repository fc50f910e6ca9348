"""Matrices and vectors in Kaldi's binary and text forms (Kaldi src/matrix/kaldi-matrix.cc, kaldi-vector.cc).

Binary: token `FM ` or `DM ` (`FV `, `DV `), then `\\4` and int32 for each dimension, then the numbers row by row.
Text: `[`, rows ended by a newline or `;`, `]`; numbers with 7 significant digits.
"""

import io
import math
import re
import struct

import numpy as np

from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.streams import CHUNK, check_size, read_exactly

_DTYPES = {"FM": np.dtype("<f4"), "DM": np.dtype("<f8"), "FV": np.dtype("<f4"), "DV": np.dtype("<f8")}
_SPECIAL = {b"inf": np.inf, b"infinity": np.inf, b"nan": np.nan}
_FLOAT_MAX = 3.4028235677973366e38  # what rounds to less than infinity is below this
# Patterns are compiled where they are used, which is in text only.
_RUN = rb"-?\d*\.?\d*([eE][+-]?\d*)?"  # as far as C++ reads a number
_RXFILENAME = rb"\S+:\d+(\[.*\])?|\S*/\S+\.\w+"
_BAD_START = rb"(?:^|[\s;])[+.]"


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
    size = math.prod(shape) * dtype.itemsize
    if size > CHUNK:  # a damaged header must not make us allocate what it promises
        return np.frombuffer(read_exactly(stream, size), dtype).reshape(shape)
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
        from sidamo.io.compression import decompress

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
        mend = "this looks like an scp file: write scp: instead of ark:" if re.fullmatch(_RXFILENAME, token) else None
        raise DataError(f'Expected "[", got "{token[:20].decode("utf-8", "replace")}"', mend=mend)
    body = _read_until(stream, b"]")
    if stream.peek(1)[:1] == b"\r":
        stream.read(1)
    if stream.peek(1)[:1] == b"\n":
        stream.read(1)
    if not matrix and re.search(rb"[\r\n]", body):
        raise DataError("Newline found while reading vector (maybe it's a matrix?)")
    rows = _split_numbers(body, matrix)
    if rows is None:
        rows = _scan_numbers(body, matrix)
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            found = f"{len(rows[0])} in the first row, {len(row)} in row {number}"
            raise DataError(f"Matrix has inconsistent #cols: {found}")
    values = as_float32(np.array(rows, np.float64))
    return values.reshape(len(rows), -1 if rows else 0) if matrix else values.reshape(-1)


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


def _split_numbers(body, matrix):
    """Rows of floats where all are plain numbers between white space, which is nearly always; else None."""
    if body.translate(None, b"0123456789.eE+-; \t\r\n\f\v") or re.search(_BAD_START, body):
        return None
    lines = body.replace(b";", b"\n").split(b"\n") if matrix else [body]
    try:
        rows = [list(map(float, line.split())) for line in lines]
    except ValueError:
        return None
    rows = [row for row in rows if row]
    return rows if all(max(row) <= _FLOAT_MAX and min(row) >= -_FLOAT_MAX for row in rows) else None


def _scan_numbers(body, matrix):
    """Rows of floats by Kaldi's rule, piece by piece; raises DataError for what Kaldi does not take.

    A number begins with a digit or `-` and goes as far as it can; `inf`, `infinity` and `nan` are taken in any case
    where white space follows; there is no `-inf`, no leading `+` or `.`, no number that overflows a float.
    """
    match_number, match_word = re.compile(_RUN).match, re.compile(rb"\S+").match
    rows, position, specials = [[]], 0, 0
    while position < len(body):
        char = body[position : position + 1]
        if char in b"0123456789-":
            word = match_number(body, position).group()
            rows[-1].append(_to_float(word, match_word(body, position).group()))
            position += len(word)
            if not matrix and not body[position : position + 1].isspace() and position < len(body):
                raise DataError(f"Expected whitespace after number {word.decode()}")
        elif matrix and char in b"\n;":
            rows.append([])
            position += 1
        elif char.isspace():
            position += 1
        else:
            word = match_word(body, position).group()
            position += len(word)
            if word.lower() not in _SPECIAL or position == len(body):
                raise DataError(f"Expecting numeric data, got {word[:20].decode('utf-8', 'replace')}")
            rows[-1].append(_SPECIAL[word.lower()])
            specials += 1
    if specials:
        log.warn(f"Reading {specials} infinite or NaN values")
    return [row for row in rows if row]


def _to_float(word, shown):
    try:
        value = float(word)
    except ValueError:
        raise DataError(f"Expecting numeric data, got {shown[:20].decode('utf-8', 'replace')}") from None
    if abs(value) > _FLOAT_MAX:
        raise DataError(f"{word.decode()} does not fit into a float")
    return value


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
        from sidamo.io.compression import compress

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
