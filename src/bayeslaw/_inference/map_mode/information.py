"""Information on each parameter of the law at a mode, beyond the prior's."""

from __future__ import annotations

import numpy as np

from bayeslaw._inference.map_mode.problem import MapProblem

__all__ = ["MIN_INFORMATION", "fisher_information", "marginal_information"]

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


def fisher_information(problem: MapProblem, eta: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """The Hessian without the prior's part, as (curves, parameters, parameters)."""
    prior = problem.prior.hessian(problem.coordinate_jacobian(eta))
    return np.ascontiguousarray(np.moveaxis(hessian - prior, -1, 0))


def _beyond_prior(problem: MapProblem, variance: np.ndarray) -> dict[str, np.ndarray]:
    precision = problem.prior.precision
    return problem.law.by_name(np.maximum(1 / variance - precision, MIN_INFORMATION * precision))
