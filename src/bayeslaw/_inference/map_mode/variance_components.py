"""Variance components of each curve, sigma and tau, by restricted maximum a posteriori.

The law's parameters are integrated out by Laplace's approximation. At their mode they have absorbed
part of the discrepancy, and tau would come out too small.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from bayeslaw._inference.map_mode.information import MIN_INFORMATION
from bayeslaw._inference.map_mode.problem import MapProblem, NormalPrior
from bayeslaw._inference.map_mode.solver import QuadraticApproximation, levenberg_marquardt
from bayeslaw._inference.marginal_discrepancy import MarginalDiscrepancy

__all__ = [
    "Linearization",
    "VarianceComponents",
    "best_of_grid",
    "scales_information",
    "scales_mode",
]

MAX_STEPS = 24
TOLERANCE = 0.002  # standard deviations
MAX_MOVE = 1.0  # e-folds in one step
MIN_CURVATURE = 0.5
GRADIENT_STEP = 1e-2  # of numerical second derivatives
MIN_EIGENVALUE = 1e-15  # of a Hessian, relative to its largest
GRID = tuple(np.arange(-10.0, 0.0, 1.5))  # logarithms of sigma and tau


@dataclass(frozen=True)
class Linearization:
    """The law around a point of its coordinates.

    residual : array (runs,)
    jacobian : array (parameters, runs)
    prior_hessian : array (parameters, parameters, curves)
    """

    residual: np.ndarray
    jacobian: np.ndarray
    prior_hessian: np.ndarray

    @classmethod
    def of(cls, problem: MapProblem, eta: np.ndarray) -> Linearization:
        """Around eta (parameters, curves)."""
        prior_hessian = problem.prior.hessian(problem.coordinate_jacobian(eta))
        return cls(problem.law.residual(eta), problem.law.jacobian(eta), prior_hessian)

    def whitened_jacobian(self, hessian: np.ndarray, curve: np.ndarray) -> np.ndarray:
        """Jacobian of coordinates (parameters, runs) in which the Hessian is the identity."""
        values, vectors = np.linalg.eigh(np.moveaxis(hessian, -1, 0))
        values = np.maximum(values, MIN_EIGENVALUE * values[:, -1:])
        inverse_root = np.swapaxes(vectors, 1, 2) / np.sqrt(values)[..., None]
        return np.einsum("rkp,pr->kr", inverse_root[curve], self.jacobian)


@dataclass(frozen=True)
class VarianceComponents:
    """Posterior of sigma and tau; `log_scales` are their logarithms (1 + predictors, curves)."""

    problem: MapProblem
    discrepancy: MarginalDiscrepancy

    @cached_property
    def prior(self) -> NormalPrior:
        """Prior of log sigma and log tau."""
        names = ("sigma", *self.discrepancy.names)
        return self.problem.prior_of({name: self.problem.model.roles[name] for name in names})

    def variances(self, log_scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Variance of the noise of each run, and squared tau (predictors, curves)."""
        runs = self.problem.run_arrays
        noise = np.exp(2 * log_scales[0])[runs.curve] + runs.known_error**2
        return noise, np.exp(2 * log_scales[1:])

    def solve(self, rows: np.ndarray, log_scales: np.ndarray) -> np.ndarray:
        """Rows (any, runs) times the inverse of the joint covariance of noise and discrepancy."""
        variance, tau2 = (
            np.repeat(values[None], len(rows), axis=0) for values in self.variances(log_scales)
        )
        return -self.discrepancy.gradients(rows, variance, tau2)[0]

    def fisher_information(self, jacobian: np.ndarray, solved: np.ndarray) -> np.ndarray:
        """Of the law (parameters, parameters, curves), from its Jacobian as of `solve`."""
        information = self.problem.run_arrays.sums(jacobian[:, None] * solved[None])
        return (information + np.swapaxes(information, 0, 1)) / 2

    def law_hessian(self, linearized: Linearization, log_scales: np.ndarray) -> np.ndarray:
        """Of the law given the scales (parameters, parameters, curves)."""
        solved = self.solve(linearized.jacobian, log_scales)
        return self.fisher_information(linearized.jacobian, solved) + linearized.prior_hessian

    def log_posterior(self, linearized: Linearization, log_scales: np.ndarray) -> np.ndarray:
        """Log posterior of each curve, the law integrated out."""
        variances = self.variances(log_scales)
        density = self.discrepancy.log_density_by_curve(linearized.residual, *variances)
        hessian = np.moveaxis(self.law_hessian(linearized, log_scales), -1, 0)
        volume = np.linalg.slogdet(hessian)[1] / 2
        return density - self.prior.squares(log_scales) / 2 - volume

    def gradient(self, linearized: Linearization, log_scales: np.ndarray) -> np.ndarray:
        """Gradient of the log posterior."""
        # With H the Hessian of the law and inv(H) = R'R, a derivative of log det H is the sum over
        # the rows RJ of that of their quadratic form, which is what densities differ by from zero.
        rows = linearized.whitened_jacobian(
            self.law_hessian(linearized, log_scales), self.problem.run_arrays.curve
        )
        residual = linearized.residual[None]
        by_row = self._density_gradients(np.concatenate([residual, 0 * residual, rows]), log_scales)
        density, volume = by_row[0], np.sum(by_row[1] - by_row[2:], axis=0)
        return density - volume - self.prior.precision * (log_scales - self.prior.center)

    def _density_gradients(self, rows: np.ndarray, log_scales: np.ndarray) -> np.ndarray:
        """Gradients (rows, scales, curves) of the log densities of rows (rows, runs)."""
        variance, tau2 = (
            np.repeat(values[None], len(rows), axis=0) for values in self.variances(log_scales)
        )
        _, by_variance, by_tau2 = self.discrepancy.gradients(rows, variance, tau2)
        by_sigma = 2 * np.exp(2 * log_scales[0]) * self.problem.run_arrays.sums(by_variance)
        return np.concatenate([by_sigma[:, None], 2 * tau2 * by_tau2], axis=1)

    def hessian(self, linearized: Linearization, log_scales: np.ndarray) -> np.ndarray:
        """Minus the second derivatives of the log posterior (scales, scales, curves)."""
        hessian = -_differences(partial(self.gradient, linearized), log_scales, GRADIENT_STEP)
        return (hessian + np.swapaxes(hessian, 0, 1)) / 2


