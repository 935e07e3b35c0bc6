"""Gaussian process of a Brownian discrepancy along several predictors, on knots, with gradients.

Residuals are ``r_i = sum_p delta_p(u_pi) + e_i`` with ``e_i ~ N(0, noise_variance_i)``. In each
curve, each delta_p is a two-sided Brownian motion in the log predictor u_p (see
`bayeslaw._kernels.brownian`), known at knots (inducing points) and linear between them. With a knot
at every distinct position that is exact.

The values at the knots are sums of independent increments, ``b = A S z``, with z standard normal, S
the increments' scales, and A ones from each knot inwards to the pivot. With Z the interpolation
weights of the runs, the posterior precision of z is ``M = I + S G S`` with ``G = A' Z' V^-1 Z A``.
So each curve is one linear system as large as its number of knots, which also holds for scales of
zero. Z has at most two entries per predictor, and A is a cumulative sum: neither is formed.

`layout` stands for the fields of `bayeslaw._kernels.knot_layout.Knots` in their order.
"""

from __future__ import annotations

import math

import numpy as np

from bayeslaw._kernels.jit import kernel

__all__ = [
    "conditional_draws",
    "gradients",
    "log_density",
    "log_density_by_curve",
    "write_gradients",
]


@kernel
def _interpolation(inner, outer, outer_weight, i, low, index, weight):
    """Write row i of Z, its knots and weights, to `index` and `weight`; return its length."""
    size = 0
    for p in range(inner.shape[0]):
        if inner[p, i] >= 0 and outer_weight[p, i] < 1:
            index[size], weight[size] = inner[p, i] - low, 1 - outer_weight[p, i]
            size += 1
        if outer_weight[p, i] > 0:
            index[size], weight[size] = outer[p, i] - low, outer_weight[p, i]
            size += 1
    return size


@kernel
def _interpolate(values, index, weight, size):
    """Row of Z times a column of values at knots."""
    total = 0.0
    for a in range(size):
        total += weight[a] * values[index[a], 0]
    return total


@kernel
def _quadratic_form(matrix, index, weight, size):
    """Quadratic form of a row of Z."""
    total = 0.0
    for a in range(size):
        for b in range(size):
            total += weight[a] * matrix[index[a], index[b]] * weight[b]
    return total


@kernel
def _sum_inwards(matrix, inward, low):
    """A' matrix, in place: cumulative sums of rows inwards along each side."""
    for k in range(matrix.shape[0] - 1, -1, -1):
        if inward[low + k] >= 0:
            for j in range(matrix.shape[1]):
                matrix[inward[low + k] - low, j] += matrix[k, j]


@kernel
def _sum_outwards(matrix, inward, low):
    """A matrix, in place: cumulative sums of rows outwards along each side."""
    for k in range(matrix.shape[0]):
        if inward[low + k] >= 0:
            for j in range(matrix.shape[1]):
                matrix[k, j] += matrix[inward[low + k] - low, j]


@kernel
def _information(residual, noise_variance, c, layout):
    """Information of a curve's runs on the increments: A'Z' V^-1 Z A and the column A'Z' V^-1 r."""
    order, bounds, inner, outer, outer_weight, first_knot, _, inward, _ = layout
    low, size = first_knot[c], first_knot[c + 1] - first_knot[c]
    gram, score = np.zeros((size, size)), np.zeros((size, 1))
    index, weight = np.empty(2 * inner.shape[0], np.int64), np.empty(2 * inner.shape[0])
    for m in range(bounds[c], bounds[c + 1]):
        i = order[m]
        entries = _interpolation(inner, outer, outer_weight, i, low, index, weight)
        for a in range(entries):
            precision = weight[a] / noise_variance[i]
            score[index[a], 0] += precision * residual[i]
            for b in range(entries):
                gram[index[a], index[b]] += precision * weight[b]
    _sum_inwards(gram, inward, low)
    _sum_inwards(gram.T, inward, low)
    _sum_inwards(score, inward, low)
    return gram, score


@kernel
def _width(position, inward, k):
    """Distance of a knot from the next one inwards."""
    return abs(position[k] - position[inward[k]]) if inward[k] >= 0 else abs(position[k])


@kernel
def _scaled(scale, matrix, diagonal):
    """S matrix S + diagonal I."""
    out = np.empty(matrix.shape)
    for i in range(scale.shape[0]):
        for j in range(scale.shape[0]):
            out[i, j] = scale[i] * matrix[i, j] * scale[j]
        out[i, i] += diagonal
    return out


