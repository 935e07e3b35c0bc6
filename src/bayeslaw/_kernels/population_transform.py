"""Numba kernels with gradients written by hand: where the coordinates of a population are put.

See `bayeslaw.placing` for what they are for. Matrices are as large as a law has parameters.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from bayeslaw._kernels.group_effects import factor, inverse, matrix_adjoint, solve, solve_transposed

__all__ = ["transform_population", "transform_population_adjoint"]

_COMPILE = {"cache": True, "error_model": "numpy"}


@numba.njit(**_COMPILE)
def _invert(out):
    """Invert a positive definite matrix in place, by elimination."""
    for k in range(out.shape[0]):
        pivot = 1 / out[k, k]
        out[k, k] = 1.0
        for j in range(out.shape[0]):
            out[k, j] *= pivot
        for i in range(out.shape[0]):
            if i != k:
                by = out[i, k]
                out[i, k] = 0.0
                for j in range(out.shape[0]):
                    out[i, j] -= by * out[k, j]


@numba.njit(**_COMPILE)
def _inverted(matrix):
    out = matrix.copy()
    _invert(out)
    return out


@numba.njit(**_COMPILE)
def _times(matrix, vector):
    out = np.zeros(vector.shape[0])
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            out[i] += matrix[i, j] * vector[j]
    return out


@numba.njit(**_COMPILE)
def _add_between(outer, inner, sign, out):
    """Add outer inner outer, of symmetric matrices."""
    size = outer.shape[0]
    for i in range(size):
        for j in range(size):
            half = 0.0
            for k in range(size):
                half += outer[i, k] * inner[k, j]
            for k in range(size):
                out[i, k] += sign * half * outer[j, k]


@numba.njit(**_COMPILE)
def _add_outer(left, right, sign, out):
    """Add the symmetric part of an outer product."""
    for i in range(left.shape[0]):
        for j in range(left.shape[0]):
            out[i, j] += sign * (left[i] * right[j] + right[i] * left[j]) / 2


@numba.njit(**_COMPILE)
def _write_covariance(mixed, variances, low, high, out):
    """At the pivot of a typical curve, of independent parameters at the reference."""
    for i in range(low, high):
        for j in range(low, high):
            out[i - low, j - low] = 0.0
            for m in range(low, high):
                out[i - low, j - low] += mixed[i, m] * variances[m] * mixed[j, m]


@numba.njit(**_COMPILE)
def _covariance(mixed, variances, low, high):
    out = np.empty((high - low, high - low))
    _write_covariance(mixed, variances, low, high, out)
    return out


@numba.njit(**_COMPILE)
def _add_variances_gradient(mixed, covariance_bar, low, high, variances_bar):
    """Add what `_covariance` owes to the variances."""
    for m in range(low, high):
        for i in range(low, high):
            for j in range(low, high):
                by = mixed[i, m] * mixed[j, m]
                variances_bar[m] += by * covariance_bar[i - low, j - low]


@numba.njit(**_COMPILE)
def _told(own, mode, information, curve_mixed, low, high):
    """What each curve tells of its population, what all do, and what their modes add up to."""
    size, curves = high - low, mode.shape[1]
    each, total, pulled = np.empty((curves, size, size)), np.zeros((size, size)), np.zeros(size)
    for g in range(curves):
        _write_covariance(curve_mixed[g], own, low, high, each[g])
        for i in range(size):
            each[g, i, i] += 1 / information[low + i, g]
        _invert(each[g])
        for i in range(size):
            for j in range(size):
                total[i, j] += each[g, i, j]
                pulled[i] += each[g, i, j] * mode[low + j, g]
    return each, total, pulled


@numba.njit(**_COMPILE)
def _variances(spread, level_share):
    """Of the parameters, between curves; and of the mean of all groups."""
    own, groups = np.empty(level_share.shape[0]), np.zeros(level_share.shape[0])
    for i in range(level_share.shape[0]):
        own[i] = spread[i] ** 2
        for s in range(spread.shape[0]):
            groups[i] += level_share[i, s] * spread[s] ** 2
    return own, groups


@numba.njit(**_COMPILE)
def _combined(variances, prior, sd, mode, information, curve_mixed, mixed, low, high):
    """Prior and curves together: factor of the precision, and middle; then parts of the curves'."""
    own, groups = variances
    each, total, pulled = _told(own, mode, information, curve_mixed, low, high)
    known, by_curves = _inverted(_covariance(mixed, sd**2, low, high)), _inverted(total)
    told, found = by_curves + _covariance(mixed, groups, low, high), _times(by_curves, pulled)
    _invert(told)
    lower = known + told
    factor(lower, 0)
    middle = _times(known, prior[low:high]) + _times(told, found)
    solve(lower, 0, middle)
    solve_transposed(lower, 0, middle)
    return lower, middle, each, by_curves, told, found


