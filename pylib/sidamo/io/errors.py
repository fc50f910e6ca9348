"""Errors that name the place, what was found, what was expected, and the command that mends it."""


class SidamoError(Exception):
    """Base of all errors that a user can act on; a tool prints the message and exits with `exit_status`."""

    exit_status = 255


class OptionError(SidamoError):
    """A bad option name or value."""


class UsageError(SidamoError):
    """The wrong number of arguments; the message is the usage text (Kaldi exits with 1)."""

    exit_status = 1


class CheckFailed(SidamoError):
    """A condition that Kaldi asserts (its binaries abort with status 134)."""

    exit_status = 134


class DataError(SidamoError):
    """Data that cannot be used.

    Parameters
    ----------
    message : str
        What was found and what was expected.
    file, line, key, offset : optional
        Where: file name (or rxfilename), 1-based line, table key, byte offset.
    mend : str, optional
        What the user can do, best a command.
    """

    def __init__(self, message, *, file=None, line=None, key=None, offset=None, mend=None):
        super().__init__(message)
        self.message = message
        self.file, self.line, self.key, self.offset, self.mend = file, line, key, offset, mend

    def locate(self, **place):
        """Fill in the parts of the place (`file=`, `line=`, `key=`, `offset=`) that are not yet known; returns self."""
        for name, value in place.items():
            if getattr(self, name) is None:
                setattr(self, name, value)
        return self

    def __str__(self):
        place = str(self.file) if self.file is not None else ""
        if self.line is not None:
            place += f":{self.line}"
        details = []
        if self.key is not None:
            details.append(f"key {self.key}")
        if self.offset is not None:
            details.append(f"byte {self.offset}")
        if details:
            place += (" " if place else "") + "(" + ", ".join(details) + ")"
        text = f"{place}: {self.message}" if place else self.message
        return f"{text}\n  to mend: {self.mend}" if self.mend else text
