"""Arrays that are made from a large file, kept beside it and mapped into memory by later runs.

    parts = kept_arrays("TLG.fst", "decode", recipe, make)
    parts["arcs"], parts.fresh("slots")

`make()` runs when there is nothing of use: the first time, and after the file or the recipe has changed. What is kept
names size, time and samples of the contents of the file that it was made from, so it is never taken for another's.
Mapped pages are read when they are touched, and shared by all processes on the machine; what one writes stays its own.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import zlib

import numpy as np

from sidamo.io import log
from sidamo.io.native import user_cache

WORTH_KEEPING = 4 << 20  # bytes of the file; from less the arrays are made in some milliseconds
HEADER = 4096  # bytes of JSON and blanks; the arrays follow
ALIGNMENT = 64
SAMPLES, SAMPLE_SIZE = 64, 512


class KeptArrays:
    """Arrays and numbers by name.

    values : dict of arrays and numbers
    file, places : where the arrays are mapped from, and (dtype, shape, offset) of each; None where they are in memory
    """

    def __init__(self, values: dict, file=None, places=None):
        self._values, self._file, self._places = values, file, places

    def __getitem__(self, name: str):
        return self._values[name]

    def fresh(self, name: str) -> np.ndarray:
        """A copy of an array to be written to; of a mapped one, memory is used only for what is written."""
        if self._file is None:
            return self._values[name].copy()
        return _view(_map(self._file), *self._places[name])


def kept_arrays(path, kind: str, recipe: str, make) -> KeptArrays:
    """What `make()` gives, kept from run to run.

    Parameters
    ----------
    path : the file from which it is made; nothing is kept for a pipe or a small file
    kind : ending of the kept file's name: beside the source, or in the user's cache where that cannot be written
    recipe : what else it depends on: options, a checksum of the code that makes it
    make : function without arguments, to a dict of numpy arrays and JSON's numbers and strings
    """
    path = os.fspath(path)
    if not os.path.isfile(path) or os.path.getsize(path) < WORTH_KEEPING:
        return KeptArrays(make())
    stamp = {"recipe": recipe, "source": _stamp(path)}
    elsewhere = f"{zlib.crc32(os.path.abspath(path).encode()):08x}.{os.path.basename(path)}.{kind}"
    places = [f"{path}.{kind}", os.path.join(user_cache(), elsewhere)]
    for place in places:
        kept = _open(place, stamp)
        if kept is not None:
            return kept
    values = make()
    if _stamp(path) != stamp["source"]:  # the file was replaced while it was read
        return KeptArrays(values)
    for place in places:
        if _write(place, stamp, values):
            log.vlog(1, f"what was made of {path} is kept in {place}")
            return _open(place, stamp) or KeptArrays(values)
    return KeptArrays(values)


def checksum_of_files(*paths: str) -> str:
    """Checksum of the contents of source files: the recipe changes with the code."""
    check = 0
    for path in paths:
        with open(path, "rb") as stream:
            check = zlib.crc32(stream.read(), check)
    return f"{check:08x}"


def _stamp(path: str) -> list:
    """Size, time, and checksum of samples of a file."""
    with open(path, "rb") as stream:
        status = os.fstat(stream.fileno())
        return [status.st_size, status.st_mtime_ns, _sampled(stream, 0, status.st_size)]


def _sampled(file, begin: int, end: int) -> int:
    """Checksum of samples, spread evenly from the first bytes to the last."""
    room, check = max(end - begin - SAMPLE_SIZE, 0), 0
    for number in range(SAMPLES):
        sample = os.pread(file.fileno(), SAMPLE_SIZE, begin + number * room // (SAMPLES - 1))
        check = zlib.crc32(sample, check)
    return check


def _map(file) -> mmap.mmap:
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def _view(memory, dtype: str, shape: list, offset: int) -> np.ndarray:
    return np.ndarray(shape, dtype, memory, offset)


def _open(place: str, stamp: dict):
    """The arrays kept in a file, or None where it is absent, damaged, or made from something else."""
    try:
        file = open(place, "rb")  # stays open, for fresh copies
        header = json.loads(file.read(HEADER))
        size = os.fstat(file.fileno()).st_size
        if header["stamp"] != stamp or header["size"] != size or header["check"] != _sampled(file, HEADER, size):
            return None
        memory = _map(file)
        arrays = {name: _view(memory, *where) for name, where in header["arrays"].items()}
        return KeptArrays({**header["numbers"], **arrays}, file, header["arrays"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(place: str, stamp: dict, values: dict) -> bool:
    """Keep arrays and numbers, complete or not at all (or let another job finish it); False where that cannot be done."""
    arrays = {name: np.ascontiguousarray(value) for name, value in values.items() if isinstance(value, np.ndarray)}
    numbers = {name: value for name, value in values.items() if name not in arrays}
    places, end = {}, HEADER
    for name, array in arrays.items():
        places[name] = (array.dtype.str, array.shape, end)
        end += array.nbytes + -array.nbytes % ALIGNMENT
    temporary = f"{place}.new"  # what a killed job leaves is written over by the next
    try:
        os.makedirs(os.path.dirname(place) or ".", exist_ok=True)
        with open(os.open(temporary, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as out:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(out.fileno()), os.stat(temporary)):
                return True  # another job has just finished it
            out.truncate(0)
            out.truncate(end)
            for name, array in arrays.items():
                out.seek(places[name][2])
                out.write(array.data.cast("B") if array.size else b"")
            out.flush()
            header = {"stamp": stamp, "size": end, "check": _sampled(out, HEADER, end)}
            text = json.dumps({**header, "arrays": places, "numbers": numbers}).encode()
            if len(text) > HEADER:
                raise OSError(f"a header of {len(text)} bytes")
            out.seek(0)
            out.write(text.ljust(HEADER))
            out.flush()
            os.replace(temporary, place)
        return True
    except BlockingIOError:  # another job is at it
        return True
    except OSError as error:
        log.vlog(1, f"{place} is not written: {error}")
        return False
