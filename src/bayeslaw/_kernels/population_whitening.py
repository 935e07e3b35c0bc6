"""Whitening of the population given its spreads: forward map and adjoint.

See `bayeslaw._inference.whitening` for the purpose. Matrices are as large as a law has parameters.
"""

from __future__ import annotations

import math

import numpy as np

from bayeslaw._kernels.group_effects import (
    cholesky,
    cholesky_adjoint,
    inverse_of_lower,
    solve_lower,
    solve_lower_transposed,
)
from bayeslaw._kernels.jit import kernel

__all__ = ["transform_population", "transform_population_adjoint"]


@kernel
def _invert(out):
    """Invert a positive definite matrix in place, by elimination."""
    for k in range(out.shape[0]):
        pivot = 1 / out[k, k]
        out[k, k] = 1.0
        for j in range(out.shape[0]):
            out[k, j] *= pivot
        for i in range(out.shape[0]):
            if i != k:
                factor = out[i, k]
                out[i, k] = 0.0
                for j in range(out.shape[0]):
                    out[i, j] -= factor * out[k, j]


@kernel
def _inverted(matrix):
    out = matrix.copy()
    _invert(out)
    return out


@kernel
def _times(matrix, vector):
    out = np.zeros(vector.shape[0])
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            out[i] += matrix[i, j] * vector[j]
    return out


@kernel
def _add_congruence(outer, inner, sign, out):
    """Add sign times outer inner outer, of symmetric matrices."""
    size = outer.shape[0]
    for i in range(size):
        for j in range(size):
            product = 0.0
            for k in range(size):
                product += outer[i, k] * inner[k, j]
            for k in range(size):
                out[i, k] += sign * product * outer[j, k]


@kernel
def _add_outer(left, right, sign, out):
    """Add sign times the symmetric part of an outer product."""
    for i in range(left.shape[0]):
        for j in range(left.shape[0]):
            out[i, j] += sign * (left[i] * right[j] + right[i] * left[j]) / 2


@kernel
def _write_pivot_covariance(jacobian, variances, low, high, out):
    """Covariance at the pivot, J diag(variances) J', of independent reference parameters."""
    for i in range(low, high):
        for j in range(low, high):
            out[i - low, j - low] = 0.0
            for m in range(low, high):
                out[i - low, j - low] += jacobian[i, m] * variances[m] * jacobian[j, m]


@kernel
def _pivot_covariance(jacobian, variances, low, high):
    out = np.empty((high - low, high - low))
    _write_pivot_covariance(jacobian, variances, low, high, out)
    return out


@kernel
def _add_variances_adjoint(jacobian, covariance_bar, low, high, variances_bar):
    """Add the adjoint of the variances in `_pivot_covariance`."""
    for m in range(low, high):
        for i in range(low, high):
            for j in range(low, high):
                slope = jacobian[i, m] * jacobian[j, m]
                variances_bar[m] += slope * covariance_bar[i - low, j - low]


@kernel
def _information_of_curves(curve_variances, mode, information, curve_jacobian, low, high):
    """Information on the population from each curve, from all, and the weighted sum of modes."""
    size, curves = high - low, mode.shape[1]
    each, total = np.empty((curves, size, size)), np.zeros((size, size))
    weighted_modes = np.zeros(size)
    for g in range(curves):
        _write_pivot_covariance(curve_jacobian[g], curve_variances, low, high, each[g])
        for i in range(size):
            each[g, i, i] += 1 / information[low + i, g]
        _invert(each[g])
        for i in range(size):
            for j in range(size):
                total[i, j] += each[g, i, j]
                weighted_modes[i] += each[g, i, j] * mode[low + j, g]
    return each, total, weighted_modes


@kernel
def _variances(spread, level_share):
    """Variances between curves, and of the mean of all groups' effects, per parameter."""
    curve_variances = np.empty(level_share.shape[0])
    group_variances = np.zeros(level_share.shape[0])
    for i in range(level_share.shape[0]):
        curve_variances[i] = spread[i] ** 2
        for s in range(spread.shape[0]):
            group_variances[i] += level_share[i, s] * spread[s] ** 2
    return curve_variances, group_variances


@kernel
def _posterior(variances, prior, sd, mode, information, curve_jacobian, jacobian, low, high):
    """Gaussian posterior of one block of the population: Cholesky factor of its precision, mean.

    Then the information of each curve, the covariance of the curves' estimate given the groups, the
    information of all curves and groups, and the curves' estimate, for the adjoint.
    """
    curve_variances, group_variances = variances
    each, total, weighted_modes = _information_of_curves(
        curve_variances, mode, information, curve_jacobian, low, high
    )
    prior_precision = _inverted(_pivot_covariance(jacobian, sd**2, low, high))
    curves_covariance = _inverted(total)
    data_precision = curves_covariance + _pivot_covariance(jacobian, group_variances, low, high)
    estimate = _times(curves_covariance, weighted_modes)
    _invert(data_precision)
    lower = prior_precision + data_precision
    cholesky(lower, 0)
    mean = _times(prior_precision, prior[low:high]) + _times(data_precision, estimate)
    solve_lower(lower, 0, mean)
    solve_lower_transposed(lower, 0, mean)
    return lower, mean, each, curves_covariance, data_precision, estimate


