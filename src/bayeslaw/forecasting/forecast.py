"""From a fit to what happens at runs that were not made."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from bayeslaw._inference.pointwise import ResponseDistribution
from bayeslaw._sampling.gate import Gate
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import group_names, predictor_names
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.curve_lookup import curve_parameters, require_predictors
from bayeslaw.forecasting.predictive_at import (
    DiscrepancyAt,
    discrepancy_at,
    response_distribution_at,
)
from bayeslaw.forecasting.stack import Stack, stack_forecasts
from bayeslaw.model.serialise import from_record, to_record
from bayeslaw.priors import Fixed, LogNormal

__all__ = [
    "fit_caveats",
    "forecast",
    "forecast_dataset",
    "interval",
    "law_caveats",
    "log_density",
    "observed_range",
    "observed_range_by_curve",
]

NO_DISCREPANCY = (
    "Beyond the data these bands hold only if the law does: this model has no discrepancy, so what "
    "the law gets wrong is not in them."
)

LAW_ALONE = "This is the law's own answer: what the law gets wrong is not in it."


def forecast(
    fit: Fit | Stack,
    grid: xr.Dataset,
    *,
    noise: Fixed | LogNormal | None = None,
    draw_new: Sequence[str] = (),
    draws: int = 4000,
    random_seed: int = 0,
) -> xr.Dataset:
    """Posterior draws of the curve and of a new run at given sizes.

    Parameters
    ----------
    fit : Fit or Stack
        The fit, or several by their weights; see `bayeslaw.stack`.
    grid : xarray.Dataset
        Where: `bayeslaw.grid`, or runs that were held out.
    noise : Fixed or LogNormal, optional
        Size of the noise of the runs to come where it is not that of the fitted ones, which may
        have been averaged or picked: see `observation_noise`. A `LogNormal` is drawn once for
        each curve and draw.
    draw_new : sequence of str, optional
        Groups whose levels that the fit has not seen are drawn from the population. A curve of
        known levels that were never seen together is always forecast, with a deviation of its
        own drawn.
    draws : int
        How many draws to make at most; of a longer fit every second, third or so is taken.
    random_seed : int
        Seed of the noise, of what the law gets wrong, and of what is drawn from the population.

    Returns
    -------
    xarray.Dataset
        ``mean`` (the curve: the law and what it gets wrong) and ``new_run`` (a run observed there)
        with dims chain, draw, run, and the grid's coordinates; ``law`` is the law alone. A
        ``new_run`` that the scale of the noise cannot hold, at or below zero for a loss, means
        that the law is there; its attribute ``not_positive`` is the probability of that.
        ``center``, ``scale`` and ``noise`` serve scores: a response given a draw, on the scale of
        the noise.

    Raises
    ------
    TypeError
        If `noise` is another kind of prior.
    ValueError
        If `draws` is below 1, or the grid lacks a predictor or group of the fit, or has a level
        that the fit has not seen and that `draw_new` does not name.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> grid = bl.grid(D=[1e3, 1e4], task="digits", learner="linear")
    >>> forecast = bl.forecast(fit, grid)  # doctest: +SKIP
    """
    if isinstance(fit, Stack):
        each = {
            name: forecast(
                one, grid, noise=noise, draw_new=draw_new, draws=draws, random_seed=random_seed
            )
            for name, one in fit.fits.items()
        }
        return stack_forecasts(each, fit.weights)
    require_predictors(fit, grid)
    fit, rng = _thinned(fit, draws), np.random.default_rng([random_seed, 3])
    found = curve_parameters(fit, grid, draw_new, random_seed)
    sizes = {name: grid[name].values for name in fit.model.law.predictors}
    scatter, wrong = (
        response_distribution_at(fit, found, sizes),
        discrepancy_at(fit, found, sizes, rng),
    )
    if noise is not None:
        drawn = _noise_drawn(noise, (*scatter.law.shape[:2], found.number.size), rng)
        scatter = replace(scatter, sigma=drawn[..., found.curve])
    if "stderr" in grid:
        scatter = _with_errors(scatter, grid["stderr"].values)
    return forecast_dataset(fit, grid, scatter, wrong, rng)


def _thinned(fit: Fit, draws: int) -> Fit:
    """The fit with no more draws than asked for in all chains, evenly taken."""
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    sizes = fit.tree["unconstrained_posterior"].sizes
    every = math.ceil(sizes["chain"] * sizes["draw"] / draws)
    if every == 1:
        return fit
    some = {"draw": slice(None, None, every)}
    kept = {
        name: fit.tree[name].to_dataset().isel(some)
        for name in ("posterior", "unconstrained_posterior")
    }
    tree = xr.DataTree.from_dict({f"/{name}": data for name, data in kept.items()})
    tree.attrs.update(fit.tree.attrs)
    return replace(fit, tree=tree)


def _noise_drawn(
    noise: Fixed | LogNormal, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    match noise:
        case Fixed(value):
            return np.full(shape, float(value))
        case LogNormal(median, factor):
            return median * factor ** rng.standard_normal(shape)
    raise TypeError(f"noise takes bl.Fixed or bl.LogNormal, got {noise!r}")


def _with_errors(scatter: ResponseDistribution, error: np.ndarray) -> ResponseDistribution:
    with np.errstate(divide="ignore", invalid="ignore"):
        known = error * scatter.noise.scale.slope(scatter.law, scatter.unit)
    return replace(scatter, sigma=np.hypot(scatter.sigma, known))


def interval(forecast: xr.Dataset, prob: float = 0.9) -> xr.Dataset:
    """Credible bands of what was drawn: a forecast, a plan, a requirement.

    Parameters
    ----------
    forecast : xarray.Dataset
        Draws on dims chain and draw; they may be infinite.
    prob : float
        Probability inside the equal-tailed band, between 0 and 1.

    Returns
    -------
    xarray.Dataset
        The same variables over ``bound`` = lower, median, upper.

    Raises
    ------
    ValueError
        If `prob` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> draws = xr.Dataset({"mean": (("chain", "draw"), np.arange(101.0)[None])})
    >>> interval(draws, 0.9)["mean"].values
    array([ 5., 50., 95.])
    """
    if not 0 < prob < 1:
        raise ValueError(f"prob must lie between 0 and 1, got {prob}")
    levels = [(1 - prob) / 2, 0.5, (1 + prob) / 2]
    drawn = forecast[[name for name in forecast if "draw" in forecast[name].dims]]
    settings = {"dim": ("chain", "draw"), "keep_attrs": True, "skipna": False}
    with np.errstate(invalid="ignore"):  # draws may be infinite, where nothing lies in between
        bands = drawn.quantile(levels, **settings)
        bands = bands.fillna(drawn.quantile(levels, method="lower", **settings))
    bands = bands.rename(quantile="bound").assign_coords(bound=["lower", "median", "upper"])
    return bands.assign_attrs(forecast.attrs, prob=prob)


def forecast_dataset(
    fit: Fit,
    grid: xr.Dataset,
    scatter: ResponseDistribution,
    wrong: DiscrepancyAt,
    rng: np.random.Generator,
) -> xr.Dataset:
    """Draws of a fit with the labels, units and caveats of a forecast.

    Parameters
    ----------
    fit : Fit
        The fit.
    grid : xarray.Dataset
        Where.
    scatter : Scatter
        Responses about the law there.
    wrong : Wrong
        What the law gets wrong there.
    rng : numpy.random.Generator
        Source of the noise of a new run.

    Returns
    -------
    xarray.Dataset
    """
    mean = scatter.curve(wrong.draw)
    absorbs = scatter.noise.absorbs  # what the law gets wrong can be integrated out
    told = {
        "mean": mean,
        "new_run": scatter.draw(rng, wrong.draw),
        "law": scatter.law,
        "center": scatter.center + (wrong.mean if absorbs else wrong.draw),
        "scale": np.hypot(scatter.sigma, np.sqrt(wrong.variance)) if absorbs else scatter.sigma,
        "noise": scatter.sigma,
        **{name: scatter.parameters[name] for name in scatter.noise.parameters if name == "excess"},
    }
    outside = {"not_positive": float(np.mean(~scatter.noise.scale.holds(mean)))}
    made = grid[[name for name in grid if name in fit.model.law.predictors]]
    made = made.set_coords(list(made.data_vars))
    dims = ("chain", "draw", "run")
    made = made.assign({name: (dims, values) for name, values in told.items()})
    for name in ("mean", "new_run", "law"):
        made[name].attrs = {"long_name": fit.runs.attrs["response"], **outside}
    made["noise"].attrs["long_name"] = "relative scale of the noise"
    return made.assign_attrs(
        response=fit.runs.attrs["response"],
        predictors=list(fit.model.law.predictors),
        groups=group_names(fit.runs),
        law=fit.model.law.name,
        observed=json.dumps(observed_range(fit.runs)),
        observed_range_by_curve=json.dumps(observed_range_by_curve(fit.runs)),
        scatter=json.dumps({"noise": to_record("noise", scatter.noise), "unit": scatter.unit}),
        caveats=fit_caveats(fit),
    )


def log_density(forecast: xr.Dataset, observed: np.ndarray) -> np.ndarray:
    """Log density of responses given each draw of a forecast.

    Parameters
    ----------
    forecast : xarray.Dataset
        A forecast.
    observed : array (run,)
        Responses, in the user's units.

    Returns
    -------
    array (chain, draw, run)
        Of the raw response; what the law gets wrong is integrated out where it can be. For a
        stack it is that of a draw of every fit, by their weights.
    """
    kept = json.loads(forecast.attrs["scatter"])
    if "member" not in forecast.dims:
        return _log_density(forecast, kept, observed)
    each = [_log_density(forecast.isel(member=i), one, observed) for i, one in enumerate(kept)]
    return np.asarray(logsumexp(each, axis=0, b=forecast["weight"].values[:, None, None]))


def _log_density(forecast: xr.Dataset, kept: dict[str, Any], observed: np.ndarray) -> np.ndarray:
    noise = from_record(kept["noise"])
    center, sigma = (forecast[name].values for name in ("center", "scale"))
    beside = {name: forecast[name].values for name in noise.parameters if name in forecast}
    law = forecast["law"].values
    return ResponseDistribution(law, kept["unit"], center, sigma, noise, beside).log_density(
        observed
    )


def fit_caveats(fit: Fit) -> list[str]:
    """What every answer of a fit is subject to, the failure of its gate first.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    list of str
        Sentences.
    """
    gate = Gate.of(fit.tree)
    failed = [] if gate.passed else [gate.sentence]
    return failed if fit.model.discrepancy else [*failed, NO_DISCREPANCY]


def law_caveats(fit: Fit) -> list[str]:
    """What every answer is subject to that is read off the law itself.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    list of str
        Sentences.
    """
    return [*fit_caveats(fit), LAW_ALONE] if fit.model.discrepancy else fit_caveats(fit)


def observed_range(runs: xr.Dataset) -> dict[str, tuple[float, float]]:
    """Smallest and largest value of each predictor.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs.

    Returns
    -------
    dict of str to (float, float)

    Examples
    --------
    >>> from bayeslaw.data.runs import grid
    >>> observed_range(grid(N=[1.0, 10.0]))
    {'N': (1.0, 10.0)}
    """
    return {
        name: (float(runs[name].min()), float(runs[name].max())) for name in predictor_names(runs)
    }


def observed_range_by_curve(runs: xr.Dataset) -> dict[str, dict[str, tuple[float, float]]]:
    """Smallest and largest value of each predictor, by the label of each curve.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs.

    Returns
    -------
    dict of str to dict of str to (float, float)

    Examples
    --------
    >>> runs = grid(N=[1.0, 10.0], task=["c4", "books"])
    >>> observed_range_by_curve(runs.isel(run=slice(3)))
    {'c4': {'N': (1.0, 10.0)}, 'books': {'N': (1.0, 1.0)}}
    """
    curves = curves_in(runs)
    index, count = curve_index(runs, curves), curves.sizes["curve"]
    ranges: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name in predictor_names(runs):
        ranges[name] = np.full(count, np.inf), np.zeros(count)
        np.minimum.at(ranges[name][0], index, runs[name].values)
        np.maximum.at(ranges[name][1], index, runs[name].values)
    return {
        str(label): {name: (float(low[i]), float(high[i])) for name, (low, high) in ranges.items()}
        for i, label in enumerate(curves["curve"].values)
    }
