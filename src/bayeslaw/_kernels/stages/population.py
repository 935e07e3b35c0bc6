"""Population: standard deviations between curves and groups, and the population's parameters.

Rows of parameters are those of the law, then those of noise and discrepancy.
"""

from __future__ import annotations

import math

import numpy as np

from bayeslaw._kernels.call import apply
from bayeslaw._kernels.jit import kernel
from bayeslaw._kernels.population_whitening import (
    transform_population,
    transform_population_adjoint,
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


@kernel
def _law_state(eta, near, size):
    """Arguments of `from_pivot` for one curve, with all of the weight at the pivot."""
    state = np.ones((3 * size, 1))
    for i in range(size):
        state[i, 0], state[2 * size + i, 0] = eta[i], near[i]
    return state


@stage
def whitened_center(
    z_center: Vector, spread: Vector, center_pivot_mean: Vector, center_mean: Vector,
    center_sd: Vector, typical_mode: Matrix, typical_information: Matrix, curve_mixed: Cube,
    typical_mixed: Matrix, level_share: Matrix, typical_blocks: IndexMatrix, typical_frame: Matrix,
    of_population: Indices, center: Vector, log_prior: Vector,
) -> None:  # fmt: skip
    """Center of the population from whitened coordinates; normal prior, with the Jacobian."""
    at_pivot, log_det = transform_population(
        z_center, spread, center_pivot_mean, center_sd, typical_mode, typical_information,
        curve_mixed, typical_mixed, level_share, typical_blocks,
    )  # fmt: skip
    from_pivot, size = of_population[0], of_population[1]
    for i in range(center.shape[0]):
        center[i] = at_pivot[i]
    if from_pivot != 0:
        out = np.empty((size + 1, 1))
        apply(from_pivot, typical_frame, _law_state(at_pivot, center_mean, size), out)
        for i in range(size):
            center[i] = out[i, 0]
    total = log_det.item() - center.shape[0] * LOG_2_PI / 2
    for i in range(center.shape[0]):
        relative = (center[i] - center_mean[i]) / center_sd[i]
        total -= relative * relative / 2 + math.log(center_sd[i])
    log_prior[0] += total


@stage
def whitened_center_adjoint(
    z_center: Vector, spread: Vector, center_pivot_mean: Vector, center_mean: Vector,
    center_sd: Vector, typical_mode: Matrix, typical_information: Matrix, curve_mixed: Cube,
    typical_mixed: Matrix, level_share: Matrix, typical_blocks: IndexMatrix, typical_frame: Matrix,
    of_population: Indices, center: Vector, center_bar: Vector, z_center_bar: Vector,
    spread_bar: Vector,
) -> None:  # fmt: skip
    """Adjoint of `whitened_center`."""
    pivot_bar, adjoint, size = np.empty(center.shape[0]), of_population[2], of_population[1]
    for i in range(center.shape[0]):
        pivot_bar[i] = center_bar[i] - (center[i] - center_mean[i]) / center_sd[i] ** 2
    if adjoint != 0:
        at_pivot, _ = transform_population(
            z_center, spread, center_pivot_mean, center_sd, typical_mode, typical_information,
            curve_mixed, typical_mixed, level_share, typical_blocks,
        )  # fmt: skip
        state, out = np.zeros((4 * size + 1, 1)), np.empty((3 * size, 1))
        state[: 3 * size] = _law_state(at_pivot, center_mean, size)
        for i in range(size):
            state[3 * size + i, 0] = pivot_bar[i]
        apply(adjoint, typical_frame, state, out)
        for i in range(size):
            pivot_bar[i] = out[i, 0]
    z_bar, of_spread = transform_population_adjoint(
        z_center, spread, center_pivot_mean, center_sd, typical_mode, typical_information,
        curve_mixed, typical_mixed, level_share, typical_blocks, pivot_bar, np.asarray(1.0),
    )  # fmt: skip
    for i in range(z_bar.shape[0]):
        z_center_bar[i] = z_bar[i]
    for s in range(of_spread.shape[0]):
        spread_bar[s] += of_spread[s]
