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


def _emit(kind: str, message: object, function: str, file: str, line: int) -> None:
    text = f"{kind} ({_state['program']}[sidamo]:{function}():{os.path.basename(file)}:{line}) {message}\n"
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):  # a closed stderr must not stop the work
        pass


def _emit_here(kind: str, message: object) -> None:
    """Emits with the place that called the public function."""
    frame = sys._getframe(2)
    _emit(kind, message, frame.f_code.co_name, frame.f_code.co_filename, frame.f_lineno)


def warn(message: object) -> None:
    """Something is wrong but the work goes on."""
    _emit_here("WARNING", message)


def info(message: object) -> None:
    """Progress and summaries."""
    _emit_here("LOG", message)


def error(message: object) -> None:
    """The reason why the tool stops. An exception is shown with the place that raised it."""
    trace = getattr(message, "__traceback__", None)
    if trace is None:
        _emit_here("ERROR", message)
        return
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    _emit("ERROR", message, code.co_name, code.co_filename, trace.tb_lineno)


def verbosity() -> int:
    """What set_verbose was given last."""
    return _state["verbose"]


def vlog(level: int, message: object) -> None:
    """A detail, shown only with --verbose=level or more."""
    if level <= _state["verbose"]:
        _emit_here(f"VLOG[{level}]", message)
