"""How each kind of object is read and written after its key (Kaldi src/util/kaldi-holder-inl.h).

A holder has `read(stream) -> value` and `encode(value, binary) -> list of buffers`. Reading stops right behind the
object.
"""

import re
import struct

import numpy as np

from sidamo.io import matrix as _matrix
from sidamo.io.errors import DataError
from sidamo.io.streams import check_size, read_exactly

# Patterns are compiled where they are used: most runs of a tool use none.
_INT = rb"[+-]?\d+"
_FLOAT = rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_WHITE = frozenset(" \t\n\r\f\v")
_INT_CHARACTERS = b"+-0123456789 \t\n\r\f\v"
_RANGE_OVERSHOOT = 3  # rows; Kaldi: 2 for edge effects and 1 for rounding


class Holder:
    """Base: no ranges. The tables keep `place` (key, file) and `in_archive` (more may follow) up to date."""

    place = ""
    in_archive = False

    def read(self, stream):
        """The next object of the stream."""
        raise NotImplementedError

    def encode(self, value, binary):
        """The object as buffers to be written after the key."""
        raise NotImplementedError

    def extract(self, value, text):
        """The part of a value that a range `[text]` names."""
        raise DataError(f"a range [{text}] is possible only for matrices and vectors")


def _bounds(text, size, overshoot):
    """(first, last + 1) of one inclusive range `a:b`, clipped to size; None where it is not valid."""
    if text in ("", ":"):
        return 0, size
    match = re.fullmatch(r"(\d+):(\d+)", text)
    if not match:
        return None
    first, last = map(int, match.groups())
    if first > last or last >= size + overshoot or first >= size:
        return None
    if last >= size:
        from sidamo.io import log

        log.warn(f"Row range {text} goes beyond the number of rows of the matrix {size}")
    return first, min(last + 1, size)


class MatrixHolder(Holder):
    """float32 or float64 matrices; `compression_method` 1 to 7 writes them compressed."""

    def __init__(self, compression_method: int | None = None):
        if compression_method is not None:
            from sidamo.io.compression import check_method

            check_method(compression_method)
        self._method = compression_method

    def read(self, stream):
        return _matrix.read_matrix(stream)

    def encode(self, value, binary):
        if binary and self._method in (None, 1, 2) and hasattr(value, "matrix_parts"):
            return value.matrix_parts(self._method is not None)  # made piece by piece: feats.blocks
        return _matrix.encode_matrix(value, binary, self._method)

    def extract(self, value, text):
        parts = text.split(",")
        rows = columns = None
        if len(parts) <= 2 and all(parts):
            rows = _bounds(parts[0], value.shape[0], _RANGE_OVERSHOOT)
            columns = _bounds(parts[1] if len(parts) == 2 else ":", value.shape[1], 0)
        if rows is None or columns is None:
            shape = f"{value.shape[0]}x{value.shape[1]}"
            raise DataError(f"Invalid range specifier: {text} for matrix of size {shape} (inclusive, from 0)")
        return np.ascontiguousarray(value[slice(*rows), slice(*columns)])


class VectorHolder(Holder):
    """float32 or float64 vectors."""

    def read(self, stream):
        return _matrix.read_vector(stream)

    def encode(self, value, binary):
        return _matrix.encode_vector(value, binary)

    def extract(self, value, text):
        bounds = _bounds(text, len(value), _RANGE_OVERSHOOT) if text else None
        if bounds is None:
            raise DataError(f"Invalid range specifier: {text} for vector of size {len(value)} (inclusive, from 0)")
        return value[slice(*bounds)].copy()


def _read_line(stream) -> bytes:
    line = stream.readline()
    if not line:
        raise DataError("expected a line, found the end of the file")
    return line


def _read_word(stream, what) -> bytes:
    """The only word of a line; a newline must follow it."""
    line = _read_line(stream)
    words = line.split()
    if len(words) != 1:
        raise DataError(f"expected one {what} on the line, found {line.decode('utf-8', 'replace').strip()!r}")
    if not line.endswith(b"\n"):
        raise DataError(f"expected a newline after the {what}, found the end of the file")
    return words[0]


