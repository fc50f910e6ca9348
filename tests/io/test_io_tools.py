"""The command lines of the copy-* and feat-to-* tools: results, exit statuses, messages."""

import numpy as np
import pytest
from sidamo.bin import (
    copy_feats,
    copy_feats_to_htk,
    copy_int_vector,
    copy_matrix,
    copy_vector,
    feat_to_dim,
    feat_to_len,
)
from sidamo.io.tables import SequentialReader, Writer, read_object, write_object

MATRIX = np.random.default_rng(0).standard_normal((12, 5)).astype(np.float32)
TOOLS = [copy_feats, copy_feats_to_htk, copy_int_vector, copy_matrix, copy_vector, feat_to_dim, feat_to_len]


@pytest.fixture()
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Writer("ark,scp:m.ark,m.scp", "matrix") as writer:
        writer.write("a", MATRIX)
        writer.write("b", MATRIX[:3].astype(np.float64))
    with Writer("ark:v.ark", "vector") as writer:
        writer.write("a", MATRIX[0])
    write_object("one.mat", "matrix", MATRIX)
    (tmp_path / "empty.ark").write_text("")
    return tmp_path


def first(name, kind="matrix"):
    return next(iter(SequentialReader(f"ark:{name}", kind)))[1]


@pytest.mark.parametrize("module", TOOLS)
def test_usage_and_help(module, capfd):
    assert module.main(["--help"]) == 0
    name = module.__name__.rpartition(".")[2].replace("_", "-")
    assert f"Usage: {name} [options]" in capfd.readouterr().out
    assert module.main([]) == 1
    assert f"Usage: {name} [options]" in capfd.readouterr().err
    assert module.main(["--no-such", "a", "b"]) == 255
    assert "Invalid option --no-such" in capfd.readouterr().err


@pytest.mark.parametrize("module, args", [
    (copy_feats, ["ark:nope", "ark:x"]), (copy_matrix, ["ark:nope", "ark:x"]), (copy_vector, ["ark:nope", "ark:x"]),
    (copy_int_vector, ["ark:nope", "ark:x"]), (feat_to_len, ["ark:nope"]), (feat_to_dim, ["ark:nope", "-"]),
    (copy_feats_to_htk, ["ark:nope"]), (copy_matrix, ["one.mat", "ark:x"]), (copy_vector, ["ark:v.ark", "x"]),
    (copy_int_vector, ["ark:v.ark", "x"]), (copy_matrix, ["--apply-log", "--apply-exp", "ark:m.ark", "ark:x"]),
    (copy_feats, ["--write-num-frames=ark:l", "one.mat", "x"]), (copy_feats, ["--sphinx-in", "one.mat", "x"]),
    (feat_to_dim, ["ark:empty.ark", "-"]), (copy_feats_to_htk, ["--output-dir=one.mat", "ark:m.ark"]),
])  # fmt: skip
def test_errors_give_255_and_leave_no_output(folder, module, args, capfd):
    assert module.main(args) == 255
    assert "ERROR (" in capfd.readouterr().err
    assert not (folder / "x").exists()


@pytest.mark.parametrize("module", [copy_feats, copy_matrix, copy_vector, copy_int_vector])
def test_an_empty_table_gives_1(folder, module):
    assert module.main(["ark:empty.ark", "ark:x"]) == 1


def test_copy_matrix(folder, capfd):
    def copied(*options):
        assert copy_matrix.main([*options, "ark:m.ark", "ark:x"]) == 0
        return first("x")

    assert copied().dtype == np.float32
    assert next(m for k, m in SequentialReader("ark:x", "matrix") if k == "b").dtype == np.float32
    np.testing.assert_allclose(copied("--scale=2.5"), 2.5 * MATRIX, rtol=1e-6)
    np.testing.assert_allclose(copied("--apply-exp"), np.exp(MATRIX), rtol=1e-5)
    np.testing.assert_allclose(copied("--apply-log"), np.log(np.maximum(MATRIX, 1e-20)), rtol=1e-5)
    np.testing.assert_allclose(copied("--apply-exp", "--apply-power=2"), np.exp(MATRIX) ** 2, rtol=1e-5)
    np.testing.assert_allclose(copied("--apply-softmax-per-row").sum(axis=1), 1, rtol=1e-5)
    assert "Copied 2 matrices." in capfd.readouterr().err
    assert copy_matrix.main(["--binary=false", "one.mat", "-"]) == 0
    assert capfd.readouterr().out.startswith(" [\n  ")


