"""Numba kernels with gradients written by hand: the group effects of all parameters.

Effects have a joint Gaussian posterior, given their scales, that is known up to what the curves
say. With ``L L' = I + T Z' W Z T`` (T the effects' scales, Z the memberships of curves in levels,
W the weights of the curves) standardised effects are ``e = L^-T (z + L^-1 T Z' W r)``: in
coordinates z they are close to independent standard normal whatever the scales are, also as a
scale goes to zero. Z is never formed: `codes[j, g]` is the level of curve g in grouping j.

Groupings and levels of all parameters are counted through; `bounds[p]` holds the first grouping
of parameter p, one past its last, its first level, one past its last.

Plain loops on purpose: they compile in a tenth of the time that array expressions and LAPACK
bindings take, and that is what a first start consists of.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = [
    "factor",
    "gather_effects",
    "inverse",
    "matrix_adjoint",
    "partially_centred_effects",
    "partially_centred_effects_adjoint",
    "scatter_effects",
    "solve",
    "solve_transposed",
    "sums_by_curve",
]

_COMPILE = {"cache": True, "error_model": "numpy"}


@numba.njit(**_COMPILE)
def factor(lower, dense):
    """The lower factor of a positive definite matrix, in place of its lower triangle.

    Rows before `dense` have nothing before the diagonal.
    """
    for i in range(lower.shape[0]):
        for j in range(0 if i >= dense else i, i + 1):
            for k in range(0 if j >= dense else j, j):
                lower[i, j] -= lower[i, k] * lower[j, k]
            lower[i, j] = math.sqrt(lower[i, i]) if i == j else lower[i, j] / lower[j, j]


@numba.njit(**_COMPILE)
def _factor(weight, scale, codes, bound, row):
    """Z'WZ, the lower factor of I + T Z'WZ T, and where it is more than its diagonal.

    No curve is in two levels of a grouping, so those of the first have nothing in common: their
    rows of the factor are diagonal.
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
    factor(lower, dense)
    return gram, lower, dense


@numba.njit(**_COMPILE)
def _pull(weight, residual, codes, bound, row):
    """Z' W r."""
    out = np.zeros(bound[3] - bound[2])
    for j in range(bound[0], bound[1]):
        for g in range(codes.shape[1]):
            out[codes[j, g] - bound[2]] += weight[row, g] * residual[row, g]
    return out


@numba.njit(**_COMPILE)
def solve(lower, dense, vector):
    """L^-1 vector, in place."""
    for i in range(vector.shape[0]):
        for k in range(0 if i >= dense else i, i):
            vector[i] -= lower[i, k] * vector[k]
        vector[i] /= lower[i, i]


@numba.njit(**_COMPILE)
def solve_transposed(lower, dense, vector):
    """L^-T vector, in place."""
    for i in range(vector.shape[0] - 1, -1, -1):
        vector[i] /= lower[i, i]
        for k in range(0 if i >= dense else i, i):
            vector[k] -= lower[i, k] * vector[i]


@numba.njit(**_COMPILE)
def partially_centred_effects(z, weight, residual, scale, codes, bounds):
    """Standardised effects of all parameters from their coordinates.

    Parameters
    ----------
    z : array (levels,)
        Coordinates.
    weight, residual : array (parameters, curves)
        Precision, and distance from the population, of what each curve says.
    scale : array (levels,)
        Spread of each level's grouping.
    codes : int array (groupings, curves)
        Level of each curve.
    bounds : int array (parameters, 4)
        Groupings and levels of each parameter.

    Returns
    -------
    tuple
        Effects, shape (levels,), and the log determinant of the factors.
    """
    effects, log_det = np.zeros(z.shape[0]), 0.0
    for p in range(bounds.shape[0]):
        bound = bounds[p]
        _, lower, dense = _factor(weight, scale, codes, bound, p)
        values = _pull(weight, residual, codes, bound, p)
        for i in range(values.shape[0]):
            values[i] *= scale[bound[2] + i]
            log_det += math.log(lower[i, i])
        solve(lower, dense, values)
        for i in range(values.shape[0]):
            values[i] += z[bound[2] + i]
        solve_transposed(lower, dense, values)
        for i in range(values.shape[0]):
            effects[bound[2] + i] = values[i]
    return effects, np.asarray(log_det)


@numba.njit(**_COMPILE)
def inverse(lower, dense):
    """L^-1."""
    size = lower.shape[0]
    out = np.zeros((size, size))
    for i in range(size):
        out[i, i] = 1 / lower[i, i]
        for k in range(0 if i >= dense else i, i):
            by = lower[i, k] * out[i, i]
            for j in range(0 if k >= dense else k, k + 1):
                out[i, j] -= by * out[k, j]
    return out