def _parse_int(word: bytes) -> int:
    if not re.fullmatch(_INT, word) or not -(2**31) <= int(word) < 2**31:
        raise DataError(f"expected a 32-bit integer, found {word.decode('utf-8', 'replace')!r}")
    return int(word)


def _parse_ints(line: bytes) -> np.ndarray:
    """int32 numbers of a line; raises DataError that names the first bad one."""
    words = line.split()
    if not line.translate(None, _INT_CHARACTERS):  # nearly always; int() alone would take 1_0
        try:
            return _as_ints(list(map(int, words)))
        except (ValueError, DataError):
            pass
    return np.array([_parse_int(word) for word in words], np.int32)


class IntHolder(Holder):
    """One int32."""

    def read(self, stream):
        return _matrix.read_int32(stream) if _matrix.read_marker(stream) else _parse_int(_read_word(stream, "integer"))

    def encode(self, value, binary):
        number = int(_as_ints([value])[0])
        return [b"\0B\4" + struct.pack("<i", number) if binary else f"{number} \n".encode()]


class FloatHolder(Holder):
    """One float32 (a binary double is read as well)."""

    def read(self, stream):
        if not _matrix.read_marker(stream):
            word = _read_word(stream, "number")
            if not re.fullmatch(_FLOAT, word):
                raise DataError(f"expected a number, found {word.decode('utf-8', 'replace')!r}")
            return float(word)
        size = read_exactly(stream, 1)[0]
        if size not in (4, 8):
            raise DataError(f"expected the size byte 4 or 8 of a float, found {size}")
        return struct.unpack("<f" if size == 4 else "<d", read_exactly(stream, size))[0]

    def encode(self, value, binary):
        if binary:
            return [b"\0B\4" + np.float32(value).tobytes()]
        return [(_matrix.format_number(float(np.float32(value))) + " \n").encode()]


class BoolHolder(Holder):
    """One truth value: T or F."""

    def read(self, stream):
        word = read_exactly(stream, 1) if _matrix.read_marker(stream) else _read_word(stream, "truth value")
        if word not in (b"T", b"F"):
            raise DataError(f"expected T or F, found {word!r}")
        return word == b"T"

    def encode(self, value, binary):
        letter = b"T" if value else b"F"
        return [b"\0B" + letter if binary else letter + b" \n"]


def _pack_ints(values) -> bytes:
    """int32 numbers, each after its size byte."""
    record = np.empty(len(values), np.dtype([("size", "u1"), ("value", "<i4")]))
    record["size"] = 4
    record["value"] = values
    return record.tobytes()


def _read_ints(stream, count) -> np.ndarray:
    check_size(count, 1, 5)
    record = np.frombuffer(read_exactly(stream, 5 * count), np.dtype([("size", "u1"), ("value", "<i4")]))
    if (record["size"] != 4).any():
        raise DataError("expected int32 numbers, each after a size byte of 4")
    return record["value"].astype(np.int32)


def _as_ints(values) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise DataError(f"expected a list of integers, found {array.dtype} of shape {array.shape}")
    if array.size and not (-(2**31) <= array.min() and array.max() < 2**31):
        raise DataError("an integer does not fit into 32 bits")
    return array.astype(np.int32)


def _int_text(values) -> str:
    return "".join([f"{x} " for x in values.tolist()])


class IntVectorHolder(Holder):
    """A list of int32; read as an ndarray."""

    def read(self, stream):
        if _matrix.read_marker(stream):
            return _read_ints(stream, _matrix.read_int32(stream))
        return _parse_ints(_read_line(stream))

    def encode(self, value, binary):
        ints = _as_ints(value)
        return [b"\0B" + _pack_ints([len(ints)]) + _pack_ints(ints)] if binary else [(_int_text(ints) + "\n").encode()]