def test_copy_vector(folder):
    assert copy_vector.main(["--scale=2", "--change-dim=7", "ark:v.ark", "ark:x"]) == 0
    np.testing.assert_allclose(first("x", "vector"), np.append(2 * MATRIX[0], [0, 0]), rtol=1e-6)
    assert copy_vector.main(["--change-dim=2", "ark:v.ark", "ark:x"]) == 0
    assert first("x", "vector").tolist() == MATRIX[0, :2].tolist()
    write_object("one.vec", "vector", MATRIX[0])
    assert copy_vector.main(["one.vec", "two.vec"]) == 0
    assert (folder / "one.vec").read_bytes() == (folder / "two.vec").read_bytes()


def test_copy_int_vector_of_single_files(folder):
    (folder / "i").write_text("[ 1 2 3 ]\n")
    assert copy_int_vector.main(["i", "j"]) == 0
    assert (folder / "j").read_bytes() == b"\0B\4\3\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"
    assert copy_int_vector.main(["--binary=false", "j", "k"]) == 0
    assert (folder / "k").read_text() == "[ 1 2 3 ]\n"


def test_copy_feats(folder):
    assert copy_feats.main(["--compress", "--write-num-frames=ark,t:l", "scp:m.scp", "ark,scp:x,y"]) == 0
    assert (folder / "l").read_text() == "a 12 \nb 3 \n"
    assert (folder / "x").read_bytes()[2:7] == b"\0BCM "
    np.testing.assert_allclose(first("x"), MATRIX, atol=0.05)
    assert copy_feats.main(["one.mat", "two.mat"]) == 0
    assert copy_feats.main(["--binary=false", "two.mat", "three.mat"]) == 0
    np.testing.assert_allclose(read_object("three.mat", "matrix"), MATRIX, rtol=1e-6)
    assert copy_feats.main(["--compress", "one.mat", "x"]) == 134


def test_htk_there_and_back(folder):
    assert copy_feats_to_htk.main(["--output-dir=deep/htk", "--output-ext=x", "--sample-kind=6", "ark:m.ark"]) == 0
    (folder / "h.scp").write_text("a deep/htk/a.x\n")
    assert copy_feats.main(["--htk-in", "scp:h.scp", "ark:x"]) == 0
    np.testing.assert_array_equal(first("x"), MATRIX)
    assert copy_feats.main(["--htk-in=true", "deep/htk/a.x", "back.mat"]) == 0
    np.testing.assert_array_equal(read_object("back.mat", "matrix"), MATRIX)


def test_lengths_and_dimensions(folder, capfd):
    assert feat_to_len.main(["scp:m.scp"]) == 0
    assert capfd.readouterr().out == "15\n"
    assert feat_to_len.main(["scp:m.scp", "ark,t:-"]) == 0
    assert capfd.readouterr().out == "a 12 \nb 3 \n"
    assert feat_to_dim.main(["scp:m.scp", "ark,t:-"]) == 0
    assert capfd.readouterr().out == "a 5 \nb 5 \n"
    assert feat_to_dim.main(["scp:m.scp", "dim"]) == 0
    assert (folder / "dim").read_text() == "5\n"


def test_a_closed_output_stops_quietly(folder, run):
    """`copy-feats ... | head`: no traceback, and a status that is not 0."""
    import pathlib
    import sys

    with Writer("ark:big.ark", "matrix") as writer:
        for i in range(50):
            writer.write(f"u{i}", np.zeros((500, 100), np.float32))
    tool = pathlib.Path(sys.executable).parent / "copy-feats"
    done = run(f"{tool} ark:big.ark ark:- | head -c 10 > /dev/null; exit ${{PIPESTATUS[0]}}", cwd=folder)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


def test_help_is_fast(run):
    """No numpy for a help text: it stays away from the modules that cost time."""
    import sys

    code = "import sys; from sidamo.bin.copy_feats import main; main(['--help']); sys.exit('numpy' in sys.modules)"
    assert run([sys.executable, "-c", code]).returncode == 0
