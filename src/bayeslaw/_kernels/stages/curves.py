"""Curves: reference coordinates of every curve given its population, from whitened ones.

Whitened coordinates are turned into pivot coordinates, where a curve's posterior is closest to
normal, and those into reference coordinates, in which curves are pooled.
"""

from __future__ import annotations

import math

import numpy as np

from bayeslaw._kernels.call import apply
from bayeslaw._kernels.curve_whitening import transform_curves, transform_curves_adjoint
from bayeslaw._kernels.jit import kernel
from bayeslaw._kernels.stage import Cube, Indices, Matrix, Vector, stage

__all__ = ["curves", "curves_adjoint"]

LOG_2_PI = math.log(2 * math.pi)


@kernel
def _noise_moments(row, g, mean, sd, pivot_mode, pivot_information):
    """Mean, sd and share of the data of a noise parameter, given population and data."""
    precision = 1 + sd**2 * pivot_information[row, g]  # relative to that of the population
    middle = pivot_mode[row, g] + (mean[row, g] - pivot_mode[row, g]) / precision
    return middle, sd / math.sqrt(precision), precision


@kernel
def _noise(z, mean, spread, pivot_mode, pivot_information, size, theta):
    """Write the parameters of the noise; return the log determinant."""
    log_det = 0.0
    for row in range(size, theta.shape[0]):
        for g in range(theta.shape[1]):
            middle, scale, _ = _noise_moments(
                row, g, mean, spread[row], pivot_mode, pivot_information
            )
            theta[row, g] = middle + scale * z[row, g]
            log_det += math.log(scale)
    return log_det


@kernel
def _at_pivot_without_weight(mean, frame, of_coordinates):
    """Means of curves in pivot coordinates of zero weight on the data."""
    to_pivot, size, out = of_coordinates[3], of_coordinates[1], mean.copy()
    if to_pivot != 0:
        apply(to_pivot, frame, mean, out[:size])
    return out


@kernel
def _log_ratio(theta, pivot_mode, size):
    """Noise parameters relative to their modes, on the scale of their links."""
    out = np.empty((theta.shape[0] - size, theta.shape[1]))
    for k in range(out.shape[0]):
        for g in range(out.shape[1]):
            out[k, g] = theta[size + k, g] - pivot_mode[size + k, g]
    return out


@stage
def curves(
    z_theta: Matrix, mean: Matrix, spread: Vector, pivot_mode: Matrix, pivot_information: Matrix,
    mode: Matrix, noise_alone: Cube, noise_share: Cube, noise_shift: Matrix, jacobian: Cube,
    frame: Matrix, of_coordinates: Indices, is_normal: Indices, theta: Matrix, pivot_state: Matrix,
    log_prior: Vector,
) -> None:  # fmt: skip
    """Reference coordinates (parameters, curves) of all curves; prior about their means.

    `pivot_state` receives the arguments of `from_pivot`: pivot coordinates, weights, and nearby
    reference coordinates.
    """
    from_pivot, size = of_coordinates[0], of_coordinates[1]
    log_det = _noise(z_theta, mean, spread, pivot_mode, pivot_information, size, theta)
    eta, weight, near, of_whitening = transform_curves(
        z_theta, _log_ratio(theta, pivot_mode, size),
        _at_pivot_without_weight(mean, frame, of_coordinates), mean,
        spread[: mean.shape[0]].copy().reshape((mean.shape[0], 1)), pivot_mode, pivot_information,
        mode, noise_alone, noise_share, noise_shift, jacobian,
    )  # fmt: skip
    log_det += of_whitening.item()
    pivot_state[:size], pivot_state[size : 2 * size] = eta, weight
    pivot_state[2 * size : 3 * size] = near
    if from_pivot == 0:
        theta[:size] = eta
    else:
        out = np.empty((size + 1, theta.shape[1]))
        apply(from_pivot, frame, pivot_state, out)
        theta[:size] = out[:size]
        log_det += out[size].sum()
    log_prior[0] += log_det + _log_normal(theta, mean, spread, is_normal)


@kernel
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


@kernel
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
    frame: Matrix, of_coordinates: Indices, is_normal: Indices, theta: Matrix, pivot_state: Matrix,
    theta_bar: Matrix, z_theta_bar: Matrix, mean_bar: Matrix, spread_bar: Vector,
) -> None:  # fmt: skip
    """Adjoint of `curves`; overwrites `theta_bar`."""
    size, n_curves = of_coordinates[1], mean.shape[1]
    _log_normal_adjoint(theta, mean, spread, is_normal, theta_bar, mean_bar, spread_bar)
    eta_bar, weight_bar, near_bar = _from_pivot_adjoint(
        pivot_state, frame, of_coordinates, theta_bar
    )
    z_bar, log_ratio_bar, pivot_mean_bar, of_mean, of_spread = transform_curves_adjoint(
        z_theta, _log_ratio(theta, pivot_mode, size),
        _at_pivot_without_weight(mean, frame, of_coordinates), mean,
        spread[: mean.shape[0]].copy().reshape((mean.shape[0], 1)), pivot_mode, pivot_information,
        mode, noise_alone, noise_share, noise_shift, jacobian, eta_bar, weight_bar, near_bar,
        np.asarray(1.0),
    )  # fmt: skip
    _to_pivot_adjoint(mean, frame, of_coordinates, pivot_mean_bar)
    for p in range(size):
        spread_bar[p] += of_spread[p, 0]
        for g in range(n_curves):
            z_theta_bar[p, g] = z_bar[p, g]
            mean_bar[p, g] += of_mean[p, g] + pivot_mean_bar[p, g]
    for p in range(size, mean.shape[0]):
        sd = spread[p]
        for g in range(n_curves):
            bar = theta_bar[p, g] + log_ratio_bar[p - size, g]
            _, scale, precision = _noise_moments(p, g, mean, sd, pivot_mode, pivot_information)
            log_scale_bar = bar * scale * z_theta[p, g] + 1
            distance = mean[p, g] - pivot_mode[p, g]
            precision_bar = -(bar * distance / precision + log_scale_bar / 2) / precision
            z_theta_bar[p, g] = bar * scale
            mean_bar[p, g] += bar / precision
            spread_bar[p] += log_scale_bar / sd + 2 * sd * pivot_information[p, g] * precision_bar


@kernel
def _from_pivot_adjoint(pivot_state, frame, of_coordinates, theta_bar):
    """Adjoints of pivot coordinates, weights and nearby coordinates, (law parameters, curves)."""
    adjoint, size, n_curves = of_coordinates[2], of_coordinates[1], theta_bar.shape[1]
    out = np.zeros((3 * size, n_curves))
    if adjoint == 0:
        out[:size] = theta_bar[:size]
    else:
        state = np.ones((4 * size + 1, n_curves))  # the last adjoint is that of the log Jacobian
        state[: 3 * size], state[3 * size : 4 * size] = pivot_state, theta_bar[:size]
        apply(adjoint, frame, state, out)
    return out[:size].copy(), out[size : 2 * size].copy(), out[2 * size :].copy()


@kernel
def _to_pivot_adjoint(mean, frame, of_coordinates, pivot_mean_bar):
    """Turn the adjoint of the means in pivot coordinates into that of the means, in place."""
    adjoint, size = of_coordinates[4], of_coordinates[1]
    if adjoint != 0:
        state = np.empty((2 * size, mean.shape[1]))
        state[:size], state[size:] = mean[:size], pivot_mean_bar[:size]
        apply(adjoint, frame, state, pivot_mean_bar[:size])
