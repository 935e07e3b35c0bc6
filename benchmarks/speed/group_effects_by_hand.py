"""Partially centred group effects by hand: one function with arrays of its own, and its adjoint.

Given the scales, the group effects have a joint Gaussian posterior if the likelihood of each curve
is approximated as Gaussian. With the Cholesky factor ``L L' = I + T Z' W Z T`` (T the scales of the
effects, Z the memberships of curves in levels, W the precisions of the curves) the standardised
(non-centred) effects are ``e = L^-T (z + L^-1 T Z' W r)``. The whitened coordinates z are close to
independent standard normal whatever the scales are. Where curves are uninformative, or a scale goes
to zero, e is z: the non-centred parametrisation. Z is never formed: `codes[j, g]` is the level of
curve g in grouping j.

Groupings and levels are numbered across all parameters. `bounds[p]` contains, for parameter p, its
first grouping, one past its last, its first level, and one past its last.

Plain loops on purpose: they compile in a tenth of the time of array expressions and LAPACK
bindings, and compilation dominates a first fit.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["partially_centred_effects", "partially_centred_effects_adjoint"]


@numba.njit(cache=True, error_model="numpy")
def cholesky(lower, dense):
    """Overwrite the lower triangle of a positive definite matrix with its Cholesky factor.

    Rows before `dense` are diagonal in the factor.
    """
    for i in range(lower.shape[0]):
        for j in range(0 if i >= dense else i, i + 1):
            for k in range(0 if j >= dense else j, j):
                lower[i, j] -= lower[i, k] * lower[j, k]
            lower[i, j] = math.sqrt(lower[i, i]) if i == j else lower[i, j] / lower[j, j]


@numba.njit(cache=True, error_model="numpy")
def _posterior_factor(weight, scale, codes, bound, row):
    """Z'WZ, the Cholesky factor of I + T Z'WZ T, and its first row that is not diagonal.

    No curve is in two levels of one grouping, so the levels of the first grouping have no entries
    in common: their rows of the factor are diagonal.
    """
    first, last, low, size = bound[0], bound[1], bound[2], bound[3] - bound[2]
    gram, lower, dense = np.zeros((size, size)), np.zeros((size, size)), size
    for g in range(codes.shape[1]):
        for j in range(first, last):
            for k in range(first, last):
                gram[codes[j, g] - low, codes[k, g] - low] += weight[row, g]
        if last > first + 1:
            dense = min(dense, codes[first + 1, g] - low)
    for i in range(size):
        for j in range(i + 1):
            lower[i, j] = gram[i, j] * scale[low + i] * scale[low + j]
        lower[i, i] += 1.0
    cholesky(lower, dense)
    return gram, lower, dense


@numba.njit(cache=True, error_model="numpy")
def _weighted_sums(weight, residual, codes, bound, row):
    """Weighted residuals summed over the curves of each level, Z' W r."""
    out = np.zeros(bound[3] - bound[2])
    for j in range(bound[0], bound[1]):
        for g in range(codes.shape[1]):
            out[codes[j, g] - bound[2]] += weight[row, g] * residual[row, g]
    return out


@numba.njit(cache=True, error_model="numpy")
def solve_lower(lower, dense, vector):
    """L^-1 vector, in place."""
    for i in range(vector.shape[0]):
        for k in range(0 if i >= dense else i, i):
            vector[i] -= lower[i, k] * vector[k]
        vector[i] /= lower[i, i]


@numba.njit(cache=True, error_model="numpy")
def solve_lower_transposed(lower, dense, vector):
    """L^-T vector, in place."""
    for i in range(vector.shape[0] - 1, -1, -1):
        vector[i] /= lower[i, i]
        for k in range(0 if i >= dense else i, i):
            vector[k] -= lower[i, k] * vector[i]


@numba.njit(cache=True, error_model="numpy")
def partially_centred_effects(z, weight, residual, scale, codes, bounds):
    """Standardised effects (levels,) of whitened z (levels,), and the log determinant of all L.

    Weight and residual (parameters, curves) are the precision of each curve and its distance from
    the population; scale (levels,) is the standard deviation of each level's grouping; codes
    (groupings, curves) and bounds (parameters, 4) as in the module's docstring.
    """
    effects, log_det = np.zeros(z.shape[0]), 0.0
    for p in range(bounds.shape[0]):
        bound = bounds[p]
        _, lower, dense = _posterior_factor(weight, scale, codes, bound, p)
        values = _weighted_sums(weight, residual, codes, bound, p)
        for i in range(values.shape[0]):
            values[i] *= scale[bound[2] + i]
            log_det += math.log(lower[i, i])
        solve_lower(lower, dense, values)
        for i in range(values.shape[0]):
            values[i] += z[bound[2] + i]
        solve_lower_transposed(lower, dense, values)
        for i in range(values.shape[0]):
            effects[bound[2] + i] = values[i]
    return effects, np.asarray(log_det)


