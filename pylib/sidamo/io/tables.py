"""Kaldi's tables: archives and scripts of keyed objects (Kaldi src/util/kaldi-table-inl.h, src/doc/io.dox).

rspecifier: `ark:rxfilename` or `scp:rxfilename`, with options before the colon: `s` the keys are sorted, `cs`
lookups come in sorted order, `o` each key is looked up once, `p` skip what cannot be read; `bg` and the options of
writing change nothing.
wspecifier: `ark:wxfilename`, `ark,scp:wxfilename,wxfilename` or `scp:rxfilename` (which names the file of each
key), with options `b` binary (the default), `t` text, `f` flush after each object, `p` leave out keys without a
file.

Why this is not built on kaldiio (2.18): its compressed matrices differ from Kaldi's in some bytes and take several
times as long, its text is neither printed nor read as Kaldi does (17 digits; `[ 1 2 ]` becomes integers), a range past
the end is clipped without a word, `s cs o p` have no effect, it does not write under a temporary name, and
importing it takes longer than a minute of audio. The tests use it as an independent oracle for what it does do.
"""

import re

from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.holders import check_token, decode, encode, make_holder
from sidamo.io.specifiers import (
    is_rspecifier,
    is_wspecifier,
    parse_rspecifier,
    parse_wspecifier,
    require_rspecifier,
    require_wspecifier,
)
from sidamo.io.streams import classify_rxfilename, open_rxfilename, open_wxfilename, printable

__all__ = [
    "MappedReader", "RandomAccessReader", "SequentialReader", "Writer", "is_rspecifier", "is_wspecifier",
    "parse_rspecifier", "parse_wspecifier", "read_object", "read_script", "split_range", "write_object",
]  # fmt: skip

_KEY = re.compile(rb"\s*(\S+)(?=\s)")
_LONGEST_KEY = 4096  # bytes
_RANGED = r"([^\[]+)\[([^\[]+)\]"  # a file name and its range


def split_range(name: str):
    """(rxfilename, range text or "") of `rxfilename[range]`; raises DataError for a malformed range."""
    if not name.endswith("]"):
        return name, ""
    match = re.fullmatch(_RANGED, name)
    if not match:
        raise DataError(f"could not interpret the range specifier in {name!r}", mend="write file:offset[r1:r2,c1:c2]")
    return match.group(1), match.group(2)


def read_script(rxfilename: str):
    """Yields (key, rxfilename with range) of a script file; raises DataError with file:line for a malformed line."""
    name = printable(rxfilename)
    stream = open_rxfilename(rxfilename)
    try:
        for number, line in enumerate(stream, 1):
            fields = line.split(None, 1)
            if b"\0" in line:
                raise DataError("binary data, expected lines `key file`", file=name, line=number,
                                mend="is this an archive? then write ark: instead of scp:")  # fmt: skip
            if len(fields) != 2:
                shown = line.decode("utf-8", "replace").strip()
                raise DataError(
                    f"We got an invalid line in the scp file. It should look like: some_key 1.ark:10, got: {shown}",
                    file=name, line=number,
                )  # fmt: skip
            yield decode(fields[0]), decode(fields[1].rstrip())
    finally:
        if stream is not None and rxfilename not in ("", "-"):
            stream.close()
    _check_status(stream, name)


def _check_status(stream, name):
    status = getattr(stream, "status", 0)
    if status:
        raise DataError(f"the command ended with status {status}: its output may be incomplete", file=name)


class _Loader:
    """Loads the objects that script lines name; keeps a few archives open, and the last object that had a range."""

    OPEN_FILES = 8

    def __init__(self, holder):
        self._holder = holder
        self._files = {}
        self._last = (None, None)

    def load(self, name: str, key: str):
        """The object of an rxfilename that may have a range."""
        try:
            rxfilename, range_text = split_range(name)
            self._holder.place = f"{key} ({name})"
            if not range_text:
                return self._read(rxfilename)
            if self._last[0] != rxfilename:
                self._last = (rxfilename, self._read(rxfilename))
            return self._holder.extract(self._last[1], range_text)
        except DataError as e:
            raise e.locate(file=name, key=key) from None

    def _read(self, rxfilename):
        if classify_rxfilename(rxfilename) != "offset":
            stream = open_rxfilename(rxfilename)
            try:
                return self._holder.read(stream)
            except DataError as e:
                raise _at(e, stream) from None
            finally:
                if rxfilename not in ("", "-"):
                    stream.close()
        path, _, offset = rxfilename.rpartition(":")
        stream = self._files.pop(path, None)
        if stream is None:
            if len(self._files) >= self.OPEN_FILES:
                self._files.pop(next(iter(self._files))).close()
            stream = open_rxfilename(rxfilename)
        else:
            stream.seek(int(offset))
        self._files[path] = stream  # the most recently used is last
        try:
            if not stream.peek(1):
                mend = f"make {path} and the scp file again, together"
                raise DataError("there is nothing at this offset: the archive is shorter", mend=mend)
            return self._holder.read(stream)
        except DataError as e:
            raise _at(e, stream) from None

    def close(self):
        for stream in self._files.values():
            stream.close()
        self._files.clear()


