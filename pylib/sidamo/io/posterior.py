"""Posteriors (lists of (id, weight) pairs) and vectors of float pairs, as Kaldi's tables hold them.

Kaldi src/hmm/posterior.cc and BasicPairVectorHolder. Sausages of lattice-mbr-decode are of the first kind, its times of
the second.
"""

import struct

import numpy as np

from sidamo.io import matrix as _matrix
from sidamo.io.errors import DataError
from sidamo.io.streams import read_exactly


def _sized(stream, code: str, expected: int):
    size = read_exactly(stream, 1)[0]
    if size != expected:
        raise DataError(f"expected the size byte {expected} of a number, found {size}")
    return struct.unpack("<" + code, read_exactly(stream, expected))[0]


def read_posterior(stream) -> list[list[tuple[int, float]]]:
    """One list of (id, weight) per frame or sausage bin; text `[ id weight id weight ] [ ... ]`."""
    if _matrix.read_marker(stream):
        return [
            [(_sized(stream, "i", 4), _sized(stream, "f", 4)) for _ in range(_sized(stream, "i", 4))]
            for _ in range(_sized(stream, "i", 4))
        ]
    bins, words = [], stream.readline().decode("latin-1").split()
    current = None
    for word in words:
        if word == "[" and current is None:
            current = []
        elif word == "]" and current is not None and len(current) % 2 == 0:
            try:
                bins.append([(int(i), float(p)) for i, p in zip(current[::2], current[1::2])])
            except ValueError as e:
                raise DataError(f"bad posterior: expected [ id weight ... ]: {e}") from None
            current = None
        elif current is not None:
            current.append(word)
        else:
            raise DataError(f"bad posterior: expected [ id weight ... ], found {word!r}")
    if current is not None:
        raise DataError("bad posterior: the line ends inside a [ ]")
    return bins


def encode_posterior(bins, binary: bool) -> list[bytes]:
    """The inverse of read_posterior."""
    if binary:
        packed = [b"\0B", struct.pack("<bi", 4, len(bins))]
        for entry in bins:
            packed.append(struct.pack("<bi", 4, len(entry)))
            packed += [struct.pack("<bibf", 4, i, 4, p) for i, p in entry]
        return [b"".join(packed)]
    text = "".join("[ " + "".join(f"{i} {_number(p)} " for i, p in entry) + "] " for entry in bins)
    return [(text + "\n").encode()]


def read_float_pairs(stream) -> np.ndarray:
    """float32 (n, 2); text `a b ; c d`."""
    if _matrix.read_marker(stream):
        count = _sized(stream, "i", 4)
        numbers = [_sized(stream, "f", 4) for _ in range(2 * count)]
        return np.array(numbers, np.float32).reshape(-1, 2)
    pairs = [part.split() for part in stream.readline().decode("latin-1").split(";")]
    if pairs in ([[]], []):
        return np.zeros((0, 2), np.float32)
    if any(len(pair) != 2 for pair in pairs):
        raise DataError("expected pairs of numbers with semicolons between them")
    try:
        with np.errstate(over="ignore"):
            return np.array(pairs, np.float64).astype(np.float32)
    except ValueError as e:
        raise DataError(f"expected pairs of numbers: {e}") from None


def encode_float_pairs(pairs, binary: bool) -> list[bytes]:
    """The inverse of read_float_pairs."""
    if binary:
        packed = [b"\0B", struct.pack("<bi", 4, len(pairs))]
        return [b"".join(packed + [struct.pack("<bfbf", 4, a, 4, b) for a, b in pairs])]
    return [("; ".join(f"{_number(a)} {_number(b)} " for a, b in pairs) + "\n").encode()]


def _number(value: float) -> str:
    return _matrix.format_number(float(np.float32(value)))
