"""Objects of every kind there and back, in binary and text; damage gives an error, never a wrong object or a crash."""

import io

import numpy as np
import pytest
from sidamo.io.errors import DataError
from sidamo.io.holders import make_holder
from sidamo.io.htk import HtkFeatures
from sidamo.io.matrix import check_finite, encode_matrix, read_matrix
from sidamo.io.tables import SequentialReader, Writer, read_object, write_object

INF, NAN = float("inf"), float("nan")


def _stream(data):
    return io.BufferedReader(io.BytesIO(data))


def _encode(kind, value, binary=True):
    return b"".join(bytes(part) for part in make_holder(kind).encode(value, binary))


def _decode(kind, data):
    return make_holder(kind).read(_stream(data))


def _text_matrix(text):
    return read_matrix(_stream(text.encode()))


VALUES = [
    ("matrix", np.array([[1.5, -2], [3, 4]], np.float32), b"\0BFM \4\2\0\0\0\4\2\0\0\0", b" [\n  1.5 -2 \n  3 4 ]\n"),
    ("matrix", np.array([[1.5]]), b"\0BDM \4\1\0\0\0\4\1\0\0\0", b" [\n  1.5 ]\n"),
    ("matrix", np.zeros((0, 5), np.float32), b"\0BFM \4\0\0\0\0\4\0\0\0\0", b" [ ]\n"),
    ("vector", np.array([1, 0.1], np.float32), b"\0BFV \4\2\0\0\0", b" [ 1 0.1 ]\n"),
    ("vector", np.array([2.0]), b"\0BDV \4\1\0\0\0", b" [ 2 ]\n"),
    ("vector", np.zeros(0, np.float32), b"\0BFV \4\0\0\0\0", b" [ ]\n"),
    ("int", -5, b"\0B\4\xfb\xff\xff\xff", b"-5 \n"),
    ("float", 0.5, b"\0B\4\0\0\0\x3f", b"0.5 \n"),
    ("bool", True, b"\0BT", b"T \n"),
    ("bool", False, b"\0BF", b"F \n"),
    ("int_vector", [1, -2], b"\0B\4\2\0\0\0\4\1\0\0\0\4\xfe\xff\xff\xff", b"1 -2 \n"),
    ("int_vector", [], b"\0B\4\0\0\0\0", b"\n"),
    ("int_array", [1, 2], b"\0B\4\2\0\0\0\1\0\0\0\2\0\0\0", b"[ 1 2 ]\n"),
    ("int_vector_vector", [[1], [], [2, 3]], b"\0B\4\3\0\0\0\4\1\0\0\0\4\1\0\0\0\4\0\0\0\0", b"1 ; ; 2 3 ; \n"),
    ("int_pair_vector", [[1, 2], [3, 4]], b"\0B\4\2\0\0\0\4\1\0\0\0\4\2\0\0\0", b"1 2 ; 3 4 \n"),
    ("int_pair_vector", [], b"\0B\4\0\0\0\0", b"\n"),
    ("token", "abc", b"abc\n", b"abc\n"),
    ("token_vector", ["a", "b"], b"a b \n", b"a b \n"),
    ("token_vector", [], b"\n", b"\n"),
]


def _same(a, b):
    if isinstance(a, (list, np.ndarray)) and len(a) and isinstance(a[0], (list, np.ndarray)):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b))
    return np.array_equal(a, b)


@pytest.mark.parametrize("kind, value, binary, text", VALUES, ids=[f"{v[0]}{i}" for i, v in enumerate(VALUES)])
def test_layout_and_round_trip(kind, value, binary, text):
    """The first bytes and the whole text as Kaldi writes them, worked out by hand; both are read back."""
    assert _encode(kind, value)[: len(binary)] == binary
    assert _encode(kind, value, binary=False) == text
    for data in (_encode(kind, value), text):
        back = _decode(kind, data)
        assert _same(back, value) or len(back) == len(value) == 0


def test_types_are_kept():
    for dtype in (np.float32, np.float64):
        assert _decode("matrix", _encode("matrix", np.ones((2, 2), dtype))).dtype == dtype
        assert _decode("vector", _encode("vector", np.ones(2, dtype))).dtype == dtype
    assert _decode("float", b"\0B\x08" + np.float64(0.1).tobytes()) == 0.1
    assert _decode("int_vector", _encode("int_vector", [1])).dtype == np.int32


