"""HTK and Sphinx features, against the layouts written out by hand."""

import io
import struct

import numpy as np
import pytest
from sidamo.io.errors import DataError
from sidamo.io.htk import HtkFeatures, encode_htk, encode_sphinx, read_htk, read_sphinx
from sidamo.io.tables import SequentialReader, Writer

MATRIX = np.array([[1, -2, 0.5], [4, 5, 6]], np.float32)


def _stream(data):
    return io.BufferedReader(io.BytesIO(data))


def _file(kind=9, size=12, count=2, data=None):
    return struct.pack(">iiHH", count, 100000, size, kind) + (MATRIX.astype(">f4").tobytes() if data is None else data)


def test_layout_and_back():
    data = b"".join(bytes(part) for part in encode_htk(HtkFeatures(MATRIX, 100000, 9)))
    assert data == _file()
    back = read_htk(_stream(data))
    np.testing.assert_array_equal(back.matrix, MATRIX)
    assert (back.sample_period, back.sample_kind, back.matrix.dtype) == (100000, 9, np.float32)


def test_checksum_is_skipped():
    """MFCC with _E and _K: the two bytes of the checksum belong to the object."""
    kind = 6 | 0o100 | 0o10000
    stream = _stream(_file(kind) + b"\x12\x34rest")
    assert read_htk(stream).sample_kind == 6 | 0o100
    assert stream.read() == b"rest"


def test_compressed_is_restored():
    """_C: floats A and B per column, then shorts; x = (short + B) / A (HTK Book, 5.7.1); the header says 4 more."""
    a, b = np.array([100, 10, 1000.0]), np.array([0, 5, -3.0])
    shorts = np.rint(MATRIX * a - b).astype(">i2")
    data = a.astype(">f4").tobytes() + b.astype(">f4").tobytes() + shorts.tobytes()
    back = read_htk(_stream(_file(6 | 0o2000, size=6, count=2 + 4, data=data)))
    np.testing.assert_allclose(back.matrix, MATRIX, atol=0.06)
    assert back.sample_kind == 6


@pytest.mark.parametrize(
    "data, message",
    [
        (_file(0), "holds a waveform"), (_file(10), "holds discrete symbols"), (_file(5), "reflection coefficients"),
        (_file(6 | 0o40000), "vector-quantised"), (_file(size=13), "not an HTK feature header"),
        (_file(count=-1), "not an HTK feature header"), (_file()[:-1], "end early"), (_file()[:5], "end early"),
        (_file(6 | 0o2000, size=6, count=3), "not an HTK feature header"),
    ],
)  # fmt: skip
def test_what_is_not_taken(data, message):
    with pytest.raises(DataError, match=message):
        read_htk(_stream(data))


def test_too_wide():
    with pytest.raises(DataError, match="cannot hold 20000 columns"):
        encode_htk(HtkFeatures(np.zeros((1, 20000), np.float32), 1, 9))


def test_archive_of_htk(tmp_path):
    with Writer(f"ark,scp:{tmp_path}/h.ark,{tmp_path}/h.scp", "htk") as writer:
        writer.write("a", HtkFeatures(MATRIX, 100000, 7))
        writer.write("b", HtkFeatures(MATRIX * 2, 100000, 7))
    for spec in (f"ark:{tmp_path}/h.ark", f"scp:{tmp_path}/h.scp"):
        items = dict(SequentialReader(spec, "htk"))
        np.testing.assert_array_equal(items["b"].matrix, MATRIX * 2)


@pytest.mark.parametrize("order", "<>")
def test_sphinx_in_either_byte_order(order):
    matrix = np.arange(26, dtype=np.float32).reshape(2, 13)
    data = struct.pack(order + "i", 26) + matrix.astype(order + "f4").tobytes()
    np.testing.assert_array_equal(read_sphinx(_stream(data)), matrix)
    assert order == "<" or b"".join(bytes(part) for part in encode_sphinx(matrix)) == data
    with pytest.raises(DataError, match="not a whole number of frames of 7"):
        read_sphinx(_stream(data), dim=7)
    with pytest.raises(DataError, match="not a Sphinx feature file"):
        read_sphinx(_stream(data + b"x"))
