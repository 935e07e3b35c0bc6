"""PyTensor operations of the discrepancy: densities of `walk` and `knots` with their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply
from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key

from bayeslaw import knots, walk
from bayeslaw.kernel_op import KernelOp, cache_key

__all__ = ["knots_density", "walk_density"]


class _Density(KernelOp):
    """A log density of residual, variance and tau2, and of arrays that say where the runs are."""

    out = (pt.dscalar,)
    gradient: Any

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [()]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True]] * 3 + [[False]] * (len(node.inputs) - 3)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        slopes: Any = type(self).gradient(*inputs, *cotangents)
        return [*slopes, *(disconnected_type() for _ in inputs[3:])]


class _WalkGradient(KernelOp):
    kernel, out = walk.gradient, (pt.dvector, pt.dvector, pt.dvector)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return shapes[:3]


class _KnotsGradient(KernelOp):
    kernel, out = knots.gradient, (pt.dvector, pt.dvector, pt.dmatrix)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return shapes[:3]


class _Walk(_Density):
    kernel, gradient = walk.density, _WalkGradient()


class _Knots(_Density):
    kernel, gradient = knots.density, _KnotsGradient()


@register_funcify_and_cache_key(_Walk)
def _numba_walk(op: _Walk, **_: Any) -> tuple[Any, str]:
    @numba_basic.numba_njit
    def density(residual, variance, tau2, order, step, first, owner):
        return np.asarray(walk.density(residual, variance, tau2, order, step, first, owner))

    return density, cache_key(op)


@register_funcify_and_cache_key(_WalkGradient)
def _numba_walk_gradient(op: _WalkGradient, **_: Any) -> tuple[Any, str]:
    @numba_basic.numba_njit
    def gradient(residual, variance, tau2, order, step, first, owner, bar):
        return walk.gradient(residual, variance, tau2, order, step, first, owner, bar.item())

    return gradient, cache_key(op)


@register_funcify_and_cache_key(_Knots)
def _numba_knots(op: _Knots, **_: Any) -> tuple[Any, str]:
    @numba_basic.numba_njit
    def density(r, v, tau2, order, bounds, left, right, share, start, at, before, kind):
        return np.asarray(
            knots.density(r, v, tau2, order, bounds, left, right, share, start, at, before, kind)
        )

    return density, cache_key(op)


@register_funcify_and_cache_key(_KnotsGradient)
def _numba_knots_gradient(op: _KnotsGradient, **_: Any) -> tuple[Any, str]:
    @numba_basic.numba_njit
    def gradient(r, v, tau2, order, bounds, left, right, share, start, at, before, kind, bar):
        return knots.gradient(
            r, v, tau2, order, bounds, left, right, share, start, at, before, kind, bar.item()
        )

    return gradient, cache_key(op)


def walk_density(residual: Any, variance: Any, tau2: Any, *where: Any) -> Any:
    """`bayeslaw.walk.density` in a graph; tau2 of shape (curves,)."""
    return _Walk()(residual, variance, tau2, *where)


def knots_density(residual: Any, variance: Any, tau2: Any, *where: Any) -> Any:
    """`bayeslaw.knots.density` in a graph; tau2 of shape (predictors, curves)."""
    return _Knots()(residual, variance, tau2, *where)
