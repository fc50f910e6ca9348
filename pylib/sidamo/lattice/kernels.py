"""Loops over arcs, written once: run by Python on little work, compiled by numba once there is much of it.

Importing numba and loading a compiled loop costs about half a second, more than a small archive is worth. Where numba
is there already, as in the decoder, loading costs milliseconds.
"""

import functools
import sys

COMPILE_AFTER = 3_000_000  # steps of Python loops: about half a second, what numba's import costs
COMPILE_AFTER_WITH_NUMBA = 20_000  # steps that take as long as loading one loop
_work = 0


def numba_is_loaded() -> bool:
    """Whether another part of this program has paid for numba's import."""
    return "numba" in sys.modules


def compile_function(function, **options):
    """numba's form of a function: kept on disk where there is a place for it, without the interpreter's lock."""
    import numba

    try:
        return numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # no folder to keep it in can be written
        return numba.njit(nogil=True, **options)(function)


def announce(*compiled) -> None:
    """Say so where numba has no compiled form of a function on disk yet: the user is about to wait."""
    import os

    from sidamo.io import log

    for function in compiled:
        index = getattr(getattr(function._cache, "_cache_file", None), "_index_path", "")
        name = function.py_func.__name__.lstrip("_")
        if not index:
            log.info(f"compiling {name} anew: no folder to keep it in can be written (NUMBA_CACHE_DIR names one)")
        elif not os.path.exists(index):
            log.info(f"compiling {name} once; kept in {os.path.dirname(index)}")


def kernel(function):
    """Decorator: `f(*arrays, steps=n)` counts the steps of all kernels and compiles once these are worth it."""
    compiled = None

    @functools.wraps(function)
    def call(*args, steps: int):
        global _work
        nonlocal compiled
        if compiled is not None:
            return compiled(*args)
        _work += steps
        if _work < (COMPILE_AFTER_WITH_NUMBA if numba_is_loaded() else COMPILE_AFTER):
            return function(*args)
        compiled = compile_function(function)
        announce(compiled)
        return compiled(*args)

    call.python = function
    return call
