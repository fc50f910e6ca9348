"""Kernels compiled by numba into object files that need nothing of numba when they are loaded (see sidamo.io.native).

Imported only when something has to be compiled.
"""

from __future__ import annotations

import ctypes
import re

import numba
from numba.core import types
from numba.core.registry import cpu_target
from numba.core.runtime import nrtdynmod
from numba.extending import typeof_impl

from sidamo.io.native import SCALARS, Intrinsic, Kernel, _binding

# What numba's runtime does for arrays that a kernel makes, in terms of the C library. An array's owner is a record
# {references, destructor, its argument, data, size} with the data behind it, aligned.
HEAP = """
target triple = "{triple}"
target datalayout = "{layout}"
declare ptr @malloc(i64)
declare void @free(ptr)

define linkonce_odr ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 %alignment) {{
    %align = zext i32 %alignment to i64
    %room = add i64 %align, 48
    %total = add i64 %room, %size
    %owner = call ptr @malloc(i64 %total)
    %failed = icmp eq ptr %owner, null
    br i1 %failed, label %end, label %fill
fill:
    %begin = ptrtoint ptr %owner to i64
    %first = add i64 %begin, 47
    %past = add i64 %first, %align
    %misfit = urem i64 %past, %align
    %aligned = sub i64 %past, %misfit
    %data = inttoptr i64 %aligned to ptr
    %place = getelementptr {{i64, ptr, ptr, ptr, i64}}, ptr %owner, i32 0, i32 3
    %place_of_size = getelementptr {{i64, ptr, ptr, ptr, i64}}, ptr %owner, i32 0, i32 4
    store i64 1, ptr %owner
    store ptr %data, ptr %place
    store i64 %size, ptr %place_of_size
    br label %end
end:
    ret ptr %owner
}}

define linkonce_odr ptr @NRT_MemInfo_alloc_safe_aligned(i64 %size, i32 %alignment) {{
    %owner = call ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 %alignment)
    ret ptr %owner
}}

define linkonce_odr void @NRT_MemInfo_call_dtor(ptr %owner) {{
    call void @free(ptr %owner)
    ret void
}}
"""
OWNER = "{i64, i8*, i8*, i8*, i64}"  # as above; numba's own must look the same


@typeof_impl.register(Kernel)
def _type_of_kernel(kernel, context):
    """A kernel inside of a kernel is numba's function."""
    if not hasattr(kernel, "_callee"):
        kernel._callee = dispatcher_of(kernel, for_python=False)
    return typeof_impl(kernel._callee, context)


@typeof_impl.register(Intrinsic)
def _type_of_intrinsic(intrinsic, context):
    made = intrinsic.make()
    cpu_target.typing_context.refresh()
    return cpu_target.typing_context.resolve_value_type(made)


def dispatcher_of(kernel: Kernel, for_python: bool = True):
    """numba's form of a kernel; without the wrapper that Python would call, compiling takes less time."""
    wrappers = {"no_cpython_wrapper": not for_python, "no_cfunc_wrapper": not for_python}
    return numba.njit(**kernel.options, **wrappers)(kernel.py_func)


def build(kernel: Kernel, args: tuple) -> tuple[dict, bytes]:
    """Compile a kernel for the types of these arguments.

    Returns
    -------
    description : dict, "symbol" (the function's name in the object file) and "returns" (see native.c_type_of)
    machine_code : bytes, an object file that refers to the C library alone

    Raises
    ------
    TypeError : arguments or results that native.Form cannot pass
    RuntimeError : the code needs a part of numba at run time
    """
    dispatcher = dispatcher_of(kernel, for_python=False)
    dispatcher.compile(tuple(map(numba.typeof, args)))
    compiled = next(iter(dispatcher.overloads.values()))
    description = {
        "symbol": compiled.fndesc.llvm_func_name,
        "returns": describe(compiled.signature.return_type),
    }
    library = compiled.library
    module = _binding().parse_bitcode(library._final_module.as_bitcode())
    if "NRT_MemInfo" in str(module):
        if str(nrtdynmod._meminfo_struct_type).replace("ptr", "i8*") != OWNER:
            raise RuntimeError("numba keeps arrays in another way than this module knows")
        module.link_in(_binding().parse_assembly(HEAP.format(triple=module.triple, layout=module.data_layout)))
    check_symbols(module)
    return description, library.codegen._tm.emit_object(module)


def describe(kind):
    """A result's type as native.c_type_of reads it."""
    kind = types.unliteral(kind)
    if kind == types.none:
        return None
    if isinstance(kind, types.Array):
        dtype = numba.np.numpy_support.as_dtype(kind.dtype)
        return [dtype.str, kind.ndim]
    if isinstance(kind, types.BaseTuple):
        return {"tuple": [describe(one) for one in kind]}
    name = numba.np.numpy_support.as_dtype(kind).str[1:]
    if name not in SCALARS.values():
        raise TypeError(f"a result of type {kind}")
    return name


def check_symbols(module) -> None:
    """Raise RuntimeError where code refers to what only numba provides: the loader would end the process."""
    text = str(module)
    for function in module.functions:
        name = function.name
        if not function.is_declaration or name.startswith("llvm."):
            continue
        used = len(re.findall(rf'@"?{re.escape(name)}"?\(', text)) > 1
        if used and (name.startswith(("NRT_", "numba_", "Py")) or not hasattr(ctypes.CDLL(None), name)):
            raise RuntimeError(f"needs {name}")
