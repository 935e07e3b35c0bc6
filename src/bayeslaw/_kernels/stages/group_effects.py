"""Group effects: the mean of each curve given the population, from whitened effects."""

from __future__ import annotations

import math

import numpy as np

from bayeslaw._kernels.group_effects import (
    gather_effects,
    partially_centred_effects,
    partially_centred_effects_adjoint,
    scatter_effects,
)
from bayeslaw._kernels.jit import kernel
from bayeslaw._kernels.stage import IndexMatrix, Indices, Matrix, Vector, stage

__all__ = ["group_effects", "group_effects_adjoint"]


@kernel
def _precisions(spread, center, mode, information):
    """Precision of each curve's mode about its population, and its distance from it."""
    weight, residual = np.empty(mode.shape), np.empty(mode.shape)
    for p in range(mode.shape[0]):
        for g in range(mode.shape[1]):
            weight[p, g] = information[p, g] / (1 + spread[p] ** 2 * information[p, g])
            residual[p, g] = mode[p, g] - center[p]
    return weight, residual


@stage
def group_effects(
    z_effects: Vector, spread: Vector, center: Vector, mode: Matrix, information: Matrix,
    spread_of_level: Indices, codes: IndexMatrix, bounds: IndexMatrix, effects: Vector,
    mean: Matrix, log_prior: Vector,
) -> None:  # fmt: skip
    """Standardised effects (levels,) and means of curves (parameters, curves); normal prior."""
    weight, residual = _precisions(spread, center, mode, information)
    scale = spread[spread_of_level]
    drawn, log_det = partially_centred_effects(z_effects, weight, residual, scale, codes, bounds)
    log_prior[0] -= log_det.item() + drawn.shape[0] * math.log(2 * math.pi) / 2
    for i in range(drawn.shape[0]):
        effects[i] = drawn[i]
        log_prior[0] -= drawn[i] * drawn[i] / 2
        drawn[i] *= scale[i]
    sums = gather_effects(drawn, codes, bounds)
    for p in range(mean.shape[0]):
        for g in range(mean.shape[1]):
            mean[p, g] = center[p] + sums[p, g]


@stage
def group_effects_adjoint(
    z_effects: Vector, spread: Vector, center: Vector, mode: Matrix, information: Matrix,
    spread_of_level: Indices, codes: IndexMatrix, bounds: IndexMatrix, effects: Vector,
    mean_bar: Matrix, z_effects_bar: Vector, spread_bar: Vector, center_bar: Vector,
) -> None:  # fmt: skip
    """Adjoint of `group_effects`."""
    weight, residual = _precisions(spread, center, mode, information)
    scale, scaled_bar = spread[spread_of_level], scatter_effects(effects, mean_bar, codes, bounds)
    z_bar, weight_bar, residual_bar, scale_bar = partially_centred_effects_adjoint(
        z_effects, weight, residual, scale, codes, bounds, scale * scaled_bar - effects,
        np.asarray(-1.0),
    )  # fmt: skip
    for i in range(effects.shape[0]):
        z_effects_bar[i] = z_bar[i]
        spread_bar[spread_of_level[i]] += scale_bar[i] + effects[i] * scaled_bar[i]
    for p in range(mode.shape[0]):
        for g in range(mode.shape[1]):
            center_bar[p] += mean_bar[p, g] - residual_bar[p, g]
            spread_bar[p] -= 2 * spread[p] * weight[p, g] ** 2 * weight_bar[p, g]
