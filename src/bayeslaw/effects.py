"""PyTensor operations of the group effects: `bayeslaw.kernels` with their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply
from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key

from bayeslaw import kernels
from bayeslaw.kernel_op import KernelOp, cache_key

__all__ = ["gather", "place"]


class _Place(KernelOp):
    kernel, out = kernels.place, (pt.dvector, pt.dscalar)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [shapes[0], ()]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True, True]] * 4 + [[False, False]] * 2

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        bars = [
            pt.zeros_like(output) if isinstance(bar.type, DisconnectedType) else bar
            for output, bar in zip(outputs, cotangents, strict=True)
        ]
        slopes: Any = _PlaceGradient()(*inputs, *bars)
        return [*slopes, disconnected_type(), disconnected_type()]


class _PlaceGradient(KernelOp):
    kernel, out = kernels.place_gradient, (pt.dvector, pt.dmatrix, pt.dmatrix, pt.dvector)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return shapes[:4]


class _Gather(KernelOp):
    kernel, out = kernels.gather, (pt.dmatrix,)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [(shapes[2][0], shapes[1][1])]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True], [False], [False]]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        effects, *where = inputs
        return [_Scatter()(effects, *cotangents, *where), disconnected_type(), disconnected_type()]


class _Scatter(KernelOp):
    kernel, out = kernels.scatter, (pt.dvector,)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [shapes[0]]


@register_funcify_and_cache_key(_Place)
def _numba_place(op: _Place, **_: Any) -> tuple[Any, str]:
    @numba_basic.numba_njit
    def place(z, weight, residual, scale, codes, bounds):
        effects, log_det = kernels.place(z, weight, residual, scale, codes, bounds)
        return effects, np.asarray(log_det)

    return place, cache_key(op)


@register_funcify_and_cache_key(_PlaceGradient)
def _numba_place_gradient(op: _PlaceGradient, **_: Any) -> tuple[Any, str]:
    @numba_basic.numba_njit
    def gradient(z, weight, residual, scale, codes, bounds, effects_bar, log_det_bar):
        return kernels.place_gradient(
            z, weight, residual, scale, codes, bounds, effects_bar, log_det_bar.item()
        )

    return gradient, cache_key(op)


@register_funcify_and_cache_key(_Gather)
def _numba_gather(op: _Gather, **_: Any) -> tuple[Any, str]:
    return kernels.gather, cache_key(op)


@register_funcify_and_cache_key(_Scatter)
def _numba_scatter(op: _Scatter, **_: Any) -> tuple[Any, str]:
    return kernels.scatter, cache_key(op)


def place(z: Any, weight: Any, residual: Any, scale: Any, codes: Any, bounds: Any) -> Any:
    """`bayeslaw.kernels.place` in a graph: standardised effects and a log determinant."""
    return _Place()(z, weight, residual, scale, codes, bounds)


def gather(effects: Any, codes: Any, bounds: Any) -> Any:
    """`bayeslaw.kernels.gather` in a graph: summed effects, shape (parameters, curves)."""
    return _Gather()(effects, codes, bounds)
