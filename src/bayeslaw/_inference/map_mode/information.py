"""Information on each parameter of the law at a mode, beyond the prior's."""

from __future__ import annotations

import numpy as np

from bayeslaw._inference.map_mode.problem import MapProblem

__all__ = ["marginal_information", "posterior_correlation"]

SHRINKAGE = 1e-3  # of correlations, which keeps their matrix away from a singular one
MIN_INFORMATION = 1e-3  # relative to the prior's precision


def marginal_information(
    problem: MapProblem, eta: np.ndarray, hessian: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Inverse marginal variances minus prior precisions, in pivot and in reference coordinates.

    The posterior covariance is the inverse of the Hessian (parameters, parameters, curves).
    """
    jacobian = problem.coordinate_jacobian(eta)
    covariance = np.linalg.inv(np.moveaxis(hessian, -1, 0))
    reference_covariance = np.einsum("pqg,gqr,srg->psg", jacobian, covariance, jacobian)
    pivot, reference = (
        np.einsum("gpp->pg", covariance),
        np.einsum("ppg->pg", reference_covariance),
    )
    return _beyond_prior(problem, pivot), _beyond_prior(problem, reference)


def posterior_correlation(hessian: np.ndarray) -> np.ndarray:
    """Correlations (curves, parameters, parameters) from the Hessian (parameters, ..., curves)."""
    covariance = np.linalg.inv(np.moveaxis(hessian, -1, 0))
    sd = np.sqrt(np.einsum("gpp->gp", covariance))
    correlation = covariance / (sd[:, :, None] * sd[:, None])
    return (1 - SHRINKAGE) * correlation + SHRINKAGE * np.eye(len(hessian))


def _beyond_prior(problem: MapProblem, variance: np.ndarray) -> dict[str, np.ndarray]:
    precision = problem.prior.precision
    return problem.law.by_name(np.maximum(1 / variance - precision, MIN_INFORMATION * precision))
