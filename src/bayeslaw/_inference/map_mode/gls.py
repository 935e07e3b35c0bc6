"""Generalised least squares: MAP mode and information with a discrepancy, all curves at once.

Runs with a common discrepancy carry less information on the law than runs with independent noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayeslaw._inference.map_mode.information import marginal_information
from bayeslaw._inference.map_mode.problem import MapProblem
from bayeslaw._inference.map_mode.solver import QuadraticApproximation, levenberg_marquardt
from bayeslaw._inference.map_mode.variance_components import (
    Linearization,
    VarianceComponents,
    best_of_grid,
    scales_information,
    scales_mode,
)
from bayeslaw._inference.marginal_discrepancy import MarginalDiscrepancy

__all__ = ["GlsExpansion", "GlsMode", "gls_mode"]

ROUNDS = 6  # of the law given the scales, and the scales given the law
MAX_STEPS = 8
EXPANSION_STEPS = 3  # from a mode to that with other scales
TOLERANCE = 0.02  # standard deviations of the law, and e-folds of sigma and tau
MAX_MOVE = 1.0
DAMPING = 1e-4  # the starts are good
SMOOTH_LOG_SIGMA, SMOOTH_LOG_TAU = -8.0, -2.5  # of a curve without noise


@dataclass(frozen=True)
class GlsMode:
    """Mode of each curve with a discrepancy.

    eta : array (parameters, curves)
        Pivot coordinates of the law.
    hessian : array (parameters, parameters, curves)
        Minus second derivatives of the log posterior there, given sigma and tau.
    log_scales : array (1 + predictors, curves)
        Logarithms of sigma and of tau along each predictor.
    information : array (1 + predictors, curves)
        On each log scale, beyond the prior.
    """

    eta: np.ndarray
    hessian: np.ndarray
    log_scales: np.ndarray
    information: np.ndarray


def gls_mode(
    problem: MapProblem,
    discrepancy: MarginalDiscrepancy,
    eta: np.ndarray,
    log_scales: np.ndarray | None = None,
) -> GlsMode:
    """The mode with a discrepancy, from eta (parameters, curves), a mode without.

    Without log scales to start from there are two starts, and the better end of each curve counts:
    the best of a grid, and a smooth curve with next to no noise.
    """
    components = VarianceComponents(problem, discrepancy)
    if log_scales is not None:
        eta, log_scales = _alternate(components, eta, log_scales)
    else:
        eta, log_scales = _better_of_two(components, eta)
    linearized = Linearization.of(problem, eta)
    hessian = components.law_hessian(linearized, log_scales)
    return GlsMode(eta, hessian, log_scales, scales_information(components, linearized, log_scales))


@dataclass(frozen=True)
class GlsExpansion:
    """How information and mode of the law change with the scales, from a `GlsMode`."""

    problem: MapProblem
    discrepancy: MarginalDiscrepancy
    eta: np.ndarray
    log_scales: np.ndarray

    def information(self, log_ratios: np.ndarray) -> dict[str, np.ndarray]:
        """Information on the law at the same point; log ratios (scales,) are to the mode."""
        log_scales = self.log_scales + log_ratios[:, None]
        hessian = self._components.law_hessian(self._linearized, log_scales)
        return marginal_information(self.problem, self.eta, hessian)[0]

    def mode(self, log_ratios: np.ndarray) -> np.ndarray:
        """The mode of the law (parameters, curves)."""
        log_scales = self.log_scales + log_ratios[:, None]
        return _law_mode(self._components, self.eta, log_scales, EXPANSION_STEPS)

    @cached_property
    def _linearized(self) -> Linearization:
        return Linearization.of(self.problem, self.eta)

    @cached_property
    def _components(self) -> VarianceComponents:
        return VarianceComponents(self.problem, self.discrepancy)


def _better_of_two(
    components: VarianceComponents, eta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    linearized = Linearization.of(components.problem, eta)
    noisy = scales_mode(components, linearized, best_of_grid(components, linearized))
    smooth = np.full_like(noisy, SMOOTH_LOG_TAU)
    smooth[0] = SMOOTH_LOG_SIGMA
    ends = [_alternate(components, eta, log_scales) for log_scales in (noisy, smooth)]
    is_smooth = _log_mass(components, *ends[1]) > _log_mass(components, *ends[0])
    mode, scales = (np.where(is_smooth, two, one) for one, two in zip(*ends, strict=True))
    return mode, scales


def _alternate(
    components: VarianceComponents, eta: np.ndarray, log_scales: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The law given the scales and the scales given the law, in turns."""
    for _ in range(ROUNDS):
        eta = _law_mode(components, eta, log_scales, MAX_STEPS)
        linearized, before = Linearization.of(components.problem, eta), log_scales
        log_scales = scales_mode(components, linearized, log_scales)
        if np.abs(log_scales - before).max() < TOLERANCE:
            break
    return eta, log_scales


def _law_mode(
    components: VarianceComponents, eta: np.ndarray, log_scales: np.ndarray, max_steps: int
) -> np.ndarray:
    """Mode of the law given the scales."""
    law, prior = components.problem.law, components.problem.prior
    sums = components.problem.run_arrays.sums

    def objective(eta: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):  # a step may go where the law has no value
            residual, theta = law.residual(eta), law.theta(eta)
            solved = components.solve(residual[None], log_scales)[0]
            return sums(residual * solved) + prior.squares(theta)

    def approximate(eta: np.ndarray) -> QuadraticApproximation:
        residual, theta, jacobian = law.residual(eta), law.theta(eta), law.jacobian(eta)
        coordinate_jacobian = components.problem.coordinate_jacobian(eta)
        solved = components.solve(np.concatenate([residual[None], jacobian]), log_scales)
        gradient = sums(jacobian * solved[0]) + prior.gradient(theta, coordinate_jacobian)
        information = components.fisher_information(jacobian, solved[1:])
        hessian = information + prior.hessian(coordinate_jacobian)
        value = sums(residual * solved[0]) + prior.squares(theta)
        return QuadraticApproximation(gradient, hessian, objective, value)

    return levenberg_marquardt(
        approximate,
        eta,
        max_steps=max_steps,
        tolerance=TOLERANCE,
        max_move=MAX_MOVE,
        damping=DAMPING,
    )


def _log_mass(
    components: VarianceComponents, eta: np.ndarray, log_scales: np.ndarray
) -> np.ndarray:
    """Laplace's approximation of the log posterior mass of a mode, up to a constant."""
    problem, linearized = components.problem, Linearization.of(components.problem, eta)
    value = components.log_posterior(linearized, log_scales)
    value -= problem.prior.squares(problem.law.theta(eta)) / 2
    value += np.linalg.slogdet(np.moveaxis(problem.coordinate_jacobian(eta), -1, 0))[1]
    precision = scales_information(components, linearized, log_scales) + components.prior.precision
    return value - np.sum(np.log(precision), axis=0) / 2
