"""Initial points of the chains: one near each of several good modes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayeslaw._inference.coordinates import Coordinates, coordinates
from bayeslaw._inference.hierarchy import coordinate_roles, mean_given_population
from bayeslaw._inference.laplace import distinct_modes
from bayeslaw._inference.map_mode.multistart import is_additive_power_law
from bayeslaw._inference.model_data import CURVE_WHITENING_ARRAYS
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw._inference.whitening import CurveWhitening
from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw.model.model import Model

__all__ = ["with_initial_points"]


def with_initial_points(
    compiled: CompiledDensity, model: Model, run_arrays: RunArrays
) -> CompiledDensity:
    """The same density, to be sampled from near each of the modes of its curves."""
    system = coordinates(model)
    modes = [] if is_additive_power_law(system) else distinct_modes(model, system, run_arrays)
    if len(modes) < 2:
        return compiled
    names = list(coordinate_roles(model, system))
    theta = [np.array([mode[name] for name in names]) for mode in modes]
    points = _points_at(compiled, theta, system, run_arrays)
    return replace(compiled, initial_points=points[np.all(np.isfinite(points), axis=1)])


def _points_at(
    compiled: CompiledDensity, thetas: list[np.ndarray], system: Coordinates, run_arrays: RunArrays
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
        if "prior_mean" in model_data.names
        else _curve_means(compiled, variables)
    )
    laplace = {name: model_data[name] for name in CURVE_WHITENING_ARRAYS}
    whitening = CurveWhitening(system, mean, spread[:, None], laplace, run_arrays.frame)
    with np.errstate(all="ignore"):
        values = [whitening.inverse(theta) for theta in thetas]
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