def _at(error, stream):
    """Adds the position at which reading stopped."""
    try:
        return error.locate(offset=stream.tell())
    except (OSError, ValueError):
        return error


def _read_key(stream):
    """The next key of an archive and the white space after it, unless it is a newline; None at the end."""
    while True:
        buffered = stream.peek(1)
        if not buffered:
            return None
        match = _KEY.match(buffered)
        if match:
            stream.read(match.end())
            break
        if not buffered.isspace():
            return _read_split_key(stream)
        stream.read(len(buffered))
    if stream.peek(1)[:1] in b" \t":
        stream.read(1)
    return _checked_key(match.group(1))


def _checked_key(key):
    if b"\0" in key or len(key) > _LONGEST_KEY:
        raise DataError(f"this is no archive, or it is damaged: expected a key, found {key[:20]!r}")
    return decode(key)


def _read_split_key(stream):
    """A key that lies across the end of the buffer."""
    key = b""
    while True:
        byte = stream.peek(1)[:1]
        if not byte:
            shown = key.decode("utf-8", "replace")
            raise DataError(f"the archive ends right after {shown!r}, expected an object or a newline: it is cut short")
        if byte.isspace() and key:
            if byte in b" \t":
                stream.read(1)
            return _checked_key(key)
        stream.read(1)
        if not byte.isspace():
            key += byte


class SequentialReader:
    """Iterates over (key, value) of a table, one object in memory at a time.

    Parameters
    ----------
    rspecifier : str
    kind : str
        See `holders.make_holder`.

    Raises
    ------
    DataError
        With file, key and offset, for a bad rspecifier (at once), an unreadable or truncated object, a wrong type,
        and where the command that an archive or script comes from fails. With the option p such objects are skipped
        with a warning.
    """

    def __init__(self, rspecifier: str, kind: str, **holder_options):
        self._specifier = require_rspecifier(rspecifier)
        self._rspecifier = rspecifier
        self._holder = make_holder(kind, **holder_options)
        self._stream = self._loader = None
        if self._specifier.kind == "ark":
            self._stream = open_rxfilename(self._specifier.archive)
            self._holder.in_archive = True
            self._items = self._archive_items()
        else:
            self._loader = _Loader(self._holder)
            self._items = self._script_items()

    def __iter__(self):
        return self._items

    def __next__(self):
        return next(self._items)

    def _archive_items(self):
        name = printable(self._specifier.archive)
        stream, read, key, previous = self._stream, self._holder.read, None, None
        while True:
            try:
                key = None
                key = _read_key(stream)
                if key is None:
                    break
                self._holder.place = key
                value = read(stream)
            except DataError as e:
                e = _at(e.locate(file=name, key=key), stream)
                if not self._specifier.permissive:
                    raise e from None
                log.warn(f"{e} (ignored together with the rest of the archive: option p)")
                break
            if self._specifier.sorted and previous is not None and key <= previous:
                raise _unsorted(name, previous, key)
            previous = key
            yield key, value
        self.close()

    def _script_items(self):
        entries = read_script(self._specifier.script)
        while True:
            try:
                key, name = next(entries)
            except StopIteration:
                break
            except DataError as e:
                if not self._specifier.permissive:
                    raise
                log.warn(f"{e} (ignored together with the rest of the script: option p)")
                break
            try:
                value = self._loader.load(name, key)
            except DataError as e:
                if not self._specifier.permissive:
                    raise
                log.warn(f"{e} (skipped: option p)")
                continue
            yield key, value
        self.close()

    def close(self) -> None:
        """Closes all files; raises DataError where an archive's command failed."""
        if self._loader is not None:
            self._loader.close()
        stream, self._stream = self._stream, None
        if stream is not None and self._specifier.archive not in ("", "-"):
            stream.close()
            if not self._specifier.permissive:
                _check_status(stream, self._specifier.archive)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.close()
        except DataError:
            if kind is None:
                raise


