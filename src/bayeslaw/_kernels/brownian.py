"""Numba kernels of what a law gets wrong along one predictor, gradients written by hand.

Residuals are ``r_i = delta(u_i) + e_i`` with ``e_i ~ N(0, v_i)`` and u the signed distance of a
run's log predictor from the pivot of its curve. In each curve delta is a two-sided Brownian
motion: zero at the pivot, of variance ``tau2 |u|``, its two sides independent. So the runs of one
side of one curve, sorted outwards, are a Markov chain, and a Kalman recursion along it takes O(n).

A chain's state is the mean and the variance (its spread) of delta given the runs before. Runs at
the same u have a step of zero between them: they share delta. A run of infinite variance was not
observed: it tells nothing, and its residual is not read.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

__all__ = [
    "FilterOrder",
    "ahead",
    "aheads",
    "filter_order",
    "given",
    "given_draws",
    "gradients",
    "leave_one_out_moments",
    "log_density",
    "log_density_by_curve",
    "value_and_gradients",
]

_COMPILE = {"cache": True, "error_model": "numpy"}
SMALL = 1e-140  # a product of weights is put away before it leaves the range of numbers


class FilterOrder(NamedTuple):
    """The runs of all curves in the order in which the recursion visits them.

    Parameters
    ----------
    order : int array (runs,)
        Run that is visited: by curve, then side, then outwards.
    step : array (runs,)
        Distance from the run visited before it in its chain, from the pivot for the first.
    first : int array (runs,)
        One where a chain begins, otherwise zero.
    owner : int array (runs,)
        Curve of the run that is visited.
    """

    order: np.ndarray
    step: np.ndarray
    first: np.ndarray
    owner: np.ndarray


def filter_order(position: np.ndarray, curve: np.ndarray) -> FilterOrder:
    """Sort runs into chains that lead away from the pivot of their curve.

    Parameters
    ----------
    position : array (runs,)
        Log predictor minus that of the curve's pivot, signed.
    curve : int array (runs,)
        Number of each run's curve.

    Returns
    -------
    FilterOrder

    Examples
    --------
    >>> found = filter_order(np.array([2.0, -0.5, 0.5, 2.0]), np.array([0, 0, 0, 0]))
    >>> found.order, found.step, found.first
    (array([2, 0, 3, 1]), array([0.5, 1.5, 0. , 0.5]), array([1, 0, 0, 1]))
    """
    left, distance = position < 0, np.abs(position)
    order = np.lexsort((distance, left, curve)).astype(np.int64)
    owner, side, along = curve[order].astype(np.int64), left[order], distance[order]
    first = np.ones(order.size, dtype=np.int64)
    first[1:] = (owner[1:] != owner[:-1]) | (side[1:] != side[:-1])
    step = np.where(first == 1, along, np.diff(along, prepend=0.0))
    return FilterOrder(order, step, first, owner)


@numba.njit(**_COMPILE)
def _told(mean, spread, residual, variance):
    """State of a chain once a run has been seen."""
    if variance == np.inf:
        return mean, spread
    gain = spread / (spread + variance)
    return mean + gain * (residual - mean), gain * variance


@numba.njit(**_COMPILE)
def _predict(residual, variance, tau2, order, step, first, owner, mean, spread):
    """State of its chain before each visited run."""
    middle, width = 0.0, 0.0
    for k in range(order.shape[0]):
        if first[k] == 1:
            middle, width = 0.0, 0.0
        width += tau2[owner[k]] * step[k]
        mean[k], spread[k] = middle, width
        middle, width = _told(middle, width, residual[order[k]], variance[order[k]])


@numba.njit(**_COMPILE)
def log_density_by_curve(residual, variance, tau2, order, step, first, owner):
    """Joint log density of the residuals of each curve, shape (curves,).

    Parameters
    ----------
    residual, variance : array (runs,)
        Response minus law on the scale of the noise, and the variance of the noise.
    tau2 : array (curves,)
        Variance of delta at distance one from the pivot.
    order, step, first, owner : array (runs,)
        See `FilterOrder`.
    """
    mean, spread = np.empty(order.shape[0]), np.empty(order.shape[0])
    _predict(residual, variance, tau2, order, step, first, owner, mean, spread)
    out = np.zeros(tau2.shape[0])
    for k in range(order.shape[0]):
        total = spread[k] + variance[order[k]]
        away = residual[order[k]] - mean[k]
        out[owner[k]] -= (math.log(2 * math.pi * total) + away * away / total) / 2
    return out


@numba.njit(**_COMPILE)
def log_density(residual, variance, tau2, order, step, first, owner):
    """Joint log density of all residuals; arguments as in `log_density_by_curve`."""
    total = 0.0
    for value in log_density_by_curve(residual, variance, tau2, order, step, first, owner):
        total += value
    return total


@numba.njit(**_COMPILE)
def _reverse(residual, variance, tau2, where, out):
    """Write the gradient of `log_density`, which it gives, into `out`, its last array zero before."""
    order, step, first, owner = where
    residual_bar, variance_bar, tau2_bar = out
    mean, spread = np.empty(order.shape[0]), np.empty(order.shape[0])
    _predict(residual, variance, tau2, order, step, first, owner, mean, spread)
    logarithm, product, squares, mean_bar, spread_bar = 0.0, 1.0, 0.0, 0.0, 0.0
    for k in range(order.shape[0] - 1, -1, -1):
        i = order[k]
        weight, away = 1 / (spread[k] + variance[i]), residual[i] - mean[k]
        pull = away * weight
        squares += pull * away
        # One logarithm of many weights: it would take as long as all the rest.
        product *= weight
        if not SMALL < product < 1 / SMALL:
            logarithm, product = logarithm + math.log(product), 1.0
        gain, keep = spread[k] * weight, variance[i] * weight
        score = (pull * pull - weight) / 2
        residual_bar[i] = mean_bar * gain - pull
        variance_bar[i] = score - mean_bar * gain * pull + spread_bar * gain * gain
        spread_bar = score + mean_bar * keep * pull + spread_bar * keep * keep
        mean_bar -= residual_bar[i]
        tau2_bar[owner[k]] += step[k] * spread_bar
        if first[k] == 1:
            mean_bar, spread_bar = 0.0, 0.0
    logarithm += math.log(product) - order.shape[0] * math.log(2 * math.pi)
    return (logarithm - squares) / 2


@numba.njit(**_COMPILE)
def value_and_gradients(residual, variance, tau2, order, step, first, owner):
    """`log_density` and its gradients with respect to residual, variance and tau2."""
    out = np.empty(residual.shape), np.empty(residual.shape), np.zeros(tau2.shape)
    total = _reverse(residual, variance, tau2, (order, step, first, owner), out)
    return np.asarray(total), out[0], out[1], out[2]


@numba.njit(**_COMPILE)
def gradients(residual, variance, tau2, order, step, first, owner):
    """Gradients of `log_density` for many draws.

    Residual and variance are (draws, runs), tau2 is (draws, curves); so are the gradients.
    """
    where = (order, step, first, owner)
    out = np.empty(residual.shape), np.empty(residual.shape), np.zeros(tau2.shape)
    for s in range(residual.shape[0]):
        one = (out[0][s], out[1][s], out[2][s])
        _reverse(residual[s], variance[s], tau2[s], where, one)
    return out


@numba.njit(**_COMPILE)
def aheads(residual, variance, tau2, order, step, first, owner):
    """`ahead` for many draws: two arrays (draws, runs); tau2 is (draws, curves)."""
    mean, total = np.empty(residual.shape), np.empty(residual.shape)
    middle, spread = np.empty(order.shape[0]), np.empty(order.shape[0])
    for s in range(residual.shape[0]):
        _predict(residual[s], variance[s], tau2[s], order, step, first, owner, middle, spread)
        for k in range(order.shape[0]):
            mean[s, order[k]] = middle[k]
            total[s, order[k]] = spread[k] + variance[s, order[k]]
    return mean, total


def ahead(
    residual: np.ndarray,
    variance: np.ndarray,
    tau2: np.ndarray,
    order: np.ndarray,
    step: np.ndarray,
    first: np.ndarray,
    owner: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each residual given those before it in its chain.

    Parameters
    ----------
    residual, variance, tau2, order, step, first, owner : array
        As in `log_density_by_curve`, whose sum is that of these log densities.

    Returns
    -------
    tuple
        Two arrays (runs,), in the order of the runs.

    Examples
    --------
    >>> where = filter_order(np.array([1.0, 1.0]), np.array([0, 0]))
    >>> ahead(np.array([0.4, 0.0]), np.ones(2), np.array([1.0]), *where)
    (array([0. , 0.2]), array([2. , 1.5]))
    """
    mean, total = aheads(residual[None], variance[None], tau2[None], order, step, first, owner)
    return mean[0], total[0]


