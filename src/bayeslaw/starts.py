"""Points of the sampler's space to start near, one for each of several good optima."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayeslaw.coordinates import Coordinates, coordinates
from bayeslaw.design import Design
from bayeslaw.engine import Engine, unconstrained
from bayeslaw.model import Model
from bayeslaw.optima import is_plain
from bayeslaw.pilot import several
from bayeslaw.pooling import roles_of

__all__ = ["near_optima"]


def near_optima(engine: Engine, model: Model, design: Design, built: Any) -> Engine:
    """The same engine, to be started near each of the optima that curves have by themselves.

    Parameters
    ----------
    engine : Engine
        Compiled, on the data of the runs.
    model : Model
        The model.
    design : Design
        The runs.
    built : pymc.Model
        What the engine is compiled from, with the data of the runs.

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
    points = _points(engine.start, rows, system, design, built)
    return replace(engine, points=points[np.all(np.isfinite(points), axis=1)])


def _points(
    start: np.ndarray,
    rows: list[np.ndarray],
    system: Coordinates,
    design: Design,
    built: Any,
) -> np.ndarray:
    """Points whose curves are the optima, with population and spreads as at the start."""
    origin, spread = _at(start, built, len(rows[0]))
    told = 1 + spread**2 * built["pivot_information"].get_value()

    def pivot(theta: np.ndarray) -> np.ndarray:
        named = [dict(zip(system.roles, part, strict=False)) for part in (theta, 1 - 1 / told)]
        moved = system.to_pivot(named[0], design.frame, named[1])
        return np.array([*(moved[name] for name in system.roles), *theta[len(system.roles) :]])

    with np.errstate(all="ignore"):
        values = [(pivot(row) - pivot(origin)) * np.sqrt(told) / spread for row in rows]
    # The curves are the last variable of the model, and at the origin of its coordinates.
    points = np.tile(start, (len(rows), 1))
    points[:, -origin.size :] += np.reshape(values, (len(rows), -1))
    return points


def _at(start: np.ndarray, built: Any, n_parameters: int) -> tuple[np.ndarray, Any]:
    """Curves at the start and their own spreads, shape (parameters, 1)."""
    pooled = "spread" in built.named_vars
    found = unconstrained(built, ["theta", *(["spread"] if pooled else [])], start[None])
    own = found["spread"][0, :n_parameters] if pooled else built["prior_sd"].get_value()
    return found["theta"][0], own[:, None]
