"""Population: standard deviations between curves and groups, and the population's parameters.

Rows of parameters are those of the law, then those of noise and discrepancy. The center is whitened
by its posterior given the standard deviations, if each curve's likelihood is approximated as normal
in all parameters together. How well the curves determine the center, and which combination of
parameters, depends on which parameters differ between curves: if all curves share an exponent it is
well determined; if all share a floor, that is. Everything is seen from the pivot of a typical
curve, where `curve_mixed` (curves, parameters, parameters) and `typical_mixed`, their mean, are the
derivatives of pivot coordinates by reference coordinates.
Both are diagonal but for blocks of
parameters that depend on each other, from `typical_blocks[k, 0]` to `typical_blocks[k, 1]`.
"""

from __future__ import annotations

import math

from bayeslaw._kernels.call import apply
from bayeslaw._kernels.jit import inner_kernel
from bayeslaw._kernels.linear_algebra import (
    add_cholesky_adjoint,
    cholesky,
    invert,
    multiply,
    quadratic_form,
    solve_lower,
    solve_lower_transposed,
    write_inverse_of_lower,
)
from bayeslaw._kernels.stage import Cube, IndexMatrix, Indices, Matrix, Vector, stage

__all__ = [
    "half_normal_spreads",
    "half_normal_spreads_adjoint",
    "whitened_center",
    "whitened_center_adjoint",
]

LOG_2_PI = math.log(2 * math.pi)


@stage
def half_normal_spreads(
    z_spread: Vector, spread_scale: Vector, spread: Vector, log_prior: Vector
) -> None:
    """Standard deviations from their logarithms; half-normal prior, with the Jacobian."""
    for s in range(spread.shape[0]):
        spread[s] = math.exp(z_spread[s])
        relative = spread[s] / spread_scale[s]
        log_prior[0] += z_spread[s] - math.log(spread_scale[s]) - relative * relative / 2
    log_prior[0] += spread.shape[0] * (math.log(2.0) - LOG_2_PI / 2)


@stage
def half_normal_spreads_adjoint(
    spread_scale: Vector, spread: Vector, spread_bar: Vector, z_spread_bar: Vector
) -> None:
    """Adjoint of `half_normal_spreads`."""
    for s in range(spread.shape[0]):
        relative = spread[s] / spread_scale[s]
        z_spread_bar[s] = spread_bar[s] * spread[s] - relative * relative + 1


@inner_kernel
def _write_covariance(jacobian, low, high, variances, out):
    """Covariance at the pivot, J diag(variances) J'."""
    for i in range(low, high):
        for j in range(low, high):
            out[i, j] = 0.0
            for m in range(low, high):
                out[i, j] += jacobian[i, m] * variances[m] * jacobian[j, m]


@inner_kernel
def _curves_estimate(
    low, high, variances, mode, mode_covariance, curve_mixed, curve_precision, covariance, estimate,
    sums,
):  # fmt: skip
    """The center as curves determine it, and its covariance, without groups and prior."""
    for i in range(low, high):
        sums[i] = 0.0
        for j in range(low, high):
            covariance[i, j] = 0.0
    for g in range(mode.shape[1]):
        precision = curve_precision[g]
        _write_covariance(curve_mixed[g], low, high, variances, precision)
        for i in range(low, high):
            for j in range(low, high):
                precision[i, j] += mode_covariance[g, i, j]
        invert(precision, low, high)
        for i in range(low, high):
            for j in range(low, high):
                covariance[i, j] += precision[i, j]
                sums[i] += precision[i, j] * mode[j, g]
    invert(covariance, low, high)
    multiply(covariance, low, high, sums, estimate)


