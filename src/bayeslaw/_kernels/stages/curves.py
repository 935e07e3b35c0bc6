"""Curves: reference coordinates of every curve given its population, from whitened ones.

Whitened coordinates are turned into pivot coordinates, where a curve's posterior is closest to
normal, and those into reference coordinates, in which curves are pooled. The parameters of the
noise are the same in both and come after those of the law.
"""

from __future__ import annotations

import math

from bayeslaw._kernels.call import apply
from bayeslaw._kernels.deviations import add_deviations, deviations_adjoint
from bayeslaw._kernels.jit import inner_kernel
from bayeslaw._kernels.stage import Cube, Indices, Matrix, Vector, stage

__all__ = ["curves", "curves_adjoint", "information_ratio"]

LOG_2_PI = math.log(2 * math.pi)


@inner_kernel
def information_ratio(i, g, noise_variance, noise_alone, noise_share):
    """Information on a coordinate relative to that at the mode, where the noise differs from there.

    A short curve hardly determines its noise, and the smaller the noise, the more informative the
    curve is about the law. That is a funnel, unless the sampler's coordinates account for it.

    `noise_variance` (noise parameters, curves) is the square of each noise parameter relative to
    its mode; the others are those of `bayeslaw._inference.laplace.LocalExpansion`. Returns the
    ratio, how far the mode has moved, as a fraction of `LocalExpansion.noise_shift`, and for the
    adjoint what is left of the information when noise alone is scaled, the information of noise
    alone, and the variance of the rest.
    """
    left, scaled, rest = 1.0, 0.0, 1.0
    for k in range(noise_alone.shape[1]):
        left -= noise_alone[i, k, g]
        scaled += noise_alone[i, k, g] / noise_variance[k, g]
        rest += noise_share[i, k, g] * (noise_variance[k, g] - 1)
    ratio = scaled + left / rest
    return ratio, (scaled / ratio - 1 + left) / left, left, scaled, rest


@inner_kernel
def _noise_precision(row, g, spread, pivot_information):
    """Precision of a noise parameter given population and data, relative to the population's."""
    return 1 + spread[row] ** 2 * pivot_information[row, g]


@inner_kernel
def _write_noise(z, mean, spread, pivot_mode, pivot_information, noise_variance, theta):
    """Parameters of the noise, and their squares relative to the modes; return log determinant."""
    log_det, first = 0.0, theta.shape[0] - noise_variance.shape[0]
    for row in range(first, theta.shape[0]):
        for g in range(theta.shape[1]):
            precision = _noise_precision(row, g, spread, pivot_information)
            scale = spread[row] / math.sqrt(precision)
            distance = (mean[row, g] - pivot_mode[row, g]) / precision + scale * z[row, g]
            theta[row, g] = pivot_mode[row, g] + distance
            noise_variance[row - first, g] = math.exp(2 * distance)
            log_det += math.log(scale)
    return log_det


@inner_kernel
def _write_information(
    mean, spread, pivot_information, mode, noise_variance, noise_alone, noise_share, jacobian,
    information, shift, total, score,
):  # fmt: skip
    """Information on each pivot coordinate from its curve and, through others, the population.

    The population constrains every reference parameter, which depends on several pivot coordinates:
    so a constraint on one parameter also informs the others. Writes the information of the curve,
    the shift of its mode, the total information, and the score (pull) of the population.
    """
    for i in range(total.shape[0]):
        for g in range(total.shape[1]):
            ratio, shift[i, g], _, _, _ = information_ratio(
                i, g, noise_variance, noise_alone, noise_share
            )
            information[i, g] = total[i, g] = pivot_information[i, g] * ratio
            score[i, g] = 0.0
    for i in range(total.shape[0]):
        variance = spread[i] ** 2
        for j in range(total.shape[0]):
            for g in range(total.shape[1]):
                marginal = information[i, g] / (1 + variance * information[i, g])
                weighted = jacobian[i, j, g] * marginal
                total[j, g] += jacobian[i, j, g] * weighted
                score[j, g] += weighted * (mean[i, g] - mode[i, g])