def _unsorted(name, previous, key):
    return DataError(
        f"not sorted although the rspecifier says so (option s): {key} comes after {previous}",
        file=name, key=key, mend="sort it with LC_ALL=C sort, or drop the option s",
    )  # fmt: skip


class RandomAccessReader:
    """Looks up values by key: `key in reader`, `reader[key]`.

    A script needs no memory. An archive is read as far as a lookup needs, and what was read is kept; `s` (sorted
    archive) stops at the first greater key, `cs` (lookups in sorted order) together with `s` keeps one object, `o`
    (each key asked once) forgets what was asked.

    Raises
    ------
    DataError
        As SequentialReader; for a missing key (by `reader[key]`), a repeated key, and a broken promise of s or cs.
    """

    def __init__(self, rspecifier: str, kind: str, **holder_options):
        self._specifier = require_rspecifier(rspecifier)
        self._rspecifier = rspecifier
        self._archive = self._loader = None
        self._called = None  # last key asked for, with cs
        self._values = {}
        if self._specifier.kind == "ark":
            self._archive = SequentialReader(rspecifier, kind, **holder_options)
            self._newest = None
            self._done = False
        else:
            self._loader = _Loader(make_holder(kind, **holder_options))
            self._entries = self._read_entries()

    def _read_entries(self):
        entries, previous = {}, None
        name = printable(self._specifier.script)
        for number, (key, rxfilename) in enumerate(read_script(self._specifier.script), 1):
            if key in entries:
                raise DataError(f"key {key} occurs twice", file=name, line=number, mend=f"sort -u -k1,1 {name}")
            if self._specifier.sorted and previous is not None and key < previous:
                raise _unsorted(name, previous, key)
            entries[key], previous = rxfilename, key
        return entries

    def __contains__(self, key: str) -> bool:
        self._check_called(key)
        if self._archive is not None:
            return self._find(key)
        if key not in self._entries:
            return False
        if not self._specifier.permissive:
            return True
        try:
            self._load(key)
        except DataError as e:
            log.warn(f"{e} (taken as absent: option p)")
            return False
        return True

    def __getitem__(self, key: str):
        if key not in self:
            raise DataError(f"key {key} is not in the table {self._rspecifier}", key=key)
        if self._archive is None:
            return self._load(key)
        return self._values.pop(key) if self._specifier.once else self._values[key]

    def get(self, key: str, default=None):
        """The value of a key, or the default."""
        return self[key] if key in self else default

    def _load(self, key):
        if key not in self._values:
            self._values = {key: self._loader.load(self._entries[key], key)}
        return self._values[key]

    def _check_called(self, key):
        if not self._specifier.called_sorted:
            return
        if self._called is not None and key < self._called:
            raise DataError(
                f"asked for {key} after {self._called} although {self._rspecifier} promises sorted lookups (option cs)",
                key=key, mend="sort the other input, or drop the option cs",
            )  # fmt: skip
        self._called = key

    def _find(self, key):
        """Reads the archive until the key has been seen or cannot come any more."""
        only_one = self._specifier.sorted and self._specifier.called_sorted
        while key not in self._values and not self._done:
            if self._specifier.sorted and self._newest is not None and self._newest > key:
                break
            item = next(self._archive, None)
            if item is None:
                self._done = True
                break
            if item[0] in self._values:
                raise DataError(f"key {item[0]} occurs twice", file=printable(self._specifier.archive), key=item[0])
            if only_one:
                self._values.clear()
            self._values[item[0]] = item[1]
            self._newest = item[0]
        return key in self._values

    def close(self) -> None:
        """Closes all files."""
        (self._archive or self._loader).close()
        self._values = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.close()
        except DataError:
            if kind is None:
                raise


