"""Gradients by finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def slopes(
    kernel: Callable[..., Any], arguments: list[np.ndarray], bars: Any, n: int
) -> list[np.ndarray]:
    """Of the outputs weighted by `bars`, by finite differences, for the first arguments."""

    def total(changed: np.ndarray, which: int) -> float:
        moved = [*arguments[:which], changed, *arguments[which + 1 :]]
        outputs = kernel(*moved)
        return sum(float(np.sum(bar * out)) for bar, out in zip(bars, outputs, strict=True))

    found = []
    for which, argument in enumerate(arguments[:n]):
        slope = np.zeros(argument.size)
        for i, by in enumerate(1e-6 * np.eye(argument.size)):
            step = by.reshape(argument.shape)
            slope[i] = (total(argument + step, which) - total(argument - step, which)) / 2e-6
        found.append(slope.reshape(argument.shape))
    return found
