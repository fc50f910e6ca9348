"""Shared fixtures: where the reference data lies, and how to run the project's own programs."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = pathlib.Path(os.environ.get("SIDAMO_SHARED", ROOT.parent / "shared"))


def _shared(name: str) -> pathlib.Path:
    path = SHARED / name
    if not path.is_dir():
        pytest.skip(f"{path} is absent: reference data is not part of the project (set SIDAMO_SHARED)")
    return path


@pytest.fixture(scope="session")
def golden() -> pathlib.Path:
    """Folder of the outputs of Kaldi's own binaries; skips where it is absent. Never write into it."""
    return _shared("golden")


@pytest.fixture(scope="session")
def corpora() -> pathlib.Path:
    """Folder of recorded speech; skips where it is absent."""
    return _shared("corpora")


@pytest.fixture()
def golden_copy(golden, tmp_path) -> pathlib.Path:
    """A writable folder in which golden commands can run: links to the inputs, and an empty tmp/."""
    for entry in golden.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "tmp").mkdir()
    return tmp_path


@pytest.fixture(scope="session")
def run():
    """run("steps/x.sh --nj 2", cwd=...) -> CompletedProcess with text output; never raises on a bad status."""

    def _run(command, cwd=ROOT, env=None, timeout=600, **kwargs):
        # The tools of the environment that runs the tests come first, whether or not path.sh was sourced.
        path = f"{pathlib.Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
        environment = dict(os.environ, PATH=path) | (env or {})
        return subprocess.run(
            command, shell=isinstance(command, str), cwd=cwd, env=environment, timeout=timeout,
            capture_output=True, text=True, executable="/bin/bash" if isinstance(command, str) else None, **kwargs,
        )  # fmt: skip

    return _run
