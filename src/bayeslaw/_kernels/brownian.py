"""Kalman filter and smoother of a Brownian discrepancy along one predictor, with gradients.

Residuals are ``r_i = delta(u_i) + e_i`` with ``e_i ~ N(0, noise_variance_i)``, where u is the
signed distance of a run's log predictor from the pivot of its curve. In each curve delta is a
two-sided Brownian motion: zero at the pivot, with variance ``tau2 |u|`` and independent sides. The
runs on one side of one curve, sorted outwards, form a Markov chain (a "side" below), so the filter
takes O(n).

The state of the filter is the mean and variance of delta. Runs at the same u have step 0, so
they share delta. Infinite noise variance marks an unobserved run, whose residual is ignored.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bayeslaw._kernels.jit import kernel

__all__ = [
    "FilterOrder",
    "filter_order",
    "gradients",
    "leave_one_out_moments",
    "log_density",
    "log_density_by_curve",
    "one_step_prediction",
    "one_step_prediction_draws",
    "smoother",
    "smoother_draws",
    "write_gradients",
]

SMALL = 1e-140  # take the logarithm of a product of precisions before it underflows


class FilterOrder(NamedTuple):
    """The order in which the filter visits the runs; arrays (runs,), in that order."""

    order: np.ndarray  # index of the run: sorted by curve, then side, then outwards
    step: np.ndarray  # distance from the run before it on its side, or from the pivot if first
    is_first: np.ndarray  # 1 where a side begins, otherwise 0
    curve: np.ndarray  # curve of the run


def filter_order(position: np.ndarray, curve: np.ndarray) -> FilterOrder:
    """Sort runs outwards from the pivot of their curve; signed log distances and curves (runs,)."""
    is_left, distance = position < 0, np.abs(position)
    order = np.lexsort((distance, is_left, curve)).astype(np.int64)
    sorted_curve, side, along = curve[order].astype(np.int64), is_left[order], distance[order]
    is_first = np.ones(order.size, dtype=np.int64)
    is_first[1:] = (sorted_curve[1:] != sorted_curve[:-1]) | (side[1:] != side[:-1])
    step = np.where(is_first == 1, along, np.diff(along, prepend=0.0))
    return FilterOrder(order, step, is_first, sorted_curve)


@kernel
def _filter_update(mean, variance, residual, noise_variance):
    """Kalman update: mean and variance of delta after observing a run."""
    if noise_variance == np.inf:
        return mean, variance
    gain = variance / (variance + noise_variance)
    return mean + gain * (residual - mean), gain * noise_variance


@kernel
def _filter(residual, noise_variance, tau2, order, step, is_first, curve, mean, variance):
    """Write the predicted mean and variance of delta before each visited run."""
    state_mean, state_variance = 0.0, 0.0
    for k in range(order.shape[0]):
        if is_first[k] == 1:
            state_mean, state_variance = 0.0, 0.0
        state_variance += tau2[curve[k]] * step[k]
        mean[k], variance[k] = state_mean, state_variance
        i = order[k]
        state_mean, state_variance = _filter_update(
            state_mean, state_variance, residual[i], noise_variance[i]
        )


@kernel
def log_density_by_curve(residual, noise_variance, tau2, order, step, is_first, curve):
    """Joint log density of the residuals of each curve (curves,).

    Residuals and noise variances (runs,); tau2 (curves,) is the variance of delta at distance one
    from the pivot; the other arrays are the fields of `FilterOrder`.
    """
    mean, variance = np.empty(order.shape[0]), np.empty(order.shape[0])
    _filter(residual, noise_variance, tau2, order, step, is_first, curve, mean, variance)
    out = np.zeros(tau2.shape[0])
    for k in range(order.shape[0]):
        total = variance[k] + noise_variance[order[k]]
        innovation = residual[order[k]] - mean[k]
        out[curve[k]] -= (math.log(2 * math.pi * total) + innovation * innovation / total) / 2
    return out


@kernel
def log_density(residual, noise_variance, tau2, order, step, is_first, curve):
    """Joint log density of all residuals; arguments as in `log_density_by_curve`."""
    total = 0.0
    for value in log_density_by_curve(residual, noise_variance, tau2, order, step, is_first, curve):
        total += value
    return total


@kernel
def write_gradients(residual, noise_variance, tau2, layout, out):
    """Return `log_density` and write its gradients to `out`, whose last array starts at zero."""
    order, step, is_first, curve = layout
    residual_bar, noise_variance_bar, tau2_bar = out
    mean, variance = np.empty(order.shape[0]), np.empty(order.shape[0])
    _filter(residual, noise_variance, tau2, order, step, is_first, curve, mean, variance)
    log_precision, product, squares, mean_bar, variance_bar = 0.0, 1.0, 0.0, 0.0, 0.0
    for k in range(order.shape[0] - 1, -1, -1):
        i = order[k]
        precision, innovation = 1 / (variance[k] + noise_variance[i]), residual[i] - mean[k]
        scaled = innovation * precision
        squares += scaled * innovation
        # One logarithm of many factors: one per run would take as long as all the rest.
        product *= precision
        if not SMALL < product < 1 / SMALL:
            log_precision, product = log_precision + math.log(product), 1.0
        gain, noise_share = variance[k] * precision, noise_variance[i] * precision
        score = (scaled * scaled - precision) / 2
        residual_bar[i] = mean_bar * gain - scaled
        noise_variance_bar[i] = score - mean_bar * gain * scaled + variance_bar * gain * gain
        variance_bar = (
            score + mean_bar * noise_share * scaled + variance_bar * noise_share * noise_share
        )
        mean_bar -= residual_bar[i]
        tau2_bar[curve[k]] += step[k] * variance_bar
        if is_first[k] == 1:
            mean_bar, variance_bar = 0.0, 0.0
    log_precision += math.log(product) - order.shape[0] * math.log(2 * math.pi)
    return (log_precision - squares) / 2


@kernel
def gradients(residual, noise_variance, tau2, order, step, is_first, curve):
    """Gradients of `log_density` for many draws; arrays (draws, runs), tau2 (draws, curves)."""
    layout = (order, step, is_first, curve)
    out = np.empty(residual.shape), np.empty(residual.shape), np.zeros(tau2.shape)
    for s in range(residual.shape[0]):
        write_gradients(
            residual[s], noise_variance[s], tau2[s], layout, (out[0][s], out[1][s], out[2][s])
        )
    return out


@kernel
def one_step_prediction_draws(residual, noise_variance, tau2, order, step, is_first, curve):
    """`one_step_prediction` for many draws: arrays (draws, runs), tau2 (draws, curves)."""
    out_mean, out_variance = np.empty(residual.shape), np.empty(residual.shape)
    mean, variance = np.empty(order.shape[0]), np.empty(order.shape[0])
    for s in range(residual.shape[0]):
        _filter(
            residual[s], noise_variance[s], tau2[s], order, step, is_first, curve, mean, variance
        )
        for k in range(order.shape[0]):
            out_mean[s, order[k]] = mean[k]
            out_variance[s, order[k]] = variance[k] + noise_variance[s, order[k]]
    return out_mean, out_variance


def one_step_prediction(
    residual: np.ndarray,
    noise_variance: np.ndarray,
    tau2: np.ndarray,
    order: np.ndarray,
    step: np.ndarray,
    is_first: np.ndarray,
    curve: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (runs,) of each residual given those before it on its side.

    Arguments as in `log_density_by_curve`; the sum of these log densities is `log_density`.
    """
    mean, variance = one_step_prediction_draws(
        residual[None], noise_variance[None], tau2[None], order, step, is_first, curve
    )
    return mean[0], variance[0]


