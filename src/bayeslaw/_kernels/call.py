"""Calls by address: of the stages by the entry points, and of printed functions by the stages.

An address that arrives at run time is not part of the caller's machine code, so a new law compiles
nothing but the law.
"""

# Numba's types and intrinsics have no annotations.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from bayeslaw._kernels.jit import kernel

__all__ = [
    "ROW", "apply", "apply_by_curve", "arrays_in", "call_stage", "integers_at", "reals_at",
]  # fmt: skip

ROW = 4  # integers per argument of a stage: address or offset, and up to three lengths


def _pointer(element: Any) -> Any:
    """A function in compiled code from an address to a pointer to elements of a type."""

    @intrinsic
    def pointer(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(element)(types.int64), generate

    return pointer


def arrays_in(kinds: Sequence[Any]) -> Any:
    """A function in compiled code from the table of a stage's arguments to arrays of these types.

    A row of the table is the address of an array, or -1 - its offset in the scratch memory, and its
    lengths.
    """

    @intrinsic
    def arrays(typing_context: Any, table: Any, scratch: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            integer = ir.IntType(64)
            first = builder.inttoptr(values[0], integer.as_pointer())

            def number(row: int, column: int) -> Any:
                return builder.load(builder.gep(first, [integer(ROW * row + column)]))

            def array(row: int, kind: Any) -> Any:
                at, out = number(row, 0), context.make_array(kind)(context, builder)
                offset = builder.sub(builder.sub(values[1], integer(1)), at)
                is_offset = builder.icmp_signed("<", at, integer(0))
                address = builder.select(is_offset, offset, at)
                shape, strides = [number(row, 1 + d) for d in range(kind.ndim)], [integer(8)]
                for length in reversed(shape[1:]):
                    strides.insert(0, builder.mul(strides[0], length))
                data = builder.inttoptr(address, out.data.type)
                populate_array(out, data, shape, strides, integer(8), meminfo=None)
                return out._getvalue()

            arrays = [array(row, kind) for row, kind in enumerate(kinds)]
            return context.make_tuple(builder, signature.return_type, arrays)

        return types.Tuple(kinds)(types.int64, types.int64), generate

    return arrays


def _call(n_arguments: int) -> Any:
    """A function in compiled code that calls a C function of so many integers by its address."""

    @intrinsic
    def call(typing_context: Any, address: Any, arguments: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            integer = ir.IntType(64)
            function = ir.FunctionType(ir.VoidType(), [integer] * n_arguments).as_pointer()
            builder.call(
                builder.inttoptr(values[0], function), cgutils.unpack_tuple(builder, values[1])
            )
            return context.get_dummy_value()

        return types.void(types.int64, types.UniTuple(types.int64, n_arguments)), generate

    return call


reals_at, integers_at = _pointer(types.float64), _pointer(types.int64)
call_stage = _call(2)  # address; its arguments' table, scratch memory
_call_printed = _call(7)


@kernel
def apply_by_curve(address, curve, curve_values, data, state, out):
    """Apply a printed function to every column: of `data` and `state`, and of its curve's values.

    `curve` (columns,) indexes the columns of `curve_values`; the others are (rows, columns).
    """
    _call_printed(
        address,
        (
            out.shape[1], curve.ctypes.data, curve_values.ctypes.data, curve_values.shape[1],
            data.ctypes.data, state.ctypes.data, out.ctypes.data,
        ),
    )  # fmt: skip


@kernel
def apply(address, data, state, out):
    """Apply a printed function to every column of `data` and `state`, (rows, columns)."""
    _call_printed(
        address, (out.shape[1], 0, 0, 0, data.ctypes.data, state.ctypes.data, out.ctypes.data)
    )