@inner_kernel
def _write_pivot_mean(mean, frame, of_coordinates, pivot_mean):
    """Means of curves in pivot coordinates of zero weight on the data."""
    to_pivot, size = of_coordinates[3], of_coordinates[1]
    if to_pivot != 0:
        apply(to_pivot, frame, mean, pivot_mean)
    else:
        for i in range(size):
            for g in range(mean.shape[1]):
                pivot_mean[i, g] = mean[i, g]


@stage
def curves(
    z_theta: Matrix, mean: Matrix, spread: Vector, pivot_mode: Matrix, pivot_information: Matrix,
    mode: Matrix, noise_alone: Cube, noise_share: Cube, noise_shift: Matrix, jacobian: Cube,
    fisher: Cube, frame: Matrix, of_coordinates: Indices, is_normal: Indices,
    noise_variance: Matrix, curve_information: Cube, curve_factors: Cube, curve_vectors: Matrix,
    pivot_mean: Matrix, pivot_state: Matrix, pivot_out: Matrix, theta: Matrix, log_prior: Vector,
) -> None:  # fmt: skip
    """Reference coordinates (parameters, curves) of all curves; prior about their means.

    `pivot_state` receives the arguments of `from_pivot`: pivot coordinates, the weight of the data
    (0: at the population's mean, 1: at the mode), and nearby reference coordinates.
    """
    from_pivot, size = of_coordinates[0], of_coordinates[1]
    shift, total, score = curve_information[1], curve_information[2], curve_information[3]
    log_det = _write_noise(
        z_theta, mean, spread, pivot_mode, pivot_information, noise_variance, theta
    )
    _write_pivot_mean(mean, frame, of_coordinates, pivot_mean)
    _write_information(
        mean, spread, pivot_information, mode, noise_variance, noise_alone, noise_share, jacobian,
        curve_information[0], shift, total, score,
    )  # fmt: skip
    for j in range(size):
        for g in range(theta.shape[1]):
            precision = 1 + spread[j] ** 2 * total[j, g]  # relative to that of the population
            weight = 1 - 1 / precision
            target = pivot_mode[j, g] + shift[j, g] * noise_shift[j, g] + score[j, g] / total[j, g]
            pivot_state[j, g] = pivot_mean[j, g] + weight * (target - pivot_mean[j, g])
            pivot_state[size + j, g] = weight
            pivot_state[2 * size + j, g] = mean[j, g] - weight * (mean[j, g] - mode[j, g])
    log_det += add_deviations(
        z_theta, spread, curve_information[0], pivot_information, fisher, jacobian, curve_factors,
        curve_vectors[0], pivot_state,
    )  # fmt: skip
    for j in range(size):
        for g in range(theta.shape[1]):
            theta[j, g] = pivot_state[j, g]
    if from_pivot != 0:
        apply(from_pivot, frame, pivot_state, pivot_out)
        for g in range(theta.shape[1]):
            log_det += pivot_out[size, g]
            for j in range(size):
                theta[j, g] = pivot_out[j, g]
    log_prior[0] += log_det + _log_normal(theta, mean, spread, is_normal)


@inner_kernel
def _log_normal(theta, mean, spread, is_normal):
    """Log density of the parameters whose prior is normal."""
    total = 0.0
    for p in range(theta.shape[0]):
        if is_normal[p]:
            total -= theta.shape[1] * (math.log(spread[p]) + LOG_2_PI / 2)
            for g in range(theta.shape[1]):
                relative = (theta[p, g] - mean[p, g]) / spread[p]
                total -= relative * relative / 2
    return total


@inner_kernel
def _log_normal_adjoint(theta, mean, spread, is_normal, theta_bar, mean_bar, spread_bar):
    """Add the adjoints of `_log_normal`; those of the means are written."""
    for p in range(theta.shape[0]):
        for g in range(theta.shape[1]):
            mean_bar[p, g] = 0.0
            if is_normal[p]:
                relative = (theta[p, g] - mean[p, g]) / spread[p]
                mean_bar[p, g] = relative / spread[p]
                theta_bar[p, g] -= relative / spread[p]
                spread_bar[p] += (relative * relative - 1) / spread[p]


