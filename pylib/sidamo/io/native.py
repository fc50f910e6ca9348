"""Loops compiled to machine code, which later runs load without the compiler.

    @jit
    def total(values):
        ...

`total(array)` runs compiled. The first call ever compiles it with numba for the types of its arguments and keeps the
machine code on disk; from then on a process loads that with llvmlite alone, in 0.05 s: importing numba and reading its
own cache takes 0.3 s, longer than a short utterance takes to decode. Calls hold no interpreter lock.

What is kept lies in __pycache__ beside the kernel's file (or in the user's cache folder), under a name that depends on
the kernel, on all that it uses (other kernels, constants, wherever they stand), on the versions of Python, numba and
llvmlite, and on the processor. A checksum tells damaged files, which are made again. Whatever goes wrong, numba itself
does the work.

Arguments are numpy arrays and numbers; results are numbers, arrays, or a tuple of them. Kernels call each other freely.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import threading
import types
import zlib

import numpy as np

from sidamo.io import log

# Of numpy's and Python's numbers: the name of the type, which is numpy's too.
SCALARS = {
    int: "i8", np.int64: "i8", np.int32: "i4", np.uint64: "u8", np.uint32: "u4", float: "f8", np.float64: "f8",
    np.float32: "f4", bool: "b1", np.bool_: "b1",
}  # fmt: skip
C_TYPES = {
    "i8": ctypes.c_int64, "i4": ctypes.c_int32, "u8": ctypes.c_uint64, "u4": ctypes.c_uint32, "f8": ctypes.c_double,
    "f4": ctypes.c_float, "b1": ctypes.c_bool,
}  # fmt: skip
# numba's calling convention passes an array as owner, parent, items, bytes an item, data, shape, strides.
ARRAY_FIELDS = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_void_p]
# What it costs to load the first kernel of a process, and another one; and to start the compiler (compiling takes
# seconds, but once on a machine).
LOAD_SECONDS, LOAD_NEXT_SECONDS, COMPILE_SECONDS = 0.06, 0.003, 0.5
RETURNED, RETURNED_NONE = 0, -2  # statuses of numba's functions; others mean an exception
_compiling = threading.RLock()


def jit(function=None, **options):
    """Decorator that makes a Kernel; options are those of numba.njit (fastmath, forceinline, ...)."""
    if function is None:
        return functools.partial(jit, **options)
    return Kernel(function, options)


class Kernel:
    """A function that runs as machine code, one form of it for each combination of argument types.

    py_func : the Python function, to be run as it is
    """

    def __init__(self, function, options: dict):
        functools.update_wrapper(self, function)
        # No test for division by zero; no interpreter lock.
        self.py_func, self.options = function, {"nogil": True, "error_model": "numpy", **options}
        self._forms = {}

    def __call__(self, *args):
        return self._form(args)(*args)

    def bind(self, *args):
        """A call without arguments of the same arrays, again and again, whatever they hold; the result is dropped."""
        form = self._form(args)
        if not isinstance(form, Form):
            return lambda: form(*args)
        return form.bind(args)

    def pays(self, seconds: float) -> bool:
        """Whether to run compiled what Python would take, or has taken, so many seconds for."""
        load = LOAD_NEXT_SECONDS if "llvmlite" in sys.modules else LOAD_SECONDS
        return seconds >= COMPILE_SECONDS or (seconds >= load and self.is_kept())

    def is_kept(self) -> bool:
        """Whether a form is on disk or in memory: a call will hardly wait for the compiler."""
        begin, end = f"{_stem(self)}{machine_key()}-", f"-{_source_key(self)}.bin"
        names = (name for folder in _folders(self) if os.path.isdir(folder) for name in os.listdir(folder))
        return bool(self._forms) or any(name.startswith(begin) and name.endswith(end) for name in names)

    def _form(self, args):
        kinds = tuple(map(kind_of, args))
        form = self._forms.get(kinds)
        if form is None:
            with _compiling:
                form = self._forms[kinds] = self._forms.get(kinds) or self._load(kinds, args)
        return form

    def _load(self, kinds: tuple, args: tuple):
        """The form for such arguments: from disk, else compiled now, else numba's own."""
        if "?" in kinds:
            return self.dispatcher
        try:
            code = _find(self, kinds) or _compile(self, kinds, args)
            return Form(code, kinds)
        except Exception as error:  # numba then tells what is wrong, or works where only the keeping does not
            log.vlog(1, f"{self.__qualname__}: left to numba: {type(error).__name__}: {error}")
            return self.dispatcher

    @functools.cached_property
    def dispatcher(self):
        """numba's form of the function."""
        from sidamo.io.native_build import dispatcher_of

        return dispatcher_of(self)


class Intrinsic:
    """Something for numba's compiler (numba.extending.intrinsic) which is made only when a kernel is compiled."""

    def __init__(self, make):
        self.make = functools.cache(make)


