"""PyTensor operations that place the sampler: `bayeslaw.kernels` with their gradients."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key

from bayeslaw import kernels

__all__ = ["gather", "place", "settle"]


# Compiled code is kept on disk under this key: other kernels must not find it.
_KERNELS = hashlib.sha256(inspect.getsource(kernels).encode()).hexdigest()


class _Kernel(Op):
    """An operation that is one kernel; its outputs are told by `out`."""

    __props__ = ()
    kernel: Any
    out: tuple[Any, ...]

    def make_node(self, *inputs: Any) -> Apply:
        tensors = [pt.as_tensor_variable(item) for item in inputs]
        return Apply(self, tensors, [kind() for kind in self.out])

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: Any) -> None:
        values = type(self).kernel(*(x if np.ndim(x) else x.item() for x in inputs))
        values = values if len(self.out) > 1 else [values]
        for output, value in zip(output_storage, values, strict=True):
            output[0] = np.asarray(value)


class _Placing(_Kernel):
    """Places of the shape of the first input, and the log determinant of their map."""

    gradient: type[_Kernel]
    n_data: int  # inputs at the end that are no variables

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [shapes[0], ()]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        n_variables = len(node.inputs) - self.n_data
        return [[True, True]] * n_variables + [[False, False]] * self.n_data

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        bars = [
            pt.zeros_like(output) if isinstance(bar.type, DisconnectedType) else bar
            for output, bar in zip(outputs, cotangents, strict=True)
        ]
        slopes: Any = self.gradient()(*inputs, *bars)
        return [*slopes, *(disconnected_type() for _ in range(self.n_data))]


class _Gradient(_Kernel):
    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return shapes[: len(self.out)]


class _PlaceGradient(_Gradient):
    kernel, out = kernels.place_gradient, (pt.dvector, pt.dmatrix, pt.dmatrix, pt.dvector)


class _Place(_Placing):
    kernel, out = kernels.place, (pt.dvector, pt.dscalar)
    gradient, n_data = _PlaceGradient, 2


class _SettleGradient(_Gradient):
    kernel, out = kernels.settle_gradient, (pt.dmatrix, pt.dmatrix, pt.dmatrix)


class _Settle(_Placing):
    kernel, out = kernels.settle, (pt.dmatrix, pt.dscalar)
    gradient, n_data = _SettleGradient, 2


class _Gather(_Kernel):
    kernel, out = kernels.gather, (pt.dmatrix,)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [(shapes[2][0], shapes[1][1])]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True], [False], [False]]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        effects, *where = inputs
        return [_Scatter()(effects, *cotangents, *where), disconnected_type(), disconnected_type()]


class _Scatter(_Kernel):
    kernel, out = kernels.scatter, (pt.dvector,)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [shapes[0]]


def _key(op: Op) -> str:
    return f"{type(op).__name__}-{_KERNELS}"


@register_funcify_and_cache_key(_Place)
def _numba_place(op: _Place, **_: Any) -> tuple[Any, str]:
    @numba_basic.numba_njit
    def place(z, weight, residual, scale, codes, bounds):
        effects, log_det = kernels.place(z, weight, residual, scale, codes, bounds)
        return effects, np.asarray(log_det)

    return place, _key(op)


@register_funcify_and_cache_key(_PlaceGradient)
def _numba_place_gradient(op: _PlaceGradient, **_: Any) -> tuple[Any, str]:
    @numba_basic.numba_njit
    def gradient(z, weight, residual, scale, codes, bounds, effects_bar, log_det_bar):
        return kernels.place_gradient(
            z, weight, residual, scale, codes, bounds, effects_bar, log_det_bar.item()
        )

    return gradient, _key(op)


@register_funcify_and_cache_key(_Settle)
def _numba_settle(op: _Settle, **_: Any) -> tuple[Any, str]:
    @numba_basic.numba_njit
    def settle(z, expected, spread, mode, precision):
        deviations, log_det = kernels.settle(z, expected, spread, mode, precision)
        return deviations, np.asarray(log_det)

    return settle, _key(op)


@register_funcify_and_cache_key(_SettleGradient)
def _numba_settle_gradient(op: _SettleGradient, **_: Any) -> tuple[Any, str]:
    @numba_basic.numba_njit
    def gradient(z, expected, spread, mode, precision, out_bar, log_det_bar):
        return kernels.settle_gradient(
            z, expected, spread, mode, precision, out_bar, log_det_bar.item()
        )

    return gradient, _key(op)


@register_funcify_and_cache_key(_Gather)
def _numba_gather(op: _Gather, **_: Any) -> tuple[Any, str]:
    return kernels.gather, _key(op)


@register_funcify_and_cache_key(_Scatter)
def _numba_scatter(op: _Scatter, **_: Any) -> tuple[Any, str]:
    return kernels.scatter, _key(op)


def place(z: Any, weight: Any, residual: Any, scale: Any, codes: Any, bounds: Any) -> Any:
    """`bayeslaw.kernels.place` in a graph: standardised effects and a log determinant."""
    return _Place()(z, weight, residual, scale, codes, bounds)


def settle(z: Any, expected: Any, spread: Any, mode: Any, precision: Any) -> Any:
    """`bayeslaw.kernels.settle` in a graph: deviations of the curves and a log determinant."""
    return _Settle()(z, expected, spread, mode, precision)


def gather(effects: Any, codes: Any, bounds: Any) -> Any:
    """`bayeslaw.kernels.gather` in a graph: summed effects, shape (parameters, curves)."""
    return _Gather()(effects, codes, bounds)
