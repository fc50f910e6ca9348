"""Reading and writing of lines for the text filters in utils/ (bytes; the standard library only)."""

import re
import sys

from sidamo.io.datadir import show
from sidamo.io.errors import DataError, OptionError


class Place:
    """Where a line was read: makes the errors about it."""

    def __init__(self, file):
        self.file, self.line = file, 0

    def error(self, message, mend=None):
        return DataError(message, file=self.file, line=self.line, mend=mend)


def read(files):
    """Yield (place, line) for the lines of files, or of standard input if there are none; "-" is standard input.

    Lines keep their ends; a missing last newline is supplied. The place is one object whose line number goes on.
    """
    for name in files or ["-"]:
        place = Place("standard input" if name == "-" else name)
        stream = sys.stdin.buffer if name == "-" else open(name, "rb")
        with stream:
            for place.line, line in enumerate(stream, 1):
                yield place, line if line.endswith(b"\n") else line + b"\n"


def write(lines):
    """Write lines, which have their ends, to standard output."""
    sys.stdout.buffer.writelines(lines)


def write_line(line):
    sys.stdout.buffer.write(line + b"\n")


def field_range(text):
    """A function from the number of fields to the range of those chosen by ``A-B``, ``A-``, ``-B``, ``A`` or "" (all).

    Raises OptionError.
    """
    found = re.fullmatch(r"(\d*)(?:([-:])(\d*))?", text)
    if not found or text in ("-", ":"):
        raise OptionError(f"-f expects fields such as 2, 2-, 2-4 or -3, got '{text}'")
    first = int(found[1] or 1) - 1
    last = None if not text else int(found[3]) if found[3] else None if found[2] else first + 1
    if first < 0:
        raise OptionError(f"-f counts fields from 1, got '{text}'")
    return lambda number: range(first, number if last is None else min(last, number))


def read_symbols(path):
    """Read a symbol table.

    Parameters
    ----------
    path : str

    Returns
    -------
    dict
        Symbol to number, both bytes.

    Raises
    ------
    DataError
        A line that is not ``<symbol> <number>``.
    """
    table = {}
    for place, line in read([path]):
        fields = line.split()
        if len(fields) != 2 or not re.fullmatch(rb"-?\d+", fields[1]):
            raise place.error(f"expected '<symbol> <number>', got '{show(line.rstrip())}'")
        table[fields[0]] = fields[1]
    return table
