"""Numba kernels of what a law gets wrong along several predictors, gradients written by hand.

Residuals are ``r_i = sum_p delta_p(u_pi) + e_i`` with ``e_i ~ N(0, v_i)``. Each delta_p is, in each
curve, a two-sided Brownian motion in the log predictor u_p as in `bayeslaw.walk`, known at knots
and linear between them. With a knot at every distinct place that is exact.

The values at the knots are sums of independent increments, ``b = A S z`` with z standard normal, S
the increments' scales and A ones from each knot inwards to the pivot. So a curve is one system of
the size of its number of knots, ``M = I + S G S`` with ``G = A' Z' V^-1 Z A`` and Z the weights of
runs at knots: it holds for scales of zero as well. Z has two entries per predictor, and multiplying
by A is adding up along a side.

Knots of all curves are counted through, in each curve by predictor, side and outwards.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numba
import numpy as np

from bayeslaw import walk

__all__ = [
    "Knots",
    "Places",
    "density",
    "extended",
    "given_draws",
    "gradient",
    "gradients",
    "knots",
    "placed",
]

_COMPILE = {"cache": True, "error_model": "numpy"}


class Places(NamedTuple):
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
        Of the runs, see `Places`.
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


def _side(distance: np.ndarray, most: int) -> np.ndarray:
    """Distances of the knots of one side from those of its runs."""
    distinct = np.unique(distance)
    if distinct.size <= most:
        return distinct
    return np.linspace(0, distinct[-1], most + 1)[1:]


def _all_sides(position: np.ndarray, curve: np.ndarray, most: int) -> tuple[np.ndarray, ...]:
    """Fields `start`, `at`, `before` and `kind` of `Knots`."""
    start, at, before, kind = [0], [np.empty(0)], [np.empty(0, int)], [np.empty(0, int)]
    for c in range(curve.max(initial=-1) + 1):
        size = start[-1]
        for p, u in enumerate(position[:, curve == c]):
            for sign in (-1.0, 1.0):
                distance = _side(np.abs(u[u * sign > 0]), most)
                inner = size - 1 + np.arange(distance.size)
                inner[:1] = -1
                at.append(sign * distance)
                before.append(inner)
                kind.append(np.full(distance.size, p))
                size += distance.size
        start.append(size)
    whole = (np.concatenate(before), np.concatenate(kind))
    return np.array(start), np.concatenate(at), *(item.astype(np.int64) for item in whole)


def knots(position: np.ndarray, curve: np.ndarray, most: int = 8) -> Knots:
    """Place knots: at every distinct distance from the pivot, or evenly if they are too many.

    Parameters
    ----------
    position : array (predictors, runs)
        Log predictors minus those of the curve's pivot, signed.
    curve : int array (runs,)
        Number of each run's curve.
    most : int
        Largest number of knots of one side of one predictor of one curve.

    Returns
    -------
    Knots
        A predictor that stays at the pivot throughout a curve has none there.

    Raises
    ------
    ValueError
        If `most` is below one.

    Examples
    --------
    >>> found = knots(np.array([[-1.0, 0.0, 2.0, 3.0, 4.0]]), np.zeros(5, int), most=2)
    >>> found.at, found.before
    (array([-1.,  2.,  4.]), array([-1, -1,  1]))
    >>> found.left, found.right
    (array([[-1, -1, -1,  1,  1]]), array([[ 0, -1,  1,  2,  2]]))
    >>> found.share
    array([[1. , 0. , 1. , 0.5, 1. ]])
    """
    if most < 1:
        raise ValueError(f"most is {most}: a side has one knot or more")
    start, at, before, kind = _all_sides(position, curve, most)
    rows = _among(start, at, before, kind, position, curve)
    return Knots(*rows[:-1], start, at, before, kind)


def placed(knots: Knots, position: np.ndarray, curve: np.ndarray) -> Places:
    """Find other places among the knots of their curves.

    Parameters
    ----------
    knots : Knots
        From `bayeslaw.knots.knots`.
    position : array (predictors, places)
        Log predictors minus those of the curve's pivot, signed.
    curve : int array (places,)
        Number of each place's curve; one that has no runs has no knots.

    Returns
    -------
    Places

    Examples
    --------
    >>> found = knots(np.array([[-1.0, 0.0, 2.0]]), np.zeros(3, int))
    >>> places = placed(found, np.array([[0.5, 3.0]]), np.zeros(2, int))
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
) -> Places:
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
    return Places(order, bounds, left, right, share, beyond)


