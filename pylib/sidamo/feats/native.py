"""Compiled kernels without the compiler: machine code that numba made once, loaded by llvmlite alone.

Importing numba and unpickling its cache takes 0.3 s, as long as ten minutes of audio; loading object code takes 0.05 s.
The code lies in __pycache__ beside this file (or in the user's cache folder), under a name that depends on the kernels'
source, the versions of numba and llvmlite and the processor. It is checked against plain numpy before it is kept.
"""

import ctypes
import json
import os
import zlib

import numpy as np

from sidamo.feats import kernels
from sidamo.io.log import vlog

_engine = None  # owns the machine code


def cache_folders() -> list:
    """Where compiled code may lie, the preferred folder first."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return [os.path.join(os.path.dirname(os.path.abspath(__file__)), "__pycache__"), os.path.join(home, "sidamo")]


def cache_name() -> str:
    """File name that changes with everything the machine code depends on."""
    import llvmlite
    from llvmlite import binding

    with open(kernels.__file__, "rb") as source:
        parts = [source.read(), llvmlite.__version__.encode(), binding.get_host_cpu_name().encode()]
    parts.append(binding.get_host_cpu_features().flatten().encode())
    with open(__file__, "rb") as source:
        parts.append(source.read())
    text = b"|".join(parts)  # two checksums: hashlib would have to load OpenSSL
    return f"kernels-{zlib.crc32(text):08x}{zlib.adler32(text):08x}.bin"


def build() -> bytes:
    """Compile all kernels with numba: a line of JSON ([[name, symbol, bytes], ...]), then the object files."""
    import numba

    entries, objects = [], []
    for name, signature in kernels.SIGNATURES.items():
        jit = numba.njit(signature, nogil=True, error_model="numpy", fastmath=name in kernels.FASTMATH,
                         no_cpython_wrapper=True, no_cfunc_wrapper=True)  # fmt: skip
        compiled = next(iter(jit(getattr(kernels, name)).overloads.values()))
        code = compiled.library.codegen._tm.emit_object(compiled.library._final_module)
        entries.append([name, compiled.fndesc.llvm_func_name, len(code)])
        objects.append(code)
    return json.dumps(entries).encode() + b"\n" + b"".join(objects)


def link(code: bytes) -> dict:
    """Machine code to a dict of C functions."""
    global _engine
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    header, _, objects = code.partition(b"\n")
    entries = json.loads(header)
    for _, _, size in entries:
        engine.add_object_file(binding.ObjectFileRef.from_data(objects[:size]))
        objects = objects[size:]
    engine.finalize_object()
    _engine = engine
    return {name: ctypes.CFUNCTYPE(ctypes.c_int32)(engine.get_function_address(symbol)) for name, symbol, _ in entries}


def bind(function, *args):
    """A call of a C function with fixed arguments: the same arrays again and again, whatever they hold.

    The calling convention is numba's: places for the result and for an exception, then each array as (owner, parent,
    number of items, bytes of an item, data, shape, strides).
    """
    place = (ctypes.c_void_p * 2)()
    flat = [ctypes.c_void_p(ctypes.addressof(place)), ctypes.c_void_p(ctypes.addressof(place) + 8)]
    for arg in args:
        if isinstance(arg, np.ndarray):
            flat += [ctypes.c_void_p(None)] * 2 + [ctypes.c_int64(arg.size), ctypes.c_int64(arg.itemsize)]
            flat.append(ctypes.c_void_p(arg.ctypes.data))
            flat += [ctypes.c_int64(number) for number in (*arg.shape, *arg.strides)]
        elif isinstance(arg, bool):
            flat.append(ctypes.c_uint8(arg))
        elif isinstance(arg, int):
            flat.append(ctypes.c_int64(arg))
        else:
            flat.append(ctypes.c_float(arg))

    def call(function=function, flat=tuple(flat), keep=(place, args)):  # the arrays must live as long as the call
        function(*flat)

    return call


def is_right(functions: dict) -> bool:
    """Whether the code computes what numpy does: means of LANES frames of noise."""
    signal = np.random.default_rng(0).standard_normal(kernels.LANES * 10 + 15).astype(np.float32)
    mean = np.zeros(kernels.LANES, dtype=np.float32)
    bind(functions["frame_means"], signal, 10, 25, mean)()
    frames = np.lib.stride_tricks.sliding_window_view(signal, 25)[::10][: kernels.LANES]
    return bool(np.allclose(mean, frames.mean(axis=1), atol=1e-5))


def load():
    """The kernels as C functions, compiled now if they have never been; None where there is no working compiler."""
    try:
        name = cache_name()
        return load_kept(name) or compile_and_keep(name)
    except Exception as error:  # whatever it is, numpy does the work without them
        vlog(1, f"no compiled kernels, plain numpy instead: {type(error).__name__}: {error}")
        return None


def load_kept(name: str):
    """The kernels from the cache, or None where it has none that work."""
    for folder in cache_folders():
        path = os.path.join(folder, name)
        if os.path.exists(path):
            try:
                with open(path, "rb") as stream:
                    return link(stream.read())
            except (ValueError, RuntimeError, OSError):  # a damaged file: it is made again
                continue
    return None


def compile_and_keep(name: str) -> dict:
    """The kernels, compiled and checked. Raises RuntimeError where they compute something else."""
    code = build()
    functions = link(code)
    if not is_right(functions):
        raise RuntimeError("the compiled kernels compute something else")
    keep(code, name)
    return functions


def keep(code: bytes, name: str) -> None:
    """Write the code to the first folder that takes it, complete or not at all."""
    for folder in cache_folders():
        temporary = os.path.join(folder, f"{name}.{os.getpid()}")
        try:
            os.makedirs(folder, exist_ok=True)
            with open(temporary, "wb") as out:
                out.write(code)
            os.replace(temporary, os.path.join(folder, name))
            return
        except OSError:
            continue
