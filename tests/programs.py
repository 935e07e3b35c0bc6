"""Tables of arguments of stages and programs of the log density, by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayeslaw._kernels.stage import Place, Stage


def table_of(
    stage: Stage, data: Mapping[str, np.ndarray], scratch: Mapping[str, tuple[int, Any]]
) -> np.ndarray:
    """Table of a stage's arguments: `scratch` has the index of their first number and the shape."""
    places = {name: Place(values.ctypes.data, values.shape) for name, values in data.items()}
    offsets = {name: Place(-1 - 8 * start, shape) for name, (start, shape) in scratch.items()}
    return stage.table(places | offsets)
