"""Sensitivity of a quantity to prior and likelihood, by power-scaling (prior sensitivity analysis).

A quantity that moves when the prior is raised to a power near one is decided by the prior; one
that moves with the likelihood is decided by the data (Kallioinen, Paananen, Buerkner and Vehtari
2024, doi:10.1007/s11222-023-10366-5). Nothing is refitted: draws are reweighted by importance. Of
a pooled model only the hyperpriors are scaled, as that paper advises: the distribution of curves
about the population is part of the model.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.special import ndtri, xlogy

from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.prior_distribution import prior_log_density
from bayeslaw._law.roles import IDENTITY, Link, link_normal
from bayeslaw._sampling.convergence import convergence, doubled_ranks
from bayeslaw._sampling.pareto_smoothing import smoothed_weights
from bayeslaw.diagnostics.curve_likelihood import curve_log_likelihood
from bayeslaw.fitting.result import Fit
from bayeslaw.fitting.thinning import thin
from bayeslaw.priors import Fixed, HalfNormal, Prior

__all__ = ["log_prior", "sensitivity"]

POWERS = np.array([0.99, 1.01])
DEGREE = 3  # of the polynomial for the mean of a log density given a quantity
STEP = 1e-4  # of central differences, on the link scale


def sensitivity(fit: Fit, values: xr.DataArray, curve: np.ndarray) -> xr.Dataset:
    """Power-scaling sensitivity of quantities (chain, draw, run) to the prior and the likelihood.

    `curve` (run,) numbers the curve of each quantity, which matters without pooling; -1 for a
    curve that was not fitted. The quantities are of every draw of the fit, or of every second,
    third and so on. Variables ``prior`` and ``likelihood`` (run,) are gradients of the cumulative
    Jensen-Shannon distance with respect to the logarithm of the power: at 0.05 a normal quantity
    shifts by a quarter of its standard deviation when the power is doubled.
    """
    thinned = _thinned(fit, values.sizes["draw"])
    densities = {"prior": log_prior(thinned), "likelihood": curve_log_likelihood(thinned)}
    gradients = {name: np.empty(curve.size) for name in densities}
    is_pooled = densities["prior"].ndim == 2
    for number in [-1] if is_pooled else np.unique(curve):
        rows = np.full(curve.size, True) if is_pooled else curve == number
        for name, density in densities.items():
            total = density.reshape(*density.shape[:2], -1).sum(2)
            of_rows = total if is_pooled else density[..., number]
            gradients[name][rows] = _gradients(values.values[..., rows], of_rows)
    return xr.Dataset({name: ("run", gradient) for name, gradient in gradients.items()})


def _thinned(fit: Fit, draws: int) -> Fit:
    """The fit with the draws per chain that a forecast took of it."""
    available = fit.tree["unconstrained_posterior"].sizes["draw"]
    steps = [step for step in range(1, available + 1) if -(-available // step) == draws]
    if not steps:
        raise ValueError(
            f"the quantities have {draws} draws per chain and the fit {available}: they are not "
            "of this fit"
        )
    return thin(fit, steps[0])


def _gradients(values: np.ndarray, log_density: np.ndarray) -> np.ndarray:
    """Sensitivity of values (chain, draw, run) to the power of a log density (chain, draw)."""
    return np.array([_gradient(values[..., i], log_density) for i in range(values.shape[2])])


def _gradient(value: np.ndarray, log_density: np.ndarray) -> float:
    # Importance weights move a quantity through their mean given the quantity only. The rest of
    # them is noise, which a distance does not average out, and it grows with the number of
    # parameters; so the log density is smoothed along the quantity.
    [ranks] = doubled_ranks(value.reshape(1, -1)) / 2
    score = ndtri((ranks - 0.5) / value.size)
    smoothed = np.polyval(np.polyfit(score, log_density.ravel(), DEGREE), score)
    return power_sensitivity(value.ravel(), smoothed)


def power_sensitivity(values: np.ndarray, log_density: np.ndarray) -> float:
    """Gradient of the distance from draws (draws,) to themselves, weighted by a power of a density.

    By the logarithm of that power to base two, at one.
    """
    [relative_ess] = convergence(log_density[None, None]).ess_tail / values.size
    distances = [
        _distance(values, smoothed_weights((power - 1) * log_density, relative_ess).log_weights)
        for power in POWERS
    ]
    return float(np.mean(distances / np.abs(np.log2(POWERS))))


def _distance(values: np.ndarray, log_weights: np.ndarray) -> float:
    """Cumulative Jensen-Shannon distance of draws from weighted ones, the same for their negatives.

    Nguyen and Vreeken (2015), as `arviz_stats` has it.
    """
    order, weights = np.argsort(values), np.exp(log_weights)
    widths, weights = np.diff(values[order]), (weights / weights.sum())[order]
    one = np.linspace(1 / values.size, 1 - 1 / values.size, values.size - 1)
    below = _divergence(widths, one, np.cumsum(weights)[:-1])
    above = _divergence(widths[::-1], one, np.cumsum(weights[::-1])[:-1])
    return max(below, above)


def _divergence(widths: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    """Distance between two cumulative distributions, which are constant over widths."""
    middle = (one + other) / 2
    # What is not written out cancels between the two halves.
    halves = [np.sum(widths * xlogy(each, each / middle)) / np.log(2) for each in (one, other)]
    return float(np.sqrt(max(0.0, sum(halves)) / np.sum(widths * (one + other))))


def log_prior(fit: Fit) -> np.ndarray:
    """Log density of the priors on the link scale, up to a constant.

    (chain, draw), of the population and its spreads; without pooling (chain, draw, curve), of
    each curve's parameters.
    """
    unconstrained = fit.tree["unconstrained_posterior"].to_dataset()
    bound, is_pooled = bind(fit.model, fit.runs), "center" in unconstrained
    parameters = unconstrained["center"] if is_pooled else unconstrained["theta"]
    densities = [
        _log_density(bound.priors[name], role.link, parameters.sel(parameter=name).values)
        for name, role in bound.roles.items()
    ]
    if is_pooled:
        for i, prior in enumerate(bound.spread_priors):
            spread = unconstrained["spread"].values[..., i]
            densities.append(_log_density(prior, IDENTITY, spread))
    return np.sum(densities, axis=0)


def _log_density(prior: Prior, link: Link, real: np.ndarray) -> np.ndarray:
    """Log density of a prior at unconstrained values, with the Jacobian of the link."""
    if isinstance(prior, Fixed):
        return np.zeros(real.shape)
    if normal := link_normal(prior, link):
        return -(((real - normal.mean) / normal.sd) ** 2) / 2
    if isinstance(prior, HalfNormal) and link is IDENTITY:
        return -((real / prior.sd) ** 2) / 2
    jacobian = (link.inverse(real + STEP) - link.inverse(real - STEP)) / (2 * STEP)
    return prior_log_density(prior, link.inverse(real)) + np.log(jacobian)
