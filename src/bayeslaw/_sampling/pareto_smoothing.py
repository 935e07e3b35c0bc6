"""Pareto k and Pareto smoothed importance weights (Vehtari et al. 2024, arXiv:1507.02646).

As ArviZ has them, whose import alone takes longer than a command on a saved fit may.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

__all__ = ["SmoothedWeights", "smoothed_weights"]

FEWEST_IN_TAIL = 5
MANY_DRAWS = 225  # independent ones, above which the tail is less than a fifth
PRIOR_K, PRIOR_SIZE = 0.5, 10  # weakly informative prior of k, and the draws that it counts for
PRIOR_QUARTILE = 3.0  # of the scale, in terms of the first quartile
NEGLIGIBLE = 10 * np.finfo(float).eps  # weight of a candidate


class SmoothedWeights(NamedTuple):
    """Logarithms (draws,) of normalised weights, and Pareto k."""

    log_weights: np.ndarray
    pareto_k: float


def smoothed_weights(log_weights: np.ndarray, relative_ess: float) -> SmoothedWeights:
    """Weights (draws,) whose largest are replaced by quantiles of a generalised Pareto fit.

    `relative_ess` is the effective sample size of the draws over their number. Raises ValueError
    if the largest weights are equal.
    """
    n_tail = _tail_size(log_weights.size, relative_ess)
    shifted = log_weights - log_weights.max()
    order = np.argsort(shifted)
    tail = order[-n_tail:]
    largest = shifted[tail]
    if largest[-1] - largest[0] < np.finfo(float).tiny:  # as of a density that does not vary
        raise ValueError("All tail values are the same")
    cutoff = np.exp(shifted[order[-n_tail - 1]])
    k, sigma = _generalised_pareto(np.exp(largest) - cutoff)
    if np.isfinite(k):
        probabilities = np.arange(0.5, n_tail) / n_tail
        quantiles = cutoff + _quantiles(probabilities, k, sigma)
        shifted[tail] = np.minimum(np.log(quantiles), largest[-1])
    return SmoothedWeights(shifted - logsumexp(shifted), k)


def _tail_size(draws: int, relative_ess: float) -> int:
    """The number of largest weights to smooth: a fifth of few draws, fewer of many."""
    is_many = draws * relative_ess > MANY_DRAWS
    size = 3 * np.sqrt(draws / relative_ess) if is_many else draws / 5
    return max(FEWEST_IN_TAIL, int(size))


def _generalised_pareto(excess: np.ndarray) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution of sorted values.

    The empirical Bayes estimate of Zhang and Stephens (2009); NaN where a quarter of the values
    are equal.
    """
    n = excess.size
    quartile = excess[int(n / 4 + 0.5) - 1]
    if quartile <= excess[0]:
        return np.nan, np.nan
    n_candidates = 30 + int(n**0.5)
    ranks = np.arange(1, n_candidates + 1) - 0.5
    b = (1 - np.sqrt(n_candidates / ranks)) / (PRIOR_QUARTILE * quartile) + 1 / excess[-1]
    k = np.log1p(-b[:, None] * excess).mean(axis=1)
    log_likelihood = n * (np.log(-b / k) - k - 1)
    weight = np.exp(log_likelihood - logsumexp(log_likelihood))
    weight = np.where(weight >= NEGLIGIBLE, weight, 0.0)
    mean_b = b @ weight / weight.sum()
    mean_k = float(np.log1p(-mean_b * excess).mean())
    shape = (n * mean_k + PRIOR_SIZE * PRIOR_K) / (n + PRIOR_SIZE)
    return (np.inf, np.nan) if np.isnan(shape) else (shape, -mean_k / mean_b)


def _quantiles(probabilities: np.ndarray, k: float, sigma: float) -> np.ndarray:
    exponential = -np.log1p(-probabilities)
    if not sigma > 0:
        return np.full_like(probabilities, np.nan)
    return sigma * (exponential if k == 0 else np.expm1(k * exponential) / k)
