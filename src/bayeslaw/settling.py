"""Numba kernels with gradients written by hand: where the sampler's coordinates are put.

See `bayeslaw.placing` for what they are for. Curves are settled one after the other, with as much
as their data tell; a population is settled by all of them.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from bayeslaw.kernels import inverse, matrix_adjoint, solve, solve_transposed

__all__ = [
    "heard",
    "settle",
    "settle_gradient",
    "settle_population",
    "settle_population_gradient",
]

_COMPILE = {"cache": True, "error_model": "numpy"}


@numba.njit(**_COMPILE)
def heard(away, alone, share):
    """What curves tell of their law where their noise is not what it is at the mode.

    A short curve hardly says how noisy it is, and the less noise the more it says of the law: a
    funnel, unless the sampler's coordinates know of it.

    Parameters
    ----------
    away : array (noise parameters, curves)
        Logarithms of the parameters of the noise, relative to those at the mode.
    alone, share : array (parameters, noise parameters, curves)
        See `bayeslaw.pilot.Nearby`.

    Returns
    -------
    tuple of array (parameters, curves)
        How many times more they tell than at the mode, and how far the mode has moved in parts of
        `Nearby.noise_shift`; then what the gradient needs.
    """
    size, noise, curves = alone.shape
    square, rest = _squares(away), np.ones((size, curves))
    louder, moved = np.empty((size, curves)), np.empty((size, curves))
    part, first = np.zeros((size, curves)), np.zeros((size, curves))
    for i in range(size):
        for k in range(noise):
            for g in range(curves):
                part[i, g] += alone[i, k, g]
                first[i, g] += alone[i, k, g] / square[k, g]
                rest[i, g] += share[i, k, g] * (square[k, g] - 1)
        for g in range(curves):
            louder[i, g] = first[i, g] + (1 - part[i, g]) / rest[i, g]
            moved[i, g] = (first[i, g] / louder[i, g] - part[i, g]) / (1 - part[i, g])
    return louder, moved, part, first, rest


@numba.njit(**_COMPILE)
def _squares(away):
    out = np.empty(away.shape)
    for k in range(away.shape[0]):
        for g in range(away.shape[1]):
            out[k, g] = math.exp(2 * away[k, g])
    return out


@numba.njit(**_COMPILE)
def _through(mean, spread, mode, told, bend):
    """What is told of each coordinate by way of the others too, and where they pull it.

    What the population holds of one parameter tells of the others, by what the curve says of the
    coordinate that both are part of. Also how much of each is held, and its residual.
    """
    size, curves = told.shape
    held, residual = np.empty((size, curves)), np.empty((size, curves))
    through, pull = told.copy(), np.zeros((size, curves))
    for i in range(size):
        variance = spread[i, 0] ** 2
        for g in range(curves):
            held[i, g] = told[i, g] / (1 + variance * told[i, g])
            residual[i, g] = mean[i, g] - mode[i, g]
        for j in range(size):
            for g in range(curves):
                by = bend[i, j, g] * held[i, g]
                through[j, g] += bend[i, j, g] * by
                pull[j, g] += by * residual[i, g]
    return through, pull, held, residual


@numba.njit(**_COMPILE)
def settle(
    z, away, expected, mean, spread, pivot_mode, information, mode, alone, share, shift, bend
):
    """Pivot coordinates of all curves from standard ones.

    Parameters
    ----------
    z : array (parameters, curves)
        Standard coordinates; those of the law come first.
    away : array (noise parameters, curves)
        Logarithms of the parameters of the noise, relative to those at the mode.
    expected, mean : array (parameters, curves)
        What the population expects of each curve, in pivot and in reference coordinates.
    spread : array (parameters, 1)
        How far curves are from that.
    pivot_mode, information, mode : array (parameters, curves)
        The mode and how much is told of it in pivot coordinates; the mode in reference ones.
    alone, share, shift, bend : array
        See `bayeslaw.pilot.Nearby`.

    Returns
    -------
    tuple of array
        Of shape (law parameters, curves): pivot coordinates, how far they are at the pivot, and
        roughly where they are at the reference. Then the log determinant.
    """
    size, curves = shift.shape
    eta, weight, near = np.empty((size, curves)), np.empty((size, curves)), np.empty((size, curves))
    scales, log_det = np.ones(curves), 0.0
    louder, moved, _, _, _ = heard(away, alone, share)
    told = information[:size] * louder
    through, pull, _, residual = _through(mean, spread, mode, told, bend)
    for j in range(size):
        own = spread[j, 0]
        for g in range(curves):
            apart = 1 + own**2 * through[j, g]
            scale, known = own / math.sqrt(apart), 1 - 1 / apart
            found = pivot_mode[j, g] + moved[j, g] * shift[j, g] + pull[j, g] / through[j, g]
            weight[j, g], near[j, g] = known, mean[j, g] - known * residual[j, g]
            eta[j, g] = expected[j, g] + known * (found - expected[j, g]) + scale * z[j, g]
            scales[g] *= scale
    for g in range(curves):
        log_det += math.log(scales[g])
    return eta, weight, near, np.asarray(log_det)


@numba.njit(**_COMPILE)
def settle_gradient(
    z, away, expected, mean, spread, pivot_mode, information, mode, alone, share, shift, bend,
    eta_bar, weight_bar, near_bar, log_det_bar,
):  # fmt: skip
    """Adjoints of z, away, expected, mean and spread; arguments as in `settle`."""
    size, curves = shift.shape
    z_bar, mean_bar, log_bar = np.zeros(z.shape), np.zeros(mean.shape), log_det_bar.item()
    expected_bar, spread_bar = np.zeros(expected.shape), np.zeros(spread.shape)
    parts = heard(away, alone, share)
    told = information[:size] * parts[0]
    through, pull, held, residual = _through(mean, spread, mode, told, bend)
    told_bar, pull_bar = np.empty((size, curves)), np.empty((size, curves))
    moved_bar = np.empty((size, curves))
    for j in range(size):
        own = spread[j, 0]
        for g in range(curves):
            apart, bar = 1 + own**2 * through[j, g], eta_bar[j, g]
            scale, known = own / math.sqrt(apart), 1 - 1 / apart
            pulled = pull[j, g] / through[j, g]
            found = pivot_mode[j, g] + parts[1][j, g] * shift[j, g] + pulled
            z_bar[j, g], expected_bar[j, g] = bar * scale, bar * (1 - known)
            mean_bar[j, g] = near_bar[j, g] * (1 - known)
            known_bar = weight_bar[j, g] + bar * (found - expected[j, g])
            known_bar -= near_bar[j, g] * residual[j, g]
            scale_bar = bar * scale * z[j, g] + log_bar  # of its logarithm
            apart_bar = (known_bar / apart - scale_bar / 2) / apart
            spread_bar[j, 0] += scale_bar / own + 2 * own * apart_bar * through[j, g]
            moved_bar[j, g] = bar * known * shift[j, g]
            pull_bar[j, g] = bar * known / through[j, g]
            told_bar[j, g] = own**2 * apart_bar - pull_bar[j, g] * pulled
    _through_gradient(spread, told, bend, held, residual, pull_bar, told_bar, mean_bar, spread_bar)
    for i in range(size):
        for g in range(curves):
            told_bar[i, g] *= information[i, g]
    away_bar = _heard_gradient(away, alone, share, parts, told_bar, moved_bar)
    return z_bar, away_bar, expected_bar, mean_bar, spread_bar


@numba.njit(**_COMPILE)
def _through_gradient(
    spread, told, bend, held, residual, pull_bar, told_bar, mean_bar, spread_bar
):  # fmt: skip
    """Add what `_through` owes; `told_bar` is that of what is told by way of others before."""
    size, curves = told.shape
    held_bar = np.zeros((size, curves))
    for i in range(size):
        for j in range(size):
            for g in range(curves):
                by, pulled = bend[i, j, g], bend[i, j, g] * pull_bar[j, g]
                held_bar[i, g] += by**2 * told_bar[j, g] + pulled * residual[i, g]
                mean_bar[i, g] += held[i, g] * pulled
    for i in range(size):
        own = spread[i, 0]
        for g in range(curves):
            spread_bar[i, 0] -= 2 * own * held_bar[i, g] * held[i, g] ** 2
            told_bar[i, g] += held_bar[i, g] / (1 + own**2 * told[i, g]) ** 2


@numba.njit(**_COMPILE)
def _heard_gradient(away, alone, share, parts, louder_bar, moved_bar):
    """Adjoint of `away`, by those of what `heard` tells."""
    louder, _, part, first, rest = parts
    size, noise, curves = alone.shape
    square, away_bar = _squares(away), np.zeros(away.shape)
    for i in range(size):
        for g in range(curves):
            bar = moved_bar[i, g] / (1 - part[i, g]) / louder[i, g]
            louder_bar[i, g] -= bar * first[i, g] / louder[i, g]
            moved_bar[i, g] = louder_bar[i, g] + bar  # from here on that of `first`
            louder_bar[i, g] *= -(1 - part[i, g]) / rest[i, g] ** 2  # and that of `rest`
        for k in range(noise):
            for g in range(curves):
                slope = share[i, k, g] * louder_bar[i, g] * square[k, g]
                away_bar[k, g] += 2 * (slope - alone[i, k, g] * moved_bar[i, g] / square[k, g])
    return away_bar


@numba.njit(**_COMPILE)
def _inverted(matrix):
    """Of a positive definite matrix, by elimination in place."""
    out = matrix.copy()
    for k in range(out.shape[0]):
        pivot = out[k, k]
        out[k, k] = 1.0
        for j in range(out.shape[0]):
            out[k, j] /= pivot
        for i in range(out.shape[0]):
            if i != k:
                by = out[i, k]
                out[i, k] = 0.0
                for j in range(out.shape[0]):
                    out[i, j] -= by * out[k, j]
    return out


@numba.njit(**_COMPILE)
def _cholesky(matrix):
    lower = np.zeros(matrix.shape)
    for i in range(matrix.shape[0]):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            lower[i, j] = math.sqrt(total) if i == j else total / lower[j, j]
    return lower


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
def _covariance(mixed, variances, low, high):
    """At the pivot of a typical curve, of independent parameters at the reference."""
    out = np.zeros((high - low, high - low))
    for i in range(low, high):
        for j in range(low, high):
            for m in range(low, high):
                out[i - low, j - low] += mixed[i, m] * variances[m] * mixed[j, m]
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
        variance = _covariance(curve_mixed[g], own, low, high)
        for i in range(size):
            variance[i, i] += 1 / information[low + i, g]
        each[g] = _inverted(variance)
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
def _combined(known, prior, told, found):
    """The factor of the precision of prior and curves together, and their middle."""
    lower = _cholesky(known + told)
    middle = _times(known, prior) + _times(told, found)
    solve(lower, 0, middle)
    solve_transposed(lower, 0, middle)
    return lower, middle


@numba.njit(**_COMPILE)
def settle_population(
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
    own, groups = _variances(spread, level_share)
    for block in range(blocks.shape[0]):
        low, high = blocks[block]
        _, total, pulled = _told(own, mode, information, curve_mixed, low, high)
        known, by_curves = _inverted(_covariance(mixed, sd**2, low, high)), _inverted(total)
        told = _inverted(by_curves + _covariance(mixed, groups, low, high))
        lower, middle = _combined(known, prior[low:high], told, _times(by_curves, pulled))
        away = z[low:high].copy()
        solve_transposed(lower, 0, away)
        for i in range(high - low):
            out[low + i] = middle[i] + away[i]
            log_det -= math.log(lower[i, i])
    return out, np.asarray(log_det)


@numba.njit(**_COMPILE)
def settle_population_gradient(
    z,
    spread,
    prior,
    sd,
    mode,
    information,
    curve_mixed,
    mixed,
    level_share,
    blocks,
    out_bar,
    log_det_bar,
):
    """Adjoints of z and spread; arguments as in `settle_population`."""
    z_bar, own_bar, groups_bar = np.empty(z.shape[0]), np.zeros(z.shape[0]), np.zeros(z.shape[0])
    own, groups = _variances(spread, level_share)
    for block in range(blocks.shape[0]):
        low, high = blocks[block]
        size = high - low
        each, total, pulled = _told(own, mode, information, curve_mixed, low, high)
        known, by_curves = _inverted(_covariance(mixed, sd**2, low, high)), _inverted(total)
        found = _times(by_curves, pulled)
        told = _inverted(by_curves + _covariance(mixed, groups, low, high))
        lower, middle = _combined(known, prior[low:high], told, found)
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
        for g in range(mode.shape[1]):
            each_bar, own_by = total_by.copy(), np.zeros((size, size))
            _add_outer(pulled_bar, mode[low:high, g], 1.0, each_bar)
            _add_between(each[g], each_bar, -1.0, own_by)
            _add_variances_gradient(curve_mixed[g], own_by, low, high, own_bar)
    spread_bar = np.zeros(spread.shape[0])
    for i in range(z.shape[0]):
        spread_bar[i] += 2 * spread[i] * own_bar[i]
        for s in range(spread.shape[0]):
            spread_bar[s] += 2 * spread[s] * level_share[i, s] * groups_bar[i]
    return z_bar, spread_bar
