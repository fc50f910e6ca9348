"""The commands that made the reference data, run with our tools: same exit status, same bytes."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from sidamo.io.tables import SequentialReader

KINDS = ("matrix_ark", "int_vector", "text_ark", "text_parse", "compress", "htk", "scp_range", "feature_lengths")
ERRORS = ("io.compress_m8", "io.intvec_bad", "io.ranges_bad")
# Words that the message must hold, so that a right status for a wrong reason is noticed.
MESSAGES = {
    "io.compress_m8": "Invalid compression type: 8",
    "io.intvec_bad": "key u",
    "io.ranges_bad": "Invalid range specifier: 0:37 for matrix of size 28x20",
    "io.badtext_ragged": "Matrix has inconsistent #cols: 2",
    "io.badtext_noclose": "Got EOF while reading matrix data",
    "io.badtext_word": "Expecting numeric data, got a",
    "io.badtext_nospace": 'Expected "[", got "[1"',
    "io.badtext_neginf": "got -inf",
    "io.badtext_overflow": "1e40 does not fit",
    "io.badtext_int_and_exp": "got +3",
    "io.text_neg_inf_back": "got -inf",
}


def _cases():
    shared = pathlib.Path(os.environ.get("SIDAMO_SHARED", pathlib.Path(__file__).resolve().parents[3] / "shared"))
    manifest = shared / "golden" / "manifest.jsonl"
    if not manifest.is_file():
        return [pytest.param(None, id="absent")]
    cases = map(json.loads, manifest.read_text().splitlines())
    cases = [c for c in cases if c["kind"] in KINDS and c.get("rc") is not None or c["id"] in ERRORS]
    return [pytest.param(case, id=case["id"]) for case in cases]


@pytest.fixture(scope="module")
def folder(golden, tmp_path_factory):
    """A copy of the parts of the reference data that these commands read, with links to the files."""
    copy = tmp_path_factory.mktemp("golden")
    for name in ("io", "htk", "inputs"):
        for source in (golden / name).rglob("*"):
            target = copy / name / source.relative_to(golden / name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_file():
                target.symlink_to(source)
    (copy / "tmp").mkdir()
    return copy


@pytest.mark.parametrize("case", _cases())
def test_command(case, folder, golden):
    if case is None:
        pytest.skip("reference data is absent (set SIDAMO_SHARED)")
    outputs = [name for name in case.get("outputs", []) if not name.endswith(".out")]
    for name in outputs:
        (folder / name).unlink()
    environment = dict(os.environ, PATH=f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
    done = subprocess.run(case["cmd"], shell=True, cwd=folder, env=environment, capture_output=True)
    errors = done.stderr.decode()
    assert done.returncode == case["rc"], errors
    assert MESSAGES.get(case["id"], "") in errors
    if case["rc"] == 0:
        assert "ERROR" not in errors
    for name in case.get("outputs", []):
        expected = (golden / name).read_bytes()
        if name.endswith(".out") or case["cmd"].endswith(" -"):
            assert done.stdout == expected
        else:
            assert (folder / name).read_bytes() == expected, name
    for name in outputs:  # the next case reads Kaldi's file, not ours
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(golden / name)


def test_reads_what_kaldi_wrote(golden, monkeypatch):
    """Archives, scripts and text of the same matrices give the same matrices."""
    monkeypatch.chdir(golden)
    binary = dict(SequentialReader("ark:io/matrices.ark", "matrix"))
    by_script = dict(SequentialReader("scp:io/matrices.scp", "matrix"))
    text = dict(SequentialReader("ark:io/matrices.txt", "matrix"))
    assert list(binary) == list(by_script) == list(text)
    for key, matrix in binary.items():
        np.testing.assert_array_equal(matrix, by_script[key])
        np.testing.assert_allclose(matrix, text[key], rtol=1e-6)


def test_double_stays_double(golden, monkeypatch):
    monkeypatch.chdir(golden)
    assert {m.dtype for _, m in SequentialReader("ark:io/double.ark", "matrix")} == {np.dtype(np.float64)}