class IntArrayHolder(Holder):
    """int32 numbers as in single files (Kaldi's WriteIntegerVector): no size byte per number; text in brackets."""

    def read(self, stream):
        if not _matrix.read_marker(stream):
            text = stream.read().strip()
            if len(text) < 2 or text[:1] != b"[" or text[-1:] != b"]":
                raise DataError("expected integers in brackets: [ 1 2 3 ]")
            return _parse_ints(text[1:-1])
        size = read_exactly(stream, 1)[0]
        count = struct.unpack("<i", read_exactly(stream, 4))[0]
        check_size(count, 1)
        if size != 4:
            raise DataError(f"expected the size byte 4 of int32 numbers, found {size}")
        return np.frombuffer(read_exactly(stream, 4 * count), "<i4").astype(np.int32)

    def encode(self, value, binary):
        ints = _as_ints(value)
        if binary:
            return [b"\0B\4" + struct.pack("<i", len(ints)), ints.astype("<i4")]
        return [f"[ {_int_text(ints)}]\n".encode()]


class IntVectorVectorHolder(Holder):
    """A list of lists of int32; in text each list ends with `;`."""

    def read(self, stream):
        if _matrix.read_marker(stream):
            count = _matrix.read_int32(stream)
            check_size(count, 1, 5)
            return [_read_ints(stream, _matrix.read_int32(stream)) for _ in range(count)]
        lists = _read_line(stream).replace(b";", b" ; ").strip()
        if lists and not lists.endswith(b";"):
            raise DataError("expected a semicolon after every list of integers")
        return [_parse_ints(part) for part in lists.split(b";")[:-1]]

    def encode(self, value, binary):
        lists = [_as_ints(part) for part in value]
        if binary:
            return [b"\0B" + _pack_ints([len(lists)]) + b"".join(_pack_ints([len(x)]) + _pack_ints(x) for x in lists)]
        return [("".join(_int_text(x) + "; " for x in lists) + "\n").encode()]


class IntPairVectorHolder(Holder):
    """A list of pairs of int32, shape (n, 2); in text `;` stands between the pairs."""

    def read(self, stream):
        if _matrix.read_marker(stream):
            return _read_ints(stream, 2 * _matrix.read_int32(stream)).reshape(-1, 2)
        pairs = [part.split() for part in _read_line(stream).split(b";")]
        if pairs == [[]]:
            return np.zeros((0, 2), np.int32)
        if any(len(pair) != 2 for pair in pairs):
            raise DataError("expected pairs of integers with semicolons between them")
        return np.array([[_parse_int(word) for word in pair] for pair in pairs], np.int32)

    def encode(self, value, binary):
        pairs = _as_ints(np.asarray(value, dtype=np.int64).reshape(-1)).reshape(-1, 2)
        if binary:
            return [b"\0B" + _pack_ints([len(pairs)]) + _pack_ints(pairs.reshape(-1))]
        return [("; ".join(f"{a} {b} " for a, b in pairs.tolist()) + "\n").encode()]


class TokenHolder(Holder):
    """One word (str); always text."""

    def read(self, stream):
        return decode(_read_word(stream, "word"))

    def encode(self, value, binary):
        return [encode(check_token(value)) + b"\n"]


class TokenVectorHolder(Holder):
    """Words (list of str); always text."""

    def read(self, stream):
        return [decode(word) for word in _read_line(stream).split()]

    def encode(self, value, binary):
        return [encode("".join(check_token(word) + " " for word in value)) + b"\n"]


def check_token(word: str) -> str:
    """The word itself; raises DataError unless it is a text without white space (as Kaldi's keys and tokens are)."""
    if not isinstance(word, str) or not word or not _WHITE.isdisjoint(word):
        raise DataError(f"expected a word without white space, found {word!r}")
    return word


def decode(data: bytes) -> str:
    """Bytes of a key or word as text; bytes that are not UTF-8 survive the way back."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The inverse of `decode`."""
    return text.encode("utf-8", "surrogateescape")


