"""PyTensor operations of the discrepancy: densities of `walk` and `knots` with their gradients."""

from __future__ import annotations

from typing import Any

import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply

from bayeslaw._inference.kernel_operation import KernelOp
from bayeslaw._kernels import brownian as walk
from bayeslaw._kernels import knots

__all__ = ["knots_density", "walk_density"]


class _Density(KernelOp):
    """A log density of residual, variance and tau2, and of arrays that say where the runs are.

    Its gradients are further outputs: they cost little more than the density.
    """

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [(), *shapes[:3]]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True, False, False, False]] * 3 + [[False] * 4] * (len(node.inputs) - 3)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        slopes = [cotangents[0] * gradient for gradient in outputs[1:]]
        return [*slopes, *(disconnected_type() for _ in inputs[3:])]


class _Walk(_Density):
    kernel, out = walk.with_gradient, (pt.dscalar, pt.dvector, pt.dvector, pt.dvector)


class _Knots(_Density):
    kernel, out = knots.with_gradient, (pt.dscalar, pt.dvector, pt.dvector, pt.dmatrix)


def walk_density(residual: Any, variance: Any, tau2: Any, *where: Any) -> Any:
    """`bayeslaw._kernels.brownian.density` in a graph; tau2 of shape (curves,)."""
    density, *_ = _Walk()(residual, variance, tau2, *where)  # type: ignore[misc]
    return density


def knots_density(residual: Any, variance: Any, tau2: Any, *where: Any) -> Any:
    """`bayeslaw._kernels.knots.density` in a graph; tau2 of shape (predictors, curves)."""
    density, *_ = _Knots()(residual, variance, tau2, *where)  # type: ignore[misc]
    return density
