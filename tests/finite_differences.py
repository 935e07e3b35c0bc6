"""Gradients by central finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def adjoints(
    kernel: Callable[..., Any], arguments: list[np.ndarray], bars: Any, n: int
) -> list[np.ndarray]:
    """Gradients of the outputs weighted by `bars` with respect to the first n arguments."""

    def total(changed: np.ndarray, which: int) -> float:
        outputs = kernel(*arguments[:which], changed, *arguments[which + 1 :])
        return sum(float(np.sum(bar * out)) for bar, out in zip(bars, outputs, strict=True))

    gradients = []
    for which, argument in enumerate(arguments[:n]):
        gradient = np.zeros(argument.size)
        for i, unit in enumerate(1e-6 * np.eye(argument.size)):
            step = unit.reshape(argument.shape)
            gradient[i] = (total(argument + step, which) - total(argument - step, which)) / 2e-6
        gradients.append(gradient.reshape(argument.shape))
    return gradients