@stage
def whitened_center(
    z_center: Vector, spread: Vector, prior_precision: Matrix, prior_score: Vector,
    center_mean: Vector, center_sd: Vector, typical_mode: Matrix, typical_covariance: Cube,
    curve_mixed: Cube, typical_mixed: Matrix, curve_share: Matrix, level_share: Matrix,
    typical_blocks: IndexMatrix, typical_frame: Matrix, of_population: Indices,
    curve_precision: Cube, center_factor: Matrix, curves_covariance: Matrix,
    data_precision: Matrix, center_vectors: Matrix, center_state: Matrix, center_out: Matrix,
    center: Vector, log_prior: Vector,
) -> None:  # fmt: skip
    """Center of the population from whitened coordinates; normal prior, with the Jacobian.

    `curve_share` (parameters, standard deviations) is one where curves differ by them, as if all
    differed independently; `level_share` is what the mean over the levels of a group varies more
    than that over as many curves.
    `center_vectors` receives the estimate by the curves and the posterior mean.
    """
    estimate, mean, variances = center_vectors[0], center_vectors[1], center_vectors[2]
    group_variances, sums = center_vectors[3], center_vectors[4]
    total = 0.0
    for i in range(center.shape[0]):
        variances[i], group_variances[i] = 0.0, 0.0
        for s in range(spread.shape[0]):
            variances[i] += curve_share[i, s] * spread[s] * spread[s]
            group_variances[i] += level_share[i, s] * spread[s] * spread[s]
    for block in range(typical_blocks.shape[0]):
        low, high = typical_blocks[block, 0], typical_blocks[block, 1]
        _curves_estimate(
            low, high, variances, typical_mode, typical_covariance, curve_mixed, curve_precision,
            curves_covariance, estimate, sums,
        )  # fmt: skip
        _write_covariance(typical_mixed, low, high, group_variances, data_precision)
        for i in range(low, high):
            for j in range(low, high):
                data_precision[i, j] += curves_covariance[i, j]
        invert(data_precision, low, high)
        multiply(data_precision, low, high, estimate, mean)
        for i in range(low, high):
            mean[i] += prior_score[i]
            center[i] = z_center[i]
            for j in range(low, high):
                center_factor[i, j] = prior_precision[i, j] + data_precision[i, j]
        cholesky(center_factor, low, high, low)
        solve_lower(center_factor, low, high, low, mean)
        solve_lower_transposed(center_factor, low, high, low, mean)
        solve_lower_transposed(center_factor, low, high, low, center)
        for i in range(low, high):
            center[i] += mean[i]
            total -= math.log(center_factor[i, i])
    _to_reference(center_mean, typical_frame, of_population, center_state, center_out, center)
    for i in range(center.shape[0]):
        relative = (center[i] - center_mean[i]) / center_sd[i]
        total -= relative * relative / 2 + math.log(center_sd[i]) + LOG_2_PI / 2
    log_prior[0] += total


@inner_kernel
def _to_reference(near, frame, of_population, state, out, center):
    """Turn pivot coordinates into reference coordinates, with all of the weight at the pivot."""
    from_pivot, size = of_population[0], of_population[1]
    if from_pivot != 0:
        for i in range(size):
            state[i, 0], state[size + i, 0] = center[i], 1.0
            state[2 * size + i, 0] = near[i]
        apply(from_pivot, frame, state, out)
        for i in range(size):
            center[i] = out[i, 0]


@inner_kernel
def _to_reference_adjoint(frame, of_population, state, out, center_bar):
    """Turn the adjoint of reference coordinates into that of pivot coordinates."""
    adjoint, size = of_population[2], of_population[1]
    if adjoint != 0:
        for i in range(size):
            state[3 * size + i, 0] = center_bar[i]
        state[4 * size, 0] = 0.0  # sums of terms have a Jacobian of one
        apply(adjoint, frame, state, out)
        for i in range(size):
            center_bar[i] = out[i, 0]


