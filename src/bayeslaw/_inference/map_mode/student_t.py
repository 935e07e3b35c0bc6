"""Independent Student-t noise: its scale, weights of residuals, and the law's information."""

from __future__ import annotations

import numpy as np

from bayeslaw._inference.map_mode.law_residuals import LawResiduals
from bayeslaw._inference.map_mode.problem import MapProblem
from bayeslaw._inference.map_mode.solver import QuadraticApproximation

__all__ = [
    "approximate",
    "expected_hessian",
    "information_on_sigma",
    "log_likelihood",
    "sigma_mode",
]

SIGMA_STEPS = 20
MIN_SIGMA = 1e-9
LARGEST = 1e30  # where a search has gone too far


def sigma_mode(problem: MapProblem, eta: np.ndarray) -> np.ndarray:
    """Restricted mode (curves,) of sigma at a point of the law, in log sigma.

    The law's parameters are integrated out by Laplace's approximation: at their mode they have
    absorbed part of the noise, all of it in a curve with as many runs as parameters.
    """
    law = problem.law
    return _sigma_mode(
        problem, law.residual(eta), law.jacobian(eta), problem.coordinate_jacobian(eta)
    )


def _sigma_mode(
    problem: MapProblem,
    residual: np.ndarray,
    jacobian: np.ndarray,
    coordinate_jacobian: np.ndarray,
) -> np.ndarray:
    """By Fisher scoring."""
    ratios = _precision_ratios(problem, jacobian, coordinate_jacobian)
    runs, nu, squares = problem.run_arrays, problem.model.noise.tail, residual**2
    center, precision = problem.noise_prior.center[0], float(problem.noise_prior.precision[0, 0])
    count = _run_counts(problem.law)
    log_sigma = np.log(np.sqrt(runs.sums(squares) / count) + MIN_SIGMA)
    for _ in range(SIGMA_STEPS):
        z2 = squares * np.exp(-2 * log_sigma[runs.curve])
        weighted = runs.sums((nu + 1) * z2 / (nu + z2))
        freedom = count - _determined(ratios, log_sigma)
        gradient = weighted - freedom - (log_sigma - center) * precision
        log_sigma = log_sigma + np.clip(gradient / (2 * freedom + precision), -1, 1)
    return np.exp(log_sigma)


def _precision_ratios(
    problem: MapProblem, jacobian: np.ndarray, coordinate_jacobian: np.ndarray
) -> np.ndarray:
    """Precision (parameters, curves) that data add along eigenvectors, relative to the prior's.

    With noise of scale one; it is proportional to the inverse square of the scale.
    """
    nu = problem.model.noise.tail
    information = problem.law.fisher_information(jacobian, (nu + 1) / (nu + 3))
    to_prior = _inverse(np.moveaxis(coordinate_jacobian, -1, 0))
    to_prior = to_prior * problem.prior.precision[:, 0] ** -0.5
    relative = np.einsum("gpi,pqg,gqj->gij", to_prior, information, to_prior)
    return np.maximum(np.linalg.eigvalsh(_finite(relative)), 0).T


def _inverse(matrices: np.ndarray) -> np.ndarray:
    """Inverses, of some kind where a search has gone to where there is none."""
    try:
        return np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        return np.linalg.pinv(_finite(matrices))


def _finite(matrices: np.ndarray) -> np.ndarray:
    return np.nan_to_num(matrices, nan=0.0, posinf=LARGEST, neginf=-LARGEST)


def _determined(ratios: np.ndarray, log_sigma: np.ndarray) -> np.ndarray:
    """How many parameters of the law each curve's runs determine, between none and all."""
    return np.sum(ratios / (ratios + np.exp(2 * log_sigma)), axis=0)


def approximate(problem: MapProblem, eta: np.ndarray) -> QuadraticApproximation:
    """The log posterior around eta (parameters, curves), given the weights of the residuals."""
    law, prior, sums = problem.law, problem.prior, problem.run_arrays.sums
    residual, theta = law.residual(eta), law.theta(eta)
    jacobian, coordinate_jacobian = law.jacobian(eta), problem.coordinate_jacobian(eta)
    sigma = _noise_sd(problem, _sigma_mode(problem, residual, jacobian, coordinate_jacobian))
    nu = problem.model.noise.tail
    weight = (nu + 1) / (nu + (residual / sigma) ** 2) / sigma**2
    gradient = sums(jacobian * weight * residual) + prior.gradient(theta, coordinate_jacobian)
    hessian = law.fisher_information(jacobian, weight) + prior.hessian(coordinate_jacobian)

    def objective(eta: np.ndarray) -> np.ndarray:
        return sums(weight * law.residual(eta) ** 2) + prior.squares(law.theta(eta))

    value = sums(weight * residual**2) + prior.squares(theta)
    return QuadraticApproximation(gradient, hessian, objective, value)


def expected_hessian(
    problem: MapProblem, eta: np.ndarray, log_noise_ratio: float = 0.0
) -> np.ndarray:
    """Expected Fisher information plus prior precision (parameters, parameters, curves).

    `log_noise_ratio` is the log of sigma relative to its mode.
    """
    law, nu = problem.law, problem.model.noise.tail
    jacobian, coordinate_jacobian = law.jacobian(eta), problem.coordinate_jacobian(eta)
    sigma = _sigma_mode(problem, law.residual(eta), jacobian, coordinate_jacobian)
    weight = (nu + 1) / (nu + 3) / _noise_sd(problem, sigma * np.exp(log_noise_ratio)) ** 2
    information = law.fisher_information(jacobian, weight)
    return information + problem.prior.hessian(coordinate_jacobian)


def information_on_sigma(problem: MapProblem, eta: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Fisher information (curves,) on log sigma, the law's parameters integrated out."""
    nu = problem.model.noise.tail
    ratios = _precision_ratios(problem, problem.law.jacobian(eta), problem.coordinate_jacobian(eta))
    freedom = _run_counts(problem.law) - _determined(ratios, np.log(sigma))
    return freedom * 2 * nu / (nu + 3)


def log_likelihood(problem: MapProblem, residual: np.ndarray, log_sigma: np.ndarray) -> np.ndarray:
    """Log likelihood of each curve, up to a constant."""
    nu, runs = problem.model.noise.tail, problem.run_arrays
    sigma = np.hypot(np.exp(log_sigma)[runs.curve], runs.known_error)
    return runs.sums(-(nu + 1) / 2 * np.log1p((residual / sigma) ** 2 / nu) - np.log(sigma))


def _noise_sd(problem: MapProblem, sigma: np.ndarray) -> np.ndarray:
    """Standard deviation of the noise of each run, known errors included."""
    return np.hypot(sigma[problem.run_arrays.curve], problem.run_arrays.known_error)


def _run_counts(law: LawResiduals) -> np.ndarray:
    return law.run_arrays.sums(np.ones(law.run_arrays.response.size))
