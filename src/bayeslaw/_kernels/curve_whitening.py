"""Whitening of the curves' parameters given their population: forward map and adjoint.

See `bayeslaw._inference.whitening` for the purpose. Pivot coordinates describe a curve at the pivot
of its runs, reference coordinates at the reference scale; the parameters of the noise are the same
in both and come after those of the law.
"""

from __future__ import annotations

import math

import numpy as np

from bayeslaw._kernels.jit import kernel

__all__ = ["information_ratio", "transform_curves", "transform_curves_adjoint"]


@kernel
def information_ratio(log_noise_ratio, noise_alone, noise_share):
    """Information on the law, relative to that at the mode, where the noise differs from its mode.

    A short curve hardly determines its noise, and the smaller the noise, the more informative the
    curve is about the law. That is a funnel, unless the sampler's coordinates account for it.

    `log_noise_ratio` (noise parameters, curves) is the logarithm of each noise parameter relative
    to its mode; the other arguments are those of `bayeslaw._inference.laplace.LocalExpansion`.
    Returns the ratio and how far the mode has moved, as a fraction of `LocalExpansion.noise_shift`,
    both (parameters, curves); then three intermediate arrays for the adjoint.
    """
    size, noise, curves = noise_alone.shape
    square, rest_variance = _noise_variance_ratio(log_noise_ratio), np.ones((size, curves))
    ratio, shift_fraction = np.empty((size, curves)), np.empty((size, curves))
    alone_sum, alone_scaled = np.zeros((size, curves)), np.zeros((size, curves))
    for i in range(size):
        for k in range(noise):
            for g in range(curves):
                alone_sum[i, g] += noise_alone[i, k, g]
                alone_scaled[i, g] += noise_alone[i, k, g] / square[k, g]
                rest_variance[i, g] += noise_share[i, k, g] * (square[k, g] - 1)
        for g in range(curves):
            ratio[i, g] = alone_scaled[i, g] + (1 - alone_sum[i, g]) / rest_variance[i, g]
            shift_fraction[i, g] = (alone_scaled[i, g] / ratio[i, g] - alone_sum[i, g]) / (
                1 - alone_sum[i, g]
            )
    return ratio, shift_fraction, alone_sum, alone_scaled, rest_variance


@kernel
def _noise_variance_ratio(log_noise_ratio):
    """Square of each noise parameter relative to its mode."""
    out = np.empty(log_noise_ratio.shape)
    for k in range(log_noise_ratio.shape[0]):
        for g in range(log_noise_ratio.shape[1]):
            out[k, g] = math.exp(2 * log_noise_ratio[k, g])
    return out


@kernel
def _total_information(mean, spread, mode, information, jacobian):
    """Information on each pivot coordinate from its curve and, through the others, the population.

    The population constrains every reference parameter, which depends on several pivot coordinates:
    so a constraint on one parameter also informs the others. Returns the total information, the
    score (pull) of the population on each coordinate, the marginal precision of each curve's mode
    about its population, and the population's residual, all (law parameters, curves).
    """
    size, curves = information.shape
    marginal, residual = np.empty((size, curves)), np.empty((size, curves))
    total, score = information.copy(), np.zeros((size, curves))
    for i in range(size):
        variance = spread[i, 0] ** 2
        for g in range(curves):
            marginal[i, g] = information[i, g] / (1 + variance * information[i, g])
            residual[i, g] = mean[i, g] - mode[i, g]
        for j in range(size):
            for g in range(curves):
                weighted = jacobian[i, j, g] * marginal[i, g]
                total[j, g] += jacobian[i, j, g] * weighted
                score[j, g] += weighted * residual[i, g]
    return total, score, marginal, residual


@kernel
def transform_curves(
    z, log_noise_ratio, pivot_mean, mean, spread, pivot_mode, pivot_information, mode,
    noise_alone, noise_share, noise_shift, jacobian,
):  # fmt: skip
    """Pivot coordinates of all curves from whitened (standard normal) ones.

    - `z`: whitened coordinates (parameters, curves);
    - `log_noise_ratio`: see `information_ratio`;
    - `pivot_mean`, `mean`: expectation of each curve under its population, in pivot and in
      reference coordinates (parameters, curves);
    - `spread`: standard deviation between curves (parameters, 1);
    - `pivot_mode`, `pivot_information`, `mode`: Laplace approximation of each curve in pivot
      coordinates, and its mode in reference coordinates (parameters, curves);
    - the others: see `bayeslaw._inference.laplace.LocalExpansion`.

    Returns, each (law parameters, curves), the pivot coordinates, the weight of the data (0: at the
    population's mean, 1: at the mode) and approximate reference coordinates; then the log
    determinant.
    """
    size, curves = noise_shift.shape
    eta, weight, near = np.empty((size, curves)), np.empty((size, curves)), np.empty((size, curves))
    scales, log_det = np.ones(curves), 0.0
    ratio, shift_fraction, _, _, _ = information_ratio(log_noise_ratio, noise_alone, noise_share)
    information = pivot_information[:size] * ratio
    total, score, _, residual = _total_information(mean, spread, mode, information, jacobian)
    for j in range(size):
        sd = spread[j, 0]
        for g in range(curves):
            precision = 1 + sd**2 * total[j, g]  # relative to that of the population
            scale, data_weight = sd / math.sqrt(precision), 1 - 1 / precision
            shift = shift_fraction[j, g] * noise_shift[j, g]
            target = pivot_mode[j, g] + shift + score[j, g] / total[j, g]
            weight[j, g], near[j, g] = data_weight, mean[j, g] - data_weight * residual[j, g]
            middle = pivot_mean[j, g] + data_weight * (target - pivot_mean[j, g])
            eta[j, g] = middle + scale * z[j, g]
            scales[g] *= scale
    for g in range(curves):
        log_det += math.log(scales[g])
    return eta, weight, near, np.asarray(log_det)