def kind_of(arg) -> str:
    """Type of an argument, as far as machine code depends on it; "?" for what only numba can take."""
    if type(arg) is not np.ndarray:
        return SCALARS.get(type(arg), "?")
    if len(arg.dtype.str) != 3:  # complex numbers, records, text
        return "?"
    flags = arg.flags
    order = "C" if flags.c_contiguous else "F" if flags.f_contiguous else "A"
    return f"{arg.dtype.str}{arg.ndim}{order}{'' if flags.writeable else 'r'}"


# --------------------------------------------------------------------------------------------------------- calling code


class Form:
    """Machine code of a kernel for one combination of argument types, as a C function.

    code : (description, object file); the description holds the symbol's name and the type of the result
    """

    def __init__(self, code: tuple, kinds: tuple):
        description, machine_code = code
        self._engine, address = link(machine_code, description["symbol"])
        self._returns = description["returns"]
        self._result_type = c_type_of(self._returns)
        flat = [ctypes.c_void_p, ctypes.c_void_p]
        for kind in kinds:
            if kind in C_TYPES:
                flat.append(C_TYPES[kind])
            else:
                flat += ARRAY_FIELDS + [ctypes.c_ssize_t] * 2 * int(kind[3])
        self._function = ctypes.CFUNCTYPE(ctypes.c_int32, *flat)(address)

    def __call__(self, *args):
        result, exception = self._result_type(), ctypes.c_void_p()
        status = self._function(ctypes.addressof(result), ctypes.addressof(exception), *flatten(args))
        if status not in (RETURNED, RETURNED_NONE):
            raise RuntimeError(f"a compiled loop stopped with numba's status {status} (out of memory?)")
        return to_python(result, self._returns)

    def bind(self, args: tuple):
        place = (ctypes.c_void_p * 8)()
        place_of_exception = ctypes.c_void_p()
        argtypes = self._function.argtypes
        values = (ctypes.addressof(place), ctypes.addressof(place_of_exception), *flatten(args))
        flat = tuple(kind(value) for kind, value in zip(argtypes, values, strict=True))

        def call(function=self._function, flat=flat, keep=(place, place_of_exception, args)):
            function(*flat)

        return call


def flatten(args: tuple) -> list:
    """Arguments as numba's calling convention passes them."""
    flat = []
    for arg in args:
        if type(arg) is np.ndarray:
            flat += None, None, arg.size, arg.itemsize, arg.__array_interface__["data"][0]
            flat += arg.shape
            flat += arg.strides
        else:
            flat.append(arg.item() if isinstance(arg, np.generic) else arg)
    return flat


def c_type_of(returns):
    """C type of a result: None, a number ("f4"), an array (["f4", dimensions]), or a tuple ({"tuple": [...]})."""
    if returns is None:
        return ctypes.c_void_p
    if isinstance(returns, str):
        return C_TYPES[returns]
    if isinstance(returns, list):
        fields = [*ARRAY_FIELDS, *[ctypes.c_ssize_t] * 2 * returns[1]]
    else:
        fields = [c_type_of(one) for one in returns["tuple"]]
    return type("Result", (ctypes.Structure,), {"_fields_": [(f"f{i}", kind) for i, kind in enumerate(fields)]})


def to_python(result, returns):
    """The value of a result (see c_type_of)."""
    if returns is None:
        return None
    if isinstance(returns, str):
        return getattr(result, "value", result)
    if isinstance(returns, list):
        return take_array(result, *returns)
    return tuple(to_python(getattr(result, f"f{i}"), one) for i, one in enumerate(returns["tuple"]))


def take_array(result, dtype: str, ndim: int) -> np.ndarray:
    """A copy of an array that a kernel made; what it lay in is freed."""
    shape = [getattr(result, f"f{5 + i}") for i in range(ndim)]
    strides = [getattr(result, f"f{5 + ndim + i}") for i in range(ndim)]
    if result.f2 == 0:
        array = np.empty(shape, dtype)
    else:
        extent = result.f3 + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        memory = (ctypes.c_char * extent).from_address(result.f4)
        array = np.ndarray(shape, dtype, memory, strides=strides).copy()
    if result.f0:
        references = ctypes.c_size_t.from_address(result.f0)
        references.value -= 1
        if references.value == 0:
            _process().free(ctypes.c_void_p(result.f0))
    return array


@functools.cache
def _process():
    return ctypes.CDLL(None)


@functools.cache
def _binding():
    """llvmlite, ready to load code for this processor."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


def link(machine_code: bytes, symbol: str):
    """(what owns the code in memory, address of a function in it)."""
    binding = _binding()
    machine = binding.Target.from_default_triple().create_target_machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(machine_code))
    engine.finalize_object()
    return engine, engine.get_function_address(symbol)


# --------------------------------------------------------------------------------------------------------- keeping code


def user_cache() -> str:
    """The user's folder for what can be made again."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "sidamo")


