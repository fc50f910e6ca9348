"""Kaldi's file names: rxfilenames (for reading) and wxfilenames (for writing), Kaldi src/util/kaldi-io.cc.

To read: `file`, `file:byte-offset`, `command |`, `-` or empty for stdin. To write: `file`, `| command`, `-` or empty
for stdout. Plain files whose content is gzip are unpacked on the fly; a name ending in .gz is written packed. Plain
files are written under a temporary name and renamed on close, so that no half-written file is ever taken for a
finished one.
"""

import errno
import io
import os
import re
import sys

from sidamo.io import log
from sidamo.io.errors import DataError

READ_BUFFER = 1 << 16  # bytes; larger objects bypass it
WRITE_BUFFER = 1 << 18
CHUNK = 1 << 26  # larger objects are read piece by piece
MAX_BYTES = 1 << 34  # an object whose header promises more is taken for damaged

_OFFSET = re.compile(r"(.+):(\d+)", re.DOTALL)


def classify_rxfilename(name: str) -> str:
    """One of stdin, pipe, offset, file, or "" where the name is none of them."""
    if name in ("", "-"):
        return "stdin"
    if name[0] == "|":
        return ""
    if name[-1] == "|":
        return "pipe"
    if name[0].isspace() or name[-1].isspace() or name[:2] in ("b,", "t,"):
        return ""
    if _OFFSET.fullmatch(name):
        return "offset"
    return "" if "|" in name else "file"


def classify_wxfilename(name: str) -> str:
    """One of stdout, pipe, file, or "" where the name is none of them."""
    if name in ("", "-", "/dev/stdout"):
        return "stdout"
    if name[0] == "|":
        return "pipe"
    if name[0].isspace() or name[-1].isspace() or name[:2] in ("b,", "t,") or "|" in name or _OFFSET.fullmatch(name):
        return ""
    return "file"


def printable(name: str) -> str:
    """A file name as messages show it."""
    return "standard input" if name in ("", "-") else name


def _os_error(error: OSError, name: str, doing: str) -> DataError:
    mend = {
        errno.ENOSPC: f"free some space: df -h {os.path.dirname(name) or '.'}",
        errno.EDQUOT: "free some of your quota: quota -s",
        errno.ENOENT: f"check the path (seen from {os.path.abspath('.')})",
        errno.EACCES: f"check the permissions: ls -ld {name}",
    }.get(error.errno)
    return DataError(f"cannot {doing}: {error.strerror or error}", file=name, mend=mend)


class _PipeReader(io.BufferedReader):
    """stdout of a shell command; `close` returns after the command has ended and leaves its status in `status`."""

    def __init__(self, command: str, name: str):
        import subprocess

        self._process = subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, bufsize=0)
        self._name = name
        self.status = 0
        super().__init__(self._process.stdout, READ_BUFFER)

    def close(self):
        if self.closed:
            return
        at_end = not self.peek(1)
        super().close()
        status = self._process.wait()
        # A command cut short because nobody needs the rest dies of SIGPIPE: that is no failure.
        if status and at_end:
            self.status = status
            raw = status << 8 if status > 0 else -status
            log.warn(f"Pipe {self._name} had nonzero return status {raw}")


class _GzipRaw(io.RawIOBase):
    """gzip content as a raw stream whose errors name the file."""

    def __init__(self, raw, name: str):
        import gzip
        import zlib

        self._file, self._raw, self._name = gzip.GzipFile(fileobj=raw, mode="rb"), raw, name
        self._errors = (EOFError, OSError, zlib.error)

    def readable(self):
        return True

    def readinto(self, buffer):
        try:
            data = self._file.read(len(buffer))
        except self._errors as e:
            raise DataError(f"broken gzip data: {e}", file=self._name, mend=f"gzip -t {self._name}") from None
        buffer[: len(data)] = data
        return len(data)

    def close(self):
        if not self.closed:
            self._raw.close()
        super().close()


_stdin = None


def _open_stdin():
    """One shared reader of stdin, so that nothing which it buffered is lost between two uses."""
    global _stdin
    if _stdin is None or _stdin.closed:
        _stdin = open(0, "rb", buffering=READ_BUFFER, closefd=False)  # noqa: SIM115
    return _stdin


def _open_file(path: str, name: str):
    try:
        stream = open(path, "rb", buffering=READ_BUFFER)  # noqa: SIM115
    except OSError as e:
        raise _os_error(e, name, "open for reading") from None
    except ValueError as e:  # a NUL in the name
        raise DataError(f"cannot open for reading: {e}", file=repr(name)) from None
    return stream


def _is_gzip(stream):
    return stream.peek(2)[:2] == b"\x1f\x8b"


inline_command = None  # may be set to a function that runs some commands in this process: sidamo.bin._inline


