"""Numba kernels with gradients written by hand: where the coordinates of curves are put.

See `bayeslaw.placing` for what they are for.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["information_ratio", "transform_curves", "transform_curves_adjoint"]

_COMPILE = {"cache": True, "error_model": "numpy"}


@numba.njit(**_COMPILE)
def information_ratio(away, alone, share):
    """What curves tell of their law where their noise is not what it is at the mode.

    A short curve hardly says how noisy it is, and the less noise the more it says of the law: a
    funnel, unless the sampler's coordinates know of it.

    Parameters
    ----------
    away : array (noise parameters, curves)
        Logarithms of the parameters of the noise, relative to those at the mode.
    alone, share : array (parameters, noise parameters, curves)
        See `bayeslaw._inference.laplace.LocalExpansion`.

    Returns
    -------
    tuple of array (parameters, curves)
        How many times more they tell than at the mode, and how far the mode has moved in parts of
        `LocalExpansion.noise_shift`; then what the gradient needs.
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
def transform_curves(
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
        See `bayeslaw._inference.laplace.LocalExpansion`.

    Returns
    -------
    tuple of array
        Of shape (law parameters, curves): pivot coordinates, how far they are at the pivot, and
        roughly where they are at the reference. Then the log determinant.
    """
    size, curves = shift.shape
    eta, weight, near = np.empty((size, curves)), np.empty((size, curves)), np.empty((size, curves))
    scales, log_det = np.ones(curves), 0.0
    louder, moved, _, _, _ = information_ratio(away, alone, share)
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
def transform_curves_adjoint(
    z, away, expected, mean, spread, pivot_mode, information, mode, alone, share, shift, bend,
    eta_bar, weight_bar, near_bar, log_det_bar,
):  # fmt: skip
    """Adjoints of z, away, expected, mean and spread; arguments as in `transform_curves`."""
    size, curves = shift.shape
    z_bar, mean_bar, log_bar = np.zeros(z.shape), np.zeros(mean.shape), log_det_bar.item()
    expected_bar, spread_bar = np.zeros(expected.shape), np.zeros(spread.shape)
    parts = information_ratio(away, alone, share)
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
    """Adjoint of `away`, by those of what `information_ratio` tells."""
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