@pytest.mark.parametrize("seed", range(20))
def test_random_matrices_against_kaldiio(seed, tmp_path):
    import kaldiio

    rng = np.random.default_rng(seed)
    matrices = {}
    for i in range(5):
        shape = rng.integers(1, 40, 2)
        exponent = rng.integers(-20, 20, shape)
        matrices[f"k{i}"] = (rng.standard_normal(shape) * 10.0**exponent).astype([np.float32, np.float64][seed % 2])
    path = str(tmp_path / "ours.ark")
    with Writer(f"ark:{path}", "matrix") as writer:
        for key, matrix in matrices.items():
            writer.write(key, matrix)
    theirs = dict(kaldiio.load_ark(path))
    kaldiio.save_ark(str(tmp_path / "theirs.ark"), matrices)
    assert (tmp_path / "theirs.ark").read_bytes() == (tmp_path / "ours.ark").read_bytes()
    for key, matrix in SequentialReader(f"ark:{path}", "matrix"):
        np.testing.assert_array_equal(matrix, matrices[key])
        np.testing.assert_array_equal(matrix, theirs[key])
    for matrix in matrices.values():
        text = encode_matrix(matrix, binary=False)[0].decode()
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(_text_matrix(text), matrix.astype(np.float32), rtol=1e-6)


def test_vectors_and_ints_against_kaldiio(tmp_path):
    import kaldiio

    vector = np.random.default_rng(0).standard_normal(9).astype(np.float32)
    with Writer(f"ark:{tmp_path}/v", "vector") as writer:
        writer.write("v", vector)
    np.testing.assert_array_equal(dict(kaldiio.load_ark(f"{tmp_path}/v"))["v"], vector)
    with Writer(f"ark:{tmp_path}/i", "int_vector") as writer:
        writer.write("i", [3, -4, 2**31 - 1])
    assert dict(kaldiio.load_ark(f"{tmp_path}/i"))["i"].tolist() == [3, -4, 2**31 - 1]


# Numbers in text


@pytest.mark.parametrize(
    "text, expected",
    [
        ("[ 1 2\n 3 4 ]", [[1, 2], [3, 4]]), ("[ 1 2 ; 3 4 ]", [[1, 2], [3, 4]]), ("[\n\n 1\n;\n2 ]", [[1], [2]]),
        ("[ -0.5 1e3 1E-2 5. -.5 ]", [[-0.5, 1000, 0.01, 5, -0.5]]), ("[ ]", []), ("[]", []), ("  [ 1]", [[1]]),
        ("[ inf Infinity NAN ]", [[INF, INF, NAN]]), ("[ 1e-50 3.402823e+38 ]", [[0, 3.402823e38]]),
        ("[ 1\t2\r\n3 4 ]\r\n", [[1, 2], [3, 4]]), ("[ 16777217 ]", [[16777216]]),
        ("[ 1-2 ]", [[1, -2]]), ("[ 3.4028235e38 -3.4028235677e38 ]", [[3.4028235e38, -3.4028235e38]]),
        ("[ 1inf ;2 5;\n;3 4 ]", [[1, INF], [2, 5], [3, 4]]),
    ],
)  # fmt: skip
def test_text_that_kaldi_reads(text, expected):
    matrix = _text_matrix(text)
    assert matrix.dtype == np.float32 and matrix.ndim == 2
    np.testing.assert_allclose(matrix.ravel(), np.ravel(expected).astype(np.float32), rtol=1e-7)
    assert len(matrix) == len(expected)


@pytest.mark.parametrize(
    "text, message",
    [
        ("[ 1 2\n3 ]", "inconsistent #cols: 2 in the first row, 1 in row 2"), ("[ 1 a ]", "got a"),
        ("[ +3 ]", r"got \+3"), ("[ 1 .5 ]", r"got \.5"), ("[ -inf ]", "got -inf"), ("[ -nan ]", "got -nan"),
        ("[ 0x10 ]", "got x10"), ("[ 1_0 ]", "got _0"), ("[ 1e ]", "numeric data"), ("[ - ]", "numeric data"),
        ("[ 1e39 ]", "1e39 does not fit into a float"), ("[ 1e999 ]", "1e999 does not fit"),
        ("[ inf 1e39 ]", "1e39 does not fit"), ("[ 1 2", "Got EOF"), ("[1 ]", r'Expected "\[", got "\[1"'),
        ("1 2", r'Expected "\["'), ("", r'Expected "\[", got ""'), ("[ 1,2 ]", "got ,2"),
        ("[ 1 inf]", "got inf"), ("[ inf; 1 ]", "got inf;"),
        ("[ 1--2 ]", "numeric data, got -"), ("[ 3.402824e38 ]", "does not fit"), ("[ -1e39 ]", "does not fit"),
        ("[ 1.2.3 ]", "numeric data"), ("[ [ 1 ] ]", r"got \["),
    ],
)  # fmt: skip
def test_text_that_kaldi_refuses(text, message):
    with pytest.raises(DataError, match=message):
        _text_matrix(text)


