"""How likely a model says the runs are before it has seen any: for Bayes factors."""

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

from bayeslaw._inference.model_data import model_data_of
from bayeslaw._inference.run_arrays import run_arrays_of
from bayeslaw._sampling.compile_cache import compiled_density_of
from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.initial_points import with_initial_points
from bayeslaw._sampling.nuts import Sampler, unconstrained_draws
from bayeslaw.fitting.fit import Fit

__all__ = ["PRIOR_DEPENDENCE", "MarginalLikelihood", "marginal_likelihood"]

TARGET_ACCEPT = 0.95  # unless the fit was told another
FAR = 50.0  # from the log ratios, where the bridge cannot be
ROUGH = 0.2  # of the logarithm, above which the estimate is called rough

type Density = Callable[[np.ndarray], np.ndarray]

PRIOR_DEPENDENCE = (
    "A marginal likelihood depends on the priors, however many the runs: making one twice as wide "
    "costs about log 2 for every parameter that the data settle. Compare models whose priors you "
    "would defend, try others, and prefer held-out scores where there are any."
)


@dataclass(frozen=True)
class MarginalLikelihood:
    """The log marginal likelihood of a model, and what to hold against it.

    Parameters
    ----------
    log : float
        Natural logarithm of the density of the raw responses, averaged over the prior. The
        difference between two models of the same runs is the logarithm of their Bayes factor.
    error : float
        Its Monte Carlo standard error.
    caveats : tuple of str
        The failure of the fit's gate first; always what it owes to the priors.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> power = bl.MarginalLikelihood(31.5, 0.1, ())
    >>> log_linear = bl.MarginalLikelihood(28.25, 0.1, ())
    >>> power.log - log_linear.log  # log Bayes factor
    3.25
    """

    log: float
    error: float
    caveats: tuple[str, ...]

    def __str__(self) -> str:
        """The number, its error and the caveats, one a line."""
        told = f"log marginal likelihood {self.log:.2f}, Monte Carlo error {self.error:.2g}"
        return "\n".join([told, *self.caveats])


def marginal_likelihood(fit: Fit, *, random_seed: int = 0) -> MarginalLikelihood:
    """Estimate the marginal likelihood of a fitted model by bridge sampling.

    The posterior is sampled again, for as many draws as the fit has, in the coordinates in which
    it is nearly normal. One half of the draws places and scales a normal density, and makes the
    posterior symmetric about its mean; the other half and as many draws of the normal give the
    estimate (Meng and Wong 1996; Meng and Schilling 2002, Warp-III).

    Parameters
    ----------
    fit : Fit
        The fit.
    random_seed : int
        Seed of the draws, of posterior and normal.

    Returns
    -------
    MarginalLikelihood

    Examples
    --------
    >>> import bayeslaw as bl
    >>> power, log_linear = (bl.marginal_likelihood(fit) for fit in fits)  # doctest: +SKIP
    >>> power.log - log_linear.log  # the logarithm of the Bayes factor  # doctest: +SKIP
    """
    run_arrays = run_arrays_of(fit.model, fit.runs)
    compiled = compiled_density_of(
        fit.model, fit.runs, run_arrays, model_data_of(fit.model, run_arrays)
    )
    with threadpool_limits(1):
        points, diverging = _points(fit, compiled, random_seed)
        log, error = _bridge(compiled.log_density, points, np.random.default_rng([random_seed, 11]))
    return MarginalLikelihood(log, error, tuple(_caveats(fit, error, diverging)))


def _caveats(fit: Fit, error: float, diverging: int) -> list[str]:
    gate = Gate.of(fit.tree)
    told = {
        gate.sentence: not gate.passed,
        f"Sampled again, {diverging} draws diverged: the estimate may be off by more than its "
        "error.": diverging > 0,
        f"The estimate is rough (error {error:.2g}): the posterior is far from normal, or the "
        "draws are few.": not error <= ROUGH,
        PRIOR_DEPENDENCE: True,
    }
    return [sentence for sentence, holds in told.items() if holds]


def _points(fit: Fit, compiled: CompiledDensity, random_seed: int) -> tuple[np.ndarray, int]:
    """Draws (chain, draw, unknowns) of the posterior in the sampler's space, and divergences."""
    told, sizes = json.loads(fit.tree.attrs["sampler"]), fit.tree["unconstrained_posterior"].sizes
    ready = with_initial_points(compiled, fit.model, run_arrays_of(fit.model, fit.runs))
    target_accept = told["target_accept"] or TARGET_ACCEPT
    sampler = Sampler(
        random_seed, sizes["draw"], told["tune"], sizes["chain"], told["cores"], target_accept
    )
    return unconstrained_draws(ready, sampler)


def _bridge(density: Density, points: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Log of the integral of a density, given draws (chain, draw, unknowns), and its error."""
    half, size = points.shape[1] // 2, points.shape[2]
    first = points[:, :half].reshape(-1, size)
    middle, root = first.mean(axis=0), np.linalg.cholesky(np.cov(first.T).reshape(size, size))
    normal = multivariate_normal(np.zeros(size))

    def ratio(standard: np.ndarray) -> np.ndarray:
        """Log density, made symmetric and standard, over the standard normal's."""
        moved = standard @ root.T
        both = np.logaddexp(density(middle + moved), density(middle - moved)) - math.log(2)
        return both + np.log(np.diag(root)).sum() - normal.logpdf(standard)

    rest = points[:, half:]
    drawn = ratio(np.linalg.solve(root, (rest - middle)[..., None])[..., 0])
    proposed = ratio(rng.standard_normal((drawn.size, size)))
    return _optimal(drawn, proposed)


def _optimal(drawn: np.ndarray, proposed: np.ndarray) -> tuple[float, float]:
    """The bridge of least error, given log ratios at draws (chain, draw) and at proposals.

    It is the intercept of a logistic regression that tells draws from proposals.
    """
    from scipy.optimize import root_scalar  # slow to import

    effective = min(float(az.ess(drawn)), drawn.size)
    odds, each = math.log(effective / proposed.size), effective / drawn.size

    def excess(log: float) -> float:
        as_draws = each * expit(drawn + odds - log).sum() + expit(proposed + odds - log).sum()
        return float(as_draws - effective)

    log = root_scalar(excess, bracket=(drawn.min() - FAR, drawn.max() + FAR)).root
    among_proposed = expit(proposed + odds - log)
    among_drawn = expit(-(drawn + odds - log))
    variance = _relative(among_proposed, proposed.size)
    variance += _relative(among_drawn, min(float(az.ess(among_drawn)), drawn.size))
    return log, math.sqrt(variance)


def _relative(values: np.ndarray, effective: float) -> float:
    """The relative variance of a mean."""
    return float(values.var() / values.mean() ** 2 / effective)
