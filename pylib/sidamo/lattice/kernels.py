"""Loops over arcs, written once: run by Python on little work, as machine code once there is much of it.

Loading compiled loops costs as long as Python takes for a small archive, and compiling them, once on a machine, some
seconds.
"""

import functools

from sidamo.io.native import jit

SECONDS_A_STEP = 1.7e-7  # of Python's loops
_seconds = 0.0  # that Python's loops have taken


def kernel(function):
    """Decorator: `f(*arrays, steps=n)` counts the steps of all kernels and runs compiled once that pays."""
    compiled = jit(function)
    ask_at = 0.0  # when the question is due again
    use = False

    @functools.wraps(function)
    def call(*args, steps: int):
        global _seconds
        nonlocal ask_at, use
        if not use:
            _seconds += steps * SECONDS_A_STEP
            if _seconds >= ask_at:
                use, ask_at = compiled.pays(_seconds), 1.2 * _seconds
        return (compiled if use else function)(*args)

    call.python = function
    return call
