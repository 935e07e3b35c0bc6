"""Printed functions, compiled and applied to arrays by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayeslaw._kernels.call import apply_by_curve
from bayeslaw._kernels.printed import compiled_function

type Arrays = Mapping[str, np.ndarray]


def applied(
    source: str,
    n_outputs: int,
    state: Arrays,
    data: Arrays | None = None,
    curve: Arrays | None = None,
    curve_of: np.ndarray | None = None,
) -> np.ndarray:
    """Outputs (outputs, columns) of a printed function whose rows are in the order of the arrays.

    `curve` are values by curve and `curve_of` the curve of each column; by default its own.
    """
    columns = np.shape(next(iter((state or data or curve or {}).values())))[-1]
    n = columns if curve_of is None else curve_of.size
    curve_of = np.arange(n) if curve_of is None else curve_of
    rows = [
        np.array([*values.values()], dtype=float) if values else np.empty((0, n))
        for values in (curve, data, state)
    ]
    out = np.full((n_outputs, n), np.nan)
    apply_by_curve(compiled_function(source).address, curve_of, *rows, out)
    return out
