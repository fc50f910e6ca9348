"""Kaldi-like log lines on stderr: `WARNING (tool[sidamo]:function():file.py:12) message`."""

import os
import sys

_state = {"program": os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "python", "verbose": 0}


def set_program(name: str) -> None:
    """Name that every line carries from now on."""
    _state["program"] = name


def program() -> str:
    """Name of the running tool."""
    return _state["program"]


def set_verbose(level: int) -> None:
    """Messages of `vlog` up to this level are shown (option --verbose)."""
    _state["verbose"] = level


def _emit(kind: str, message: object, depth: int = 2) -> None:
    frame = sys._getframe(depth)
    code = frame.f_code
    place = f"{code.co_name}():{os.path.basename(code.co_filename)}:{frame.f_lineno}"
    line = f"{kind} ({_state['program']}[sidamo]:{place}) {message}\n"
    try:
        sys.stderr.write(line)
        sys.stderr.flush()
    except (OSError, ValueError):  # a closed stderr must not stop the work
        pass


def warn(message: object) -> None:
    """Something is wrong but the work goes on."""
    _emit("WARNING", message)


def info(message: object) -> None:
    """Progress and summaries."""
    _emit("LOG", message)


def error(message: object) -> None:
    """The reason why the tool stops; raise an exception instead where there is one."""
    _emit("ERROR", message)


def vlog(level: int, message: object) -> None:
    """A detail, shown only with --verbose=level or more."""
    if level <= _state["verbose"]:
        _emit(f"VLOG[{level}]", message)