@kernel
def transform_population(
    z, spread, prior, sd, mode, information, curve_jacobian, jacobian, level_share, blocks
):
    """Population at the pivot of a typical curve from whitened coordinates, and log determinant.

    How well the curves determine the population, and which combination of parameters, depends on
    which parameters differ between curves. If all curves share an exponent it is well determined;
    if all share a floor, that is.

    - `z`: whitened coordinates (parameters,);
    - `spread`: standard deviations (spreads,), of each parameter between curves, then those between
      the levels of groups;
    - `prior`: mean of the prior (parameters,) at that pivot;
    - `sd`: standard deviation of the prior (parameters,) at the reference;
    - `mode`, `information`: Laplace approximation of each curve (parameters, curves) at that pivot;
    - `curve_jacobian`: derivative of each coordinate at the pivot by each at the reference, near
      each curve (curves, parameters, parameters);
    - `jacobian`: the mean of those (parameters, parameters);
    - `level_share`: one over the number of levels (parameters, spreads);
    - `blocks`: first, and one past last, of the parameters that depend on each other (blocks, 2).
    """
    out, log_det = np.empty(z.shape[0]), 0.0
    variances = _variances(spread, level_share)
    for block in range(blocks.shape[0]):
        low, high = blocks[block]
        lower, mean, _, _, _, _ = _posterior(
            variances, prior, sd, mode, information, curve_jacobian, jacobian, low, high
        )
        deviation = z[low:high].copy()
        solve_lower_transposed(lower, 0, deviation)
        for i in range(high - low):
            out[low + i] = mean[i] + deviation[i]
            log_det -= math.log(lower[i, i])
    return out, np.asarray(log_det)


@kernel
def transform_population_adjoint(
    z, spread, prior, sd, mode, information, curve_jacobian, jacobian, level_share, blocks,
    out_bar, log_det_bar,
):  # fmt: skip
    """Adjoints of z and spread; arguments as in `transform_population`."""
    z_bar, spread_bar = np.empty(z.shape[0]), np.zeros(spread.shape[0])
    curve_variances_bar, group_variances_bar = np.zeros(z.shape[0]), np.zeros(z.shape[0])
    variances = _variances(spread, level_share)
    for block in range(blocks.shape[0]):
        low, high = blocks[block]
        size = high - low
        lower, mean, each, curves_covariance, data_precision, estimate = _posterior(
            variances, prior, sd, mode, information, curve_jacobian, jacobian, low, high
        )
        half_solved = out_bar[low:high].copy()
        solve_lower(lower, 0, half_solved)
        solved = half_solved.copy()
        solve_lower_transposed(lower, 0, solved)
        z_bar[low:high] = half_solved
        precision_bar = cholesky_adjoint(
            inverse_of_lower(lower, 0), 0, z[low:high], half_solved, -log_det_bar.item()
        )
        _add_outer(solved, estimate - mean, 1.0, precision_bar)
        covariance_bar, total_bar = np.zeros((size, size)), np.zeros((size, size))
        _add_congruence(data_precision, precision_bar, -1.0, covariance_bar)
        _add_congruence(curves_covariance, covariance_bar, -1.0, total_bar)
        modes_bar = _times(curves_covariance, _times(data_precision, solved))
        _add_outer(modes_bar, estimate, -1.0, total_bar)
        _add_variances_adjoint(jacobian, covariance_bar, low, high, group_variances_bar)
        _add_curves_adjoint(
            each, mode, curve_jacobian, low, high, total_bar, modes_bar, curve_variances_bar
        )
    for i in range(z.shape[0]):
        spread_bar[i] += 2 * spread[i] * curve_variances_bar[i]
        for s in range(spread.shape[0]):
            spread_bar[s] += 2 * spread[s] * level_share[i, s] * group_variances_bar[i]
    return z_bar, spread_bar


@kernel
def _add_curves_adjoint(
    each, mode, curve_jacobian, low, high, total_bar, modes_bar, curve_variances_bar
):
    """Add the adjoint of the variances between curves in `_information_of_curves`."""
    size = high - low
    each_bar, covariance_bar = np.empty((size, size)), np.empty((size, size))
    for g in range(mode.shape[1]):
        for i in range(size):
            for j in range(size):
                each_bar[i, j], covariance_bar[i, j] = total_bar[i, j], 0.0
        _add_outer(modes_bar, mode[low:high, g], 1.0, each_bar)
        _add_congruence(each[g], each_bar, -1.0, covariance_bar)
        _add_variances_adjoint(curve_jacobian[g], covariance_bar, low, high, curve_variances_bar)
