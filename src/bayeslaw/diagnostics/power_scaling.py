"""Sensitivity of a quantity to prior and likelihood, by power-scaling (prior sensitivity analysis).

A quantity that moves when the prior is raised to a power near one is decided by the prior; one
that moves with the likelihood is decided by the data (Kallioinen, Paananen, Buerkner and Vehtari
2024, doi:10.1007/s11222-023-10366-5). Nothing is refitted: draws are reweighted by importance. Of
a pooled model only the hyperpriors are scaled, as that paper advises: the distribution of curves
about the population is part of the model.
"""

from __future__ import annotations

import arviz as az
import numpy as np
import xarray as xr
from scipy.special import ndtri
from scipy.stats import rankdata

from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.prior_distribution import prior_log_density
from bayeslaw._law.roles import IDENTITY, Link, link_normal
from bayeslaw.diagnostics.curve_likelihood import curve_log_likelihood
from bayeslaw.fitting.fit import Fit
from bayeslaw.fitting.thinning import thin
from bayeslaw.priors import Fixed, HalfNormal, Prior

__all__ = ["log_prior", "sensitivity"]

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
    score = ndtri((rankdata(value).reshape(value.shape) - 0.5) / value.size)
    smoothed = np.polyval(np.polyfit(score.ravel(), log_density.ravel(), DEGREE), score)
    groups = {"/posterior": value, "/log_prior": smoothed}
    dims = ("chain", "draw")
    tree = {group: xr.Dataset({"x": (dims, values)}) for group, values in groups.items()}
    return float(az.psense(xr.DataTree.from_dict(tree), group="prior")["x"])


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