def leave_one_out_moments(
    residual: np.ndarray,
    variance: np.ndarray,
    residual_bar: np.ndarray,
    variance_bar: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each residual given all others, from the gradient of the log_density.

    With C the joint covariance, the gradient holds ``a = C^-1 r`` and ``diag(C^-1)``. Holds for
    any Gaussian log_density in which the variances are added to the diagonal of C.

    Parameters
    ----------
    residual, variance : array (..., runs)
        As in `log_density_by_curve`; draws lead, if there are any.
    residual_bar, variance_bar : array (..., runs)
        Gradient of the log density.

    Returns
    -------
    tuple
        Two arrays (..., runs).

    Examples
    --------
    >>> where = filter_order(np.array([1.0, 1.0]), np.array([0, 0]))
    >>> r, v = np.array([0.4, 0.0]), np.ones(2)
    >>> _, r_bar, v_bar, _ = value_and_gradients(r, v, np.array([1.0]), *where)
    >>> mean, variance = leave_one_out_moments(r, v, r_bar, v_bar)
    >>> mean.round(3), variance.round(3)
    (array([0. , 0.2]), array([1.5, 1.5]))
    """
    precision = residual_bar**2 - 2 * variance_bar
    return residual + residual_bar / precision, 1 / precision


@numba.njit(**_COMPILE)
def _look_back(residual, variance, tau2, where, normal, out):
    """Write `given` of one draw into `out`."""
    order, step, first, owner = where
    mean, spread, draw = out
    before, width = np.empty(order.shape[0]), np.empty(order.shape[0])
    _predict(residual, variance, tau2, order, step, first, owner, before, width)
    for k in range(order.shape[0] - 1, -1, -1):
        i = order[k]
        middle, own = _told(before[k], width[k], residual[i], variance[i])
        mean[i], spread[i], draw[i] = middle, own, middle
        if k + 1 < order.shape[0] and first[k + 1] == 0 and width[k + 1] > 0:
            after = order[k + 1]
            share = own / width[k + 1]
            rest = tau2[owner[k + 1]] * step[k + 1] / width[k + 1]
            own *= rest
            mean[i] = rest * middle + share * mean[after]
            spread[i] = own + share * share * spread[after]
            draw[i] = rest * middle + share * draw[after]
        draw[i] += math.sqrt(own) * normal[i]


@numba.njit(**_COMPILE)
def given_draws(residual, variance, tau2, order, step, first, owner, normal):
    """`given` for many draws: residual, variance, normal (draws, runs), tau2 (draws, curves)."""
    where = (order, step, first, owner)
    out = np.empty(residual.shape), np.empty(residual.shape), np.empty(residual.shape)
    for s in range(residual.shape[0]):
        one = (out[0][s], out[1][s], out[2][s])
        _look_back(residual[s], variance[s], tau2[s], where, normal[s], one)
    return out


def given(
    residual: np.ndarray,
    variance: np.ndarray,
    tau2: np.ndarray,
    order: np.ndarray,
    step: np.ndarray,
    first: np.ndarray,
    owner: np.ndarray,
    normal: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Delta at every run given all runs that were observed.

    Parameters
    ----------
    residual, variance, tau2, order, step, first, owner : array
        As in `log_density_by_curve`. A run of infinite variance was not observed, its residual is
        not read: so delta is forecast at other places.
    normal : array (runs,)
        Standard normal numbers, for one joint draw.

    Returns
    -------
    tuple
        Mean, variance and a joint draw of delta: three arrays (runs,).

    Examples
    --------
    >>> where = filter_order(np.array([1.0, 3.0]), np.array([0, 0]))
    >>> variance = np.array([1.0, np.inf])
    >>> given(np.array([0.4, np.nan]), variance, np.array([1.0]), *where, np.zeros(2))
    (array([0.2, 0.2]), array([0.5, 2.5]), array([0.2, 0.2]))
    """
    mean, spread, draw = given_draws(
        residual[None], variance[None], tau2[None], order, step, first, owner, normal[None]
    )
    return mean[0], spread[0], draw[0]
