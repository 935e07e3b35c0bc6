"""Values and derivatives of a law as the sampler has them, for `bayeslaw.check_law`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayeslaw._inference.scalar_code import derivatives, double_precision, numbers, printed
from bayeslaw._inference.user_functions import as_number, named_errors
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
    with double_precision(), named_errors(f"law {law.name!r}"):
        value = as_number(law(*predictors.values(), **parameters))
        printed([value], state)  # first, as only its operations know their lines
        source = printed([value, *derivatives(value, list(state.values()))], state)
    columns = np.array(inputs, dtype=float)
    out = np.empty((1 + len(state), columns.shape[1]))
    apply(compiled_function(source).address, columns, columns, out)
    return out[0], list(out[1:])
