"""Adaptive multiple importance sampling: independent draws, where the weights are good enough.

The first proposal is centred on the MAP mode with the covariance of the Laplace approximation. Each
further proposal takes its moments from the weights of all points so far (Cornuet et al. 2012,
doi:10.1111/j.1467-9469.2011.00756.x). The weights are Pareto smoothed, and Pareto k says whether
they can be trusted (Vehtari et al. 2024, arXiv:1507.02646).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw._sampling.time_limit import TimeLimit

__all__ = ["ImportanceDraws", "importance_draws"]

LARGEST_K = 0.67  # weights are not trusted above 0.7, and k is an estimate
ESS_PER_DRAW, LEAST_ESS = 0.5, 2000.0  # effective sample size per requested draw, and in all
MORE = 1.5  # times the effective sample size, if the draws before were not good enough
PER_ROUND, ROUNDS = 1000, 16
HOPELESS, TRIAL_ROUNDS = 100.0, 4  # give up below this effective sample size after so many rounds
NU = 7.0  # degrees of freedom of a proposal
LEAST_CURVATURE = 0.15  # along an axis, in the sampler's units: bounds the width of a proposal
STEP = 1e-4


class ImportanceDraws(NamedTuple):
    """Draws (draws, unknowns) from a posterior, their log density, and Pareto k of the weights.

    Copies of a proposal are adjacent, so that they lower effective sample sizes as they should.
    """

    points: np.ndarray
    log_density: np.ndarray
    pareto_k: float


@dataclass(frozen=True)
class _Proposal:
    """Independent Student-t along each of some axes, the columns of a matrix."""

    center: np.ndarray
    axes: np.ndarray

    @classmethod
    def of(cls, center: np.ndarray, covariance: np.ndarray) -> _Proposal:
        variances, axes = np.linalg.eigh(covariance)
        return cls(center, axes * np.sqrt(variances * (NU - 2) / NU))

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        standard = rng.standard_t(NU, size=(n, self.center.size))
        return self.center + standard @ self.axes.T

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Log density, up to a constant that all proposals share."""
        standard = np.linalg.solve(self.axes, (points - self.center).T)
        log_kernel = np.log1p(standard**2 / NU).sum(axis=0) * (NU + 1) / 2
        return -log_kernel - np.linalg.slogdet(self.axes)[1]


def importance_draws(
    compiled: CompiledDensity, draws: int, rng: np.random.Generator, limit: TimeLimit
) -> Iterator[ImportanceDraws]:
    """Yield draws of more and more proposals, until the caller is satisfied with them.

    Yields nothing if the weights are not good enough, and ends when the time is over.
    """
    mode, curvature = _mode_and_curvature(compiled, limit)
    if not np.all(np.isfinite(curvature)):
        return
    eigenvalues, axes = np.linalg.eigh(curvature)
    first = (axes / np.maximum(eigenvalues, LEAST_CURVATURE)) @ axes.T
    proposals, least = [_Proposal.of(mode, first)], max(ESS_PER_DRAW * draws, LEAST_ESS)
    points, target, mixture = np.empty((0, mode.size)), np.empty(0), np.empty(0)
    for n_rounds in range(1, ROUNDS + 1):
        new = proposals[-1].draw(PER_ROUND, rng)
        target = np.concatenate([target, compiled.log_density(new)])
        # Deterministic mixture: all points are weighted against all proposals.
        old = np.logaddexp(mixture, proposals[-1].log_density(points))
        at_new = special.logsumexp([each.log_density(new) for each in proposals], axis=0)
        points, mixture = np.concatenate([points, new]), np.concatenate([old, at_new])
        weights, pareto_k = _smoothed_weights(target - mixture)
        ess = 1 / np.sum(weights**2)
        if pareto_k < LARGEST_K and ess > least:
            chosen, least = _resampled(weights, draws, rng), MORE * ess
            yield ImportanceDraws(points[chosen], target[chosen], pareto_k)
        if limit.is_over or (n_rounds == TRIAL_ROUNDS and not ess > HOPELESS):
            return
        proposals.append(_adapted(points, weights, ess, first))


def _mode_and_curvature(
    compiled: CompiledDensity, limit: TimeLimit
) -> tuple[np.ndarray, np.ndarray]:
    """The mode near the initial point, and the negative Hessian of the log density there.

    The search for the mode ends when the time is over.
    """

    def stop_at_the_limit(_: np.ndarray) -> None:
        if limit.is_over:
            raise StopIteration

    def negative_log_density(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = compiled.log_density_and_gradient(point)
        return -float(value), -gradient

    with np.errstate(all="ignore"):
        mode = optimize.minimize(
            negative_log_density, compiled.initial_point, jac=True, method="BFGS",
            callback=stop_at_the_limit,
        ).x  # fmt: skip
    steps = STEP * np.eye(mode.size)
    forward, backward = (compiled.log_density_and_gradient(mode + by)[1] for by in (steps, -steps))
    curvature = (backward - forward) / (2 * STEP)
    return mode, (curvature + curvature.T) / 2


def _smoothed_weights(log_weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Pareto smoothed and normalised weights, and Pareto k."""
    from arviz_stats.base import array_stats  # slow to import

    smoothed, pareto_k = array_stats.psislw(-log_weights)  # ArviZ expects log inverse weights
    return special.softmax(smoothed), float(pareto_k)


def _adapted(points: np.ndarray, weights: np.ndarray, ess: float, first: np.ndarray) -> _Proposal:
    """A proposal with the moments of the weighted points, shrunk towards the first covariance."""
    center = weights @ points
    deviation = points - center
    shrinkage = ess / (ess + center.size)
    covariance = (weights[:, None] * deviation).T @ deviation
    return _Proposal.of(center, shrinkage * covariance + (1 - shrinkage) * first)


def _resampled(weights: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Systematic resampling: indices of points, which are first put in random order."""
    order = rng.permutation(weights.size)
    ends = np.cumsum(weights[order])
    positions = (rng.uniform() + np.arange(draws)) / draws * ends[-1]
    return order[np.minimum(np.searchsorted(ends, positions), weights.size - 1)]
