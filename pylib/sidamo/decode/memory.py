"""How the kernels touch memory: words of records without a test for negative indices, and cache lines asked for ahead.

A record is a row of a C-contiguous (n, width) int32 array; a field of it is item `width * row + field`, an integer or
the bits of a float32. Numba's own indexing makes -1 mean the last item, which costs three instructions at each access.
"""

from __future__ import annotations

from sidamo.io.native import Intrinsic


def make_word():
    """word(array, index): item `index` of an array of 32 bits an item, counted in C order over all dimensions."""
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    def word(typing_context, array, index):
        def generate(context, builder, signature, arguments):
            value = builder.load(_place(context, builder, signature, arguments, ir.IntType(32)))
            return builder.sext(value, ir.IntType(64))

        return types.int64(array, types.intp), generate

    return intrinsic(word)


def _place(context, builder, signature, arguments, kind):
    """Pointer to item arguments[1] of the array arguments[0]."""
    struct = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(struct.data, [arguments[1]], inbounds=True), kind.as_pointer())


def make_real():
    """real(array, index): the same item, its bits taken as a float32."""
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    def real(typing_context, array, index):
        def generate(context, builder, signature, arguments):
            return builder.load(_place(context, builder, signature, arguments, ir.FloatType()))

        return types.float32(array, types.intp), generate

    return intrinsic(real)


def make_put():
    """put(array, index, value): write an integer into item `index` of an int32 array."""
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    def put(typing_context, array, index, value):
        def generate(context, builder, signature, arguments):
            value = builder.trunc(arguments[2], ir.IntType(32))
            builder.store(value, _place(context, builder, signature, arguments, ir.IntType(32)))
            return context.get_dummy_value()

        return types.void(array, types.intp, types.int64), generate

    return intrinsic(put)


def make_put_real():
    """put_real(array, index, value): write the bits of a float32 into item `index`."""
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    def put_real(typing_context, array, index, value):
        def generate(context, builder, signature, arguments):
            builder.store(arguments[2], _place(context, builder, signature, arguments, ir.FloatType()))
            return context.get_dummy_value()

        return types.void(array, types.intp, types.float32), generate

    return intrinsic(put_real)


def make_prefetch():
    """prefetch(array, index): the cache line of item `index`, for reading soon."""
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    def prefetch(typing_context, array, index):
        def generate(context, builder, signature, arguments):
            i32 = ir.IntType(32)
            place = _place(context, builder, signature, arguments, ir.IntType(8))
            kind = ir.FunctionType(ir.VoidType(), [place.type, i32, i32, i32])
            function = builder.module.globals.get("llvm.prefetch.p0")
            if function is None:
                function = ir.Function(builder.module, kind, "llvm.prefetch.p0")
            # For reading (0), to be used again (3), data and not instructions (1).
            builder.call(function, [place, i32(0), i32(3), i32(1)])
            return context.get_dummy_value()

        return types.void(array, types.intp), generate

    return intrinsic(prefetch)


word, real, put = Intrinsic(make_word), Intrinsic(make_real), Intrinsic(make_put)
put_real, prefetch = Intrinsic(make_put_real), Intrinsic(make_prefetch)