class MappedReader:
    """A RandomAccessReader behind a map of keys, such as CMVN statistics per speaker looked up by utterance.

    Parameters
    ----------
    rspecifier, kind
        The table, as RandomAccessReader.
    map_rspecifier : str
        Table of tokens (utt2spk); "" where keys are used as they are.
    """

    def __init__(self, rspecifier: str, kind: str, map_rspecifier: str = ""):
        self._reader = RandomAccessReader(rspecifier, kind)
        self._map_rspecifier = map_rspecifier
        self._map = RandomAccessReader(map_rspecifier, "token") if map_rspecifier else None

    def _mapped(self, key):
        if self._map is None:
            return key
        if key not in self._map:
            raise DataError(
                f"Attempting to read key {key}, which is not present in utt2spk map or similar map being read from "
                f"{self._map_rspecifier}", key=key, mend="add the line, or run utils/fix_data_dir.sh <data-dir>",
            )  # fmt: skip
        return self._map[key]

    def __contains__(self, key: str) -> bool:
        return self._mapped(key) in self._reader

    def __getitem__(self, key: str):
        return self._reader[self._mapped(key)]

    def close(self) -> None:
        """Closes all files."""
        self._reader.close()
        if self._map is not None:
            self._map.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Writer:
    """Writes (key, value) to a table; as a context manager it leaves no plain file behind an exception.

    Parameters
    ----------
    wspecifier : str
    kind : str
        See `holders.make_holder`; the keyword options are the holder's (`compression_method`).

    Examples
    --------
    >>> with Writer("ark,scp:feats.ark,feats.scp", "matrix") as w:  # doctest: +SKIP
    ...     w.write("utt1", feats)
    """

    def __init__(self, wspecifier: str, kind: str, **holder_options):
        self._specifier = require_wspecifier(wspecifier)
        self._holder = make_holder(kind, **holder_options)
        self._out = self._script = self._targets = None
        if self._specifier.kind == "scp":
            self._targets = dict(read_script(self._specifier.script))
            return
        if self._specifier.kind == "both" and self._specifier.archive.endswith(".gz"):
            raise DataError("a packed archive has no offsets for an scp file", file=self._specifier.archive,
                            mend="write ark:... only, or a name without .gz")  # fmt: skip
        self._out = open_wxfilename(self._specifier.archive)
        if self._specifier.kind == "both":
            if self._out.kind != "file":
                log.warn(f"the scp file of {wspecifier} is of no use: the archive is not a plain file")
            self._script = open_wxfilename(self._specifier.script)

    def write(self, key: str, value) -> None:
        """Writes one object; nothing of it is written where it cannot be encoded (DataError)."""
        try:
            check_token(key)
            parts = self._holder.encode(value, self._specifier.binary)
        except DataError as e:
            raise e.locate(key=key) from None
        if self._targets is not None:
            self._write_target(key, parts)
            return
        self._out.write(encode(key) + b" ")
        offset = self._out.tell()
        for part in parts:
            self._out.write(part)
        if self._script is not None:
            self._script.write(encode(f"{key} {self._specifier.archive}:{offset}\n"))
        if self._specifier.flush:
            self._out.flush()
            if self._script is not None:
                self._script.flush()

    def _write_target(self, key, parts):
        if key not in self._targets:
            if self._specifier.permissive:
                return
            raise DataError(
                f"the script file has no entry for key {key}", file=self._specifier.script,
                mend="add it, or write scp,p: to leave such keys out",
            )  # fmt: skip
        with open_wxfilename(self._targets[key]) as out:
            for part in parts:
                out.write(part)

    def close(self) -> None:
        """Finishes the files: the archive gets its name first, then the script."""
        try:
            if self._out is not None:
                self._out.close()
            if self._script is not None:
                self._script.close()
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Drops what was written to plain files."""
        for out in (self._out, self._script):
            if out is not None:
                out.abort()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        else:
            self.abort()


def read_object(rxfilename: str, kind: str, **holder_options):
    """Reads one object from an rxfilename, with a range where it has one."""
    loader = _Loader(make_holder(kind, **holder_options))
    try:
        return loader.load(rxfilename, None)
    finally:
        loader.close()


def write_object(wxfilename: str, kind: str, value, binary: bool = True, **holder_options) -> None:
    """Writes one object to a wxfilename."""
    parts = make_holder(kind, **holder_options).encode(value, binary)
    with open_wxfilename(wxfilename) as out:
        for part in parts:
            out.write(part)
