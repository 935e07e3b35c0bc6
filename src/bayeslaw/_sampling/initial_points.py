"""Initial points of the chains: one near each of several good modes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.hierarchy import mean_given_population
from bayeslaw._inference.laplace import LaplaceApproximation
from bayeslaw._inference.model_data import CURVE_WHITENING_ARRAYS
from bayeslaw._inference.whitening import whitened
from bayeslaw._sampling.compiled import CompiledDensity

__all__ = ["with_initial_points"]


def with_initial_points(
    compiled: CompiledDensity, bound: BoundModel, laplace: LaplaceApproximation
) -> CompiledDensity:
    """The same density, to be sampled from near each of the modes of its curves."""
    if len(laplace.distinct_modes) < 2:
        return compiled
    theta = [np.array([mode[name] for name in bound.roles]) for mode in laplace.distinct_modes]
    points = _points_at(compiled, theta, bound)
    return replace(compiled, initial_points=points[np.all(np.isfinite(points), axis=1)])


def _points_at(
    compiled: CompiledDensity, thetas: list[np.ndarray], bound: BoundModel
) -> np.ndarray:
    """Points (modes, unknowns) with the curves at each theta (parameters, curves).

    Population and spreads are those of the usual initial point.
    """
    model_data = compiled.model_data
    variables = compiled.variables(compiled.initial_point)
    n, curves = len(thetas[0]), variables["theta"].shape[1]
    spread = variables["spread"][:n] if "spread" in variables else model_data["prior_sd"]
    mean = (
        model_data["prior_mean"]
        if "prior_mean" in model_data
        else _curve_means(compiled, variables)
    )
    arrays = {name: model_data[name] for name in CURVE_WHITENING_ARRAYS}
    system, frame = bound.curve_coordinates, bound.run_arrays.frame
    with np.errstate(all="ignore"):
        values = [whitened(at, system, mean, spread, arrays, frame) for at in thetas]
    # The curves are the last variable of the model.
    points = np.tile(compiled.initial_point, (len(thetas), 1))
    points[:, -n * curves :] = np.reshape(values, (len(thetas), -1))
    return points


def _curve_means(compiled: CompiledDensity, variables: dict[str, np.ndarray]) -> np.ndarray:
    """Mean of each curve given population and groups, shape (parameters, curves)."""
    center = variables["center"]
    if "effects" not in variables:
        return np.repeat(center[:, None], variables["theta"].shape[1], axis=1)
    scale, codes, bounds = (compiled.model_data[n] for n in ("spread_of_level", "codes", "bounds"))
    effects = variables["spread"][scale] * variables["effects"]
    return mean_given_population(center, effects, codes, bounds)
