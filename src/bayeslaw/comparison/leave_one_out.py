"""What a fit expects of a curve that it has not seen, and of runs that weigh too much in it."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._inference.hierarchy import groupings, hierarchy_layout, is_pooled
from bayeslaw._inference.marginal_discrepancy import marginal_discrepancy
from bayeslaw._inference.pointwise import DrawsAtRuns
from bayeslaw._inference.run_arrays import RunArrays, run_arrays_of
from bayeslaw._sampling.gate import Gate
from bayeslaw.data.runs import group_names
from bayeslaw.diagnostics.diagnose import leave_one_out
from bayeslaw.fitting.fit import Fit
from bayeslaw.fitting.refit import refit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.forecasting.scores import score

__all__ = ["leave_one_curve_out", "leave_one_out_exactly"]

AT_ONCE = 1_000_000  # draws times runs that are worked on together


def leave_one_curve_out(fit: Fit) -> Any:
    """Pareto-smoothed leave-one-out of a pooled fit, curve by curve.

    The joint density of all responses of a curve, given the other curves. Draws of the curve's
    own parameters cannot be weighed by the inverse of that curve's likelihood: without it they
    would be spread over the whole population. They are therefore integrated out first, at the
    population and the group effects of each draw: the draw is weighed by q / (likelihood times
    population's density), where q is a normal density close to the posterior of the curve's
    parameters given the population. The mean of these weights is the inverse of the density that
    is wanted, whatever q is; the better it is, the less they vary.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    arviz_stats.ELPDData or None
        Over curves. None where there is no population to know a curve from, or where noise beside
        a discrepancy has a number for each run, so that the joint density has no closed form.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> loo = bl.leave_one_curve_out(fit)  # doctest: +SKIP
    >>> loo.elpd, loo.se, loo.pareto_k  # doctest: +SKIP
    """
    run_arrays = run_arrays_of(fit.model, fit.runs)
    if not is_pooled(fit.model, run_arrays.curves) or fit.model.is_augmented:
        return None
    link = fit.tree["unconstrained_posterior"].to_dataset()
    theta, (center, spread) = link["theta"].values, _population(fit, link, run_arrays.curves)
    density = _joint(fit, run_arrays)
    for i in range(run_arrays.n_curves):
        density[..., i] += _log_ratio(theta[..., i], center[..., i], spread)
    coords = {
        "chain": link["chain"],
        "draw": link["draw"],
        "curve": run_arrays.curves["curve"].values,
    }
    values = xr.Dataset({"curve_density": (("chain", "draw", "curve"), density)}, coords)
    groups = {"/log_likelihood": values, "/posterior": values}
    return leave_one_out(replace(fit, tree=xr.DataTree.from_dict(groups)))


def leave_one_out_exactly(
    fit: Fit,
    *,
    random_seed: int,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    target_accept: float | None = None,
    executor: Executor | None = None,
    store: str | PathLike[str] | None = None,
    progressbar: bool = True,
) -> Any:
    """Leave-one-out of a fit, with exact refits for runs that are too influential.

    Parameters
    ----------
    fit : Fit
        The fit.
    random_seed : int
        Seed of the first refit; the next ones take the numbers after it.
    draws, tune, chains : int
        Draws kept per chain, draws that adapt the sampler, chains.
    target_accept : float, optional
        As for `bayeslaw.fit`.
    executor : concurrent.futures.Executor, optional
        Where the fits are made, as for `bayeslaw.refit`.
    store : path, optional
        Where finished fits are kept, as for `bayeslaw.refit`.
    progressbar : bool
        Whether to show progress.

    Returns
    -------
    arviz_stats.ELPDData
        For `bayeslaw.compare`. Where Pareto k was too high there is the log density of the run in
        a fit without it, and a k of 0; unless that fit did not pass its gate, which changes
        nothing.

    Raises
    ------
    ValueError
        If such a run is the only one of its curve, in a fit without pooling.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> loo = {  # doctest: +SKIP
    ...     name: bl.leave_one_out_exactly(fit, random_seed=1) for name, fit in fits.items()
    ... }
    >>> bl.compare(fits, later, loo=loo)  # doctest: +SKIP
    """
    loo = leave_one_out(fit)
    bad = np.flatnonzero(loo.pareto_k.values > loo.good_k)
    again = refit(
        fit.model, [fit.runs.drop_isel(run=[i]) for i in bad], random_seed=random_seed,
        draws=draws, tune=tune, chains=chains, target_accept=target_accept, executor=executor,
        store=store, progressbar=progressbar,
    )  # fmt: skip
    exact = {
        int(i): _log_score(without, fit.runs.isel(run=[i]))
        for i, without in zip(bad, again, strict=True)
        if Gate.of(without.tree).passed
    }
    return _replaced(loo, exact)


def _log_score(fit: Fit, run: xr.Dataset) -> float:
    drawn = forecast(fit, run, draw_new=group_names(fit.runs))
    return float(score(drawn, run)["log_score"].item())


def _replaced(loo: Any, exact: dict[int, float]) -> Any:
    """The result with densities of some runs in place of their approximations."""
    each, k = loo.elpd_i.copy(), loo.pareto_k.copy()
    where = list(exact)
    each.values[where], k.values[where] = list(exact.values()), 0.0
    elpd = float(each.sum())
    se = math.sqrt(each.size * float(each.var(ddof=1)))
    told = {"elpd": elpd, "se": se, "p": loo.p + loo.elpd - elpd, "elpd_i": each, "pareto_k": k}
    return replace(loo, **told, warning=bool((k > loo.good_k).any()))


def _joint(fit: Fit, run_arrays: RunArrays) -> np.ndarray:
    """Joint log density of each curve's responses given its parameters, (chain, draw, curve)."""
    model, posterior = fit.model, fit.tree["posterior"].to_dataset()
    parameters = {name: posterior[name].values for name in model.roles}
    parts = math.ceil(posterior.sizes["draw"] * run_arrays.curve.size / AT_ONCE)
    some = np.array_split(np.arange(posterior.sizes["draw"]), parts)
    seen = (
        DrawsAtRuns.of(
            model, run_arrays, {n: each[:, few] for n, each in parameters.items()}, fit.runs
        )
        for few in some
    )
    return np.concatenate([_of_curves(fitted) for fitted in seen], axis=1)


def _of_curves(fitted: DrawsAtRuns) -> np.ndarray:
    run_arrays, scatter = fitted.run_arrays, fitted.distribution
    wrong = marginal_discrepancy(fitted.model, run_arrays)
    if wrong is None:
        return run_arrays.sums(scatter.log_density(run_arrays.response))
    slope = np.log(fitted.model.noise.scale.slope(run_arrays.response, run_arrays.unit))
    arrays = run_arrays.values - scatter.center, scatter.sigma**2, fitted.tau**2
    flat = (np.ascontiguousarray(each).reshape(-1, *each.shape[2:]) for each in arrays)
    each = np.array([wrong.log_density_by_curve(*draw) for draw in zip(*flat, strict=True)])
    return each.reshape(*scatter.center.shape[:2], -1) + run_arrays.sums(slope)


def _population(fit: Fit, link: xr.Dataset, curves: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Means (chain, draw, parameter, curve) and spreads (chain, draw, parameter) of curves."""
    names = [str(name) for name in link["parameter"].values]
    where = hierarchy_layout(groupings(fit.model, curves), names)
    spread = link["spread"].values
    mean = np.repeat(link["center"].values[..., None], curves.sizes["curve"], axis=3)
    for place, (name, group, level) in enumerate(where.levels):
        effect = spread[..., where.spread_of_level[place]] * link["effects"].values[..., place]
        mean[:, :, names.index(name), curves[group].values == level] += effect[..., None]
    return mean, spread[..., : len(names)]


def _log_ratio(theta: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Log of the population's density of a curve's parameters, over that given its runs.

    Arrays are (chain, draw, parameter). What the runs say is taken as one normal factor: what the
    draws are narrower than the widest population.
    """
    draws, tight = theta.reshape(-1, theta.shape[-1]), spread**-2.0
    told = _positive(
        np.linalg.inv(np.atleast_2d(np.cov(draws.T))) - np.diag(tight.min(axis=(0, 1)))
    )
    precision = told + tight[..., None] * np.eye(len(told))
    covariance = np.linalg.inv(precision)
    from_mean = np.einsum("...ij,...j->...i", covariance, tight * mean)
    # So placed that the normal densities are right on average.
    pull = np.linalg.solve(covariance.mean((0, 1)), (theta - from_mean).mean((0, 1)))
    away = theta - from_mean - covariance @ pull
    narrow = np.einsum("...i,...ij,...j->...", away, precision, away)
    wide = np.sum(((theta - mean) / spread) ** 2, axis=-1)
    volume = np.log(spread).sum(-1) + np.linalg.slogdet(precision)[1] / 2
    return (narrow - wide) / 2 - volume


def _positive(matrix: np.ndarray) -> np.ndarray:
    """The nearest matrix that no direction has less than nothing of."""
    values, directions = np.linalg.eigh(matrix)
    return (directions * np.maximum(values, 0.0)) @ directions.T
