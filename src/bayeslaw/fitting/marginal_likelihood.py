"""Marginal likelihood by Warp-III bridge sampling, for Bayes factors."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import arviz as az
import numpy as np
from scipy.special import expit
from scipy.stats import multivariate_normal
from threadpoolctl import threadpool_limits

from bayeslaw._arguments import SEED
from bayeslaw._inference.bound_model import bind
from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.nuts import Sampler, unconstrained_draws
from bayeslaw._sampling.prepare import prepared_density
from bayeslaw.fitting.result import Fit

__all__ = ["PRIOR_DEPENDENCE", "MarginalLikelihood", "marginal_likelihood"]

TARGET_ACCEPT = 0.95  # unless the fit has another
MARGIN = 50.0  # of the bracket about the log ratios in which the root is
ROUGH = 0.2  # error of the logarithm above which the estimate is called rough

type LogDensity = Callable[[np.ndarray], np.ndarray]

PRIOR_DEPENDENCE = (
    "A marginal likelihood depends on the priors, however many the runs: making one twice as wide "
    "costs about log 2 for every parameter that the data determine. Compare models whose priors "
    "you would defend, try others, and prefer held-out scores where there are any."
)


@dataclass(frozen=True)
class MarginalLikelihood:
    """The log marginal likelihood of a model, with its error and caveats.

    Parameters
    ----------
    log : float
        Natural logarithm of the density of the raw responses, averaged over the prior. For two
        models of the same runs, the difference is the logarithm of their Bayes factor.
    error : float
        Its Monte Carlo standard error.
    caveats : tuple of str
        A failure of the fit's convergence gate first; last, how it depends on the priors.

    Examples
    --------
    >>> power = MarginalLikelihood(31.5, 0.1, ())
    >>> log_linear = MarginalLikelihood(28.25, 0.1, ())
    >>> power.log - log_linear.log  # log Bayes factor
    3.25
    """

    log: float
    error: float
    caveats: tuple[str, ...]

    def __str__(self) -> str:
        """The logarithm, its error and the caveats, one a line."""
        estimate = f"log marginal likelihood {self.log:.2f}, Monte Carlo error {self.error:.2g}"
        return "\n".join([estimate, *self.caveats])


def marginal_likelihood(fit: Fit, *, random_seed: int = 0) -> MarginalLikelihood:
    """Estimate the marginal likelihood of a fitted model by bridge sampling.

    The posterior is sampled again, for as many draws as the fit has, in the coordinates in which
    it is nearly normal. One half of the draws gives the mean and covariance with which the
    posterior is standardised and made symmetric. The other half, and as many draws of a standard
    normal, give the estimate (Meng and Wong 1996; Warp-III of Meng and Schilling 2002).

    Parameters
    ----------
    fit : Fit
        The fit.
    random_seed : int
        Seed of the draws of the posterior and of the normal.

    Returns
    -------
    MarginalLikelihood

    Examples
    --------
    >>> import bayeslaw as bl
    >>> power, log_linear = (bl.marginal_likelihood(fit) for fit in fits)  # doctest: +SKIP
    >>> power.log - log_linear.log  # the logarithm of the Bayes factor  # doctest: +SKIP
    """
    random_seed = SEED.check("random_seed", random_seed)
    compiled = prepared_density(bind(fit.model, fit.runs))
    with threadpool_limits(1):
        points, divergences = _points(fit, compiled, random_seed)
        log, error = _bridge(compiled.log_density, points, np.random.default_rng([random_seed, 11]))
    return MarginalLikelihood(log, error, tuple(_caveats(fit, error, divergences)))


def _caveats(fit: Fit, error: float, divergences: int) -> list[str]:
    gate = Gate.of(fit.tree)
    applies = {
        gate.sentence: not gate.passed,
        f"Sampled again, {divergences} draws diverged: the estimate may be off by more than its "
        "error.": divergences > 0,
        f"The estimate is rough (error {error:.2g}): the posterior is far from normal, or the "
        "draws are few.": not error <= ROUGH,
        PRIOR_DEPENDENCE: True,
    }
    return [caveat for caveat, is_true in applies.items() if is_true]


def _points(fit: Fit, compiled: CompiledDensity, random_seed: int) -> tuple[np.ndarray, int]:
    """Draws (chain, draw, unknowns) of the posterior in the sampler's space, and divergences."""
    settings = json.loads(fit.tree.attrs["sampler"])
    sizes = fit.tree["unconstrained_posterior"].sizes
    target_accept = settings["target_accept"] or TARGET_ACCEPT
    sampler = Sampler(
        random_seed,
        sizes["draw"],
        settings["tune"],
        sizes["chain"],
        settings["cores"],
        target_accept,
    )
    return unconstrained_draws(compiled, sampler)


def _bridge(
    log_density: LogDensity, points: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    """Log integral of a density, and its error, given draws (chain, draw, unknowns)."""
    half, size = points.shape[1] // 2, points.shape[2]
    first = points[:, :half].reshape(-1, size)
    mean, root = first.mean(axis=0), np.linalg.cholesky(np.cov(first.T).reshape(size, size))
    normal = multivariate_normal(np.zeros(size))

    def ratio(standard: np.ndarray) -> np.ndarray:
        """Log ratio of the density, standardised and made symmetric, to the standard normal."""
        deviation = standard @ root.T
        symmetric = np.logaddexp(log_density(mean + deviation), log_density(mean - deviation))
        symmetric = symmetric - math.log(2)
        return symmetric + np.log(np.diag(root)).sum() - normal.logpdf(standard)

    rest = points[:, half:]
    at_draws = ratio(np.linalg.solve(root, (rest - mean)[..., None])[..., 0])
    at_proposals = ratio(rng.standard_normal((at_draws.size, size)))
    return _optimal_bridge(at_draws, at_proposals)


def _optimal_bridge(at_draws: np.ndarray, at_proposals: np.ndarray) -> tuple[float, float]:
    """The bridge of least error, given log ratios at draws (chain, draw) and at proposals.

    It is the intercept of a logistic regression that separates draws from proposals.
    """
    from scipy.optimize import root_scalar  # slow to import

    ess = min(float(az.ess(at_draws)), at_draws.size)
    log_odds, ess_per_draw = math.log(ess / at_proposals.size), ess / at_draws.size

    def excess(log: float) -> float:
        as_draws = (
            ess_per_draw * expit(at_draws + log_odds - log).sum()
            + expit(at_proposals + log_odds - log).sum()
        )
        return float(as_draws - ess)

    bracket = at_draws.min() - MARGIN, at_draws.max() + MARGIN
    log = root_scalar(excess, bracket=bracket).root
    among_proposals = expit(at_proposals + log_odds - log)
    among_draws = expit(-(at_draws + log_odds - log))
    variance = _relative_variance(among_proposals, at_proposals.size)
    ess_among_draws = min(float(az.ess(among_draws)), at_draws.size)
    variance += _relative_variance(among_draws, ess_among_draws)
    return log, math.sqrt(variance)


def _relative_variance(values: np.ndarray, ess: float) -> float:
    """The squared relative error of a mean."""
    return float(values.var() / values.mean() ** 2 / ess)