@kernel
def transform_curves_adjoint(
    z, log_noise_ratio, pivot_mean, mean, spread, pivot_mode, pivot_information, mode,
    noise_alone, noise_share, noise_shift, jacobian,
    eta_bar, weight_bar, near_bar, log_det_bar,
):  # fmt: skip
    """Adjoints of the first five arguments of `transform_curves`."""
    size, curves = noise_shift.shape
    z_bar, mean_bar, log_bar = np.zeros(z.shape), np.zeros(mean.shape), log_det_bar.item()
    pivot_mean_bar, spread_bar = np.zeros(pivot_mean.shape), np.zeros(spread.shape)
    parts = information_ratio(log_noise_ratio, noise_alone, noise_share)
    information = pivot_information[:size] * parts[0]
    total, score, marginal, residual = _total_information(mean, spread, mode, information, jacobian)
    information_bar, score_bar = np.empty((size, curves)), np.empty((size, curves))
    fraction_bar = np.empty((size, curves))
    for j in range(size):
        sd = spread[j, 0]
        for g in range(curves):
            precision, bar = 1 + sd**2 * total[j, g], eta_bar[j, g]
            scale, data_weight = sd / math.sqrt(precision), 1 - 1 / precision
            pull = score[j, g] / total[j, g]
            target = pivot_mode[j, g] + parts[1][j, g] * noise_shift[j, g] + pull
            z_bar[j, g], pivot_mean_bar[j, g] = bar * scale, bar * (1 - data_weight)
            mean_bar[j, g] = near_bar[j, g] * (1 - data_weight)
            data_weight_bar = weight_bar[j, g] + bar * (target - pivot_mean[j, g])
            data_weight_bar -= near_bar[j, g] * residual[j, g]
            log_scale_bar = bar * scale * z[j, g] + log_bar
            precision_bar = (data_weight_bar / precision - log_scale_bar / 2) / precision
            spread_bar[j, 0] += log_scale_bar / sd + 2 * sd * precision_bar * total[j, g]
            fraction_bar[j, g] = bar * data_weight * noise_shift[j, g]
            score_bar[j, g] = bar * data_weight / total[j, g]
            information_bar[j, g] = sd**2 * precision_bar - score_bar[j, g] * pull
    _total_information_adjoint(
        spread, information, jacobian, marginal, residual, score_bar, information_bar, mean_bar,
        spread_bar,
    )  # fmt: skip
    for i in range(size):
        for g in range(curves):
            information_bar[i, g] *= pivot_information[i, g]
    log_noise_ratio_bar = _information_ratio_adjoint(
        log_noise_ratio, noise_alone, noise_share, parts, information_bar, fraction_bar
    )
    return z_bar, log_noise_ratio_bar, pivot_mean_bar, mean_bar, spread_bar


@kernel
def _total_information_adjoint(
    spread, information, jacobian, marginal, residual, score_bar, information_bar, mean_bar,
    spread_bar,
):  # fmt: skip
    """Add the adjoints of `_total_information`; `information_bar` is first that of the total."""
    size, curves = information.shape
    marginal_bar = np.zeros((size, curves))
    for i in range(size):
        for j in range(size):
            for g in range(curves):
                slope, pulled = jacobian[i, j, g], jacobian[i, j, g] * score_bar[j, g]
                marginal_bar[i, g] += slope**2 * information_bar[j, g] + pulled * residual[i, g]
                mean_bar[i, g] += marginal[i, g] * pulled
    for i in range(size):
        sd = spread[i, 0]
        for g in range(curves):
            spread_bar[i, 0] -= 2 * sd * marginal_bar[i, g] * marginal[i, g] ** 2
            information_bar[i, g] += marginal_bar[i, g] / (1 + sd**2 * information[i, g]) ** 2


@kernel
def _information_ratio_adjoint(
    log_noise_ratio, noise_alone, noise_share, parts, ratio_bar, fraction_bar
):
    """Adjoint of `log_noise_ratio`; overwrites `ratio_bar` and `fraction_bar`."""
    ratio, _, alone_sum, alone_scaled, rest_variance = parts
    size, noise, curves = noise_alone.shape
    square = _noise_variance_ratio(log_noise_ratio)
    log_noise_ratio_bar = np.zeros(log_noise_ratio.shape)
    for i in range(size):
        for g in range(curves):
            bar = fraction_bar[i, g] / (1 - alone_sum[i, g]) / ratio[i, g]
            ratio_bar[i, g] -= bar * alone_scaled[i, g] / ratio[i, g]
            fraction_bar[i, g] = ratio_bar[i, g] + bar  # from here on, of `alone_scaled`
            # From here on, of `rest_variance`.
            ratio_bar[i, g] *= -(1 - alone_sum[i, g]) / rest_variance[i, g] ** 2
        for k in range(noise):
            for g in range(curves):
                slope = noise_share[i, k, g] * ratio_bar[i, g] * square[k, g]
                log_noise_ratio_bar[k, g] += 2 * (
                    slope - noise_alone[i, k, g] * fraction_bar[i, g] / square[k, g]
                )
    return log_noise_ratio_bar
