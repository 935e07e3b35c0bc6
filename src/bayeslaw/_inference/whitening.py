"""Whitened coordinates of curves that are known, to start chains near them.

The likelihood of a curve is approximated as normal around its mode (`bayeslaw._inference.laplace`).
Informative curves have centred coordinates, uninformative ones non-centred coordinates. How
informative a curve is depends on its noise and on the spread between curves. Noise and spread are
sampled, so the whitening is a function of them. The stage `bayeslaw._kernels.stages.curves` turns
whitened coordinates into reference coordinates; this is its inverse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bayeslaw._inference.coordinates import Coordinates, Frame
from bayeslaw._inference.model_data import CURVE_WHITENING_ARRAYS
from bayeslaw._kernels.curve_whitening import transform_curves

__all__ = ["whitened"]


def whitened(
    theta: np.ndarray,
    system: Coordinates,
    mean: np.ndarray,
    spread: np.ndarray,
    laplace: Mapping[str, np.ndarray],
    frame: Frame,
) -> np.ndarray:
    """Whitened coordinates (parameters, curves) of reference coordinates.

    `mean` (parameters, curves) is the expectation of each curve under population and groups,
    `spread` (parameters,) the standard deviation of curves about it; `laplace` has
    `CURVE_WHITENING_ARRAYS` by name, `frame` is where the curves were observed.
    """
    size = len(system.roles)
    mode, information = laplace["pivot_mode"], laplace["pivot_information"]
    pivot_mean = np.concatenate(
        [_stack(system.to_pivot(_rows(system, mean), frame, _zeros(system))), mean[size:]]
    )

    def to_pivot(z: np.ndarray) -> tuple[np.ndarray, ...]:
        return transform_curves(
            z, theta[size:] - mode[size:], pivot_mean, mean, spread[:, None],
            *(laplace[name] for name in CURVE_WHITENING_ARRAYS),
        )  # fmt: skip

    middle, weight, near, _ = to_pivot(np.zeros_like(theta))
    scale = to_pivot(np.ones_like(theta))[0] - middle
    at = replace(frame, near=_rows(system, near))
    eta = _stack(system.to_pivot(_rows(system, theta), at, _rows(system, weight)))
    precision = 1 + spread[size:, None] ** 2 * information[size:]
    noise_middle = mode[size:] + (mean[size:] - mode[size:]) / precision
    noise_scale = spread[size:, None] / np.sqrt(precision)
    return np.concatenate([(eta - middle) / scale, (theta[size:] - noise_middle) / noise_scale])


def _zeros(system: Coordinates) -> dict[str, float]:
    return dict.fromkeys(system.roles, 0.0)


def _rows(system: Coordinates, values: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values[row] for row, name in enumerate(system.roles)}


def _stack(rows: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack(list(rows.values()))
