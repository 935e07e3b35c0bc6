"""Independent draws by importance sampling, where they prove good enough: no chain is needed.

Proposals are drawn around the mode, as widely as the curvature says, and then, round by round, as
the weights of all proposals so far say (adaptive multiple importance sampling; Cornuet et al. 2012,
doi:10.1111/j.1467-9469.2011.00756.x). The weights are smoothed, and how heavy their tail is,
Pareto's k, tells whether they can be trusted (Vehtari et al. 2024, arXiv:1507.02646).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from arviz_stats.base import array_stats
from scipy import optimize, special

from bayeslaw._sampling.compiled import CompiledDensity

__all__ = ["ImportanceDraws", "importance_draws"]

LARGEST_K = 0.67  # 0.7 is where weights stop being trusted, and k is an estimate
ENOUGH, LEAST_EFFECTIVE = 0.5, 2000.0  # effective draws for each that is asked for, and in all
MORE = 1.5  # times as many effective draws, where those before were not good enough
PER_ROUND, ROUNDS = 1000, 16
HOPELESS, TRIAL = 100.0, 4  # fewer effective draws after so many rounds
DEGREES = 7.0  # of freedom
LEAST_CURVATURE = 0.15  # along an axis, in the sampler's units: wider than that nothing is
STEP = 1e-4


class ImportanceDraws(NamedTuple):
    """Draws from a posterior.

    Parameters
    ----------
    points : array (draws, unknowns)
        Where a proposal was drawn more than once its copies stand together, so that they lower
        effective sample sizes as they should.
    log_density : array (draws,)
        Log density of each.
    pareto_k : float
        Of the importance weights.
    """

    points: np.ndarray
    log_density: np.ndarray
    pareto_k: float


@dataclass(frozen=True)
class _Proposal:
    """Student-t along each of some axes, which are the columns of a matrix."""

    center: np.ndarray
    axes: np.ndarray

    @classmethod
    def of(cls, center: np.ndarray, covariance: np.ndarray) -> _Proposal:
        variances, axes = np.linalg.eigh(covariance)
        return cls(center, axes * np.sqrt(variances * (DEGREES - 2) / DEGREES))

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        standard = rng.standard_t(DEGREES, size=(n, self.center.size))
        return self.center + standard @ self.axes.T

    def density(self, points: np.ndarray) -> np.ndarray:
        """Log density, but for a constant that all proposals share."""
        standard = np.linalg.solve(self.axes, (points - self.center).T)
        falls = np.log1p(standard**2 / DEGREES).sum(axis=0) * (DEGREES + 1) / 2
        return -falls - np.linalg.slogdet(self.axes)[1]


def importance_draws(
    compiled: CompiledDensity, draws: int, rng: np.random.Generator
) -> Iterator[ImportanceDraws]:
    """Draw from the posterior around its mode.

    Parameters
    ----------
    engine : CompiledDensity
        Compiled, on the data of the runs.
    draws : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.

    Yields
    ------
    Independent
        Of more and more proposals, for those who find that their draws are not good enough: in the
        far tails there may be few. Nothing where the weights do not prove good enough.
    """
    mode, curvature = _mode(compiled)
    if not np.all(np.isfinite(curvature)):
        return
    along, axes = np.linalg.eigh(curvature)
    first = (axes / np.maximum(along, LEAST_CURVATURE)) @ axes.T
    proposals, least = [_Proposal.of(mode, first)], max(ENOUGH * draws, LEAST_EFFECTIVE)
    points, density, proposed = np.empty((0, mode.size)), np.empty(0), np.empty(0)
    for turn in range(1, ROUNDS + 1):
        new = proposals[-1].draw(PER_ROUND, rng)
        density = np.concatenate([density, compiled.log_density(new)])
        # All points are weighed against all proposals together, whichever they come from.
        before = np.logaddexp(proposed, proposals[-1].density(points))
        now = special.logsumexp([each.density(new) for each in proposals], axis=0)
        points, proposed = np.concatenate([points, new]), np.concatenate([before, now])
        weights, k = _weights(density - proposed)
        effective = 1 / np.sum(weights**2)
        if k < LARGEST_K and effective > least:
            chosen, least = _resampled(weights, draws, rng), MORE * effective
            yield ImportanceDraws(points[chosen], density[chosen], k)
        if turn == TRIAL and not effective > HOPELESS:
            return
        proposals.append(_adapted(points, weights, effective, first))


def _mode(compiled: CompiledDensity) -> tuple[np.ndarray, np.ndarray]:
    """Where the density is highest near the start, and minus its second derivatives there."""

    def down(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = compiled.log_density_and_gradient(point)
        return -float(value), -slope

    with np.errstate(all="ignore"):
        mode = optimize.minimize(down, compiled.initial_point, jac=True, method="BFGS").x
    steps = STEP * np.eye(mode.size)
    above, below = (compiled.log_density_and_gradient(mode + by)[1] for by in (steps, -steps))
    curvature = (below - above) / (2 * STEP)
    return mode, (curvature + curvature.T) / 2


def _weights(logs: np.ndarray) -> tuple[np.ndarray, float]:
    """Smoothed and normalised weights, and Pareto's k."""
    smoothed, k = array_stats.psislw(-logs)  # ArviZ takes the logarithms of the inverse
    return special.softmax(smoothed), float(k)


def _adapted(
    points: np.ndarray, weights: np.ndarray, effective: float, first: np.ndarray
) -> _Proposal:
    """With the moments of the weighted points, as far as they are enough to tell them."""
    center = weights @ points
    away = points - center
    trust = effective / (effective + center.size)
    covariance = (weights[:, None] * away).T @ away
    return _Proposal.of(center, trust * covariance + (1 - trust) * first)


def _resampled(weights: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Indices drawn by weight: evenly along the weights of all points in random order."""
    order = rng.permutation(weights.size)
    ends = np.cumsum(weights[order])
    places = (rng.uniform() + np.arange(draws)) / draws * ends[-1]
    return order[np.minimum(np.searchsorted(ends, places), weights.size - 1)]