def test_text_of_vectors():
    assert _decode("vector", b" [ 1 2e1 -3. ]\n").tolist() == [1, 20, -3]
    assert _decode("vector", b" [ ]").shape == (0,)
    for text, message in ((b"[ 1;2 ]", "got ;2|whitespace"), (b"[ 1-2 ]", "Expected whitespace after number 1")):
        with pytest.raises(DataError, match=message):
            _decode("vector", text)


def test_a_matrix_is_no_vector():
    with pytest.raises(DataError, match="Newline found while reading vector"):
        _decode("vector", b" [\n 1 2 ]\n")


@pytest.mark.parametrize(
    "value, text",
    [
        (1e7, "1e+07"), (12345678, "1.234568e+07"), (0.1, "0.1"), (1 / 3, "0.3333333"), (100000, "100000"),
        (-0.0, "-0"), (1e-5, "1e-05"), (9999999, "9999999"), (NAN, "nan"), (-NAN, "-nan"), (INF, "inf"), (-INF, "-inf"),
    ],
)  # fmt: skip
def test_seven_digits(value, text):
    assert encode_matrix(np.array([[value]], np.float32), binary=False) == [f" [\n  {text} ]\n".encode()]


@pytest.mark.parametrize(
    "kind, text, message",
    [
        ("int", "\n", "expected one integer"), ("int", "1.5\n", "32-bit integer, found '1.5'"),
        ("int", "1 2\n", "found '1 2'"),
        ("int", "3", "expected a newline"), ("int", "2147483648\n", "32-bit integer"), ("int", "", "end of the file"),
        ("float", "x\n", "expected a number, found 'x'"), ("float", "1_0\n", "expected a number"),
        ("bool", "yes\n", "expected T or F"), ("int_vector", "1 2.5 x\n", "found '2.5'"),
        ("int_vector", "1 \xff\n", "32-bit integer"), ("int_vector_vector", "1 ; 2\n", "semicolon after every list"),
        ("int_pair_vector", "1 2 ; 3\n", "expected pairs"), ("int_pair_vector", "1 2 ; 3 4 ;\n", "expected pairs"),
        ("token", "a b\n", "expected one word"), ("token", "\n", "expected one word"),
        ("int_array", "1 2\n", "brackets"),
    ],
)  # fmt: skip
def test_bad_text(kind, text, message):
    with pytest.raises(DataError, match=message):
        _decode(kind, text.encode("latin1"))


@pytest.mark.parametrize(
    "kind, value, message",
    [
        ("matrix", np.ones(3), "expected a matrix, found an array of shape"),
        ("vector", np.ones((2, 2)), "expected a vector, found an array of shape"),
        ("int", 2**31, "does not fit into 32 bits"), ("int", 1.5, "expected a list of integers"),
        ("int_vector", [1.5], "expected a list of integers"), ("int_vector", [2**31], "does not fit into 32 bits"),
        ("token", "a b", "word without white space"), ("token_vector", [""], "word without white space"),
    ],
)  # fmt: skip
def test_values_that_cannot_be_written(kind, value, message):
    with pytest.raises(DataError, match=message):
        _encode(kind, value)


def test_bytes_that_are_not_utf8_survive(tmp_path):
    (tmp_path / "text").write_bytes(b"utt\xe9 caf\xe9 \xc3\xa0\n")
    with Writer(f"ark:{tmp_path}/copy", "token_vector") as writer:
        for key, words in SequentialReader(f"ark:{tmp_path}/text", "token_vector"):
            writer.write(key, words)
    assert (tmp_path / "copy").read_bytes() == b"utt\xe9 caf\xe9 \xc3\xa0 \n"


# NaN


def test_check_finite():
    check_finite(np.full((3, 3), 3e38, np.float32))
    with pytest.raises(DataError, match=r"feats has 2 values that .* the first \(nan\) at row 1, column 0"):
        check_finite(np.array([[0, 1], [NAN, INF]]), "feats")
    with pytest.raises(DataError, match=r"the first \(inf\) at index 1"):
        check_finite(np.array([0, INF, -INF]))


# Single files


def test_single_objects(tmp_path):
    matrix = np.random.default_rng(0).standard_normal((3, 2)).astype(np.float32)
    for binary in (True, False):
        write_object(f"{tmp_path}/m", "matrix", matrix, binary=binary)
        np.testing.assert_allclose(read_object(f"{tmp_path}/m", "matrix"), matrix, rtol=1e-6)
    assert (tmp_path / "m").read_text().startswith(" [\n  ")


