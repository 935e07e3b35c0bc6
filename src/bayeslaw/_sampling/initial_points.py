"""Points of the sampler's space to start near, one for each of several good optima."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayeslaw._inference.coordinates import Coordinates, coordinates
from bayeslaw._inference.hierarchy import coordinate_roles, mean_given_population
from bayeslaw._inference.laplace import distinct_modes
from bayeslaw._inference.map_search import is_plain
from bayeslaw._inference.model_data import CURVE_WHITENING_ARRAYS
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw._inference.whitening import CurveWhitening
from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw.model.model import Model

__all__ = ["initial_points_of"]


def initial_points_of(
    compiled: CompiledDensity, model: Model, run_arrays: RunArrays
) -> CompiledDensity:
    """The same engine, to be started near each of the optima that curves have by themselves.

    Parameters
    ----------
    engine : CompiledDensity
        Compiled, on the data of the runs.
    model : Model
        The model.
    design : RunArrays
        The runs.

    Returns
    -------
    CompiledDensity
    """
    system = coordinates(model)
    optima = [] if is_plain(system) else distinct_modes(model, system, run_arrays)
    if len(optima) < 2:
        return compiled
    names = list(coordinate_roles(model, system))
    rows = [np.array([optimum[name] for name in names]) for optimum in optima]
    points = _points(compiled, rows, system, run_arrays)
    return replace(compiled, initial_points=points[np.all(np.isfinite(points), axis=1)])


def _points(
    compiled: CompiledDensity, rows: list[np.ndarray], system: Coordinates, run_arrays: RunArrays
) -> np.ndarray:
    """Points whose curves are the optima, with population and spreads as at the start."""
    model_data, found = compiled.model_data, compiled.variables(compiled.initial_point)
    n, curves = len(rows[0]), found["theta"].shape[1]
    own = found["spread"][:n] if "spread" in found else model_data["prior_sd"]
    mean = (
        model_data["prior_mean"]
        if "prior_mean" in model_data.names
        else _population(compiled, found)
    )
    laplace = {name: model_data[name] for name in CURVE_WHITENING_ARRAYS}
    whitening = CurveWhitening(system, mean, own[:, None], laplace, run_arrays.frame)
    with np.errstate(all="ignore"):
        values = [whitening.inverse(row) for row in rows]
    # The curves are the last variable of the model.
    points = np.tile(compiled.initial_point, (len(rows), 1))
    points[:, -n * curves :] = np.reshape(values, (len(rows), -1))
    return points


def _population(compiled: CompiledDensity, found: dict[str, np.ndarray]) -> np.ndarray:
    """What population and groups expect of each curve."""
    center = found["center"]
    if "effects" not in found:
        return np.repeat(center[:, None], found["theta"].shape[1], axis=1)
    scale, codes, bounds = (compiled.model_data[n] for n in ("spread_of_level", "codes", "bounds"))
    effects = found["spread"][scale] * found["effects"]
    return mean_given_population(center, effects, codes, bounds)