@stage
def curves_adjoint(
    z_theta: Matrix, mean: Matrix, spread: Vector, pivot_mode: Matrix, pivot_information: Matrix,
    mode: Matrix, noise_alone: Cube, noise_share: Cube, noise_shift: Matrix, jacobian: Cube,
    fisher: Cube, frame: Matrix, of_coordinates: Indices, is_normal: Indices,
    noise_variance: Matrix, curve_information: Cube, curve_information_bar: Cube,
    curve_factors: Cube, curve_precisions_bar: Cube, curve_inverse: Matrix, curve_vectors: Matrix,
    pivot_mean: Matrix, pivot_mean_bar: Matrix, pivot_state: Matrix, pivot_out: Matrix,
    pivot_mean_state: Matrix, theta: Matrix, theta_bar: Matrix, z_theta_bar: Matrix,
    mean_bar: Matrix, spread_bar: Vector,
) -> None:  # fmt: skip
    """Adjoint of `curves`; overwrites `theta_bar`."""
    size = of_coordinates[1]
    shift, total, score = curve_information[1], curve_information[2], curve_information[3]
    shift_bar, total_bar = curve_information_bar[0], curve_information_bar[1]
    score_bar = curve_information_bar[2]
    _log_normal_adjoint(theta, mean, spread, is_normal, theta_bar, mean_bar, spread_bar)
    _from_pivot_adjoint(frame, of_coordinates, theta_bar, pivot_state, pivot_out)
    deviations_adjoint(
        z_theta, pivot_out[:size], curve_factors, curve_inverse, curve_vectors, z_theta_bar,
        curve_precisions_bar,
    )  # fmt: skip
    for j in range(size):
        for g in range(theta.shape[1]):
            precision, bar = 1 + spread[j] ** 2 * total[j, g], pivot_out[j, g]
            weight, pull = 1 - 1 / precision, score[j, g] / total[j, g]
            target = pivot_mode[j, g] + shift[j, g] * noise_shift[j, g] + pull
            near_bar = pivot_out[2 * size + j, g]
            weight_bar = pivot_out[size + j, g] + bar * (target - pivot_mean[j, g])
            weight_bar -= near_bar * (mean[j, g] - mode[j, g])
            precision_bar = weight_bar / precision / precision
            pivot_mean_bar[j, g] = bar * (1 - weight)
            mean_bar[j, g] += near_bar * (1 - weight)
            spread_bar[j] += 2 * spread[j] * precision_bar * total[j, g]
            spread_bar[j] -= 2 * curve_precisions_bar[g, j, j] / spread[j] ** 3
            shift_bar[j, g] = bar * weight * noise_shift[j, g]
            score_bar[j, g] = bar * weight / total[j, g]
            total_bar[j, g] = spread[j] ** 2 * precision_bar - score_bar[j, g] * pull
    _information_adjoint(
        mean, spread, pivot_information, mode, noise_variance, noise_alone, noise_share, jacobian,
        fisher, curve_precisions_bar, curve_information[0], shift_bar, total_bar, score_bar,
        theta_bar, mean_bar, spread_bar,
    )  # fmt: skip
    _add_pivot_mean_adjoint(mean, frame, of_coordinates, pivot_mean_bar, pivot_mean_state, mean_bar)
    _noise_adjoint(
        z_theta, mean, spread, pivot_mode, pivot_information, size, theta_bar, z_theta_bar,
        mean_bar, spread_bar,
    )  # fmt: skip


