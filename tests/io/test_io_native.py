"""Compiled loops: arguments and results of every kind, what is kept on disk, what makes it anew, what damage does."""

import subprocess
import sys
import textwrap
import threading

import numba
import numpy as np
import pytest
from sidamo.io import native
from sidamo.io.native import jit

OFFSET = 3


@jit(forceinline=True)
def plus(a, b):
    return a + b


@jit
def everything(matrix, scale, count, flag):
    total, made = 0.0, np.empty(len(matrix), np.int32)
    for i in range(len(matrix)):
        made[i] = i + OFFSET
        total += plus(matrix[i, 0], np.float32(count)) * scale
    return total, flag, made, np.float32(scale), made[1:], not flag, count


@jit
def fill(values, number):
    for i in range(len(values)):
        values[i] = number


@jit
def fails(values):
    if values[0] > 0:
        raise ValueError("no")
    return values[0]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Machine code is kept in a folder of the test; kernels have no forms yet."""
    monkeypatch.setattr(native, "_folders", lambda kernel: [str(tmp_path / "kept")])
    for kernel in (plus, everything, fill, fails):
        monkeypatch.setattr(kernel, "_forms", {})
    return tmp_path / "kept"


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_arguments_and_results(dtype):
    matrix = np.arange(12).reshape(4, 3).astype(dtype)
    for form in (matrix, np.asfortranarray(matrix), matrix[::2], matrix[:, ::2]):
        expected = everything.py_func(form, np.float32(2), 5, True)
        for got, wanted in zip(everything(form, np.float32(2), 5, True), expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
    assert type(everything(matrix, 2.5, 5, False)[2]) is np.ndarray
    assert everything(matrix, 2.5, np.int64(5), np.False_)[1] is False


def test_arrays_are_written_to():
    for dtype, number in ((np.int32, 7), (np.float32, 2.5), (np.bool_, True), (np.uint64, 9)):
        values = np.zeros(5, dtype)
        assert fill(values, number) is None
        assert (values == number).all()
        values[:] = 0
        fill.bind(values, number)()
        assert (values == number).all()
    fill(values[:0], 3)


def test_no_results_of_no_size():
    assert len(everything(np.zeros((0, 3)), 1.0, 1, True)[2]) == 0


def test_what_numba_alone_can_take(folder):
    values = np.zeros(3)
    fill(values, np.int16(4))  # no C type here
    assert values.tolist() == [4, 4, 4]
    many = np.zeros((2, 3), np.complex128)
    fill(many[0], 2.0)
    assert many[0].tolist() == [2, 2, 2]
    assert not folder.exists()


def test_an_exception_of_a_kernel():
    assert fails(np.zeros(2)) == 0
    with pytest.raises(RuntimeError, match="stopped with numba's status"):
        fails(np.ones(2))


def test_code_is_compiled_once_and_damage_is_mended(folder, monkeypatch):
    assert not fill.is_kept()
    fill(np.zeros(3), 1)
    (kept,) = folder.iterdir()
    size = kept.stat().st_size
    monkeypatch.setattr(fill, "_forms", {})
    assert fill.is_kept()
    with monkeypatch.context() as m:
        m.setattr(native, "_compile", lambda *_: pytest.fail("compiled again"))
        fill(np.zeros(3), 1)
    for damage in (b"", b"nonsense", kept.read_bytes()[:-1], kept.read_bytes()[:-1] + b"?"):
        kept.write_bytes(damage)
        monkeypatch.setattr(fill, "_forms", {})
        values = np.zeros(3)
        fill(values, 1)
        assert values.all()
        assert kept.stat().st_size == size
    assert len(list(folder.iterdir())) == 1


def test_where_nothing_can_be_kept(monkeypatch, capsys):
    monkeypatch.setattr(native, "_folders", lambda kernel: ["/proc/no/such/place"])
    values = np.zeros(3)
    fill(values, 1)
    assert values.all()
    assert "could not be kept" in capsys.readouterr().err


def test_without_compiler_numba_says_why(monkeypatch):
    def broken(*_):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(native, "_compile", broken)
    values = np.zeros(3)
    fill(values, 1)  # by numba's own dispatcher
    assert values.all()
    with pytest.raises(numba.core.errors.TypingError, match="setitem"):
        fill("text", 1)


PROGRAM = """
import sys, numpy as np
from sidamo.io import native
native._folders = lambda kernel: [{folder!r}]
from sidamo.io.native import jit
CONSTANT = {constant}
@jit
def helper(x):
    return {helper}
@jit
def kernel(x):  # a comment {comment}
    return helper(x) + CONSTANT
print(kernel(4), "numba" in sys.modules)
"""


def test_later_runs_need_no_numba_and_see_every_change(folder, tmp_path):
    def run(**parts):
        path = tmp_path / "program.py"
        path.write_text(PROGRAM.format(folder=str(folder), **parts))
        done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split(), "first run: compiling" in done.stderr

    base = {"constant": 1, "helper": "x * 2", "comment": "a"}
    assert run(**base) == (["9", "True"], True)
    assert run(**base) == (["9", "False"], False)
    assert run(**{**base, "comment": "b"}) == (["9", "False"], False)
    assert run(**{**base, "constant": 5}) == (["13", "True"], True)
    assert run(**{**base, "helper": "x * 3"}) == (["13", "True"], True)
    assert len(list(folder.iterdir())) == 1  # forms of older sources are gone


def test_threads_share_a_form_and_hold_no_lock():
    seen = []

    def work():
        values = np.zeros(1000)
        for _ in range(200):
            fill(values, 2.0)
        seen.append(values.sum())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [2000.0] * 4
    assert len(fill._forms) == 1


def test_memory_of_results_is_given_back():
    program = textwrap.dedent(
        """
        import resource, numpy as np
        from sidamo.io.native import jit
        @jit
        def make(n):
            return np.zeros(n), np.zeros((n, 2))
        for i in range(60):
            make(300_000)
            if i == 5:
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 20_000
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_loading_pays_sooner_than_compiling(monkeypatch):
    without = {name: module for name, module in sys.modules.items() if name != "llvmlite"}
    for modules, enough in ((without, native.LOAD_SECONDS), ({**without, "llvmlite": None}, native.LOAD_NEXT_SECONDS)):
        monkeypatch.setattr(native.sys, "modules", modules)
        monkeypatch.setattr(fill, "is_kept", lambda: True)
        assert fill.pays(enough)
        assert not fill.pays(enough * 0.99)
        monkeypatch.setattr(fill, "is_kept", lambda: False)
        assert not fill.pays(native.COMPILE_SECONDS * 0.99)
        assert fill.pays(native.COMPILE_SECONDS)