@numba.njit(**_COMPILE)
def transform_population(
    z, spread, prior, sd, mode, information, curve_mixed, mixed, level_share, blocks
):
    """A population's coordinates at the pivot of a typical curve from standard ones.

    How much curves tell of them, and of which combination, depends on which of their parameters
    differ: where all have one exponent it is told, where all have one floor that is.

    Parameters
    ----------
    z : array (parameters,)
        Standard coordinates.
    spread : array (spreads,)
        Of each parameter between curves, then those between the levels of groups.
    prior : array (parameters,)
        The middle of the prior, there.
    sd : array (parameters,)
        Of the prior, at the reference.
    mode, information : array (parameters, curves)
        Of each curve, there.
    curve_mixed : array (curves, parameters, parameters)
        How much each coordinate there changes with each at the reference, near each curve.
    mixed : array (parameters, parameters)
        Their mean.
    level_share : array (parameters, spreads)
        One over the number of levels.
    blocks : int array (blocks, 2)
        First, and one past last, of parameters that are not mixed with others.

    Returns
    -------
    tuple of array
        Coordinates, shape (parameters,), and the log determinant.
    """
    out, log_det = np.empty(z.shape[0]), 0.0
    variances = _variances(spread, level_share)
    for block in range(blocks.shape[0]):
        low, high = blocks[block]
        lower, middle, _, _, _, _ = _combined(
            variances, prior, sd, mode, information, curve_mixed, mixed, low, high
        )
        away = z[low:high].copy()
        solve_transposed(lower, 0, away)
        for i in range(high - low):
            out[low + i] = middle[i] + away[i]
            log_det -= math.log(lower[i, i])
    return out, np.asarray(log_det)


@numba.njit(**_COMPILE)
def transform_population_adjoint(
    z, spread, prior, sd, mode, information, curve_mixed, mixed, level_share, blocks,
    out_bar, log_det_bar,
):  # fmt: skip
    """Adjoints of z and spread; arguments as in `transform_population`."""
    z_bar, own_bar, groups_bar = np.empty(z.shape[0]), np.zeros(z.shape[0]), np.zeros(z.shape[0])
    variances = _variances(spread, level_share)
    for block in range(blocks.shape[0]):
        low, high = blocks[block]
        size = high - low
        lower, middle, each, by_curves, told, found = _combined(
            variances, prior, sd, mode, information, curve_mixed, mixed, low, high
        )
        half = out_bar[low:high].copy()
        solve(lower, 0, half)
        whole = half.copy()
        solve_transposed(lower, 0, whole)
        z_bar[low:high] = half
        told_bar = matrix_adjoint(inverse(lower, 0), 0, z[low:high], half, -log_det_bar.item())
        _add_outer(whole, found - middle, 1.0, told_bar)
        groups_by, total_by = np.zeros((size, size)), np.zeros((size, size))
        _add_between(told, told_bar, -1.0, groups_by)
        _add_between(by_curves, groups_by, -1.0, total_by)
        pulled_bar = _times(by_curves, _times(told, whole))
        _add_outer(pulled_bar, found, -1.0, total_by)
        _add_variances_gradient(mixed, groups_by, low, high, groups_bar)
        each_bar, own_by = np.empty((size, size)), np.empty((size, size))
        for g in range(mode.shape[1]):
            for i in range(size):
                for j in range(size):
                    each_bar[i, j], own_by[i, j] = total_by[i, j], 0.0
            _add_outer(pulled_bar, mode[low:high, g], 1.0, each_bar)
            _add_between(each[g], each_bar, -1.0, own_by)
            _add_variances_gradient(curve_mixed[g], own_by, low, high, own_bar)
    spread_bar = np.zeros(spread.shape[0])
    for i in range(z.shape[0]):
        spread_bar[i] += 2 * spread[i] * own_bar[i]
        for s in range(spread.shape[0]):
            spread_bar[s] += 2 * spread[s] * level_share[i, s] * groups_bar[i]
    return z_bar, spread_bar
