"""Group effects, partially centred: the mean of each curve given the population.

Given the scales, the group effects have a joint Gaussian posterior if the likelihood of each curve
is approximated as Gaussian. With the Cholesky factor ``L L' = I + T Z' W Z T`` (T the scales of the
effects, Z the memberships of curves in levels, W the precisions of the curves, r their distances
from the population) the standardised (non-centred) effects are ``e = L^-T (z + L^-1 T Z' W r)``.
The whitened coordinates z are close to independent standard normal whatever the scales are. Where
curves are uninformative, or a scale goes to zero, e is z: the non-centred parametrisation. Z is
never formed: `codes[j, g]` is the level of curve g in grouping j.

Groupings and levels are numbered across all parameters. `bounds[p]` has, for parameter p, its first
grouping, one past its last, its first level, one past its last, and the first level of its second
grouping: no curve is in two levels of one grouping, so that the factor is diagonal before.
"""

from __future__ import annotations

import math

from bayeslaw._kernels.jit import inner_kernel
from bayeslaw._kernels.linear_algebra import (
    add_cholesky_adjoint,
    cholesky,
    solve_lower,
    solve_lower_transposed,
    write_inverse_of_lower,
)
from bayeslaw._kernels.stage import Cube, IndexMatrix, Indices, Matrix, Vector, stage

__all__ = ["group_effects", "group_effects_adjoint"]


@inner_kernel
def _weight(p, g, spread, information):
    """Precision of a curve's mode about its population."""
    return information[p, g] / (1 + spread[p] ** 2 * information[p, g])


@inner_kernel
def _write_gram(p, spread, center, mode, information, codes, bounds, gram, sums):
    """Z' W Z, and the weighted distances of the curves of each level, Z' W r."""
    first, last, low = bounds[p, 0], bounds[p, 1], bounds[p, 2]
    for i in range(bounds[p, 3] - low):
        sums[i] = 0.0
        for j in range(bounds[p, 3] - low):
            gram[i, j] = 0.0
    for g in range(codes.shape[1]):
        weight = _weight(p, g, spread, information)
        for j in range(first, last):
            sums[codes[j, g] - low] += weight * (mode[p, g] - center[p])
            for k in range(first, last):
                gram[codes[j, g] - low, codes[k, g] - low] += weight


@stage
def group_effects(
    z_effects: Vector, spread: Vector, center: Vector, mode: Matrix, information: Matrix,
    spread_of_level: Indices, codes: IndexMatrix, bounds: IndexMatrix, level_gram: Cube,
    level_factor: Cube, level_sums: Matrix, level_means: Matrix, effects: Vector, mean: Matrix,
    log_prior: Vector,
) -> None:  # fmt: skip
    """Standardised effects (levels,) and means of curves (parameters, curves); normal prior."""
    for p in range(mean.shape[0]):
        low, size = bounds[p, 2], bounds[p, 3] - bounds[p, 2]
        zero, dense = 0, bounds[p, 4] - low
        gram, factor, sums, value = level_gram[p], level_factor[p], level_sums[p], level_means[p]
        _write_gram(p, spread, center, mode, information, codes, bounds, gram, sums)
        for i in range(size):
            scale = spread[spread_of_level[low + i]]
            value[i] = scale * sums[i]
            for j in range(i + 1):
                factor[i, j] = gram[i, j] * scale * spread[spread_of_level[low + j]]
            factor[i, i] += 1.0
        cholesky(factor, zero, size, dense)
        solve_lower(factor, zero, size, dense, value)
        for i in range(size):
            value[i] += z_effects[low + i]
            log_prior[0] -= math.log(factor[i, i])
        solve_lower_transposed(factor, zero, size, dense, value)
        for i in range(size):
            effects[low + i] = value[i]
            log_prior[0] -= value[i] * value[i] / 2 + math.log(2 * math.pi) / 2
        for g in range(mean.shape[1]):
            mean[p, g] = center[p]
            for j in range(bounds[p, 0], bounds[p, 1]):
                level = codes[j, g]
                mean[p, g] += effects[level] * spread[spread_of_level[level]]


