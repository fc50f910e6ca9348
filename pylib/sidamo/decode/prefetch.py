"""Ask the processor for memory before it is used: a graph is far larger than the caches."""

from __future__ import annotations

from sidamo.io.native import Intrinsic


def make_prefetch():
    """prefetch(array, index): the cache line of item `index`, counted in C order over all dimensions, for reading."""
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    def prefetch(typing_context, array, index):
        def generate(context, builder, signature, arguments):
            struct = context.make_array(signature.args[0])(context, builder, arguments[0])
            item = builder.gep(struct.data, [arguments[1]])
            i32 = ir.IntType(32)
            pointer = builder.bitcast(item, ir.IntType(8).as_pointer())
            kind = ir.FunctionType(ir.VoidType(), [pointer.type, i32, i32, i32])
            function = builder.module.globals.get("llvm.prefetch.p0")
            if function is None:
                function = ir.Function(builder.module, kind, "llvm.prefetch.p0")
            # For reading (0), to be used again (3), data and not instructions (1).
            builder.call(function, [pointer, i32(0), i32(3), i32(1)])
            return context.get_dummy_value()

        return types.void(array, types.intp), generate

    return intrinsic(prefetch)


prefetch = Intrinsic(make_prefetch)