def open_rxfilename(name: str) -> io.BufferedReader:
    """Opens an rxfilename; the stream is a context manager and has `peek`.

    After `close`, the attribute `status` of a pipe's stream is the command's exit status (a warning was printed for a
    bad one). Raises DataError where the name is not an rxfilename or cannot be opened.
    """
    kind = classify_rxfilename(name)
    if kind == "stdin":
        return _open_stdin()
    if kind == "pipe":
        stream = inline_command(name[:-1].strip()) if inline_command else None
        if stream is not None:
            return stream
        return _PipeReader(name[:-1].strip(), name)
    if kind == "offset":
        path, offset = _OFFSET.fullmatch(name).groups()
        stream = _open_file(path, name)
        if _is_gzip(stream):
            stream.close()
            raise DataError("an offset into a gzip file", file=name, mend=f"gunzip {path}; write the scp file again")
        stream.seek(int(offset))
        return stream
    if kind == "file":
        stream = _open_file(name, name)
        return io.BufferedReader(_GzipRaw(stream, name), READ_BUFFER) if _is_gzip(stream) else stream
    raise DataError(
        f"invalid rxfilename {name!r}", mend="use file, file:offset, 'command |' or - without blanks at the ends"
    )


class Output:
    """A wxfilename opened for writing: `write`, `tell`, `close`, `abort`.

    As a context manager it closes, and aborts on an exception. A plain file appears under its name only on `close`;
    dropping the object without `close` leaves no file.
    """

    def __init__(self, name: str):
        self.name = name
        self.kind = classify_wxfilename(name)
        self._process = self._temp = self._stream = self._gzip = None
        self._position = 0
        self._pid = os.getpid()
        if self.kind == "":
            mend = "use file, '| command' or - without blanks at the ends, and no offset"
            raise DataError(f"invalid wxfilename {name!r}", mend=mend)
        if self.kind == "stdout":
            sys.stdout.flush()
            self._stream = open(1, "wb", buffering=WRITE_BUFFER, closefd=False)  # noqa: SIM115
        elif self.kind == "pipe":
            import subprocess

            self._process = subprocess.Popen(name[1:].strip(), shell=True, stdin=subprocess.PIPE, bufsize=WRITE_BUFFER)
            self._stream = self._process.stdin
        else:
            self._open_file()

    def _open_file(self):
        special = os.path.abspath(self.name).startswith(("/dev/fd/", "/proc/")) or (
            os.path.exists(self.name) and not os.path.isfile(self.name)
        )
        if not special:
            self._target = os.path.realpath(self.name)  # a link keeps pointing at the new content
            self._temp = f"{self._target}.tmp.{self._pid}"
        try:
            self._stream = open(self._temp or self.name, "wb", buffering=WRITE_BUFFER)  # noqa: SIM115
        except OSError as e:
            self._temp = None
            raise _os_error(e, self.name, "open for writing") from None
        if self.name.endswith(".gz") and self._temp:
            import gzip

            self._gzip = self._stream
            self._stream = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=self._gzip, mtime=0)

    def write(self, data) -> None:
        """Writes bytes or any C-contiguous buffer."""
        view = memoryview(data)
        try:
            self._stream.write(view)
        except BrokenPipeError:
            raise self._broken_pipe() from None
        except OSError as e:
            raise _os_error(e, self.name, "write") from None
        self._position += view.nbytes

    def tell(self) -> int:
        """Bytes written so far."""
        return self._position

    def flush(self) -> None:
        """Hands everything written so far to the operating system."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            raise self._broken_pipe() from None
        except OSError as e:
            raise _os_error(e, self.name, "write") from None

    def _broken_pipe(self):
        if self.kind == "stdout":
            return BrokenPipeError("the reader of standard output has gone")
        return DataError("the command ended before it had read everything", file=self.name)

    def close(self) -> None:
        """Finishes the file and gives it its name; waits for a command. Raises DataError where either fails."""
        if self._stream is None:
            return
        try:
            self.flush()
            stream, self._stream = self._stream, None
            stream.close()
            if self._gzip:
                self._gzip.close()
            if self._temp:
                os.replace(self._temp, self._target)
                self._temp = None
        except OSError as e:
            self.abort()
            raise _os_error(e, self.name, "write") from None
        except BaseException:
            self.abort()
            raise
        if self._process is not None and self._process.wait() != 0:
            raise DataError(f"the command ended with status {self._process.returncode}", file=self.name)

    def abort(self) -> None:
        """Drops what was written to a plain file and ends a command; stdout keeps what it got."""
        stream, self._stream = self._stream, None
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()  # or `gzip -c > x.gz` would take our end for the end of the data
        for part in (stream, self._gzip):
            try:
                if part is not None:
                    part.close()
            except OSError:
                pass
        if self._process is not None:
            self._process.wait()
        if self._temp:
            try:
                os.unlink(self._temp)
            except OSError:
                pass
            self._temp = None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self):
        # A forked child that drops its copy must leave the parent's file alone.
        if getattr(self, "_stream", None) is not None and os.getpid() == self._pid:
            self.abort()


def open_wxfilename(name: str) -> Output:
    """Opens a wxfilename for writing bytes; use it in a `with` statement."""
    return Output(name)


def read_exactly(stream, size: int) -> bytes:
    """`size` bytes (a bytearray where they are many); raises DataError where the stream ends before."""
    if size <= CHUNK:
        data = stream.read(size)
    else:
        data, part = bytearray(), b"-"
        while part and len(data) < size:
            part = stream.read(min(CHUNK, size - len(data)))
            data += part
    if len(data) != size:
        raise DataError(f"the data end early: expected {size} more bytes, found {len(data)}")
    return data


def check_size(rows: int, columns: int, item: int = 4) -> None:
    """Raises DataError for dimensions that only a damaged header has."""
    if rows < 0 or columns < 0 or rows * columns * item > MAX_BYTES:
        raise DataError(f"impossible dimensions {rows} x {columns}: the data are damaged")