@numba.njit(**_COMPILE)
def matrix_adjoint(inverse, dense, z, z_bar, log_det_bar):
    """Symmetric adjoint of a matrix L L', from those of the log determinant of L and of L^-T z.

    It is L^-T K L^-1, K the symmetric part of what L' times the adjoint of L has below the
    diagonal: there it is the outer product of -z and `z_bar`, so sums along it are running sums.
    """
    size = inverse.shape[0]
    below, above = np.zeros(size), np.zeros(size)
    rows, out = np.empty((size, size)), np.zeros((size, size))
    for k in range(size):
        for j in range(size):
            above[j] += z[k] * inverse[k, j]
    for k in range(size):
        here = (log_det_bar - z[k] * z_bar[k]) / 2
        for j in range(size):
            above[j] -= z[k] * inverse[k, j]
            rows[k, j] = here * inverse[k, j] - (z[k] * below[j] + z_bar[k] * above[j]) / 2
            below[j] += z_bar[k] * inverse[k, j]
    for k in range(size):
        for i in range(0 if k >= dense else k, k + 1):
            for j in range(size):
                out[i, j] += inverse[k, i] * rows[k, j]
    return out


@numba.njit(**_COMPILE)
def partially_centred_effects_adjoint(
    z, weight, residual, scale, codes, bounds, effects_bar, log_det_bar
):
    """Adjoints of z, weight, residual and scale; arguments as in `partially_centred_effects`."""
    z_bar, scale_bar = np.zeros(z.shape[0]), np.zeros(z.shape[0])
    weight_bar, residual_bar = np.zeros(weight.shape), np.zeros(weight.shape)
    for p in range(bounds.shape[0]):
        bound = bounds[p]
        low, size = bound[2], bound[3] - bound[2]
        gram, lower, dense = _factor(weight, scale, codes, bound, p)
        sums = _pull(weight, residual, codes, bound, p)
        shift, pulled = np.empty(size), effects_bar[low : low + size].copy()
        for i in range(size):
            shift[i] = scale[low + i] * sums[i]
        solve(lower, dense, shift)
        solve_transposed(lower, dense, shift)
        solve(lower, dense, pulled)
        z_bar[low : low + size] = pulled
        solve_transposed(lower, dense, pulled)
        matrix_bar = matrix_adjoint(
            inverse(lower, dense), dense, z[low : low + size], z_bar[low : low + size],
            log_det_bar.item(),
        )  # fmt: skip
        for i in range(size):
            for j in range(size):  # of what the curves shift the effects by
                matrix_bar[i, j] -= (pulled[i] * shift[j] + shift[i] * pulled[j]) / 2
        for i in range(size):
            scale_bar[low + i] = pulled[i] * sums[i]
            for j in range(size):
                scale_bar[low + i] += 2 * matrix_bar[i, j] * gram[i, j] * scale[low + j]
        for g in range(codes.shape[1]):
            for j in range(bound[0], bound[1]):
                a = codes[j, g] - low
                pull = scale[low + a] * pulled[a]
                residual_bar[p, g] += weight[p, g] * pull
                weight_bar[p, g] += residual[p, g] * pull
                for k in range(bound[0], bound[1]):
                    b = codes[k, g] - low
                    weight_bar[p, g] += matrix_bar[a, b] * scale[low + a] * scale[low + b]
    return z_bar, weight_bar, residual_bar, scale_bar


@numba.njit(**_COMPILE)
def gather_effects(effects, codes, bounds):
    """Sum of the effects of each parameter and curve, shape (parameters, curves)."""
    out = np.zeros((bounds.shape[0], codes.shape[1]))
    for p in range(bounds.shape[0]):
        for j in range(bounds[p, 0], bounds[p, 1]):
            for g in range(codes.shape[1]):
                out[p, g] += effects[codes[j, g]]
    return out


@numba.njit(**_COMPILE)
def scatter_effects(effects, sums, codes, bounds):
    """The adjoint of `gather_effects`: sums over the curves of each level, in the shape of `effects`."""
    out = np.zeros(effects.shape[0])
    for p in range(bounds.shape[0]):
        for j in range(bounds[p, 0], bounds[p, 1]):
            for g in range(codes.shape[1]):
                out[codes[j, g]] += sums[p, g]
    return out


@numba.njit(**_COMPILE)
def sums_by_curve(values, curve, n_curves):
    """Sums over the runs of each curve, shape (rows, curves), of values (rows, runs)."""
    out = np.zeros((values.shape[0], n_curves))
    for row in range(values.shape[0]):
        for i in range(curve.shape[0]):
            out[row, curve[i]] += values[row, i]
    return out
