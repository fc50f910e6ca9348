"""Compressed matrices against a plain scalar transcription of the format, and kaldiio."""

import io

import numpy as np
import pytest
from sidamo.io import compression
from sidamo.io.errors import CheckFailed, OptionError
from sidamo.io.matrix import encode_matrix, read_matrix

SHAPES = [(1, 1), (2, 3), (3, 2), (4, 5), (5, 5), (8, 4), (9, 7), (40, 13), (301, 80), (2000, 3)]


def _compressed(matrix, method):
    return b"".join(bytes(part) for part in encode_matrix(matrix, compression_method=method))


def _read_with_kaldiio(data, path):
    import kaldiio

    path.write_bytes(b"a " + data)
    return kaldiio.load_mat(f"{path}:2")


def _read(data):
    return read_matrix(io.BufferedReader(io.BytesIO(data)))


def _byte(value, p0, p25, p75, p100):
    """One value to its byte, in the precision of the format's definition (float32 fraction, float64 rounding)."""
    f = np.float32
    if value >= p75 and p100 == p75:  # 0/0 or x/0, which C++ makes the smallest integer on x86
        return 192
    if value < p25 and p25 == p0:
        return 0
    if value < p25:
        return min(max(int(float(f(f(value - p0) / f(p25 - p0)) * f(64)) + 0.5), 0), 64)
    if value < p75:
        return min(max(64 + int(float(f(f(value - p25) / f(p75 - p25)) * f(128)) + 0.5), 64), 192)
    return min(max(192 + int(float(f(f(value - p75) / f(p100 - p75)) * f(63)) + 0.5), 192), 255)


def _ordinary(rng):
    return rng.standard_normal((57, 6)) * [1, 10, 0.01, 100, 0, 1e-4] + [0, 5, 1, -3, 2, 7]


MATRICES = {
    "ordinary": _ordinary,
    "one column at the top": lambda rng: np.append(_ordinary(rng), np.full((57, 1), 1e3), axis=1),
    "less range than precision": lambda rng: 1e6 + 0.0625 * rng.integers(0, 3, (40, 5)),
    "integers": lambda rng: rng.integers(0, 4, (60, 3)),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", MATRICES)
def test_speech_format_by_the_scalar_definition(seed, name):
    rng = np.random.default_rng(seed)
    matrix = MATRICES[name](rng).astype(np.float32)
    data = _compressed(matrix, compression.SPEECH_FEATURE)
    low, span = np.frombuffer(data, "<f4", 2, offset=5)
    rows, columns = np.frombuffer(data, "<i4", 2, offset=13)
    headers = np.frombuffer(data, "<u2", 4 * columns, offset=21).reshape(columns, 4)
    codes = np.frombuffer(data, np.uint8, offset=21 + 8 * columns).reshape(columns, rows)
    edges = low + span * np.float32(1.52590218966964e-05) * headers.astype(np.float32)
    expected = [[_byte(matrix[t, d], *edges[d]) for t in range(rows)] for d in range(columns)]
    np.testing.assert_array_equal(codes, expected)
    assert (np.diff(headers.astype(int), axis=1) > 0).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", range(1, 8))
def test_values_survive_within_a_step(shape, method):
    """Every format keeps values within its quantisation step, and a second pass changes nothing much."""
    rng = np.random.default_rng(method)
    matrix = {4: rng.integers(-32768, 32768, shape), 6: rng.integers(0, 256, shape), 7: rng.random(shape)}.get(
        method, rng.standard_normal(shape) * 4 + 3
    )
    matrix = matrix.astype(np.float32)
    back = _read(_compressed(matrix, method))
    speech = method == 2 or (method == 1 and shape[0] > 8)
    if not speech:
        step = {1: 65535, 3: 65535, 4: 65535, 5: 255, 6: 255, 7: 255}[method]
        span = {4: 65535.0, 6: 255.0, 7: 1.0}.get(method, max(float(np.ptp(matrix)), 1 + abs(float(matrix.min()))))
        np.testing.assert_allclose(back, matrix, atol=0.51 * span / step + 1e-6 * np.abs(matrix).max())
    else:
        spread = np.ptp(matrix, axis=0) + np.ptp(matrix) * 1e-4
        assert (np.abs(back - matrix) <= spread / 60 + 1e-5).all()
    if method in (4, 6):
        np.testing.assert_array_equal(back, matrix)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", [1, 2, 3, 5])
def test_kaldiio_reads_ours(shape, method, tmp_path):
    data = _compressed(np.random.default_rng(7).standard_normal(shape).astype(np.float32), method)
    np.testing.assert_allclose(_read_with_kaldiio(data, tmp_path / "a.ark"), _read(data), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", [1, 2, 3, 5])
def test_we_read_kaldiios(method, tmp_path):
    import kaldiio

    matrix = np.random.default_rng(8).standard_normal((50, 7)).astype(np.float32)
    kaldiio.save_ark(str(tmp_path / "k.ark"), {"a": matrix}, compression_method=method)
    data = (tmp_path / "k.ark").read_bytes()[2:]
    np.testing.assert_allclose(_read(data), _read_with_kaldiio(data, tmp_path / "a.ark"), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", range(1, 8))
def test_constant_and_empty(method):
    constant = np.full((12, 3), 1.0, np.float32)
    np.testing.assert_allclose(_read(_compressed(constant, method)), constant, atol=1e-4)
    assert _read(_compressed(np.zeros((0, 0), np.float32), method)).shape == (0, 0)


def test_double_and_strided_input():
    matrix = np.random.default_rng(1).standard_normal((30, 8))
    plain = _compressed(matrix.astype(np.float32), 1)
    assert _compressed(matrix, 1) == plain
    assert _compressed(np.asfortranarray(matrix), 1) == plain
    assert _compressed(np.repeat(matrix, 2, axis=1)[:, ::2], 1) == plain


def test_text_shows_the_rounded_values():
    matrix = np.random.default_rng(2).standard_normal((20, 3)).astype(np.float32)
    text = encode_matrix(matrix, binary=False, compression_method=2)
    assert text == encode_matrix(_read(_compressed(matrix, 2)), binary=False)
    assert text != encode_matrix(matrix, binary=False)


@pytest.mark.parametrize("method", [0, 8, -1])
def test_bad_method(method):
    with pytest.raises(OptionError, match=f"Invalid compression type: {method}"):
        compression.compress(np.ones((2, 2)), method)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(bad):
    with pytest.raises(CheckFailed, match="NaNs or infinities"):
        compression.compress(np.array([[1.0, bad]]), 2)
    with pytest.raises(CheckFailed, match="overflows"):
        compression.compress(np.array([[3e38, -3e38]]), 2)