@inner_kernel
def _noise_adjoint(
    z, mean, spread, pivot_mode, pivot_information, first, theta_bar, z_bar, mean_bar, spread_bar
):  # fmt: skip
    """Adjoint of `_write_noise`, from those of the parameters of the noise."""
    for p in range(first, theta_bar.shape[0]):
        for g in range(theta_bar.shape[1]):
            bar, precision = theta_bar[p, g], _noise_precision(p, g, spread, pivot_information)
            scale = spread[p] / math.sqrt(precision)
            log_scale_bar = bar * scale * z[p, g] + 1
            distance = mean[p, g] - pivot_mode[p, g]
            precision_bar = -(bar * distance / precision + log_scale_bar / 2) / precision
            z_bar[p, g] = bar * scale
            mean_bar[p, g] += bar / precision
            spread_bar[p] += log_scale_bar / spread[p]
            spread_bar[p] += 2 * spread[p] * pivot_information[p, g] * precision_bar


@inner_kernel
def _information_adjoint(
    mean, spread, pivot_information, mode, noise_variance, noise_alone, noise_share, jacobian,
    fisher, precisions_bar, information, shift_bar, total_bar, score_bar, theta_bar, mean_bar,
    spread_bar,
):  # fmt: skip
    """Add the adjoints of `_write_information` to those of noise parameters, means and spreads.

    `precisions_bar` are the adjoints of `add_deviations`.
    """
    size = total_bar.shape[0]
    for i in range(size):
        variance = spread[i] ** 2
        for g in range(total_bar.shape[1]):
            relative, marginal_bar, pull_bar = 1 + variance * information[i, g], 0.0, 0.0
            marginal, ratio_bar = information[i, g] / relative, 0.0
            root = math.sqrt(information[i, g] / pivot_information[i, g])
            for j in range(size):
                slope = jacobian[i, j, g]
                marginal_bar += slope * slope * total_bar[j, g]
                for k in range(size):
                    marginal_bar += slope * precisions_bar[g, j, k] * jacobian[i, k, g]
                other = math.sqrt(information[j, g] / pivot_information[j, g])
                ratio_bar += precisions_bar[g, i, j] * fisher[g, i, j] * other / root
                pull_bar += slope * score_bar[j, g]
            marginal_bar += pull_bar * (mean[i, g] - mode[i, g])
            mean_bar[i, g] += marginal * pull_bar
            spread_bar[i] -= 2 * spread[i] * marginal_bar * marginal * marginal
            information_bar = total_bar[i, g] + marginal_bar / (relative * relative)
            ratio, _, left, scaled, rest = information_ratio(
                i, g, noise_variance, noise_alone, noise_share
            )
            bar = shift_bar[i, g] / left / ratio
            ratio_bar += pivot_information[i, g] * information_bar - bar * scaled / ratio
            rest_bar = -ratio_bar * left / (rest * rest)
            for k in range(noise_variance.shape[0]):
                square = noise_variance[k, g]
                square_bar = noise_share[i, k, g] * rest_bar * square
                square_bar -= noise_alone[i, k, g] * (ratio_bar + bar) / square
                theta_bar[size + k, g] += 2 * square_bar


@inner_kernel
def _from_pivot_adjoint(frame, of_coordinates, theta_bar, state, out):
    """Write adjoints of pivot coordinates, weights and nearby coordinates (3 sizes, curves)."""
    adjoint, size = of_coordinates[2], of_coordinates[1]
    for g in range(theta_bar.shape[1]):
        state[4 * size, g] = 1.0  # the adjoint of the log Jacobian
        for j in range(size):
            state[3 * size + j, g] = out[j, g] = theta_bar[j, g]
            out[size + j, g] = out[2 * size + j, g] = 0.0
    if adjoint != 0:
        apply(adjoint, frame, state, out)


@inner_kernel
def _add_pivot_mean_adjoint(mean, frame, of_coordinates, pivot_mean_bar, state, mean_bar):
    """Add the adjoint of `_write_pivot_mean` to that of the means."""
    adjoint, size = of_coordinates[4], of_coordinates[1]
    if adjoint != 0:
        for j in range(size):
            for g in range(mean.shape[1]):
                state[j, g], state[size + j, g] = mean[j, g], pivot_mean_bar[j, g]
        apply(adjoint, frame, state, pivot_mean_bar)
    for j in range(size):
        for g in range(mean.shape[1]):
            mean_bar[j, g] += pivot_mean_bar[j, g]