@numba.njit(**_COMPILE)
def _row(left, right, share, i, low, index, weight):
    """Knots that place i is between and their weights; how many there are."""
    size = 0
    for p in range(left.shape[0]):
        if left[p, i] >= 0 and share[p, i] < 1:
            index[size], weight[size] = left[p, i] - low, 1 - share[p, i]
            size += 1
        if share[p, i] > 0:
            index[size], weight[size] = right[p, i] - low, share[p, i]
            size += 1
    return size


@numba.njit(**_COMPILE)
def _dot(values, index, weight, entries):
    """Row of Z times values at knots, a column."""
    total = 0.0
    for a in range(entries):
        total += weight[a] * values[index[a], 0]
    return total


@numba.njit(**_COMPILE)
def _form(matrix, index, weight, entries):
    """Quadratic form of a row of Z."""
    total = 0.0
    for a in range(entries):
        for b in range(entries):
            total += weight[a] * matrix[index[a], index[b]] * weight[b]
    return total


@numba.njit(**_COMPILE)
def _inwards(matrix, before, low):
    """Add up the rows of each side from the outermost knot to the pivot: A' matrix, in place."""
    for k in range(matrix.shape[0] - 1, -1, -1):
        if before[low + k] >= 0:
            for j in range(matrix.shape[1]):
                matrix[before[low + k] - low, j] += matrix[k, j]


@numba.njit(**_COMPILE)
def _outwards(matrix, before, low):
    """Add up the rows of each side from the pivot to the outermost knot: A matrix, in place."""
    for k in range(matrix.shape[0]):
        if before[low + k] >= 0:
            for j in range(matrix.shape[1]):
                matrix[k, j] += matrix[before[low + k] - low, j]


@numba.njit(**_COMPILE)
def _information(residual, variance, c, where):
    """What the runs of a curve say of increments: A'Z' V^-1 Z A and, as a column, A'Z' V^-1 r."""
    order, bounds, left, right, share, start, _, before, _ = where
    low, size = start[c], start[c + 1] - start[c]
    gram, pull = np.zeros((size, size)), np.zeros((size, 1))
    index, weight = np.empty(2 * left.shape[0], np.int64), np.empty(2 * left.shape[0])
    for m in range(bounds[c], bounds[c + 1]):
        i = order[m]
        entries = _row(left, right, share, i, low, index, weight)
        for a in range(entries):
            heavy = weight[a] / variance[i]
            pull[index[a], 0] += heavy * residual[i]
            for b in range(entries):
                gram[index[a], index[b]] += heavy * weight[b]
    _inwards(gram, before, low)
    _inwards(gram.T, before, low)
    _inwards(pull, before, low)
    return gram, pull


@numba.njit(**_COMPILE)
def _width(at, before, k):
    """Distance of a knot from the next one inwards."""
    return abs(at[k] - at[before[k]]) if before[k] >= 0 else abs(at[k])


@numba.njit(**_COMPILE)
def _between(scale, matrix, unit):
    """S matrix S, and `unit` on its diagonal."""
    out = np.empty(matrix.shape)
    for i in range(scale.shape[0]):
        for j in range(scale.shape[0]):
            out[i, j] = scale[i] * matrix[i, j] * scale[j]
        out[i, i] += unit
    return out


@numba.njit(**_COMPILE)
def _root(upper):
    """Lower R with R'R the inverse of a matrix, which is overwritten."""
    size = upper.shape[0]
    root = np.zeros((size, size))
    for k in range(size):
        unit = 1 / math.sqrt(upper[k, k])
        root[k, k] = 1.0
        for j in range(size):
            upper[k, j] *= unit
            root[k, j] *= unit
        for i in range(k + 1, size):
            factor = upper[k, i]
            for j in range(i, size):
                upper[i, j] -= factor * upper[k, j]
            for j in range(k + 1):
                root[i, j] -= factor * root[k, j]
    return root


@numba.njit(**_COMPILE)
def _solve(residual, variance, tau2, c, where):
    """Posterior of a curve's standardised increments: G, S, R and R S A'Z' V^-1 r."""
    start, at, before, kind = where[5:]
    gram, pull = _information(residual, variance, c, where)
    scale, half = np.empty(pull.shape[0]), np.zeros(pull.shape[0])
    for k in range(start[c], start[c + 1]):
        scale[k - start[c]] = math.sqrt(tau2[kind[k], c] * _width(at, before, k))
    root = _root(_between(scale, gram, 1.0))
    for k in range(scale.shape[0]):
        for j in range(k + 1):
            half[k] += root[k, j] * scale[j] * pull[j, 0]
    return gram, scale, root, half


