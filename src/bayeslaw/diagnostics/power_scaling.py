"""Does an answer hang on the prior or on the data? Each is raised to a power near one.

If an answer moves when the prior is made a little stronger or weaker, the prior decides it; if it
moves with the likelihood, the data do (Kallioinen, Paananen, Buerkner and Vehtari 2024,
doi:10.1007/s11222-023-10366-5). No model is fitted again: draws are weighed by importance. Of a
pooled model only the priors of the population and of its spreads are scaled, as that paper
advises; how curves scatter about the population is part of the model.
"""

from __future__ import annotations

import arviz as az
import numpy as np
import xarray as xr
from scipy.special import ndtri
from scipy.stats import rankdata

from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.hierarchy import coordinate_roles, groupings, hierarchy_layout
from bayeslaw._inference.marginal_discrepancy import marginal_discrepancy
from bayeslaw._inference.pointwise import DrawsAtRuns
from bayeslaw._inference.prior_distribution import prior_log_density
from bayeslaw._inference.run_arrays import RunArrays, population_prior, run_arrays_of, spread_prior
from bayeslaw._law.roles import IDENTITY, Link, link_normal
from bayeslaw.fitting.fit import Fit
from bayeslaw.priors import Fixed, HalfNormal, Prior

__all__ = ["log_likelihood", "log_prior", "sensitivity"]

SMOOTH = 3  # degree of the mean of a log density given a quantity
STEP = 1e-4  # of central differences, on the scale of a link


def sensitivity(fit: Fit, values: xr.DataArray, curve: np.ndarray) -> xr.Dataset:
    """How much quantities of a fit change with the strength of its prior and of its likelihood.

    Parameters
    ----------
    fit : Fit
        The fit.
    values : xarray.DataArray
        Quantities with dims chain, draw, run, from every draw of the fit or from every second,
        third and so on.
    curve : int array, shape (run,)
        Number of the curve that each quantity is of, which matters where curves are not pooled;
        -1 for one that the fit has not seen.

    Returns
    -------
    xarray.Dataset
        ``prior`` and ``likelihood`` on dim run: the gradient of the cumulative Jensen-Shannon
        distance by the logarithm of the power. At 0.05 a normal quantity shifts by a quarter of
        its standard deviation when the power is doubled.

    Raises
    ------
    ValueError
        If the draws of the quantities cannot be those of the fit.

    Examples
    --------
    >>> forecast = bl.forecast(fit, bl.grid(N=[1e10]))  # doctest: +SKIP
    >>> sensitivity(fit, forecast["law"], np.array([0]))["prior"]  # doctest: +SKIP
    """
    some = _thinned(fit, values.sizes["draw"])
    logs = {"prior": log_prior(some), "likelihood": log_likelihood(some)}
    told = {name: np.empty(curve.size) for name in logs}
    alone = logs["prior"].ndim == 3
    for number in np.unique(curve) if alone else [-1]:
        rows = curve == number if alone else np.full(curve.size, True)
        for name, log in logs.items():
            of_rows = log[..., number] if alone else log.reshape(*log.shape[:2], -1).sum(2)
            told[name][rows] = _gradient(values.values[..., rows], of_rows)
    return xr.Dataset({name: ("run", each) for name, each in told.items()})


