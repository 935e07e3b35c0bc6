"""PyTensor operations that are one numba kernel each."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from bayeslaw import kernels, knots, walk

__all__ = ["KernelOp", "cache_key"]

# Compiled code is kept on disk under this key: other kernels must not find it.
_KERNELS = hashlib.sha256(
    "".join(inspect.getsource(module) for module in (kernels, walk, knots)).encode()
).hexdigest()


class KernelOp(Op):
    """An operation that is one kernel; its outputs are told by `out`."""

    __props__ = ()
    kernel: Any
    out: tuple[Any, ...]

    def make_node(self, *inputs: Any) -> Apply:
        """One node on tensors."""
        tensors = [pt.as_tensor_variable(item) for item in inputs]
        return Apply(self, tensors, [kind() for kind in self.out])

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: Any) -> None:
        """The kernel, called from Python."""
        values = type(self).kernel(*(x if np.ndim(x) else x.item() for x in inputs))
        values = values if len(self.out) > 1 else [values]
        for output, value in zip(output_storage, values, strict=True):
            output[0] = np.asarray(value)


def cache_key(op: Op) -> str:
    """The key under which the compiled operation is kept on disk."""
    return f"{type(op).__name__}-{_KERNELS}"
