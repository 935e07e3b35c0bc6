"""Values and derivatives of a law as the sampler has them, for `bayeslaw.check_law`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayeslaw._inference.scalar_code import derivatives, numbers, printed
from bayeslaw._kernels.call import apply
from bayeslaw._kernels.printed import compiled_function
from bayeslaw._law.law import Law

__all__ = ["values_and_gradient"]


def values_and_gradient(
    law: Law, inputs: Sequence[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Values (n,) of a law and its derivatives by each input, predictors then parameters."""
    predictors, parameters = numbers(law.predictors), numbers(list(law.parameters))
    state = {**predictors, **parameters}
    value = law(*predictors.values(), **parameters)
    source = printed([value, *derivatives(value, list(state.values()))], state)
    columns = np.array(inputs, dtype=float)
    out = np.empty((1 + len(state), columns.shape[1]))
    apply(compiled_function(source).address, columns, columns, out)
    return out[0], list(out[1:])
