"""The posterior density of the power law and its gradient, written by hand for this one model.

One law, pooled over groups, with log-Gaussian noise and Brownian discrepancy, in scalar code
with one exponential and two logarithms per run. Its coordinates are simpler than the package's: the
whitening of curves uses the information at their modes, whatever the noise, and the population is
not whitened.
Unknowns are center, log spread, effects and curves, each with the rows: logit of the floor's share,
level, and logs of exponent, noise and discrepancy.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from bayeslaw._inference.printed_functions import frame_names, run_names
from bayeslaw._kernels.brownian import FilterOrder
from bayeslaw._sampling.compiled import CompiledDensity
from benchmarks.speed.group_effects_by_hand import (
    partially_centred_effects,
    partially_centred_effects_adjoint,
)

HALF_LOG_2PI = math.log(2 * math.pi) / 2
ROWS = ["L0", "k", "alpha", "sigma", "tau"]


class Given(NamedTuple):
    """Inputs of the density; see `bayeslaw._inference.model_data`."""

    center_mean: np.ndarray
    center_sd: np.ndarray
    spread_scale: np.ndarray
    spread_of_level: np.ndarray
    codes: np.ndarray
    bounds: np.ndarray
    mode: np.ndarray
    information: np.ndarray
    pivot_mode: np.ndarray
    pivot_information: np.ndarray
    log_pivot: np.ndarray
    log_size: np.ndarray
    log_loss: np.ndarray
    known: np.ndarray
    order: np.ndarray
    step: np.ndarray
    is_first: np.ndarray
    curve: np.ndarray


def given_of(compiled: CompiledDensity) -> Given:
    """From a compiled density of the same model."""
    if list(compiled.bound.roles) != ROWS:
        raise ValueError(f"written for {ROWS}, not for {list(compiled.bound.roles)}")
    data = compiled.model_data
    same = ["center_mean", "center_sd", "spread_scale", "spread_of_level", "codes", "bounds"]
    same += ["mode", "information", "pivot_mode", "pivot_information"]
    runs = dict(zip(run_names(["N"]), data["run_values"], strict=True))
    log_pivot = data["frame"][frame_names(["N"]).index("log_pivot_0")]
    where = [data[f"discrepancy_{name}"] for name in FilterOrder._fields]
    return Given(
        *(data[name] for name in same), log_pivot, runs["log_N"], runs["value"],
        runs["known_error"] ** 2, *where,
    )  # fmt: skip


@numba.njit(cache=True, error_model="numpy")
def _softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@numba.njit(cache=True, error_model="numpy")
def _logistic(x):
    return 1 / (1 + math.exp(-x))


@numba.njit(cache=True, error_model="numpy")
def _runs(g, law, law_bar):
    """Density of the runs given the parameters of curves (curves, 5), and its gradient.

    The last two are the variances of noise and discrepancy.
    """
    n = g.order.shape[0]
    residual, power, mean = np.empty(n), np.empty(n), np.empty(n)
    before, spread = np.empty(n), np.empty(n)
    total, middle, width = 0.0, 0.0, 0.0
    for v in range(n):
        i, c = g.order[v], g.curve[v]
        if g.is_first[v] == 1:
            middle, width = 0.0, 0.0
        width += law[c, 4] * g.step[v]
        power[v] = math.exp(-law[c, 2] * g.log_size[i])
        mean[v] = law[c, 0] + law[c, 1] * power[v]
        residual[v] = g.log_loss[i] - math.log(mean[v])
        before[v], spread[v] = middle, width
        variance = law[c, 3] + g.known[i]
        whole, away = width + variance, residual[v] - middle
        total -= (math.log(whole) + away * away / whole) / 2 + HALF_LOG_2PI + g.log_loss[i]
        gain = width / whole
        middle += gain * away
        width = gain * variance
    middle_bar, width_bar = 0.0, 0.0
    for v in range(n - 1, -1, -1):
        i, c = g.order[v], g.curve[v]
        variance = law[c, 3] + g.known[i]
        whole, away = spread[v] + variance, residual[v] - before[v]
        gain = spread[v] / whole
        # After the run: middle = before + gain away, width = gain variance.
        gain_bar = middle_bar * away + width_bar * variance
        away_bar = middle_bar * gain - away / whole
        whole_bar = (away * away / whole - 1) / (2 * whole) - gain_bar * gain / whole
        law_bar[c, 3] += width_bar * gain + whole_bar
        width_bar = gain_bar / whole + whole_bar
        middle_bar -= away_bar
        law_bar[c, 4] += g.step[v] * width_bar
        mean_bar = -away_bar / mean[v]
        law_bar[c, 0] += mean_bar
        law_bar[c, 1] += mean_bar * power[v]
        law_bar[c, 2] -= mean_bar * law[c, 1] * power[v] * g.log_size[i]
        if g.is_first[v] == 1:
            middle_bar, width_bar = 0.0, 0.0
    return total


@numba.njit(cache=True, error_model="numpy")
def _curve(eta, weight, log_pivot, theta, law):
    """Reference coordinates of a curve, and its parameters, from pivot coordinates."""
    theta[2] = eta[2] + weight[2] * _softplus(eta[0])
    law[2] = math.exp(theta[2])
    growth = -law[2] * log_pivot
    theta[0] = eta[0] + weight[0] * growth
    rise = _softplus(theta[0] - growth) + growth - _softplus(theta[0])
    theta[1] = eta[1] - weight[1] * rise
    law[0] = math.exp(theta[1] - _softplus(-theta[0]))
    law[1] = math.exp(theta[1] - _softplus(theta[0]))
    for row in range(3, 5):
        theta[row] = eta[row]
        law[row] = math.exp(2 * eta[row])
    return growth, rise


@numba.njit(cache=True, error_model="numpy")
def _curve_reverse(eta, weight, log_pivot, theta, law, moved, bars):
    """Adjoint of `_curve`: turns theta_bar into that of eta, and adds to that of the weights."""
    theta_bar, law_bar, weight_bar = bars
    growth, rise = moved[0], moved[1]
    floor, term, share = law_bar[0] * law[0], law_bar[1] * law[1], _logistic(theta[0])
    theta_bar[0] += floor * (1 - share) - term * share
    theta_bar[1] += floor + term
    theta_bar[2] += law_bar[2] * law[2]
    for row in range(3, 5):
        theta_bar[row] += 2 * law_bar[row] * law[row]
    weight_bar[1] -= theta_bar[1] * rise
    rise_bar, toward = -theta_bar[1] * weight[1], _logistic(growth - theta[0])
    theta_bar[0] += rise_bar * (1 - toward - share)
    growth_bar = rise_bar * toward + theta_bar[0] * weight[0]
    weight_bar[0] += theta_bar[0] * growth
    theta_bar[2] -= growth_bar * log_pivot * law[2]
    weight_bar[2] += theta_bar[2] * _softplus(eta[0])
    theta_bar[0] += theta_bar[2] * weight[2] * _logistic(eta[0])


@numba.njit(cache=True, error_model="numpy")
def _priors(g, center, spread, effects, log_det):
    total = -log_det
    for p in range(center.shape[0]):
        away = (center[p] - g.center_mean[p]) / g.center_sd[p]
        total -= away * away / 2 + math.log(g.center_sd[p]) + HALF_LOG_2PI
    for s in range(spread.shape[0]):
        away, logs = spread[s] / g.spread_scale[s], math.log(spread[s] / g.spread_scale[s])
        total += logs - away * away / 2 - HALF_LOG_2PI + math.log(2.0)
    for effect in effects:
        total -= effect * effect / 2 + HALF_LOG_2PI
    return total


@numba.njit(cache=True, error_model="numpy")
def _curves(g, expected, own, standard, bars):
    """Density of curves and runs; adds its gradients by expected values and spreads."""
    expected_bar, own_bar, standard_bar = bars
    n_rows, n_curves = expected.shape
    shape = n_curves, n_rows  # the values of a curve are contiguous
    eta, weight, theta, law = np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape)
    law_bar, moved, total = np.zeros(shape), np.empty((n_curves, 2)), 0.0
    for c in range(n_curves):
        for p in range(n_rows):
            precision = 1 + own[p] * own[p] * g.pivot_information[p, c]
            weight[c, p] = 1 - 1 / precision
            eta[c, p] = expected[p, c] + weight[c, p] * (g.pivot_mode[p, c] - expected[p, c])
            eta[c, p] += own[p] * standard[p, c] / math.sqrt(precision)
            total -= math.log(precision) / 2 + HALF_LOG_2PI
        moved[c, 0], moved[c, 1] = _curve(eta[c], weight[c], g.log_pivot[c], theta[c], law[c])
        for p in range(n_rows):
            away = (theta[c, p] - expected[p, c]) / own[p]
            total -= away * away / 2
    total += _runs(g, law, law_bar)
    theta_bar, weight_bar = np.empty(n_rows), np.empty(n_rows)
    for c in range(n_curves):
        weight_bar[:] = 0.0
        for p in range(n_rows):
            away = (theta[c, p] - expected[p, c]) / own[p]
            theta_bar[p] = -away / own[p]
            expected_bar[p, c] += away / own[p]
            own_bar[p] += away * away / own[p]
        bars = theta_bar, law_bar[c], weight_bar
        _curve_reverse(eta[c], weight[c], g.log_pivot[c], theta[c], law[c], moved[c], bars)
        for p in range(n_rows):
            information, bar = g.pivot_information[p, c], theta_bar[p]
            precision = 1 + own[p] * own[p] * information
            weight_bar[p] += bar * (g.pivot_mode[p, c] - expected[p, c])
            standard_bar[p, c] = bar * own[p] / math.sqrt(precision)
            expected_bar[p, c] += bar * (1 - weight[c, p])
            own_bar[p] += bar * standard[p, c] / (precision * math.sqrt(precision))
            own_bar[p] += own[p] * information * (2 * weight_bar[p] / precision - 1) / precision
    return total


@numba.njit(cache=True, error_model="numpy")
def _population(g, center, spread):
    """Spreads of the levels; weight and residual of each curve for the population."""
    scale = np.empty(g.spread_of_level.shape[0])
    weight, residual = np.empty(g.mode.shape), np.empty(g.mode.shape)
    for i in range(scale.shape[0]):
        scale[i] = spread[g.spread_of_level[i]]
    for p in range(weight.shape[0]):
        for c in range(weight.shape[1]):
            weight[p, c] = g.information[p, c] / (1 + spread[p] * spread[p] * g.information[p, c])
            residual[p, c] = g.mode[p, c] - center[p]
    return scale, weight, residual


@numba.njit(cache=True, error_model="numpy")
def _expected(g, center, scaled):
    """Expected value of each curve: population plus group effects."""
    out = np.empty(g.mode.shape)
    for p in range(out.shape[0]):
        out[p] = center[p]
        for j in range(g.bounds[p, 0], g.bounds[p, 1]):
            for c in range(out.shape[1]):
                out[p, c] += scaled[g.codes[j, c]]
    return out


@numba.njit(cache=True, error_model="numpy")
def _expected_adjoint(g, expected_bar, center_bar, n_levels):
    """Adjoint of `_expected`: writes that of the population, returns that of the effects."""
    out = np.zeros(n_levels)
    for p in range(expected_bar.shape[0]):
        for c in range(expected_bar.shape[1]):
            center_bar[p] += expected_bar[p, c]
        for j in range(g.bounds[p, 0], g.bounds[p, 1]):
            for c in range(expected_bar.shape[1]):
                out[g.codes[j, c]] += expected_bar[p, c]
    return out


@numba.njit(cache=True, error_model="numpy")
def density(g, point, gradient):
    """The log density at a point, its gradient written to an array."""
    n_rows, n_curves = g.mode.shape
    n_spreads, n_levels = g.spread_scale.shape[0], g.spread_of_level.shape[0]
    low, high = n_rows + n_spreads, n_rows + n_spreads + n_levels
    center, spread, z = point[:n_rows], np.exp(point[n_rows:low]), point[low:high]
    center_bar, spread_bar = gradient[:n_rows], gradient[n_rows:low]
    scale, weight, residual = _population(g, center, spread)
    effects, log_det = partially_centred_effects(z, weight, residual, scale, g.codes, g.bounds)
    expected, expected_bar = _expected(g, center, scale * effects), np.zeros(g.mode.shape)
    standard = point[high:].reshape(n_rows, n_curves)
    standard_bar = gradient[high:].reshape(n_rows, n_curves)
    spread_bar[:] = 0.0
    total = _priors(g, center, spread, effects, log_det)
    total += _curves(g, expected, spread, standard, (expected_bar, spread_bar, standard_bar))
    for p in range(n_rows):
        center_bar[p] = -(center[p] - g.center_mean[p]) / g.center_sd[p] ** 2
    scaled_bar = _expected_adjoint(g, expected_bar, center_bar, n_levels)
    z_bar, weight_bar, residual_bar, scale_bar = partially_centred_effects_adjoint(
        z, weight, residual, scale, g.codes, g.bounds, scaled_bar * scale - effects, -1.0
    )
    gradient[low:high] = z_bar
    for i in range(n_levels):
        spread_bar[g.spread_of_level[i]] += scaled_bar[i] * effects[i] + scale_bar[i]
    for p in range(n_rows):
        for c in range(n_curves):
            center_bar[p] -= residual_bar[p, c]
            spread_bar[p] -= 2 * spread[p] * weight[p, c] * weight[p, c] * weight_bar[p, c]
    for s in range(n_spreads):
        slope = spread_bar[s] - spread[s] / (g.spread_scale[s] * g.spread_scale[s])
        spread_bar[s] = slope * spread[s] + 1
    return total


@numba.njit(cache=True, error_model="numpy")
def repeat(g, point, gradient, times):
    """Call `density` several times, at slightly different points: none is optimised away."""
    total = 0.0
    for _ in range(times):
        point[0] += 1e-12
        total += density(g, point, gradient)
    return total
