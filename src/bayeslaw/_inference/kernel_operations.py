"""PyTensor operations that wrap the Numba kernels, with gradients, and their compile-cache key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key

from bayeslaw._kernels import (
    brownian,
    curve_whitening,
    group_effects,
    knots,
    population_whitening,
)
from bayeslaw._kernels.jit import SOURCE_HASH

__all__ = [
    "Adjoint",
    "KernelOp",
    "WithAdjoint",
    "brownian_log_density",
    "cache_key",
    "gather_effects",
    "knots_log_density",
    "partially_centred_effects",
    "transform_curves",
    "transform_population",
]


class KernelOp(Op):
    """An operation that calls one kernel on arrays; `out` gives the types of its outputs."""

    __props__ = ()
    kernel: Any
    out: tuple[Any, ...]

    def make_node(self, *inputs: Any) -> Apply:
        """Apply the operation to tensors, or to arrays as constants."""
        tensors = [pt.as_tensor_variable(item) for item in inputs]
        return Apply(self, tensors, [output_type() for output_type in self.out])

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: Any) -> None:
        """Call the kernel from Python."""
        values = type(self).kernel(*inputs)
        values = values if len(self.out) > 1 else [values]
        for output, value in zip(output_storage, values, strict=True):
            output[0] = np.asarray(value)


class Adjoint(KernelOp):
    """A kernel that returns the adjoints (reverse-mode gradients) of another's first inputs."""

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        """An adjoint has the shape of its input."""
        return shapes[: len(self.out)]


class WithAdjoint(KernelOp):
    """A kernel whose first inputs have adjoints, which `adjoint` computes.

    The adjoint operation takes all inputs, then the cotangents of all outputs.
    """

    adjoint: type[Adjoint]

    @property
    def _n_differentiable(self) -> int:
        return len(self.adjoint.out)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the first inputs are differentiable."""
        size = self._n_differentiable
        return [[i < size] * len(node.outputs) for i in range(len(node.inputs))]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Vector-Jacobian product, by the adjoint operation."""
        bars = [
            pt.zeros_like(output) if isinstance(bar.type, DisconnectedType) else bar
            for output, bar in zip(outputs, cotangents, strict=True)
        ]
        adjoints: Any = self.adjoint()(*inputs, *bars)
        adjoints = adjoints if isinstance(adjoints, list) else [adjoints]
        return [*adjoints, *(disconnected_type() for _ in inputs[self._n_differentiable :])]


@register_funcify_and_cache_key(KernelOp)
def _numba_kernel(op: KernelOp, **_: Any) -> tuple[Any, str]:
    return type(op).kernel, cache_key(op)


def cache_key(op: Op) -> str:
    """Key of the compiled operation in PyTensor's cache; any change of a kernel is another key."""
    return f"{type(op).__name__}-{SOURCE_HASH}"


class _PartiallyCentredEffectsAdjoint(Adjoint):
    kernel = group_effects.partially_centred_effects_adjoint
    out = (pt.dvector, pt.dmatrix, pt.dmatrix, pt.dvector)


class _PartiallyCentredEffects(WithAdjoint):
    kernel, adjoint = group_effects.partially_centred_effects, _PartiallyCentredEffectsAdjoint
    out = (pt.dvector, pt.dscalar)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [shapes[0], ()]


class _GatherEffects(KernelOp):
    kernel, out = group_effects.gather_effects, (pt.dmatrix,)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [(shapes[2][0], shapes[1][1])]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True], [False], [False]]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        effects, *indices = inputs
        scattered = _ScatterEffects()(effects, *cotangents, *indices)
        return [scattered, disconnected_type(), disconnected_type()]


class _ScatterEffects(Adjoint):
    kernel, out = group_effects.scatter_effects, (pt.dvector,)


class _LogDensity(KernelOp):
    """Log density of a discrepancy given residual, variance, tau2 and where the runs are.

    The gradients are further outputs, because they cost little more than the density.
    """

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [(), *shapes[:3]]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True, False, False, False]] * 3 + [[False] * 4] * (len(node.inputs) - 3)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        adjoints = [cotangents[0] * gradient for gradient in outputs[1:]]
        return [*adjoints, *(disconnected_type() for _ in inputs[3:])]


class _BrownianLogDensity(_LogDensity):
    kernel = brownian.value_and_gradients
    out = (pt.dscalar, pt.dvector, pt.dvector, pt.dvector)


class _KnotsLogDensity(_LogDensity):
    kernel = knots.value_and_gradients
    out = (pt.dscalar, pt.dvector, pt.dvector, pt.dmatrix)


class _TransformCurvesAdjoint(Adjoint):
    kernel, out = curve_whitening.transform_curves_adjoint, (pt.dmatrix,) * 5


class _TransformCurves(WithAdjoint):
    kernel, adjoint = curve_whitening.transform_curves, _TransformCurvesAdjoint
    out = (pt.dmatrix, pt.dmatrix, pt.dmatrix, pt.dscalar)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [shapes[-2]] * 3 + [()]


class _TransformPopulationAdjoint(Adjoint):
    kernel = population_whitening.transform_population_adjoint
    out = (pt.dvector, pt.dvector)


class _TransformPopulation(WithAdjoint):
    kernel, adjoint = population_whitening.transform_population, _TransformPopulationAdjoint
    out = (pt.dvector, pt.dscalar)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [shapes[0], ()]


def partially_centred_effects(
    z: Any, weight: Any, residual: Any, scale: Any, codes: Any, bounds: Any
) -> Any:
    """Standardised effects and log determinant: the kernel of that name, in a graph."""
    return _PartiallyCentredEffects()(z, weight, residual, scale, codes, bounds)


def gather_effects(effects: Any, codes: Any, bounds: Any) -> Any:
    """Sum of the group effects of each curve, (parameters, curves): the kernel, in a graph."""
    return _GatherEffects()(effects, codes, bounds)


def brownian_log_density(residual: Any, variance: Any, tau2: Any, *where: Any) -> Any:
    """Log density of `bayeslaw._kernels.brownian`, in a graph; tau2 (curves,)."""
    density, *_ = _BrownianLogDensity()(residual, variance, tau2, *where)  # type: ignore[misc]
    return density


def knots_log_density(residual: Any, variance: Any, tau2: Any, *where: Any) -> Any:
    """Log density of `bayeslaw._kernels.knots`, in a graph; tau2 (predictors, curves)."""
    density, *_ = _KnotsLogDensity()(residual, variance, tau2, *where)  # type: ignore[misc]
    return density


def transform_curves(*arguments: Any) -> Any:
    """The kernel `bayeslaw._kernels.curve_whitening.transform_curves`, on tensors or arrays."""
    return _on_tensors_or_arrays(_TransformCurves(), arguments)


def transform_population(*arguments: Any) -> Any:
    """The kernel of the same name in `population_whitening`, on tensors or arrays."""
    return _on_tensors_or_arrays(_TransformPopulation(), arguments)


def _on_tensors_or_arrays(op: KernelOp, arguments: tuple[Any, ...]) -> Any:
    in_graph = any(isinstance(argument, Variable) for argument in arguments)
    return op(*arguments) if in_graph else type(op).kernel(*arguments)