@numba.njit(**_COMPILE)
def _lean(root, half):
    """R' half: standardised increments."""
    out = np.zeros(half.shape[0])
    for k in range(half.shape[0]):
        for j in range(k + 1):
            out[j] += root[k, j] * half[k]
    return out


@numba.njit(**_COMPILE)
def _values(scale, z, before, low):
    """Values at the knots of standardised increments, A S z, as a column."""
    out = np.empty((z.shape[0], 1))
    for k in range(z.shape[0]):
        out[k, 0] = scale[k] * z[k]
    _outwards(out, before, low)
    return out


@numba.njit(**_COMPILE)
def _inverse(root):
    """R'R."""
    out = np.zeros(root.shape)
    for k in range(root.shape[0]):
        for i in range(k + 1):
            factor = root[k, i]
            for j in range(k + 1):
                out[i, j] += factor * root[k, j]
    return out


@numba.njit(**_COMPILE)
def _covariance(inverse, scale, before, low):
    """Posterior covariance of the values at knots, A S M^-1 S A'."""
    out = _between(scale, inverse, 0.0)
    _outwards(out, before, low)
    _outwards(out.T, before, low)
    return out


@numba.njit(**_COMPILE)
def density(residual, variance, tau2, *where):
    """Joint log density of all residuals.

    Parameters
    ----------
    residual, variance : array (runs,)
        Response minus law on the scale of the noise, and the variance of the noise.
    tau2 : array (predictors, curves)
        Variance of each delta at distance one from the pivot.
    *where : array
        The fields of `Knots`, in their order.
    """
    order, bounds, left, right, share, start, _, before, _ = where
    index, weight = np.empty(2 * left.shape[0], np.int64), np.empty(2 * left.shape[0])
    total = 0.0
    for c in range(start.shape[0] - 1):
        _, scale, root, half = _solve(residual, variance, tau2, c, where)
        z = _lean(root, half)
        values = _values(scale, z, before, start[c])
        for k in range(z.shape[0]):
            total += math.log(root[k, k]) - z[k] * z[k] / 2
        for m in range(bounds[c], bounds[c + 1]):
            i = order[m]
            entries = _row(left, right, share, i, start[c], index, weight)
            away = residual[i] - _dot(values, index, weight, entries)
            total -= (math.log(2 * math.pi * variance[i]) + away * away / variance[i]) / 2
    return total


@numba.njit(**_COMPILE)
def _slope(pulled, z, gram, inverse, scale, k):
    """Twice the derivative of the density by the variance of increment k.

    That is ``(a'Z A)_k^2 - (A'Z' C^-1 Z A)_kk``, or how far the posterior second moment of z is
    from one. Each form is without cancellation where the other has it.
    """
    if scale[k] * scale[k] * gram[k, k] > 1:
        return (z[k] * z[k] + inverse[k, k] - 1) / (scale[k] * scale[k])
    total = pulled[k, 0] * pulled[k, 0] - gram[k, k]
    for i in range(scale.shape[0]):
        along = 0.0
        for j in range(scale.shape[0]):
            along += inverse[i, j] * scale[j] * gram[k, j]
        total += gram[k, i] * scale[i] * along
    return total


@numba.njit(**_COMPILE)
def _reverse(residual, variance, tau2, where, bar, out):
    """Write the adjoints of `density` into `out`, its last array zero before."""
    order, bounds, left, right, share, start, at, before, kind = where
    residual_bar, variance_bar, tau2_bar = out
    index, weight = np.empty(2 * left.shape[0], np.int64), np.empty(2 * left.shape[0])
    for c in range(start.shape[0] - 1):
        low = start[c]
        gram, scale, root, half = _solve(residual, variance, tau2, c, where)
        inverse, pulled = _inverse(root), np.zeros((scale.shape[0], 1))
        z = _lean(root, half)
        values = _values(scale, z, before, low)
        covariance = _covariance(inverse, scale, before, low)
        for m in range(bounds[c], bounds[c + 1]):
            i = order[m]
            entries = _row(left, right, share, i, low, index, weight)
            away = (residual[i] - _dot(values, index, weight, entries)) / variance[i]
            lever = _form(covariance, index, weight, entries) / variance[i]
            residual_bar[i] = -bar * away
            variance_bar[i] = bar * (away * away - (1 - lever) / variance[i]) / 2
            for a in range(entries):
                pulled[index[a], 0] += weight[a] * away
        _inwards(pulled, before, low)
        for k in range(scale.shape[0]):
            slope = _slope(pulled, z, gram, inverse, scale, k)
            tau2_bar[kind[low + k], c] += bar * slope * _width(at, before, low + k) / 2


