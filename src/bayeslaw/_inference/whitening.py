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
from bayeslaw._kernels.stages.curves import curves
from bayeslaw._kernels.stages.scratch import curve_shapes

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
    size, n_curves = len(system.roles), theta.shape[1]
    arrays = {n: np.empty(shape) for n, shape in curve_shapes(size, *theta.shape).items()}
    arrays |= {name: laplace[name] for name in CURVE_WHITENING_ARRAYS}
    arrays |= {"mean": mean, "spread": spread, "frame": np.empty((0, n_curves))}
    arrays |= {"is_normal": np.zeros(len(theta), dtype=np.int64), "log_prior": np.zeros(1)}
    # Pivot coordinates are left as they are; the mean at the pivot is that at the reference.
    arrays["of_coordinates"] = np.array([0, size, 0, 0, 0])

    def at(z: np.ndarray) -> np.ndarray:
        curves({**arrays, "z_theta": z})
        return arrays["theta"].copy()

    z = np.zeros_like(theta)
    scale = at(np.ones_like(theta)) - at(z)
    z[size:] = ((theta - at(z)) / scale)[size:]
    middle = at(z)
    weight, near = (arrays["pivot_state"][i * size : (i + 1) * size].copy() for i in (1, 2))
    pivot_mean = _stack(system.to_pivot(_rows(system, mean), frame, _zeros(system)))
    slopes = []
    for i in range(size):
        z[i] = 1.0
        slopes.append((at(z) - middle)[:size])
        z[i] = 0.0
    middle = middle[:size] + (1 - weight) * (pivot_mean - mean[:size])
    near_frame = replace(frame, near=_rows(system, near))
    eta = _stack(system.to_pivot(_rows(system, theta), near_frame, _rows(system, weight)))
    # A map (coordinates, whitened coordinates) for each curve.
    maps = np.moveaxis(np.array(slopes), (0, 1, 2), (2, 1, 0))
    z[:size] = np.linalg.solve(maps, (eta - middle).T[..., None])[..., 0].T
    return z


def _zeros(system: Coordinates) -> dict[str, float]:
    return dict.fromkeys(system.roles, 0.0)


def _rows(system: Coordinates, values: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values[row] for row, name in enumerate(system.roles)}


def _stack(rows: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack(list(rows.values()))
