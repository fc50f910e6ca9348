"""A scratch copy of a recipe: its own data/ and exp/, everything else as in the repository."""

import os
import pathlib
import shutil

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def scratch_recipe(tmp_path_factory):
    """scratch_recipe("digits") -> a folder in which ./run.sh can be run without touching egs/digits."""

    def _copy(name: str) -> pathlib.Path:
        target = tmp_path_factory.mktemp(name) / name
        skip = shutil.ignore_patterns("data", "exp", "fbank", "mfcc", "downloads", "__pycache__")
        shutil.copytree(ROOT / "egs" / name, target, symlinks=True, ignore=skip)
        for link in [p for p in target.rglob("*") if p.is_symlink()]:
            real = (ROOT / "egs" / name / link.relative_to(target)).resolve()
            link.unlink()
            link.symlink_to(real)
        return target

    return _copy


@pytest.fixture(autouse=True)
def _no_inherited_environment(monkeypatch):
    """A recipe sets its own environment; what tests/run.sh has set must not help it."""
    for name in ("SIDAMO_READY", "SIDAMO_ROOT"):
        if name in os.environ:
            monkeypatch.delenv(name)
