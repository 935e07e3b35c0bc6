"""Where the knots (inducing points) of a discrepancy lie, and between which knots a point is.

Each discrepancy delta is known at knots and linear between them, in each curve on either side of
its pivot, where delta is zero. A side has a knot at every distinct distance of its runs, or evenly
spaced ones if those are too many. The knots of all curves are numbered consecutively: by curve,
predictor and side, then outwards.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from bayeslaw._kernels import brownian

__all__ = [
    "KnotNeighbours",
    "Knots",
    "extrapolate",
    "knot_neighbours",
    "knots_of",
    "standard_normal",
]


class KnotNeighbours(NamedTuple):
    """The two knots that each point lies between, for every predictor.

    With ``b`` the values at the knots, delta at point i along predictor p is ``(1 - outer_weight[p,
    i]) * b[inner[p, i]] + outer_weight[p, i] * b[outer[p, i]]``. A knot of -1 is the pivot, where
    delta is zero.
    """

    order: np.ndarray  # points sorted by curve (points,)
    bounds: np.ndarray  # where each curve begins in `order` (curves + 1,); others come at the end
    inner: np.ndarray  # knot towards the pivot (predictors, points)
    outer: np.ndarray  # knot away from the pivot (predictors, points)
    outer_weight: np.ndarray  # weight of the outer knot (predictors, points)
    beyond: np.ndarray  # distance beyond the outermost knot, or zero (predictors, points)


class Knots(NamedTuple):
    """The knots of all curves, and the knots that each run lies between (see `KnotNeighbours`)."""

    order: np.ndarray
    bounds: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    outer_weight: np.ndarray
    first_knot: np.ndarray  # first knot of each curve (curves + 1,)
    knot_position: np.ndarray  # signed distance of a knot from the pivot (knots,)
    inward: np.ndarray  # next knot towards the pivot, -1 for the pivot itself (knots,)
    predictor: np.ndarray  # predictor of a knot (knots,)


def _knots_of_side(distance: np.ndarray, max_per_side: int) -> np.ndarray:
    """Distances of the knots of one side from those of its runs."""
    distinct = np.unique(distance)
    if distinct.size <= max_per_side:
        return distinct
    return np.linspace(0, distinct[-1], max_per_side + 1)[1:]


def _knots_of_all_sides(
    position: np.ndarray, curve: np.ndarray, max_per_side: int
) -> tuple[np.ndarray, ...]:
    """Fields `first_knot`, `knot_position`, `inward` and `predictor` of `Knots`."""
    first_knot, knot_position = [0], [np.empty(0)]
    inward, predictor = [np.empty(0, int)], [np.empty(0, int)]
    for c in range(curve.max(initial=-1) + 1):
        size = first_knot[-1]
        for p, u in enumerate(position[:, curve == c]):
            for sign in (-1.0, 1.0):
                distance = _knots_of_side(np.abs(u[u * sign > 0]), max_per_side)
                inner = size - 1 + np.arange(distance.size)
                inner[:1] = -1
                knot_position.append(sign * distance)
                inward.append(inner)
                predictor.append(np.full(distance.size, p))
                size += distance.size
        first_knot.append(size)
    indices = (np.concatenate(inward), np.concatenate(predictor))
    return (
        np.array(first_knot),
        np.concatenate(knot_position),
        *(item.astype(np.int64) for item in indices),
    )


def knots_of(position: np.ndarray, curve: np.ndarray, max_per_side: int = 8) -> Knots:
    """Knots of runs at signed log distances (predictors, runs) from the pivots of curves (runs,).

    A predictor that stays at the pivot throughout a curve has no knots there.
    """
    if max_per_side < 1:
        raise ValueError(f"max_per_side must be at least 1, got {max_per_side}")
    first_knot, knot_position, inward, predictor = _knots_of_all_sides(
        position, curve, max_per_side
    )
    neighbours = _neighbours(first_knot, knot_position, inward, predictor, position, curve)
    return Knots(*neighbours[:-1], first_knot, knot_position, inward, predictor)


def knot_neighbours(knots: Knots, position: np.ndarray, curve: np.ndarray) -> KnotNeighbours:
    """Neighbours of points at positions (predictors, points); new curves have no knots."""
    return _neighbours(
        knots.first_knot, knots.knot_position, knots.inward, knots.predictor, position, curve
    )


def _neighbours(
    first_knot: np.ndarray,
    knot_position: np.ndarray,
    inward: np.ndarray,
    predictor: np.ndarray,
    position: np.ndarray,
    curve: np.ndarray,
) -> KnotNeighbours:
    """As `knot_neighbours`, from the fields of `Knots` that describe the knots themselves."""
    order = np.argsort(curve, kind="stable").astype(np.int64)
    bounds = np.searchsorted(curve[order], np.arange(first_knot.size)).astype(np.int64)
    inner = np.full(position.shape, -1, dtype=np.int64)
    outer = inner.copy()
    outer_weight, beyond = np.zeros(position.shape), np.abs(position)
    ends = np.append(np.flatnonzero(inward < 0), knot_position.size)
    for first, last in itertools.pairwise(ends):  # of one side
        p, side = predictor[first], np.abs(knot_position[first:last])
        c = np.searchsorted(first_knot, first, side="right") - 1
        members = order[slice(*bounds[c:][:2])]
        points = members[position[p, members] * knot_position[first] > 0]
        distance = beyond[p, points]
        index = np.minimum(np.searchsorted(side, distance), side.size - 1)
        inner_distance = np.concatenate([[0.0], side])[index]
        inner[p, points], outer[p, points] = inward[first + index], first + index
        weight = (distance - inner_distance) / (side[index] - inner_distance)
        outer_weight[p, points] = np.minimum(weight, 1)
        beyond[p, points] = np.maximum(distance - side[-1], 0)
    return KnotNeighbours(order, bounds, inner, outer, outer_weight, beyond)


def standard_normal(rng: np.random.Generator | None, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal numbers, or their mean without a generator."""
    return np.zeros(shape) if rng is None else rng.standard_normal(shape)


def extrapolate(
    variance: np.ndarray,
    draw: np.ndarray,
    position: np.ndarray,
    curve: np.ndarray,
    beyond: np.ndarray,
    tau2: np.ndarray,
    rng: np.random.Generator | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Add the Brownian increments from the outermost knots to the points beyond them.

    They are joint over the points of one curve, predictor and side: points at the same distance
    share an increment. Takes and returns variances and a joint draw (draws, points); means do not
    change. Positions and distances beyond are (predictors, points), curves (points,) and tau2
    (draws, predictors, curves), including curves that have points but no runs.
    """
    unobserved = np.full(draw.shape, np.inf)
    for p, signed in enumerate(np.copysign(beyond, position)):
        order, normal = brownian.filter_order(signed, curve), standard_normal(rng, draw.shape)
        scale = np.ascontiguousarray(tau2[:, p])
        _, added_variance, increment = brownian.smoother_draws(
            unobserved, unobserved, scale, *order, normal
        )
        variance, draw = variance + added_variance, draw + increment
    return variance, draw
