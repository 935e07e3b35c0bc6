"""Calls by address: of the stages by the entry points, and of printed functions by the stages.

An address that arrives at run time is not part of the caller's machine code, so a new law compiles
nothing but the law.
"""

# Numba's types and intrinsics have no annotations.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from bayeslaw._kernels.jit import kernel

__all__ = ["apply", "apply_by_curve", "call_stage", "integers_at", "reals_at"]


def _pointer(element: Any) -> Any:
    """A function in compiled code from an address to a pointer to elements of a type."""

    @intrinsic
    def pointer(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(element)(types.int64), generate

    return pointer


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