# Damage


@pytest.fixture()
def archive(monkeypatch):
    """archive(data): what the table readers read from now on, whatever the name; no files, for speed."""
    content = []
    monkeypatch.setattr("sidamo.io.tables.open_rxfilename", lambda name: _stream(content[-1]))
    return content.append


def _archive(tmp_path, binary=True):
    rng = np.random.default_rng(5)
    values = {
        "a": rng.standard_normal((3, 4)).astype(np.float32), "bb": rng.standard_normal((2, 2)),
        "c": rng.standard_normal((10, 3)).astype(np.float32),
    }  # fmt: skip
    with Writer(f"ark{'' if binary else ',t'}:{tmp_path}/x.ark", "matrix") as writer:
        writer.write("a", values["a"])
        writer.write("bb", values["bb"])
    with Writer(f"ark{'' if binary else ',t'}:{tmp_path}/y.ark", "matrix", compression_method=2) as writer:
        writer.write("c", values["c"])
    data = (tmp_path / "x.ark").read_bytes() + (tmp_path / "y.ark").read_bytes()
    return data, len((tmp_path / "x.ark").read_bytes())


@pytest.mark.parametrize("binary", [True, False])
def test_truncated_anywhere(tmp_path, binary, archive):
    """However many bytes are missing: whole objects are right, and the cut is noticed unless it is between two."""
    data, _ = _archive(tmp_path, binary)
    archive(data)
    whole = list(SequentialReader("ark:cut.ark", "matrix"))
    assert len(whole) == 3
    clean = []
    for length in range(len(data)):
        archive(data[:length])
        items = []
        try:
            for item in SequentialReader("ark:cut.ark", "matrix"):
                items.append(item)
            clean.append(length)
        except DataError as e:
            assert "cut.ark" in str(e)
        for (key, matrix), (key2, matrix2) in zip(items, whole):
            assert key == key2
            np.testing.assert_array_equal(matrix, matrix2)
    # Nothing at all, the ends of two objects; in text also before their newlines and before a blank line's end.
    assert len(clean) == (3 if binary else 6)


KINDS = ["matrix", "vector", "int", "float", "bool", "int_vector", "int_array", "int_vector_vector", "int_pair_vector",
         "token_vector", "htk"]  # fmt: skip


def test_mutated_archives(archive):
    """2,200 archives with flipped, inserted and deleted bytes: an object or a DataError, never anything else."""
    rng = np.random.default_rng(11)
    htk = HtkFeatures(rng.standard_normal((4, 3)).astype(np.float32), 100000, 9)
    sources = [(kind, value) for kind, value, _, _ in VALUES if kind in KINDS] + [("htk", htk)]
    errors = 0
    for kind, value in sources:
        for binary in (True, False):
            data = b"key " + _encode(kind, value, binary) + b"key2 " + _encode(kind, value, binary)
            for _ in range(2200 // (2 * len(sources)) + 1):
                mutated = bytearray(data)
                for _ in range(rng.integers(1, 4)):
                    place = int(rng.integers(0, len(mutated)))
                    match rng.integers(0, 3):
                        case 0:
                            mutated[place] = rng.integers(0, 256)
                        case 1:
                            mutated[place:place] = rng.bytes(int(rng.integers(1, 5)))
                        case _:
                            del mutated[place : place + int(rng.integers(1, 5))]
                    mutated = mutated or bytearray(b"k")
                archive(bytes(mutated))
                try:
                    for _, back in SequentialReader("ark:mutated", kind):
                        assert back is not None
                except DataError:
                    errors += 1
    assert errors > 500


def test_impossible_sizes(tmp_path):
    """A damaged header must not make us allocate or wait for what it promises."""
    for size in (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\x20"):
        (tmp_path / "m").write_bytes(b"k \0BFM \4" + size + b"\4\1\0\0\0" + bytes(40))
        with pytest.raises(DataError, match="impossible dimensions|end early"):
            list(SequentialReader(f"ark:{tmp_path}/m", "matrix"))
        (tmp_path / "m").write_bytes(b"k \0BCM " + bytes(8) + size + b"\1\0\0\0" + bytes(40))
        with pytest.raises(DataError, match="impossible dimensions|end early"):
            list(SequentialReader(f"ark:{tmp_path}/m", "matrix"))
        (tmp_path / "m").write_bytes(b"k \0B\4" + size + bytes(40))
        with pytest.raises(DataError, match="impossible dimensions|end early"):
            list(SequentialReader(f"ark:{tmp_path}/m", "int_vector"))
