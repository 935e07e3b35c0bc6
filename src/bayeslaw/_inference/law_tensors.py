"""Values and gradient of a law on PyTensor tensors, for `bayeslaw.check_law`."""

# PyTensor's annotations do not know that its variables can be computed with.
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode

from bayeslaw._law.law import Law

__all__ = ["values_and_gradient"]


def values_and_gradient(
    law: Law, inputs: Sequence[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Values (n,) of a law and its derivatives by each input, predictors then parameters."""
    n, tensors = len(law.predictors), [pt.dvector() for _ in inputs]
    value = law(*tensors[:n], **dict(zip(law.parameters, tensors[n:], strict=True)))
    outputs = [value, *pt.grad(pt.sum(value), tensors)]
    mode = Mode(linker="py", optimizer="fast_compile")
    values, *gradient = pytensor.function(tensors, outputs, mode=mode)(*inputs)
    return values, gradient