@kernel
def _inverse_root(matrix):
    """Lower triangular R with R'R the inverse of a matrix, which is overwritten."""
    size = matrix.shape[0]
    root = np.zeros((size, size))
    for k in range(size):
        scale = 1 / math.sqrt(matrix[k, k])
        root[k, k] = 1.0
        for j in range(size):
            matrix[k, j] *= scale
            root[k, j] *= scale
        for i in range(k + 1, size):
            factor = matrix[k, i]
            for j in range(i, size):
                matrix[i, j] -= factor * matrix[k, j]
            for j in range(k + 1):
                root[i, j] -= factor * root[k, j]
    return root


@kernel
def _posterior(residual, noise_variance, tau2, c, layout):
    """Posterior of a curve's standardised increments: G, S, R (R'R = M^-1), R S A'Z' V^-1 r."""
    first_knot, knot_position, inward, predictor = layout[5:]
    gram, score = _information(residual, noise_variance, c, layout)
    scale, half = np.empty(score.shape[0]), np.zeros(score.shape[0])
    for k in range(first_knot[c], first_knot[c + 1]):
        variance = tau2[predictor[k], c] * _width(knot_position, inward, k)
        scale[k - first_knot[c]] = math.sqrt(variance)
    root = _inverse_root(_scaled(scale, gram, 1.0))
    for k in range(scale.shape[0]):
        for j in range(k + 1):
            half[k] += root[k, j] * scale[j] * score[j, 0]
    return gram, scale, root, half


@kernel
def _increments(root, half):
    """Standardised increments R' half."""
    out = np.zeros(half.shape[0])
    for k in range(half.shape[0]):
        for j in range(k + 1):
            out[j] += root[k, j] * half[k]
    return out


@kernel
def _values(scale, z, inward, low):
    """Values at the knots from standardised increments, A S z, as a column."""
    out = np.empty((z.shape[0], 1))
    for k in range(z.shape[0]):
        out[k, 0] = scale[k] * z[k]
    _sum_outwards(out, inward, low)
    return out


@kernel
def _gram_of(root):
    """R'R."""
    out = np.zeros(root.shape)
    for k in range(root.shape[0]):
        for i in range(k + 1):
            factor = root[k, i]
            for j in range(k + 1):
                out[i, j] += factor * root[k, j]
    return out


@kernel
def _covariance(inverse, scale, inward, low):
    """Posterior covariance of the values at the knots, A S M^-1 S A'."""
    out = _scaled(scale, inverse, 0.0)
    _sum_outwards(out, inward, low)
    _sum_outwards(out.T, inward, low)
    return out


@kernel
def log_density_by_curve(residual, noise_variance, tau2, *layout):
    """Joint log density of the residuals of each curve (curves,).

    Residuals and noise variances (runs,); tau2 (predictors, curves) is the variance of each delta
    at distance one from the pivot; `layout` are the fields of
    `bayeslaw._kernels.knot_layout.Knots`.
    """
    order, bounds, inner, outer, outer_weight, first_knot, _, inward, _ = layout
    index, weight = np.empty(2 * inner.shape[0], np.int64), np.empty(2 * inner.shape[0])
    out = np.zeros(tau2.shape[1])
    for c in range(first_knot.shape[0] - 1):
        low = first_knot[c]
        _, scale, root, half = _posterior(residual, noise_variance, tau2, c, layout)
        z = _increments(root, half)
        values = _values(scale, z, inward, low)
        for k in range(z.shape[0]):
            out[c] += math.log(root[k, k]) - z[k] * z[k] / 2
        for m in range(bounds[c], bounds[c + 1]):
            i = order[m]
            entries = _interpolation(inner, outer, outer_weight, i, low, index, weight)
            rest = residual[i] - _interpolate(values, index, weight, entries)
            out[c] -= (
                math.log(2 * math.pi * noise_variance[i]) + rest * rest / noise_variance[i]
            ) / 2
    return out


@kernel
def log_density(residual, noise_variance, tau2, *layout):
    """Joint log density of all residuals; arguments as in `log_density_by_curve`."""
    return log_density_by_curve(residual, noise_variance, tau2, *layout).sum()


@kernel
def _increment_variance_slope(score, z, gram, inverse, scale, k):
    """Twice the derivative of the log density by the variance of increment k.

    That is ``(a'Z A)_k^2 - (A'Z' C^-1 Z A)_kk``, or the excess of the posterior second moment of z
    over one, scaled. Each form is free of cancellation where the other is not.
    """
    if scale[k] * scale[k] * gram[k, k] > 1:
        return (z[k] * z[k] + inverse[k, k] - 1) / (scale[k] * scale[k])
    total = score[k, 0] * score[k, 0] - gram[k, k]
    for i in range(scale.shape[0]):
        product = 0.0
        for j in range(scale.shape[0]):
            product += inverse[i, j] * scale[j] * gram[k, j]
        total += gram[k, i] * scale[i] * product
    return total


