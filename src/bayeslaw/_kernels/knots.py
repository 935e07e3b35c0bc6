"""Numba kernels of what a law gets wrong along several predictors, gradients written by hand.

Residuals are ``r_i = sum_p delta_p(u_pi) + e_i`` with ``e_i ~ N(0, v_i)``. Each delta_p is, in each
curve, a two-sided Brownian motion in the log predictor u_p as in `bayeslaw.walk`, known at knots
and linear between them. With a knot at every distinct place that is exact.

The values at the knots are sums of independent increments, ``b = A S z`` with z standard normal, S
the increments' scales and A ones from each knot inwards to the pivot. So a curve is one system of
the size of its number of knots, ``M = I + S G S`` with ``G = A' Z' V^-1 Z A`` and Z the weights of
runs at knots: it holds for scales of zero as well. Z has two entries per predictor, and multiplying
by A is adding up along a side.

Where knots, runs and other places are: `bayeslaw.knot_places`.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["given_draws", "gradients", "log_density", "log_density_by_curve", "value_and_gradients"]

_COMPILE = {"cache": True, "error_model": "numpy"}


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
def log_density_by_curve(residual, variance, tau2, *where):
    """Joint log density of the residuals of each curve, shape (curves,).

    Parameters
    ----------
    residual, variance : array (runs,)
        Response minus law on the scale of the noise, and the variance of the noise.
    tau2 : array (predictors, curves)
        Variance of each delta at distance one from the pivot.
    *where : array
        The fields of `bayeslaw._kernels.knot_layout.Knots`, in their order.
    """
    order, bounds, left, right, share, start, _, before, _ = where
    index, weight = np.empty(2 * left.shape[0], np.int64), np.empty(2 * left.shape[0])
    out = np.zeros(tau2.shape[1])
    for c in range(start.shape[0] - 1):
        _, scale, root, half = _solve(residual, variance, tau2, c, where)
        z = _lean(root, half)
        values = _values(scale, z, before, start[c])
        for k in range(z.shape[0]):
            out[c] += math.log(root[k, k]) - z[k] * z[k] / 2
        for m in range(bounds[c], bounds[c + 1]):
            i = order[m]
            entries = _row(left, right, share, i, start[c], index, weight)
            away = residual[i] - _dot(values, index, weight, entries)
            out[c] -= (math.log(2 * math.pi * variance[i]) + away * away / variance[i]) / 2
    return out


@numba.njit(**_COMPILE)
def log_density(residual, variance, tau2, *where):
    """Joint log density of all residuals; arguments as in `log_density_by_curve`."""
    return log_density_by_curve(residual, variance, tau2, *where).sum()


@numba.njit(**_COMPILE)
def _slope(pulled, z, gram, inverse, scale, k):
    """Twice the derivative of the log_density by the variance of increment k.

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
def _reverse(residual, variance, tau2, where, out):
    """Write the gradient of `log_density`, which it gives, into `out`, its last array zero before."""
    total = 0.0
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
        for k in range(z.shape[0]):
            total += math.log(root[k, k]) - z[k] * z[k] / 2
        for m in range(bounds[c], bounds[c + 1]):
            i = order[m]
            entries = _row(left, right, share, i, low, index, weight)
            away = (residual[i] - _dot(values, index, weight, entries)) / variance[i]
            total -= (math.log(2 * math.pi * variance[i]) + away * away * variance[i]) / 2
            lever = _form(covariance, index, weight, entries) / variance[i]
            residual_bar[i] = -away
            variance_bar[i] = (away * away - (1 - lever) / variance[i]) / 2
            for a in range(entries):
                pulled[index[a], 0] += weight[a] * away
        _inwards(pulled, before, low)
        for k in range(scale.shape[0]):
            slope = _slope(pulled, z, gram, inverse, scale, k)
            tau2_bar[kind[low + k], c] += slope * _width(at, before, low + k) / 2
    return total


@numba.njit(**_COMPILE)
def value_and_gradients(
    residual, variance, tau2, order, bounds, left, right, share, start, at, before, kind
):
    """`log_density` and its gradients with respect to residual, variance and tau2."""
    where = (order, bounds, left, right, share, start, at, before, kind)
    out = np.zeros(residual.shape), np.zeros(residual.shape), np.zeros(tau2.shape)
    total = _reverse(residual, variance, tau2, where, out)
    return np.asarray(total), out[0], out[1], out[2]


@numba.njit(**_COMPILE)
def gradients(residual, variance, tau2, *where):
    """Gradients of `log_density` for many draws.

    Residual and variance are (draws, runs), tau2 (draws, predictors, curves); so are the gradients.
    """
    out = np.zeros(residual.shape), np.zeros(residual.shape), np.zeros(tau2.shape)
    for s in range(residual.shape[0]):
        _reverse(residual[s], variance[s], tau2[s], where, (out[0][s], out[1][s], out[2][s]))
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
        As in `log_density_by_curve`.
    tau2 : array (draws, predictors, curves)
        As in `log_density_by_curve`.
    order, bounds, left, right, share, start, at, before, kind : array
        See `bayeslaw._kernels.knot_layout.Knots`.
    place_order, place_bounds, place_left, place_right, place_share : array
        See `bayeslaw._kernels.knot_layout.KnotNeighbours`.
    normal : array (draws, knots)
        Standard normal numbers.

    Returns
    -------
    tuple
        Mean, variance and a joint draw, three arrays (draws, places). What is beyond the
        outermost knots is added by `bayeslaw._kernels.knot_layout.extended`.
    """
    where = (order, bounds, left, right, share, start, at, before, kind)
    places = (place_order, place_bounds, place_left, place_right, place_share)
    shape = (residual.shape[0], place_left.shape[1])
    out = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for s in range(shape[0]):
        one = (out[0][s], out[1][s], out[2][s])
        _given(residual[s], variance[s], tau2[s], where, places, normal[s], one)
    return out