def _thinned(fit: Fit, draws: int) -> Fit:
    """The fit with the draws that a forecast has taken of it."""
    found = fit.tree["unconstrained_posterior"].sizes["draw"]
    steps = [step for step in range(1, found + 1) if -(-found // step) == draws]
    if not steps:
        raise ValueError(
            f"the quantities have {draws} draws per chain and the fit {found}: they are not of it"
        )
    some = {"draw": slice(None, None, steps[0])}
    kept = {
        name: fit.tree[name].to_dataset().isel(some)
        for name in ("posterior", "unconstrained_posterior")
    }
    tree = xr.DataTree.from_dict({f"/{name}": data for name, data in kept.items()})
    return Fit(fit.model, fit.runs, tree)


def _gradient(values: np.ndarray, log: np.ndarray) -> np.ndarray:
    """Sensitivity of values (chain, draw, run) to the power of a density, log (chain, draw)."""
    return np.array([_gradient_of(values[..., i], log) for i in range(values.shape[2])])


def _gradient_of(value: np.ndarray, log: np.ndarray) -> float:
    # What weights do to a quantity they do by their mean given the quantity. The rest of them is
    # noise, which has no sign in a distance and would grow with the number of parameters.
    score = ndtri((rankdata(value).reshape(value.shape) - 0.5) / value.size)
    told = np.polyval(np.polyfit(score.ravel(), log.ravel(), SMOOTH), score)
    groups = {"/posterior": {"x": value}, "/log_prior": {"x": told}}
    dims = ("chain", "draw")
    tree = {
        group: xr.Dataset({name: (dims, each) for name, each in held.items()})
        for group, held in groups.items()
    }
    return float(az.psense(xr.DataTree.from_dict(tree), group="prior")["x"])


def log_prior(fit: Fit) -> np.ndarray:
    """Log density, but for a constant, of the priors on the scale of the parameters' links.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    array
        (chain, draw): of the population and its spreads; (chain, draw, curve) where curves are
        not pooled: of each curve's parameters.
    """
    model, link = fit.model, fit.tree["unconstrained_posterior"].to_dataset()
    roles, level = coordinate_roles(model, coordinates(model)), run_arrays_of(model, fit.runs).level
    pooled = "center" in link
    at = link["center"] if pooled else link["theta"]
    parts = [
        _log_density(
            population_prior(model, name, role, level), role.link, at.sel(parameter=name).values
        )
        for name, role in roles.items()
    ]
    if pooled:
        where = hierarchy_layout(
            groupings(model, run_arrays_of(model, fit.runs).curves), list(roles)
        )
        for i, (name, _) in enumerate(where.spreads):
            prior = spread_prior(model, name, roles[name])
            parts.append(_log_density(prior, IDENTITY, link["spread"].values[..., i]))
    return np.sum(parts, axis=0)


def _log_density(prior: Prior, link: Link, real: np.ndarray) -> np.ndarray:
    if isinstance(prior, Fixed):
        return np.zeros(real.shape)
    if normal := link_normal(prior, link):
        return -(((real - normal.mean) / normal.sd) ** 2) / 2
    if isinstance(prior, HalfNormal) and link is IDENTITY:
        return -((real / prior.sd) ** 2) / 2
    slope = (link.inverse(real + STEP) - link.inverse(real - STEP)) / (2 * STEP)
    return prior_log_density(prior, link.inverse(real)) + np.log(slope)


def log_likelihood(fit: Fit) -> np.ndarray:
    """Joint log density of the responses of each curve given the parameters, but for a constant.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    array (chain, draw, curve)
        What the law gets wrong is integrated out; a number that some noise has for each run is
        not.
    """
    model, run_arrays = fit.model, run_arrays_of(fit.model, fit.runs)
    posterior, link = (
        fit.tree[name].to_dataset() for name in ("posterior", "unconstrained_posterior")
    )
    draws = {name: posterior[name].values for name in model.roles}
    latent = link["latent"].values if "latent" in link else None
    fitted = DrawsAtRuns.of(model, run_arrays, draws, fit.runs, latent)
    if model.discrepancy is None:
        return run_arrays.sums(fitted.distribution.log_density(run_arrays.response))
    return _dependent(fitted, run_arrays)


def _dependent(fitted: DrawsAtRuns, run_arrays: RunArrays) -> np.ndarray:
    """Joint log densities of each curve's residuals, draw by draw."""
    wrong = marginal_discrepancy(fitted.model, run_arrays)
    assert wrong is not None
    about_law = fitted.distribution
    shape = about_law.center.shape[:2]
    flat = [
        each.reshape(-1, *each.shape[2:])
        for each in (run_arrays.values - about_law.center, about_law.sigma**2, fitted.tau**2)
    ]
    densities = [wrong.log_density_by_curve(*draw) for draw in zip(*flat, strict=True)]
    return np.array(densities).reshape(*shape, run_arrays.n_curves)
