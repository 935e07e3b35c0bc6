"""Points of the sampler's space to start near, one for each of several good optima."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayeslaw.coordinates import Coordinates, coordinates
from bayeslaw.design import Design
from bayeslaw.engine import Engine
from bayeslaw.model import Model
from bayeslaw.optima import is_plain
from bayeslaw.pilot import several
from bayeslaw.pooling import roles_of

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
    origin, spread = _at_start(engine, len(rows[0]))
    told = 1 + spread**2 * engine.numbers["pivot_information"]

    def pivot(theta: np.ndarray) -> np.ndarray:
        named = [dict(zip(system.roles, part, strict=False)) for part in (theta, 1 - 1 / told)]
        moved = system.to_pivot(named[0], design.frame, named[1])
        return np.array([*(moved[name] for name in system.roles), *theta[len(system.roles) :]])

    with np.errstate(all="ignore"):
        values = [(pivot(row) - pivot(origin)) * np.sqrt(told) / spread for row in rows]
    # The curves are the last variable of the model, and at the origin of its coordinates.
    points = np.tile(engine.start, (len(rows), 1))
    points[:, -origin.size :] += np.reshape(values, (len(rows), -1))
    return points


def _at_start(engine: Engine, n_parameters: int) -> tuple[np.ndarray, Any]:
    """Curves at the start and their own spreads, shape (parameters, 1)."""
    found = engine.variables(engine.start)
    own = found["spread"][:n_parameters] if "spread" in found else engine.numbers["prior_sd"]
    return found["theta"], own[:, None]
