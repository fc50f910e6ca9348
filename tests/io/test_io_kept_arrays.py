"""Arrays kept beside the file that they are made from: used again, never stale, made anew where damaged."""

import fcntl
import os

import numpy as np
import pytest
from sidamo.io import kept_arrays as module
from sidamo.io.kept_arrays import kept_arrays


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WORTH_KEEPING", 100)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "large.fst"
    path.write_bytes(os.urandom(100_000))
    return path


class Maker:
    """Makes arrays and counts how often it was asked to."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        rows = np.arange(30_000, dtype=np.int32).reshape(-1, 3)
        return {"rows": rows, "none": np.zeros((0, 4), np.float32), "start": 7, "flags": np.ones(5, np.bool_)}


def check(parts):
    np.testing.assert_array_equal(parts["rows"], np.arange(30_000).reshape(-1, 3))
    assert parts["rows"].dtype == np.int32
    assert parts["none"].shape == (0, 4)
    assert parts["flags"].all()
    assert parts["start"] == 7


def test_made_once(source):
    make = Maker()
    for _ in range(3):
        check(kept_arrays(source, "kind", "recipe", make))
    assert make.calls == 1
    assert sorted(p.name for p in source.parent.iterdir()) == ["large.fst", "large.fst.kind"]


def test_writing_to_them_changes_nobody_elses(source):
    make = Maker()
    for _ in range(2):
        parts = kept_arrays(source, "kind", "recipe", make)
        table = parts.fresh("rows")
        table[:] = -1
        parts["flags"][:] = False
        check(kept_arrays(source, "kind", "recipe", make))
        check({"rows": parts.fresh("rows"), "none": parts["none"], "flags": parts.fresh("flags"), "start": 7})


@pytest.mark.parametrize("change", ["contents", "time", "size", "recipe", "kind"])
def test_never_stale(source, change):
    make, status = Maker(), source.stat()
    kept_arrays(source, "kind", "recipe", make)
    if change == "contents":  # of the same size and time
        source.write_bytes(os.urandom(100_000))
        os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif change == "time":
        os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    elif change == "size":
        with open(source, "ab") as stream:
            stream.write(b".")
    arguments = ("other", "recipe") if change == "kind" else ("kind", "other" if change == "recipe" else "recipe")
    check(kept_arrays(source, *arguments, make))
    assert make.calls == 2
    check(kept_arrays(source, *arguments, make))
    assert make.calls == 2


def test_damage_is_mended(source):
    make = Maker()
    kept_arrays(source, "kind", "recipe", make)
    kept = source.with_name("large.fst.kind")
    whole = kept.read_bytes()
    zeros = whole[:4096] + bytes(len(whole) - 4096)  # what a power failure may leave
    for calls, damage in enumerate((b"", whole[:5000], whole[:-1], b"?" * len(whole), zeros), 2):
        kept.write_bytes(damage)
        check(kept_arrays(source, "kind", "recipe", make))
        assert make.calls == calls
        assert kept.read_bytes() == whole


def test_elsewhere_where_the_folder_cannot_be_written(source, monkeypatch):
    make, place = Maker(), str(source) + ".kind"
    write = module._write
    monkeypatch.setattr(module, "_write", lambda where, *rest: where != place and write(where, *rest))
    for _ in range(2):
        check(kept_arrays(source, "kind", "recipe", make))
    assert make.calls == 1
    (kept,) = (source.parent / "cache" / "sidamo").iterdir()
    assert kept.name.endswith(".large.fst.kind")
    monkeypatch.setattr(module, "_write", lambda *_: False)
    kept.unlink()
    parts = kept_arrays(source, "kind", "recipe", make)
    parts.fresh("rows")[:] = 0
    check(parts)
    assert make.calls == 2


def test_small_files_and_pipes_are_not_kept(source):
    small = source.with_name("small.fst")
    small.write_bytes(b"x" * 99)
    for path in (small, "cat something |"):
        make = Maker()
        check(kept_arrays(path, "kind", "recipe", make))
        check(kept_arrays(path, "kind", "recipe", make))
        assert make.calls == 2
    assert not list(source.parent.glob("*.kind"))


def test_a_source_replaced_while_it_is_read_is_not_kept(source):
    class Replacing(Maker):
        def __call__(self):
            source.write_bytes(b"new" * 1000)
            return super().__call__()

    check(kept_arrays(source, "kind", "recipe", Replacing()))
    assert not list(source.parent.glob("*.kind"))


def test_one_job_writes_and_what_a_killed_one_left_does_no_harm(source):
    left = source.with_name("large.fst.kind.new")
    left.write_bytes(b"half of it" * 100_000)
    with open(left, "r+b") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        check(kept_arrays(source, "kind", "recipe", Maker()))
    assert not source.with_name("large.fst.kind").exists()
    make = Maker()
    for _ in range(2):
        check(kept_arrays(source, "kind", "recipe", make))
    assert make.calls == 1
    assert not left.exists()
