"""One thin command line per tool: parse, loop over utterances, count.

`sidamo.bin.compute_wer:main` is the console script `compute-wer`. Each tool is a function `main(argv=None) -> int`
under `@tool`.
"""

import contextlib
import functools
import os
import signal
import sys

# Jobs are parallel by processes (run.py JOB=1:n): one thread each, before numpy starts a pool of them.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


def tool(main):
    """Decorator of a tool's main: Kaldi's log lines and exit statuses around it (see `run_tool`)."""

    @functools.wraps(main)
    def wrapped(argv=None):
        return run_tool(main, argv)

    return wrapped


def run_tool(main, argv=None) -> int:
    """Runs main(argv) and returns the exit status.

    Statuses as in Kaldi: 255 for an error (DataError, OptionError, a defect of ours), 1 for a wrong call, 134 where
    Kaldi asserts; 141 when the reader of our output has gone, 130 on an interrupt, 143 on SIGTERM (what was half
    written is removed). The message goes to stderr as `ERROR (tool[sidamo]:function():file:line) message`.
    """
    from sidamo.io import log
    from sidamo.io.errors import SidamoError, UsageError

    log.set_program(_tool_name(main))
    try:
        with _exit_on_sigterm():
            status = main(argv)
        sys.stdout.flush()
        return 0 if status is None else int(status)
    except UsageError as e:
        print(e, file=sys.stderr)
        return e.exit_status
    except SidamoError as e:
        log.error(e)
        return e.exit_status
    except BrokenPipeError:
        _drop_stdout()
        return 141
    except KeyboardInterrupt:
        return 130
    except SystemExit as e:
        return e.code if isinstance(e.code, int) else 0 if e.code is None else 1
    except (OSError, MemoryError) as e:
        log.error(e if str(e) else MemoryError("out of memory").with_traceback(e.__traceback__))
        return 255
    except Exception as e:
        import traceback

        traceback.print_exc()
        log.error(RuntimeError(f"{type(e).__name__}: {e} (a defect of Sidamo)").with_traceback(e.__traceback__))
        return 255


def _tool_name(main):
    name = main.__module__.rpartition(".")[2]
    if name == "__main__":  # python -m sidamo.bin.copy_feats
        name = os.path.basename(sys.argv[0]).removesuffix(".py")
    return name.replace("_", "-")


@contextlib.contextmanager
def _exit_on_sigterm():
    """SIGTERM leaves through the `with` statements, so that temporary files go away."""

    def leave(*_):
        raise SystemExit(143)

    try:
        before = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # only the main thread may; others have nothing to leave
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _drop_stdout():
    """Points stdout at /dev/null, so that the interpreter's last flush does not complain."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError:
        pass