def scales_mode(
    components: VarianceComponents, linearized: Linearization, log_scales: np.ndarray
) -> np.ndarray:
    """The local mode of the log scales from a start."""

    def objective(log_scales: np.ndarray) -> np.ndarray:
        return -2 * components.log_posterior(linearized, log_scales)

    def approximate(log_scales: np.ndarray) -> QuadraticApproximation:
        hessian = _positive_definite(components.hessian(linearized, log_scales))
        gradient = components.gradient(linearized, log_scales)
        return QuadraticApproximation(gradient, hessian, objective, objective(log_scales))

    return levenberg_marquardt(
        approximate, log_scales, max_steps=MAX_STEPS, tolerance=TOLERANCE, max_move=MAX_MOVE
    )


def best_of_grid(components: VarianceComponents, linearized: Linearization) -> np.ndarray:
    """The best log scales of a grid: some modes have little noise, some little discrepancy."""
    n = components.problem.run_arrays.n_curves
    grid = itertools.product(GRID, repeat=len(components.prior.center))
    points = np.array([np.repeat([[x] for x in at], n, 1) for at in grid])
    values = np.array([components.log_posterior(linearized, log_scales) for log_scales in points])
    return np.moveaxis(points, 0, -1)[..., np.arange(n), values.argmax(0)]


def scales_information(
    components: VarianceComponents, linearized: Linearization, log_scales: np.ndarray
) -> np.ndarray:
    """Information (1 + predictors, curves) on each log scale given the others, beyond the prior."""
    diagonal = np.einsum("ppg->pg", components.hessian(linearized, log_scales))
    precision = components.prior.precision
    return np.maximum(diagonal - precision, MIN_INFORMATION * precision)


def _positive_definite(hessian: np.ndarray) -> np.ndarray:
    """The same matrices (., ., curves) with absolute eigenvalues, not too small."""
    values, vectors = np.linalg.eigh(np.moveaxis(hessian, -1, 0))
    values = np.maximum(np.abs(values), MIN_CURVATURE)
    return np.einsum("gpq,gq,grq->prg", vectors, values, vectors)


def _differences(
    function: Callable[[np.ndarray], np.ndarray], at: np.ndarray, step: float
) -> np.ndarray:
    """Central differences by each row, along the first axis."""
    steps = step * np.eye(len(at))[:, :, None]
    return np.array([(function(at + s) - function(at - s)) / (2 * step) for s in steps])
