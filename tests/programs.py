"""Tables of arguments of stages and programs of the log density, by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayeslaw._kernels.stage import ROW, Stage


def table_of(
    stage: Stage, data: Mapping[str, np.ndarray], scratch: Mapping[str, tuple[int, Any]]
) -> np.ndarray:
    """Table of a stage's arguments: `scratch` has the index of their first number and the shape."""
    table = np.zeros((len(stage.arguments), ROW), dtype=np.int64)
    for row, name in zip(table, stage.arguments, strict=True):
        if name in data:
            row[: data[name].ndim + 1] = data[name].ctypes.data, *data[name].shape
        else:
            start, shape = scratch[name]
            row[: len(shape) + 1] = -1 - 8 * start, *shape
    return table