@numba.njit(**_COMPILE)
def gradient(
    residual, variance, tau2, order, bounds, left, right, share, start, at, before, kind, bar
):
    """Adjoints of residual, variance and tau2 for the adjoint `bar` of `density`."""
    where = (order, bounds, left, right, share, start, at, before, kind)
    out = np.zeros(residual.shape), np.zeros(residual.shape), np.zeros(tau2.shape)
    _reverse(residual, variance, tau2, where, bar, out)
    return out


@numba.njit(**_COMPILE)
def gradients(residual, variance, tau2, *where):
    """Gradients of `density` for many draws.

    Residual and variance are (draws, runs), tau2 (draws, predictors, curves); so are the gradients.
    """
    out = np.zeros(residual.shape), np.zeros(residual.shape), np.zeros(tau2.shape)
    for s in range(residual.shape[0]):
        _reverse(residual[s], variance[s], tau2[s], where, 1.0, (out[0][s], out[1][s], out[2][s]))
    return out


@numba.njit(**_COMPILE)
def _given(residual, variance, tau2, where, places, normal, out):
    """Write `given_draws` of one draw into `out`."""
    start, before = where[5], where[7]
    order, bounds, left, right, share = places
    mean, spread, draw = out
    index, weight = np.empty(2 * left.shape[0], np.int64), np.empty(2 * left.shape[0])
    for c in range(start.shape[0] - 1):
        low = start[c]
        _, scale, root, half = _solve(residual, variance, tau2, c, where)
        covariance = _covariance(_inverse(root), scale, before, low)
        values = _values(scale, _lean(root, half), before, low)
        for k in range(half.shape[0]):
            half[k] += normal[low + k]
        drawn = _values(scale, _lean(root, half), before, low)
        for m in range(bounds[c], bounds[c + 1]):
            i = order[m]
            entries = _row(left, right, share, i, low, index, weight)
            mean[i] = _dot(values, index, weight, entries)
            spread[i] = _form(covariance, index, weight, entries)
            draw[i] = _dot(drawn, index, weight, entries)


@numba.njit(**_COMPILE)
def given_draws(
    residual, variance, tau2, order, bounds, left, right, share, start, at, before, kind,
    place_order, place_bounds, place_left, place_right, place_share, normal,
):  # fmt: skip
    """Sum of the deltas at places given all runs, as far as the knots know it, for many draws.

    Parameters
    ----------
    residual, variance : array (draws, runs)
        As in `density`.
    tau2 : array (draws, predictors, curves)
        As in `density`.
    order, bounds, left, right, share, start, at, before, kind : array
        See `Knots`.
    place_order, place_bounds, place_left, place_right, place_share : array
        See `Places`.
    normal : array (draws, knots)
        Standard normal numbers.

    Returns
    -------
    tuple
        Mean, variance and a joint draw, three arrays (draws, places). What is beyond the
        outermost knots is added by `extended`.
    """
    where = (order, bounds, left, right, share, start, at, before, kind)
    places = (place_order, place_bounds, place_left, place_right, place_share)
    shape = (residual.shape[0], place_left.shape[1])
    out = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for s in range(shape[0]):
        one = (out[0][s], out[1][s], out[2][s])
        _given(residual[s], variance[s], tau2[s], where, places, normal[s], one)
    return out


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
        From `given_draws`.
    position : array (predictors, places)
        As in `placed`.
    curve : int array (places,)
        As in `placed`.
    beyond : array (predictors, places)
        See `Places`.
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
        where, normal = walk.chains(signed, curve), rng.standard_normal(draw.shape)
        scales = np.ascontiguousarray(tau2[:, p])
        _, spread, way = walk.given_draws(unseen, unseen, scales, *where, normal)
        variance, draw = variance + spread, draw + way
    return variance, draw