@inner_kernel
def _posterior_adjoint(low, high, lower, data_precision, curves_covariance, z, vectors, matrices):
    """Adjoints of the precision given the data, and of what each curve contributes.

    `vectors` are estimate, mean, the adjoint of the center, L^-1 times that, and three to write:
    the adjoint of the curves' sum of modes, and two to work with.
    """
    estimate, mean, bar, half_solved, modes_bar, work, left = vectors
    inverse, data_bar, product, total_bar = matrices
    for i in range(low, high):
        half_solved[i] = bar[i]
    solve_lower(lower, low, high, low, half_solved)
    for i in range(low, high):
        bar[i], left[i] = half_solved[i], -z[i]
    solve_lower_transposed(lower, low, high, low, bar)
    for i in range(low, high):
        for j in range(low, high):
            change = bar[i] * (estimate[j] - mean[j]) + bar[j] * (estimate[i] - mean[i])
            data_bar[i, j], product[i, j] = change / 2, 0.0
            for k in range(low, high):
                product[i, j] += curves_covariance[i, k] * data_precision[k, j]
    write_inverse_of_lower(lower, low, high, low, inverse)
    add_cholesky_adjoint(inverse, low, high, low, left, half_solved, -1.0, work, data_bar)
    multiply(product, low, high, bar, modes_bar)
    for i in range(low, high):
        for j in range(low, high):
            total_bar[i, j] = -(modes_bar[i] * estimate[j] + modes_bar[j] * estimate[i]) / 2
    for i in range(low, high):
        for j in range(low, high):
            weighted = 0.0
            for k in range(low, high):
                weighted += product[i, k] * data_bar[k, j]
            for k in range(low, high):
                total_bar[i, k] += weighted * product[k, j]


@inner_kernel
def _project(matrix, jacobian, m, low, high, out):
    """Write the product of a symmetric matrix and column m of a Jacobian."""
    for i in range(low, high):
        out[i] = 0.0
        for j in range(low, high):
            out[i] += matrix[i, j] * jacobian[j, m]


@stage
def whitened_center_adjoint(
    z_center: Vector, spread: Vector, center_mean: Vector, center_sd: Vector, typical_mode: Matrix,
    curve_mixed: Cube, typical_mixed: Matrix, curve_share: Matrix, level_share: Matrix,
    typical_blocks: IndexMatrix, typical_frame: Matrix, of_population: Indices,
    curve_precision: Cube, center_factor: Matrix, curves_covariance: Matrix,
    data_precision: Matrix, center_vectors: Matrix, center_state: Matrix, center_out: Matrix,
    center_matrices: Cube, center: Vector, center_bar: Vector, z_center_bar: Vector,
    spread_bar: Vector,
) -> None:  # fmt: skip
    """Adjoint of `whitened_center`; overwrites `center_bar`."""
    estimate, mean, modes_bar = center_vectors[0], center_vectors[1], center_vectors[2]
    work = center_vectors[3]
    data_bar, total_bar = center_matrices[1], center_matrices[3]
    for i in range(center.shape[0]):
        center_bar[i] -= (center[i] - center_mean[i]) / center_sd[i] ** 2
    _to_reference_adjoint(typical_frame, of_population, center_state, center_out, center_bar)
    for block in range(typical_blocks.shape[0]):
        low, high = typical_blocks[block, 0], typical_blocks[block, 1]
        _posterior_adjoint(
            low, high, center_factor, data_precision, curves_covariance, z_center,
            (estimate, mean, center_bar, z_center_bar, modes_bar, work, center_vectors[4]),
            (center_matrices[0], data_bar, center_matrices[2], total_bar),
        )  # fmt: skip
        for m in range(low, high):
            _project(data_precision, typical_mixed, m, low, high, work)
            group_bar = -quadratic_form(data_bar, low, high, work)
            curves_bar = 0.0
            for g in range(typical_mode.shape[1]):
                _project(curve_precision[g], curve_mixed[g], m, low, high, work)
                bar, pull, shift = quadratic_form(total_bar, low, high, work), 0.0, 0.0
                for i in range(low, high):
                    pull += work[i] * modes_bar[i]
                    shift += work[i] * typical_mode[i, g]
                curves_bar -= bar + pull * shift
            for s in range(spread.shape[0]):
                shares_bar = level_share[m, s] * group_bar + curve_share[m, s] * curves_bar
                spread_bar[s] += 2 * spread[s] * shares_bar
