"""Leave-one-curve-out by importance sampling, and exact leave-one-out by refitting."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.hierarchy import HierarchyLayout, level_effects
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.nuts import Sampler
from bayeslaw.data.runs import group_names
from bayeslaw.diagnostics.curve_likelihood import curve_log_likelihood
from bayeslaw.diagnostics.psis_loo import leave_one_out
from bayeslaw.fitting.refit import refit
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.forecasting.scores import score

__all__ = ["leave_one_curve_out", "leave_one_out_exactly"]


def leave_one_curve_out(fit: Fit) -> Any:
    """Pareto-smoothed leave-one-out of a pooled fit, curve by curve.

    The joint log density of all responses of a curve, given the other curves. The usual weights,
    the inverse of the curve's likelihood, would have too large a variance: without its runs the
    curve's own parameters spread over the whole population. They are therefore integrated out
    first, given the population and the group effects of each draw, by weights q / (likelihood
    times population density), where q is a normal approximation of the posterior of the curve's
    parameters given the population. The mean of these weights is the inverse of the leave-one-out
    density for any q; the better q is, the less they vary.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    arviz_stats.ELPDData or None
        Over curves. None without pooling, or where the noise has a latent variable for each run
        next to a discrepancy, so that the joint density has no closed form.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> loo = bl.leave_one_curve_out(fit)  # doctest: +SKIP
    >>> loo.elpd, loo.se, loo.pareto_k  # doctest: +SKIP
    """
    bound = bind(fit.model, fit.runs)
    if bound.hierarchy is None or fit.model.is_augmented:
        return None
    unconstrained = fit.tree["unconstrained_posterior"].to_dataset()
    theta = unconstrained["theta"].values
    mean, spread = _population(bound, bound.hierarchy, unconstrained)
    density = curve_log_likelihood(fit)
    for i in range(bound.run_arrays.n_curves):
        density[..., i] += _log_ratio(theta[..., i], mean[..., i], spread)
    coords = {
        "chain": unconstrained["chain"],
        "draw": unconstrained["draw"],
        "curve": bound.run_arrays.curves["curve"].values,
    }
    values = xr.Dataset({"curve_density": (("chain", "draw", "curve"), density)}, coords)
    groups = {"/log_likelihood": values, "/posterior": values}
    return leave_one_out(replace(fit, tree=xr.DataTree.from_dict(groups)))


def leave_one_out_exactly(
    fit: Fit,
    *,
    sampler: Sampler,
    executor: Executor | None = None,
    store: str | PathLike[str] | None = None,
) -> Any:
    """Leave-one-out of a fit, with exact refits without runs that are too influential.

    Parameters
    ----------
    fit : Fit
        The fit.
    sampler : Sampler
        Settings of the sampler; its seed is that of the first refit, and each later one takes the
        next number.
    executor : concurrent.futures.Executor, optional
        Runs the fits in parallel, as for `bayeslaw.refit`.
    store : path, optional
        Where finished fits are saved, as for `bayeslaw.refit`.

    Returns
    -------
    arviz_stats.ELPDData
        For `bayeslaw.compare`. A run whose Pareto k was too high has its exact log density, under
        a fit without it, and a k of 0; if that fit did not pass its gate, the approximation stays.

    Raises
    ------
    ValueError
        If such a run is the only one of its curve, in a fit without pooling.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> loo = {  # doctest: +SKIP
    ...     name: bl.leave_one_out_exactly(fit, sampler=bl.Sampler(1)) for name, fit in fits.items()
    ... }
    >>> bl.compare(fits, later, loo=loo)  # doctest: +SKIP
    """
    loo = leave_one_out(fit)
    influential = np.flatnonzero(loo.pareto_k.values > loo.good_k)
    refits = refit(
        fit.model,
        [fit.runs.drop_isel(run=[i]) for i in influential],
        sampler=sampler,
        executor=executor,
        store=store,
    )
    exact = {
        int(i): _log_score(without, fit.runs.isel(run=[i]))
        for i, without in zip(influential, refits, strict=True)
        if Gate.of(without.tree).passed
    }
    return _with_exact(loo, exact)


def _log_score(fit: Fit, run: xr.Dataset) -> float:
    predicted = forecast(fit, run, draw_new=group_names(fit.runs))
    return float(score(predicted, run)["log_score"].item())


def _with_exact(loo: Any, exact: dict[int, float]) -> Any:
    """The result with exact log densities of some runs."""
    elpd_i, k = loo.elpd_i.copy(), loo.pareto_k.copy()
    rows = list(exact)
    elpd_i.values[rows], k.values[rows] = list(exact.values()), 0.0
    elpd = float(elpd_i.sum())
    se = math.sqrt(elpd_i.size * float(elpd_i.var(ddof=1)))
    changes = {"elpd": elpd, "se": se, "p": loo.p + loo.elpd - elpd, "elpd_i": elpd_i}
    return replace(loo, **changes, pareto_k=k, warning=bool((k > loo.good_k).any()))


def _population(
    bound: BoundModel, layout: HierarchyLayout, unconstrained: xr.Dataset
) -> tuple[np.ndarray, np.ndarray]:
    """Population means (chain, draw, parameter, curve) and spreads (chain, draw, parameter)."""
    names, curves = list(bound.roles), bound.run_arrays.curves
    spread = unconstrained["spread"].values
    mean = np.repeat(unconstrained["center"].values[..., None], curves.sizes["curve"], axis=3)
    for (name, group, level), effect in level_effects(unconstrained, layout).items():
        mean[:, :, names.index(name), curves[group].values == level] += effect[..., None]
    return mean, spread[..., : len(names)]


def _log_ratio(theta: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Log ratio of the population density of a curve's parameters to q, a normal approximation.

    Arrays are (chain, draw, parameter), the result (chain, draw). q is the product of the
    population density and one normal factor for the curve's runs, whose information is that of
    all draws less that of the widest population.
    """
    draws, prior_precision = theta.reshape(-1, theta.shape[-1]), spread**-2.0
    information = _nearest_positive_semidefinite(
        np.linalg.inv(np.atleast_2d(np.cov(draws.T))) - np.diag(prior_precision.min(axis=(0, 1)))
    )
    precision = information + prior_precision[..., None] * np.eye(len(information))
    covariance = np.linalg.inv(precision)
    from_population = np.einsum("...ij,...j->...i", covariance, prior_precision * mean)
    # The mean of the runs' factor is such that q has the right mean on average over draws.
    weighted_mean = np.linalg.solve(covariance.mean((0, 1)), (theta - from_population).mean((0, 1)))
    residual = theta - from_population - covariance @ weighted_mean
    distance_q = np.einsum("...i,...ij,...j->...", residual, precision, residual)
    distance_population = np.sum(((theta - mean) / spread) ** 2, axis=-1)
    log_volume = np.log(spread).sum(-1) + np.linalg.slogdet(precision)[1] / 2
    return (distance_q - distance_population) / 2 - log_volume


def _nearest_positive_semidefinite(matrix: np.ndarray) -> np.ndarray:
    """Nearest positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 0.0)) @ vectors.T
