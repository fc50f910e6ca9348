"""How kernels are compiled: once, to a cache on disk, without the interpreter lock."""

from __future__ import annotations

import functools
import pathlib
import sys

# error_model "numpy": no test for division by zero; nogil: threads decode side by side (--num-threads).
JIT = {"cache": True, "nogil": True, "error_model": "numpy", "boundscheck": False}


@functools.cache
def announce_compilation(module_file: str, seconds: int) -> None:
    """Say on stderr that the kernels of a module are about to be compiled, unless their cache is there.

    Parameters
    ----------
    module_file : the __file__ of the module whose kernels are used
    seconds : about how long compiling takes
    """
    module = pathlib.Path(module_file)
    from numba.core import config

    folders = [pathlib.Path(config.CACHE_DIR)] if config.CACHE_DIR else [module.parent / "__pycache__"]
    source_time = module.stat().st_mtime
    for folder in folders:
        indices = folder.rglob(f"{module.stem}.*.nbi")
        if any(index.stat().st_mtime >= source_time for index in indices):
            return
    print(f"LOG (sidamo.decode:{module.stem}) first run: compiling the decoder for this machine "
          f"(about {seconds} s, kept for later runs)", file=sys.stderr, flush=True)  # fmt: skip
