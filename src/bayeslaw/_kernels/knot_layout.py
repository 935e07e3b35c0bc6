"""Knots of what a law gets wrong along several predictors, and where runs are among them.

Each delta is known at knots and linear between them, in each curve on either side of its pivot,
where delta is zero. A side has a knot at every distinct place of its runs, or some evenly spaced
if those are too many. Knots of all curves are counted through, in each curve by predictor, side and
outwards.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from bayeslaw._kernels import brownian

__all__ = ["KnotNeighbours", "Knots", "extended", "knot_neighbours", "knots_of"]


class KnotNeighbours(NamedTuple):
    """Places of the predictors among the knots of their curves.

    At place i delta_p is ``(1 - share[p, i]) * b[left[p, i]] + share[p, i] * b[right[p, i]]``; a
    knot of -1 is the pivot, where delta is zero.

    Parameters
    ----------
    order : int array (places,)
        Places sorted by curve.
    bounds : int array (curves + 1,)
        Where in `order` each curve begins; places of curves without knots come after the last.
    left, right : int array (predictors, places)
        Inner and outer knot.
    share : array (predictors, places)
        Weight of the outer knot.
    beyond : array (predictors, places)
        Distance from the outermost knot of the place's side to the place, where it is outside.
    """

    order: np.ndarray
    bounds: np.ndarray
    left: np.ndarray
    right: np.ndarray
    share: np.ndarray
    beyond: np.ndarray


class Knots(NamedTuple):
    """Knots of all curves, and where the runs are among them.

    Parameters
    ----------
    order, bounds, left, right, share : array
        Of the runs, see `KnotNeighbours`.
    start : int array (curves + 1,)
        First knot of each curve.
    at : array (knots,)
        Signed distance of a knot from the pivot.
    before : int array (knots,)
        Next knot inwards, -1 for the pivot.
    kind : int array (knots,)
        Predictor of a knot.
    """

    order: np.ndarray
    bounds: np.ndarray
    left: np.ndarray
    right: np.ndarray
    share: np.ndarray
    start: np.ndarray
    at: np.ndarray
    before: np.ndarray
    kind: np.ndarray


def _side(distance: np.ndarray, max_per_side: int) -> np.ndarray:
    """Distances of the knots of one side from those of its runs."""
    distinct = np.unique(distance)
    if distinct.size <= max_per_side:
        return distinct
    return np.linspace(0, distinct[-1], max_per_side + 1)[1:]


def _all_sides(
    position: np.ndarray, curve: np.ndarray, max_per_side: int
) -> tuple[np.ndarray, ...]:
    """Fields `start`, `at`, `before` and `kind` of `Knots`."""
    start, at, before, kind = [0], [np.empty(0)], [np.empty(0, int)], [np.empty(0, int)]
    for c in range(curve.max(initial=-1) + 1):
        size = start[-1]
        for p, u in enumerate(position[:, curve == c]):
            for sign in (-1.0, 1.0):
                distance = _side(np.abs(u[u * sign > 0]), max_per_side)
                inner = size - 1 + np.arange(distance.size)
                inner[:1] = -1
                at.append(sign * distance)
                before.append(inner)
                kind.append(np.full(distance.size, p))
                size += distance.size
        start.append(size)
    whole = (np.concatenate(before), np.concatenate(kind))
    return np.array(start), np.concatenate(at), *(item.astype(np.int64) for item in whole)


def knots_of(position: np.ndarray, curve: np.ndarray, max_per_side: int = 8) -> Knots:
    """Place knots: at every distinct distance from the pivot, or evenly if they are too many.

    Parameters
    ----------
    position : array (predictors, runs)
        Log predictors minus those of the curve's pivot, signed.
    curve : int array (runs,)
        Number of each run's curve.
    max_per_side : int
        Largest number of knots of one side of one predictor of one curve.

    Returns
    -------
    Knots
        A predictor that stays at the pivot throughout a curve has none there.

    Raises
    ------
    ValueError
        If `max_per_side` is below one.

    Examples
    --------
    >>> found = knots_of(np.array([[-1.0, 0.0, 2.0, 3.0, 4.0]]), np.zeros(5, int), max_per_side=2)
    >>> found.at, found.before
    (array([-1.,  2.,  4.]), array([-1, -1,  1]))
    >>> found.left, found.right
    (array([[-1, -1, -1,  1,  1]]), array([[ 0, -1,  1,  2,  2]]))
    >>> found.share
    array([[1. , 0. , 1. , 0.5, 1. ]])
    """
    if max_per_side < 1:
        raise ValueError(f"max_per_side must be at least 1, got {max_per_side}")
    start, at, before, kind = _all_sides(position, curve, max_per_side)
    rows = _among(start, at, before, kind, position, curve)
    return Knots(*rows[:-1], start, at, before, kind)


def knot_neighbours(knots: Knots, position: np.ndarray, curve: np.ndarray) -> KnotNeighbours:
    """Find other places among the knots of their curves.

    Parameters
    ----------
    knots : Knots
        From `bayeslaw._kernels.knot_layout.knots_of`.
    position : array (predictors, places)
        Log predictors minus those of the curve's pivot, signed.
    curve : int array (places,)
        Number of each place's curve; one that has no runs has no knots.

    Returns
    -------
    Places

    Examples
    --------
    >>> found = knots_of(np.array([[-1.0, 0.0, 2.0]]), np.zeros(3, int))
    >>> places = knot_neighbours(found, np.array([[0.5, 3.0]]), np.zeros(2, int))
    >>> places.right, places.share, places.beyond
    (array([[1, 1]]), array([[0.25, 1.  ]]), array([[0., 1.]]))
    """
    return _among(knots.start, knots.at, knots.before, knots.kind, position, curve)


def _among(
    start: np.ndarray,
    at: np.ndarray,
    before: np.ndarray,
    kind: np.ndarray,
    position: np.ndarray,
    curve: np.ndarray,
) -> KnotNeighbours:
    """Places among knots, from the four fields of `Knots` that say where those are."""
    order = np.argsort(curve, kind="stable").astype(np.int64)
    bounds = np.searchsorted(curve[order], np.arange(start.size)).astype(np.int64)
    left = np.full(position.shape, -1, dtype=np.int64)
    right = left.copy()
    share, beyond = np.zeros(position.shape), np.abs(position)
    ends = np.append(np.flatnonzero(before < 0), at.size)
    for first, last in itertools.pairwise(ends):  # of one side
        p, outer = kind[first], np.abs(at[first:last])
        members = order[slice(*bounds[np.searchsorted(start, first, side="right") - 1 :][:2])]
        here = members[position[p, members] * at[first] > 0]
        distance = beyond[p, here]
        index = np.minimum(np.searchsorted(outer, distance), outer.size - 1)
        inner = np.concatenate([[0.0], outer])[index]
        left[p, here], right[p, here] = before[first + index], first + index
        share[p, here] = np.minimum((distance - inner) / (outer[index] - inner), 1)
        beyond[p, here] = np.maximum(distance - outer[-1], 0)
    return KnotNeighbours(order, bounds, left, right, share, beyond)


def extended(
    variance: np.ndarray,
    draw: np.ndarray,
    position: np.ndarray,
    curve: np.ndarray,
    beyond: np.ndarray,
    tau2: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Add what no run tells: the way from the outermost knots to the places beyond them.

    Jointly Brownian over the places of one curve, predictor and side; the same distance beyond
    is the same increment. Means do not change.

    Parameters
    ----------
    variance, draw : array (draws, places)
        From `bayeslaw._kernels.knots.given_draws`.
    position : array (predictors, places)
        As in `knot_neighbours`.
    curve : int array (places,)
        As in `knot_neighbours`.
    beyond : array (predictors, places)
        See `KnotNeighbours`.
    tau2 : array (draws, predictors, curves)
        Variance at distance one, also of curves that have places but no runs.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    tuple
        Variance and joint draw, two new arrays (draws, places).

    Examples
    --------
    >>> none, tau2 = np.zeros((1, 2)), np.full((1, 1, 1), 0.5)
    >>> where, curve, rng = np.array([[3.0, 3.0]]), np.zeros(2, int), np.random.default_rng(1)
    >>> variance, draw = extended(none, none, where, curve, where - 1, tau2, rng)
    >>> variance, bool(draw[0, 0] == draw[0, 1])
    (array([[1., 1.]]), True)
    """
    unseen = np.full(draw.shape, np.inf)
    for p, signed in enumerate(np.copysign(beyond, position)):
        where, normal = brownian.filter_order(signed, curve), rng.standard_normal(draw.shape)
        scales = np.ascontiguousarray(tau2[:, p])
        _, spread, way = brownian.given_draws(unseen, unseen, scales, *where, normal)
        variance, draw = variance + spread, draw + way
    return variance, draw
