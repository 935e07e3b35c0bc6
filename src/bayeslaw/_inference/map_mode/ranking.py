"""Which modes to keep: distinct ones, by Laplace's approximation of their posterior mass."""

from __future__ import annotations

import numpy as np

from bayeslaw._inference.map_mode.problem import MapProblem
from bayeslaw._inference.map_mode.student_t import expected_hessian, log_likelihood, sigma_mode

__all__ = ["best_first", "rank_modes"]

CLEARLY_BETTER = 1.0  # in log mass: the first start stays first unless another beats it by more
COMPARABLE = float(np.log(20))  # in log mass: how far below the best a mode still counts
DISTINCT = 5.0  # standard deviations between two modes


def rank_modes(problem: MapProblem, candidates: np.ndarray) -> list[list[int]]:
    """For each curve, which of its candidates (parameters, starts, curves) to keep, best first.

    The problem has each curve once per start, all curves of the first start first.
    """
    size, starts, _ = candidates.shape
    eta = candidates.reshape(size, -1)
    hessian = expected_hessian(problem, eta)
    log_mass = log_posterior_mass(problem, eta, hessian).reshape(starts, -1)
    hessian = hessian.reshape(size, size, starts, -1)
    selected = []
    for curve in range(log_mass.shape[1]):
        points = candidates[:, :, curve]
        difference = points[:, :, None] - points[:, None]
        square = np.einsum("pij,pqi,qij->ij", difference, hessian[..., curve], difference)
        selected.append(best_first(log_mass[:, curve], np.sqrt(np.maximum(square, 0))))
    return selected


def best_first(log_mass: np.ndarray, distance: np.ndarray) -> list[int]:
    """Indices of distinct modes with comparable mass (starts,), the best first.

    Distances (starts, starts) are in standard deviations of the mode of the row. The first start
    comes first unless another is clearly better, so that rounding does not decide.
    """
    order = [int(i) for i in np.argsort(-log_mass, kind="stable")]
    best = log_mass[order[0]]
    if log_mass[0] > best - CLEARLY_BETTER:
        order = [0, *(i for i in order if i != 0)]
    selected = order[:1]
    for i in order[1:]:
        if log_mass[i] > best - COMPARABLE and np.all(distance[selected, i] > DISTINCT):
            selected.append(i)
    return selected


def log_posterior_mass(problem: MapProblem, eta: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """Laplace's approximation of the log posterior mass (curves,) of a mode, up to a constant."""
    residual = problem.law.residual(eta)
    log_sigma = np.log(sigma_mode(problem, eta))
    squares = problem.prior.squares(problem.law.theta(eta))
    squares += problem.noise_prior.squares(log_sigma[None])
    # In reference coordinates, where the prior is: pivot coordinates may stretch the volume.
    volume = np.linalg.slogdet(np.moveaxis(problem.coordinate_jacobian(eta), -1, 0))[1]
    volume -= np.linalg.slogdet(np.moveaxis(hessian, -1, 0))[1] / 2
    log_mass = log_likelihood(problem, residual, log_sigma) - squares / 2 + volume
    return np.nan_to_num(log_mass, nan=-1e300, neginf=-1e300)
