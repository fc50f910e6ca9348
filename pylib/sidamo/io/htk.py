"""Features in HTK's and Sphinx' formats (Kaldi src/matrix/kaldi-matrix.cc; the HTK Book, section 5.7).

HTK: big-endian header of 12 bytes (number of frames, frame shift in 100 ns, bytes per frame, kind), then float32
frame by frame.
"""

import struct
from collections import namedtuple

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.streams import read_exactly

HtkFeatures = namedtuple("HtkFeatures", "matrix sample_period sample_kind")
HtkFeatures.__doc__ = "Features of one file: float32 (T, D), frame shift in 100 ns, kind (base kind and qualifiers)."

USER = 9  # base kind of features of the user's own
COMPRESSED, CHECKSUM, VQ = 0o2000, 0o10000, 0o40000
_NOT_FEATURES = {0: "a waveform", 5: "16-bit reflection coefficients", 10: "discrete symbols"}


def read_htk(stream) -> HtkFeatures:
    """Reads one HTK file, compressed (_C) and with a checksum (_K) as well; the kind comes back without these two.

    Raises DataError for waveforms, discrete symbols and vector-quantised features.
    """
    count, period, size, kind = struct.unpack(">iiHH", read_exactly(stream, 12))
    if (kind & 0o77) in _NOT_FEATURES:
        raise DataError(f"the HTK file holds {_NOT_FEATURES[kind & 0o77]}, expected features")
    if kind & VQ:
        raise DataError("vector-quantised HTK features are not supported", mend="HCopy to a target kind without _V")
    compressed = bool(kind & COMPRESSED)
    item = 2 if compressed else 4
    if compressed:
        count -= 4  # the header counts the two float vectors A and B as four frames of shorts
    if count < 0 or size == 0 or size % item:
        raise DataError(f"not an HTK feature header: {count} frames of {size} bytes")
    columns = size // item
    scales = np.frombuffer(read_exactly(stream, 8 * columns), ">f4").reshape(2, columns) if compressed else None
    data = read_exactly(stream, count * size)
    if kind & CHECKSUM:
        read_exactly(stream, 2)
    matrix = np.frombuffer(data, ">i2" if compressed else ">f4").astype(np.float32).reshape(count, columns)
    if compressed:
        with np.errstate(all="ignore"):
            matrix = (matrix + scales[1]) / scales[0]
    return HtkFeatures(matrix.astype(np.float32), period, kind & ~CHECKSUM & ~COMPRESSED)


def encode_htk(features: HtkFeatures) -> list:
    """The buffers of an HTK file."""
    rows, columns = features.matrix.shape
    if 4 * columns > 65535:
        raise DataError(f"HTK's header cannot hold {columns} columns (at most 16383)")
    header = struct.pack(">iiHH", rows, features.sample_period, 4 * columns, features.sample_kind)
    return [header, np.ascontiguousarray(features.matrix, ">f4")]


def read_sphinx(stream, dim: int = 13) -> np.ndarray:
    """Reads one Sphinx file: an int32 with the number of values, then float32; in either byte order."""
    header = read_exactly(stream, 4)
    data = stream.read()
    for order in "<>":
        if struct.unpack(order + "i", header)[0] * 4 == len(data):
            if len(data) % (4 * dim):
                raise DataError(f"{len(data) // 4} values are not a whole number of frames of {dim}")
            return np.frombuffer(data, order + "f4").astype(np.float32).reshape(-1, dim)
    raise DataError(f"not a Sphinx feature file: its header does not match {len(data)} bytes of data")


def encode_sphinx(matrix) -> list:
    """The buffers of a Sphinx file (big-endian)."""
    return [struct.pack(">i", matrix.size), np.ascontiguousarray(matrix, ">f4")]