class HtkHolder(Holder):
    """Features in HTK's format: `htk.HtkFeatures`."""

    def read(self, stream):
        from sidamo.io.htk import read_htk

        return read_htk(stream)

    def encode(self, value, binary):
        from sidamo.io.htk import encode_htk

        return encode_htk(value)


class SphinxHolder(Holder):
    """Features in Sphinx' format, `dim` columns."""

    def __init__(self, dim: int = 13):
        self._dim = dim

    def read(self, stream):
        from sidamo.io.htk import read_sphinx

        return read_sphinx(stream, self._dim)

    def encode(self, value, binary):
        from sidamo.io.htk import encode_sphinx

        return encode_sphinx(value)


class _Collector:
    """Collects what a writer function writes."""

    def __init__(self):
        self.parts = []

    def write(self, data):
        self.parts.append(bytes(data))


class WaveHolder(Holder):
    """Audio: `wave.Wave`."""

    def read(self, stream):
        from sidamo.io.wave import read_stream

        return read_stream(stream, self.place or "wave", self.in_archive)

    def encode(self, value, binary):
        from sidamo.io.wave import write_wave

        collector = _Collector()
        write_wave(collector, value)
        return collector.parts


class LatticeHolder(Holder):
    """Lattices: `lattice.Lattice`, or `lattice.CompactLattice`."""

    def __init__(self, compact: bool):
        self._compact = compact

    def read(self, stream):
        from sidamo.io import lattice

        return lattice.read_compact_lattice(stream) if self._compact else lattice.read_lattice(stream)

    def encode(self, value, binary):
        from sidamo.io import lattice

        return lattice.encode_compact_lattice(value, binary) if self._compact else lattice.encode_lattice(value, binary)


class PosteriorHolder(Holder):
    """Lists of (id, weight) pairs, one per frame or sausage bin."""

    def read(self, stream):
        from sidamo.io import posterior

        return posterior.read_posterior(stream)

    def encode(self, value, binary):
        from sidamo.io import posterior

        return posterior.encode_posterior(value, binary)


class FloatPairVectorHolder(Holder):
    """Pairs of float32, shape (n, 2); in text `;` stands between the pairs."""

    def read(self, stream):
        from sidamo.io import posterior

        return posterior.read_float_pairs(stream)

    def encode(self, value, binary):
        from sidamo.io import posterior

        return posterior.encode_float_pairs(value, binary)


_HOLDERS = {
    "posterior": PosteriorHolder,
    "float_pair_vector": FloatPairVectorHolder,
    "matrix": MatrixHolder,
    "vector": VectorHolder,
    "int": IntHolder,
    "float": FloatHolder,
    "bool": BoolHolder,
    "int_vector": IntVectorHolder,
    "int_array": IntArrayHolder,
    "int_vector_vector": IntVectorVectorHolder,
    "int_pair_vector": IntPairVectorHolder,
    "token": TokenHolder,
    "token_vector": TokenVectorHolder,
    "htk": HtkHolder,
    "sphinx": SphinxHolder,
    "wave": WaveHolder,
    "lattice": lambda: LatticeHolder(False),
    "compact_lattice": lambda: LatticeHolder(True),
}


def make_holder(kind: str, **options) -> Holder:
    """The holder of a kind.

    Parameters
    ----------
    kind : str
        matrix, vector: float32 or float64 arrays; int, float, bool: one value; int_vector: int32 array; int_array: the
        same in Kaldi's form of single files; int_vector_vector, int_pair_vector; token, token_vector: str, list of str;
        htk, sphinx, wave, lattice, compact_lattice, posterior and float_pair_vector: the classes of their modules.
    **options
        matrix: `compression_method` 1 to 7; sphinx: `dim`.
    """
    if kind not in _HOLDERS:
        raise ValueError(f"unknown kind {kind!r}; known: {', '.join(_HOLDERS)}")
    return _HOLDERS[kind](**options)