@stage
def group_effects_adjoint(
    z_effects: Vector, spread: Vector, center: Vector, mode: Matrix, information: Matrix,
    spread_of_level: Indices, codes: IndexMatrix, bounds: IndexMatrix, level_gram: Cube,
    level_factor: Cube, level_sums: Matrix, level_matrices: Cube, level_vectors: Matrix,
    effects: Vector, mean_bar: Matrix, z_effects_bar: Vector, spread_bar: Vector,
    center_bar: Vector,
) -> None:  # fmt: skip
    """Adjoint of `group_effects`."""
    inverse, factor_bar = level_matrices[0], level_matrices[1]
    mean, bar, below = level_vectors[0], level_vectors[1], level_vectors[2]
    left, z_bar = level_vectors[3], level_vectors[4]
    for p in range(mean_bar.shape[0]):
        low, size = bounds[p, 2], bounds[p, 3] - bounds[p, 2]
        zero, dense = 0, bounds[p, 4] - low
        factor, sums, gram = level_factor[p], level_sums[p], level_gram[p]
        _sum_by_level(p, codes, bounds, mean_bar, bar)
        for i in range(size):
            level, of_spread = low + i, spread_of_level[low + i]
            spread_bar[of_spread] += effects[level] * bar[i]
            bar[i] = bar[i] * spread[of_spread] - effects[level]  # the prior is standard normal
            left[i], z_bar[i], mean[i] = -z_effects[level], bar[i], spread[of_spread] * sums[i]
        solve_lower(factor, zero, size, dense, mean)
        solve_lower_transposed(factor, zero, size, dense, mean)
        solve_lower(factor, zero, size, dense, z_bar)
        for i in range(size):
            bar[i] = z_effects_bar[low + i] = z_bar[i]
        solve_lower_transposed(factor, zero, size, dense, bar)
        for i in range(size):
            for j in range(size):  # through the posterior mean of the effects
                factor_bar[i, j] = -(bar[i] * mean[j] + mean[i] * bar[j]) / 2
        write_inverse_of_lower(factor, zero, size, dense, inverse)
        add_cholesky_adjoint(inverse, zero, size, dense, left, z_bar, -1.0, below, factor_bar)
        for i in range(size):
            total = bar[i] * sums[i]
            for j in range(size):
                scale = spread[spread_of_level[low + j]]
                total += 2 * factor_bar[i, j] * gram[i, j] * scale
            spread_bar[spread_of_level[low + i]] += total
        _add_curve_adjoints(
            p, spread, center, mode, information, spread_of_level, codes, bounds, bar, factor_bar,
            mean_bar, spread_bar, center_bar,
        )  # fmt: skip


@inner_kernel
def _sum_by_level(p, codes, bounds, mean_bar, out):
    """Sums over the curves of each level of a parameter."""
    low = bounds[p, 2]
    for i in range(bounds[p, 3] - low):
        out[i] = 0.0
    for j in range(bounds[p, 0], bounds[p, 1]):
        for g in range(codes.shape[1]):
            out[codes[j, g] - low] += mean_bar[p, g]


@inner_kernel
def _add_curve_adjoints(
    p, spread, center, mode, information, spread_of_level, codes, bounds, bar, factor_bar,
    mean_bar, spread_bar, center_bar,
):  # fmt: skip
    """Add what goes through the precisions of the curves and their distances."""
    low = bounds[p, 2]
    for g in range(codes.shape[1]):
        weight, weight_bar = _weight(p, g, spread, information), 0.0
        center_bar[p] += mean_bar[p, g]
        for j in range(bounds[p, 0], bounds[p, 1]):
            a, scale = codes[j, g] - low, spread[spread_of_level[codes[j, g]]]
            center_bar[p] -= weight * scale * bar[a]
            weight_bar += (mode[p, g] - center[p]) * scale * bar[a]
            for k in range(bounds[p, 0], bounds[p, 1]):
                b, other = codes[k, g] - low, spread[spread_of_level[codes[k, g]]]
                weight_bar += factor_bar[a, b] * scale * other
        spread_bar[p] -= 2 * spread[p] * weight**2 * weight_bar
