"""Loops over arcs, written once: run by Python on little work, as machine code once there is much of it.

Loading compiled loops costs as long as Python takes for a small archive, and compiling them, once on a machine, some
seconds. Where the decoder has loaded its own already, another one costs milliseconds.
"""

import functools
import sys

from sidamo.io.native import jit

LOAD_AFTER = 300_000  # steps of Python loops: 0.06 s, what loading the first compiled loop costs
LOAD_NEXT_AFTER = 15_000  # 3 ms, what loading a further one costs
COMPILE_AFTER = 3_000_000  # half a second: there will be more of it, now and in later runs
_work = 0


def is_worth_it(kernel, work: int, load: int = LOAD_AFTER, load_next: int = LOAD_NEXT_AFTER, build: int = COMPILE_AFTER):
    """Whether to run a kernel's machine code, after so much work done without it.

    load, load_next : work from which loading pays, the first kernel of this process and a further one
    build : work from which compiling pays where that was never done
    """
    loaded = "llvmlite" in sys.modules
    return work >= build or (work >= (load_next if loaded else load) and kernel.is_kept())


def kernel(function):
    """Decorator: `f(*arrays, steps=n)` counts the steps of all kernels and loads or compiles once these are worth it."""
    compiled = jit(function)
    ask_at = 0  # how much work makes the question due again
    use = False

    @functools.wraps(function)
    def call(*args, steps: int):
        global _work
        nonlocal ask_at, use
        if not use:
            _work += steps
            if _work >= min(ask_at, COMPILE_AFTER):
                use, ask_at = is_worth_it(compiled, _work), 2 * _work
        return (compiled if use else function)(*args)

    call.python = function
    return call
