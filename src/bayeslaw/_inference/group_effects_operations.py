"""PyTensor operations of the group effects: `bayeslaw.kernels` with their gradients."""

from __future__ import annotations

from typing import Any

import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply

from bayeslaw._inference.kernel_operation import Adjoint, KernelOp, WithAdjoint
from bayeslaw._kernels import group_effects as kernels

__all__ = ["gather_effects", "place"]


class _PlaceGradient(Adjoint):
    kernel, out = kernels.place_gradient, (pt.dvector, pt.dmatrix, pt.dmatrix, pt.dvector)


class _Place(WithAdjoint):
    kernel, out, adjoint = kernels.place, (pt.dvector, pt.dscalar), _PlaceGradient

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [shapes[0], ()]


class _Gather(KernelOp):
    kernel, out = kernels.gather_effects, (pt.dmatrix,)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [(shapes[2][0], shapes[1][1])]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True], [False], [False]]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        effects, *where = inputs
        return [_Scatter()(effects, *cotangents, *where), disconnected_type(), disconnected_type()]


class _Scatter(Adjoint):
    kernel, out = kernels.scatter_effects, (pt.dvector,)


def place(z: Any, weight: Any, residual: Any, scale: Any, codes: Any, bounds: Any) -> Any:
    """`bayeslaw._kernels.group_effects.place` in a graph: standardised effects and a log determinant."""
    return _Place()(z, weight, residual, scale, codes, bounds)


def gather_effects(effects: Any, codes: Any, bounds: Any) -> Any:
    """`bayeslaw._kernels.group_effects.gather_effects` in a graph: summed effects, shape (parameters, curves)."""
    return _Gather()(effects, codes, bounds)