@numba.njit(cache=True, error_model="numpy")
def inverse_of_lower(lower, dense):
    """L^-1."""
    size = lower.shape[0]
    out = np.zeros((size, size))
    for i in range(size):
        out[i, i] = 1 / lower[i, i]
        for k in range(0 if i >= dense else i, i):
            factor = lower[i, k] * out[i, i]
            for j in range(0 if k >= dense else k, k + 1):
                out[i, j] -= factor * out[k, j]
    return out


@numba.njit(cache=True, error_model="numpy")
def cholesky_adjoint(inverse, dense, z, z_bar, log_det_bar):
    """Symmetric adjoint of a matrix L L', from those of log det L and of L^-T z.

    It is L^-T K L^-1, where K is the symmetric part of L' times the adjoint of L below the
    diagonal. That is the outer product of -z and `z_bar`, so products with K are running sums.
    """
    size = inverse.shape[0]
    below, above = np.zeros(size), np.zeros(size)
    rows, out = np.empty((size, size)), np.zeros((size, size))
    for k in range(size):
        for j in range(size):
            above[j] += z[k] * inverse[k, j]
    for k in range(size):
        diagonal = (log_det_bar - z[k] * z_bar[k]) / 2
        for j in range(size):
            above[j] -= z[k] * inverse[k, j]
            rows[k, j] = diagonal * inverse[k, j] - (z[k] * below[j] + z_bar[k] * above[j]) / 2
            below[j] += z_bar[k] * inverse[k, j]
    for k in range(size):
        for i in range(0 if k >= dense else k, k + 1):
            for j in range(size):
                out[i, j] += inverse[k, i] * rows[k, j]
    return out


@numba.njit(cache=True, error_model="numpy")
def partially_centred_effects_adjoint(
    z, weight, residual, scale, codes, bounds, effects_bar, log_det_bar
):
    """Adjoints of z, weight, residual and scale; arguments as in `partially_centred_effects`."""
    z_bar, scale_bar = np.zeros(z.shape[0]), np.zeros(z.shape[0])
    weight_bar, residual_bar = np.zeros(weight.shape), np.zeros(weight.shape)
    for p in range(bounds.shape[0]):
        bound = bounds[p]
        low, size = bound[2], bound[3] - bound[2]
        gram, lower, dense = _posterior_factor(weight, scale, codes, bound, p)
        sums = _weighted_sums(weight, residual, codes, bound, p)
        mean, solved = np.empty(size), effects_bar[low : low + size].copy()
        for i in range(size):
            mean[i] = scale[low + i] * sums[i]
        solve_lower(lower, dense, mean)
        solve_lower_transposed(lower, dense, mean)
        solve_lower(lower, dense, solved)
        z_bar[low : low + size] = solved
        solve_lower_transposed(lower, dense, solved)
        matrix_bar = cholesky_adjoint(
            inverse_of_lower(lower, dense), dense, z[low : low + size], z_bar[low : low + size],
            log_det_bar.item(),
        )  # fmt: skip
        for i in range(size):
            for j in range(size):  # through the posterior mean of the effects
                matrix_bar[i, j] -= (solved[i] * mean[j] + mean[i] * solved[j]) / 2
        for i in range(size):
            scale_bar[low + i] = solved[i] * sums[i]
            for j in range(size):
                scale_bar[low + i] += 2 * matrix_bar[i, j] * gram[i, j] * scale[low + j]
        _add_curve_adjoints(
            weight, residual, scale, codes, bound, p, solved, matrix_bar, weight_bar, residual_bar
        )
    return z_bar, weight_bar, residual_bar, scale_bar


@numba.njit(cache=True, error_model="numpy")
def _add_curve_adjoints(
    weight, residual, scale, codes, bound, row, solved, matrix_bar, weight_bar, residual_bar
):
    """Add the adjoints of the weights and residuals of one parameter's curves."""
    low = bound[2]
    for g in range(codes.shape[1]):
        for j in range(bound[0], bound[1]):
            a = codes[j, g] - low
            sum_bar = scale[low + a] * solved[a]
            residual_bar[row, g] += weight[row, g] * sum_bar
            weight_bar[row, g] += residual[row, g] * sum_bar
            for k in range(bound[0], bound[1]):
                b = codes[k, g] - low
                weight_bar[row, g] += matrix_bar[a, b] * scale[low + a] * scale[low + b]
