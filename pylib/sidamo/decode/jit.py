"""How kernels are compiled: once, to a cache on disk, without the interpreter lock."""

from __future__ import annotations

import functools
import pathlib
import sys

# error_model "numpy": no test for division by zero; nogil: threads decode side by side (--num-threads).
JIT = {"cache": True, "nogil": True, "error_model": "numpy", "boundscheck": False}


def load_without_blas() -> None:
    """Load numba's array functions without their search for a BLAS, which only np.convolve and np.correlate need.

    The search imports scipy.linalg: a sixth of the time that a decoder takes to start.
    """
    if "numba.np.arraymath" in sys.modules:
        return
    name = "scipy.linalg.cython_blas"
    before = {name: sys.modules[name]} if name in sys.modules else {}
    sys.modules[name] = None  # an import of it fails at once
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        del sys.modules[name]
        sys.modules.update(before)


@functools.cache
def prepare(module: str, seconds: int, uses: tuple[str, ...] = ()) -> None:
    """To be called before a module of kernels is imported: say so if it is about to be compiled.

    Numba looks only at the file that a kernel stands in; here a cache that is older than a module whose kernels are
    used in it is dropped too.

    Parameters
    ----------
    module : name of a module of this package
    seconds : about how long compiling takes
    uses : other modules of this package whose kernels it calls
    """
    from numba.core import config

    load_without_blas()
    here = pathlib.Path(__file__).parent
    folder = pathlib.Path(config.CACHE_DIR) if config.CACHE_DIR else here / "__pycache__"
    youngest = max((here / f"{name}.py").stat().st_mtime for name in (module, *uses))
    compiled = False
    for index in folder.rglob(f"{module}.*.nbi"):
        try:
            if index.stat().st_mtime >= youngest:
                compiled = True
            else:
                index.unlink()
        except FileNotFoundError:  # another job was faster
            pass
    if not compiled:
        print(f"LOG (sidamo.decode:{module}) first run: compiling the decoder for this machine (about {seconds} s, "
              "kept for later runs)", file=sys.stderr, flush=True)  # fmt: skip