@kernel
def write_gradients(residual, noise_variance, tau2, layout, out):
    """Return `log_density` and write its gradients to `out`, whose last array starts at zero."""
    total = 0.0
    order, bounds, inner, outer, outer_weight, first_knot, knot_position, inward, predictor = layout
    residual_bar, noise_variance_bar, tau2_bar = out
    index, weight = np.empty(2 * inner.shape[0], np.int64), np.empty(2 * inner.shape[0])
    for c in range(first_knot.shape[0] - 1):
        low = first_knot[c]
        gram, scale, root, half = _posterior(residual, noise_variance, tau2, c, layout)
        inverse, score = _gram_of(root), np.zeros((scale.shape[0], 1))
        z = _increments(root, half)
        values = _values(scale, z, inward, low)
        covariance = _covariance(inverse, scale, inward, low)
        for k in range(z.shape[0]):
            total += math.log(root[k, k]) - z[k] * z[k] / 2
        for m in range(bounds[c], bounds[c + 1]):
            i, variance = order[m], noise_variance[order[m]]
            entries = _interpolation(inner, outer, outer_weight, i, low, index, weight)
            rest = (residual[i] - _interpolate(values, index, weight, entries)) / variance
            total -= (math.log(2 * math.pi * variance) + rest * rest * variance) / 2
            leverage = _quadratic_form(covariance, index, weight, entries) / variance
            residual_bar[i] = -rest
            noise_variance_bar[i] = (rest * rest - (1 - leverage) / variance) / 2
            for a in range(entries):
                score[index[a], 0] += weight[a] * rest
        _sum_inwards(score, inward, low)
        for k in range(scale.shape[0]):
            slope = _increment_variance_slope(score, z, gram, inverse, scale, k)
            tau2_bar[predictor[low + k], c] += slope * _width(knot_position, inward, low + k) / 2
    return total


@kernel
def gradients(residual, noise_variance, tau2, *layout):
    """Gradients for many draws: arrays (draws, runs), tau2 (draws, predictors, curves)."""
    out = np.zeros(residual.shape), np.zeros(residual.shape), np.zeros(tau2.shape)
    for s in range(residual.shape[0]):
        write_gradients(
            residual[s], noise_variance[s], tau2[s], layout, (out[0][s], out[1][s], out[2][s])
        )
    return out


@kernel
def _conditional(residual, noise_variance, tau2, layout, points, normal, out):
    """Write `conditional_draws` of one draw to `out`."""
    first_knot, inward = layout[5], layout[7]
    order, bounds, inner, outer, outer_weight = points
    mean, variance, draw = out
    index, weight = np.empty(2 * inner.shape[0], np.int64), np.empty(2 * inner.shape[0])
    for c in range(first_knot.shape[0] - 1):
        low = first_knot[c]
        _, scale, root, half = _posterior(residual, noise_variance, tau2, c, layout)
        covariance = _covariance(_gram_of(root), scale, inward, low)
        values = _values(scale, _increments(root, half), inward, low)
        for k in range(half.shape[0]):
            half[k] += normal[low + k]
        drawn = _values(scale, _increments(root, half), inward, low)
        for m in range(bounds[c], bounds[c + 1]):
            i = order[m]
            entries = _interpolation(inner, outer, outer_weight, i, low, index, weight)
            mean[i] = _interpolate(values, index, weight, entries)
            variance[i] = _quadratic_form(covariance, index, weight, entries)
            draw[i] = _interpolate(drawn, index, weight, entries)


@kernel
def conditional_draws(
    residual, noise_variance, tau2,
    order, bounds, inner, outer, outer_weight, first_knot, knot_position, inward, predictor,
    point_order, point_bounds, point_inner, point_outer, point_outer_weight, normal,
):  # fmt: skip
    """Mean, variance and a joint draw of the sum of the deltas at points given all runs, per draw.

    Residuals and noise variances (draws, runs), tau2 (draws, predictors, curves), the fields of
    `Knots`, those of `KnotNeighbours` for the points but the last, and standard normal numbers
    (draws, knots). Returns three arrays (draws, points), up to the outermost knots: `extrapolate`
    adds what is beyond.
    """
    layout = order, bounds, inner, outer, outer_weight, first_knot, knot_position, inward, predictor
    points = (point_order, point_bounds, point_inner, point_outer, point_outer_weight)
    shape = (residual.shape[0], point_inner.shape[1])
    out = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for s in range(shape[0]):
        one = (out[0][s], out[1][s], out[2][s])
        _conditional(residual[s], noise_variance[s], tau2[s], layout, points, normal[s], one)
    return out