def leave_one_out_moments(
    residual: np.ndarray,
    noise_variance: np.ndarray,
    residual_bar: np.ndarray,
    noise_variance_bar: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each residual given all others, from the gradient of the log density.

    With C the joint covariance, the gradient contains ``a = C^-1 r`` and ``diag(C^-1)``. This holds
    for any Gaussian whose noise variances are added to the diagonal of C. All arrays (..., runs).
    """
    precision = residual_bar**2 - 2 * noise_variance_bar
    return residual + residual_bar / precision, 1 / precision


@kernel
def _smoother(residual, noise_variance, tau2, layout, normal, out):
    """Write `smoother` of one draw to `out`: a filter outwards, then a pass back inwards."""
    order, step, is_first, curve = layout
    mean, variance, draw = out
    predicted_mean, predicted_variance = np.empty(order.shape[0]), np.empty(order.shape[0])
    _filter(
        residual, noise_variance, tau2, order, step, is_first, curve,
        predicted_mean, predicted_variance,
    )  # fmt: skip
    for k in range(order.shape[0] - 1, -1, -1):
        i = order[k]
        filtered_mean, conditional_variance = _filter_update(
            predicted_mean[k], predicted_variance[k], residual[i], noise_variance[i]
        )
        mean[i], variance[i], draw[i] = filtered_mean, conditional_variance, filtered_mean
        if k + 1 < order.shape[0] and is_first[k + 1] == 0 and predicted_variance[k + 1] > 0:
            after = order[k + 1]
            gain = conditional_variance / predicted_variance[k + 1]
            rest = tau2[curve[k + 1]] * step[k + 1] / predicted_variance[k + 1]
            conditional_variance *= rest
            mean[i] = rest * filtered_mean + gain * mean[after]
            variance[i] = conditional_variance + gain * gain * variance[after]
            draw[i] = rest * filtered_mean + gain * draw[after]
        draw[i] += math.sqrt(conditional_variance) * normal[i]


@kernel
def smoother_draws(residual, noise_variance, tau2, order, step, is_first, curve, normal):
    """`smoother` for many draws: arrays (draws, runs), tau2 (draws, curves)."""
    layout = (order, step, is_first, curve)
    out = np.empty(residual.shape), np.empty(residual.shape), np.empty(residual.shape)
    for s in range(residual.shape[0]):
        one = (out[0][s], out[1][s], out[2][s])
        _smoother(residual[s], noise_variance[s], tau2[s], layout, normal[s], one)
    return out


def smoother(
    residual: np.ndarray,
    noise_variance: np.ndarray,
    tau2: np.ndarray,
    order: np.ndarray,
    step: np.ndarray,
    is_first: np.ndarray,
    curve: np.ndarray,
    normal: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance and a joint draw of delta given all observed residuals; three arrays (runs,).

    Arguments as in `log_density_by_curve`, then standard normal numbers (runs,) for the draw. To
    predict delta elsewhere, add a run of infinite noise variance there.
    """
    mean, variance, draw = smoother_draws(
        residual[None], noise_variance[None], tau2[None], order, step, is_first, curve, normal[None]
    )
    return mean[0], variance[0], draw[0]
