"""PyTensor operations that settle coordinates, with their gradients; arrays are settled at once."""

from __future__ import annotations

from typing import Any

import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable

from bayeslaw._inference.kernel_operation import Adjoint, KernelOp, WithAdjoint
from bayeslaw._kernels import curve_transform as settling
from bayeslaw._kernels import population_transform as settling_population

__all__ = ["settle", "transform_population"]


class _SettleGradient(Adjoint):
    kernel, out = settling.settle_gradient, (pt.dmatrix,) * 5


class _Settle(WithAdjoint):
    kernel, adjoint = settling.settle, _SettleGradient
    out = (pt.dmatrix, pt.dmatrix, pt.dmatrix, pt.dscalar)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [shapes[-2]] * 3 + [()]


class _SettlePopulationGradient(Adjoint):
    kernel, out = settling_population.transform_population_gradient, (pt.dvector, pt.dvector)


class _SettlePopulation(WithAdjoint):
    kernel, adjoint = settling_population.transform_population, _SettlePopulationGradient
    out = (pt.dvector, pt.dscalar)

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        return [shapes[0], ()]


def settle(*arguments: Any) -> Any:
    """`bayeslaw._kernels.curve_transform.settle`, in a graph where an argument is."""
    return _called(_Settle(), arguments)


def transform_population(*arguments: Any) -> Any:
    """`bayeslaw._kernels.population_transform.transform_population`, in a graph where an argument is."""
    return _called(_SettlePopulation(), arguments)


def _called(op: KernelOp, arguments: tuple[Any, ...]) -> Any:
    in_graph = any(isinstance(argument, Variable) for argument in arguments)
    return op(*arguments) if in_graph else type(op).kernel(*arguments)
