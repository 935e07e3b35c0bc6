"""Points of the sampler's space to start near, one for each of several good optima."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayeslaw._inference.coordinates import Coordinates, coordinates
from bayeslaw._inference.hierarchy import roles_of
from bayeslaw._inference.laplace import several
from bayeslaw._inference.map_search import is_plain
from bayeslaw._inference.model_data import PLACED
from bayeslaw._inference.run_arrays import Design
from bayeslaw._inference.whitening import Placing
from bayeslaw._kernels.group_effects import gather
from bayeslaw._sampling.compiled import Engine
from bayeslaw.model.model import Model

__all__ = ["near_optima"]


def near_optima(engine: Engine, model: Model, design: Design) -> Engine:
    """The same engine, to be started near each of the optima that curves have by themselves.

    Parameters
    ----------
    engine : Engine
        Compiled, on the data of the runs.
    model : Model
        The model.
    design : Design
        The runs.

    Returns
    -------
    Engine
    """
    system = coordinates(model)
    optima = [] if is_plain(system) else several(model, system, design)
    if len(optima) < 2:
        return engine
    names = list(roles_of(model, system))
    rows = [np.array([optimum[name] for name in names]) for optimum in optima]
    points = _points(engine, rows, system, design)
    return replace(engine, points=points[np.all(np.isfinite(points), axis=1)])


def _points(
    engine: Engine, rows: list[np.ndarray], system: Coordinates, design: Design
) -> np.ndarray:
    """Points whose curves are the optima, with population and spreads as at the start."""
    numbers, found = engine.numbers, engine.variables(engine.start)
    n, curves = len(rows[0]), found["theta"].shape[1]
    own = found["spread"][:n] if "spread" in found else numbers["prior_sd"]
    mean = numbers["prior_mean"] if "prior_mean" in numbers.names else _population(engine, found)
    pilot = {name: numbers[name] for name in PLACED}
    placing = Placing(system, mean, own[:, None], pilot, design.frame)
    with np.errstate(all="ignore"):
        values = [placing.value(row) for row in rows]
    # The curves are the last variable of the model.
    points = np.tile(engine.start, (len(rows), 1))
    points[:, -n * curves :] = np.reshape(values, (len(rows), -1))
    return points


def _population(engine: Engine, found: dict[str, np.ndarray]) -> np.ndarray:
    """What population and groups expect of each curve."""
    center = np.repeat(found["center"][:, None], found["theta"].shape[1], axis=1)
    if "effects" not in found:
        return center
    scale, codes, bounds = (engine.numbers[n] for n in ("spread_of_level", "codes", "bounds"))
    return center + gather(found["spread"][scale] * found["effects"], codes, bounds)