def _folders(kernel: Kernel) -> list:
    """Where machine code may lie, the preferred folder first."""
    beside = os.path.join(os.path.dirname(os.path.abspath(kernel.py_func.__code__.co_filename)), "__pycache__")
    return [beside, user_cache()]


def checksum(data: bytes) -> str:
    """64 bits of two checksums: hashlib would have to load OpenSSL."""
    return f"{zlib.crc32(data):08x}{zlib.adler32(data):08x}"


@functools.cache
def machine_key() -> str:
    """Checksum of what machine code depends on besides the kernel: compiler and processor."""
    binding = _binding()
    import llvmlite

    parts = [sys.version, llvmlite.__version__, binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()]
    folder = os.path.dirname(os.path.abspath(__file__))
    numba_version = os.path.join(os.path.dirname(llvmlite.__file__), "..", "numba", "_version.py")
    for path in (__file__, os.path.join(folder, "native_build.py"), numba_version):
        if os.path.exists(path):
            with open(path, encoding="utf-8") as stream:
                parts.append(stream.read())
    return checksum("|".join(parts).encode())


def ingredients(function, seen: set):
    """All that the meaning of a function depends on, as bytes: its code, kernels that it calls, constants."""
    if function in seen:
        return
    seen.add(function)
    closure = [cell.cell_contents for cell in function.__closure__ or ()]
    codes, known = [function.__code__], function.__globals__
    for code in codes:
        yield code.co_code + repr((code.co_names, code.co_varnames, function.__defaults__)).encode()
        codes += (one for one in code.co_consts if isinstance(one, types.CodeType))
        yield repr([one for one in code.co_consts if not isinstance(one, types.CodeType)]).encode()
        for value in [*closure, *(known[name] for name in code.co_names if name in known)]:
            if isinstance(value, Kernel):
                yield repr(value.options).encode()
                yield from ingredients(value.py_func, seen)
            elif isinstance(value, Intrinsic):
                yield from ingredients(value.make.__wrapped__, seen)
            elif isinstance(value, np.ndarray):
                yield value.dtype.str.encode() + value.tobytes()
            elif isinstance(value, (bool, int, float, str, tuple, np.generic)):
                yield repr(value).encode()


def _stem(kernel: Kernel) -> str:
    return f"{kernel.__module__}.{kernel.__qualname__}-".replace("<locals>", "_")


def _source_key(kernel: Kernel) -> str:
    return checksum(b"|".join([repr(kernel.options).encode(), *ingredients(kernel.py_func, set())]))


def _names(kernel: Kernel, kinds: tuple) -> tuple[str, str]:
    """File name of a form: the part that stays when the kernel is edited, and the whole."""
    stem = f"{_stem(kernel)}{machine_key()}-{checksum(repr(kinds).encode())}-"
    return stem, f"{stem}{_source_key(kernel)}.bin"


def _find(kernel: Kernel, kinds: tuple):
    """(description, object file) kept for such arguments, or None where there is none in good order."""
    name = _names(kernel, kinds)[1]
    for folder in _folders(kernel):
        try:
            with open(os.path.join(folder, name), "rb") as stream:
                data = stream.read()
        except OSError:
            continue
        code = _unpack(data)
        if code is not None:
            return code
    return None


def _unpack(data: bytes):
    import json

    check, _, rest = data.partition(b"\n")
    if check.decode("ascii", "replace") != checksum(rest):
        return None
    description, _, machine_code = rest.partition(b"\n")
    return json.loads(description), machine_code


def _pack(description: dict, machine_code: bytes) -> bytes:
    import json

    rest = json.dumps(description).encode() + b"\n" + machine_code
    return checksum(rest).encode() + b"\n" + rest


def _compile(kernel: Kernel, kinds: tuple, args: tuple):
    """Compile for the types of these arguments, and keep the result."""
    _announce(kernel.__module__)
    from sidamo.io.native_build import build

    code = build(kernel, args)
    _keep(kernel, kinds, _pack(*code))
    return code


@functools.cache
def _announce(module: str) -> None:
    log.info(f"first run: compiling {module} for this machine (some seconds, kept for later runs)")


def _keep(kernel: Kernel, kinds: tuple, data: bytes) -> None:
    """Write to the first folder that takes it, complete or not at all; forms of an older source go."""
    stem, name = _names(kernel, kinds)
    for folder in _folders(kernel):
        temporary = os.path.join(folder, f"{name}.{os.getpid()}")
        try:
            os.makedirs(folder, exist_ok=True)
            with open(temporary, "wb") as out:
                out.write(data)
            os.replace(temporary, os.path.join(folder, name))
        except OSError:
            continue
        for other in os.listdir(folder):
            if other.startswith(stem) and other.endswith(".bin") and other != name:
                _forget(os.path.join(folder, other))
        return
    log.info(f"{kernel.__module__} could not be kept: no folder of {_folders(kernel)} can be written")


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:  # another job was faster
        pass
