"""PyTensor operations that are one numba kernel each."""

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
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key

from bayeslaw._kernels import brownian as walk
from bayeslaw._kernels import curve_transform as settling
from bayeslaw._kernels import group_effects as kernels
from bayeslaw._kernels import knots
from bayeslaw._kernels import population_transform as settling_population

__all__ = ["Adjoint", "KernelOp", "WithAdjoint", "cache_key"]

# Compiled code is kept on disk under this key: other kernels must not find it.
_MODULES = (kernels, knots, settling, settling_population, walk)
_KERNELS = hashlib.sha256("".join(map(inspect.getsource, _MODULES)).encode()).hexdigest()


class KernelOp(Op):
    """An operation that is one kernel of arrays; its outputs are told by `out`."""

    __props__ = ()
    kernel: Any
    out: tuple[Any, ...]

    def make_node(self, *inputs: Any) -> Apply:
        """One node on tensors."""
        tensors = [pt.as_tensor_variable(item) for item in inputs]
        return Apply(self, tensors, [kind() for kind in self.out])

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: Any) -> None:
        """The kernel, called from Python."""
        values = type(self).kernel(*inputs)
        values = values if len(self.out) > 1 else [values]
        for output, value in zip(output_storage, values, strict=True):
            output[0] = np.asarray(value)


class Adjoint(KernelOp):
    """A kernel for the adjoints of its first inputs."""

    def infer_shape(self, node: Apply, shapes: Any) -> Any:
        """Those of the inputs."""
        return shapes[: len(self.out)]


class WithAdjoint(KernelOp):
    """A kernel with another for the adjoints of its first inputs, by all inputs and cotangents."""

    adjoint: type[Adjoint]

    @property
    def _varying(self) -> int:
        return len(self.adjoint.out)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """The first inputs have gradients."""
        return [[i < self._varying] * len(node.outputs) for i in range(len(node.inputs))]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """By the other kernel."""
        bars = [
            pt.zeros_like(output) if isinstance(bar.type, DisconnectedType) else bar
            for output, bar in zip(outputs, cotangents, strict=True)
        ]
        slopes: Any = self.adjoint()(*inputs, *bars)
        slopes = slopes if isinstance(slopes, list) else [slopes]
        return [*slopes, *(disconnected_type() for _ in inputs[self._varying :])]


@register_funcify_and_cache_key(KernelOp)
def _numba_kernel(op: KernelOp, **_: Any) -> tuple[Any, str]:
    return type(op).kernel, cache_key(op)


def cache_key(op: Op) -> str:
    """The key under which the compiled operation is kept on disk."""
    return f"{type(op).__name__}-{_KERNELS}"
