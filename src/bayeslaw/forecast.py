"""From a fit to what happens at runs that were not made."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr

from bayeslaw import runs as table
from bayeslaw.fit import Fit
from bayeslaw.gate import Gate
from bayeslaw.places import parameters_at, require_predictors
from bayeslaw.posterior import law_values

__all__ = ["answer", "caveats_of", "forecast", "interval", "observed_range"]

NO_MISFIT = (
    "Beyond the data these bands hold only if the law does: what the law gets wrong is not in them."
)


def forecast(
    fit: Fit, grid: xr.Dataset, *, draw_new: Sequence[str] = (), random_seed: int = 0
) -> xr.Dataset:
    """Posterior draws of the curve and of a new run at given sizes.

    Parameters
    ----------
    fit : Fit
        The fit.
    grid : xarray.Dataset
        Where: `bayeslaw.grid`, or runs that were held out.
    draw_new : sequence of str, optional
        Groups whose levels that the fit has not seen are drawn from the population. A curve of
        known levels that were never seen together is always forecast, with a deviation of its
        own drawn.
    random_seed : int
        Seed of the noise and of what is drawn from the population.

    Returns
    -------
    xarray.Dataset
        ``mean`` (the curve) and ``new_run`` (a run observed there) with dims chain, draw, run,
        and the grid's coordinates. A ``new_run`` at or below zero means that the law is not
        positive there; its attribute ``not_positive`` is the probability of that.

    Raises
    ------
    ValueError
        If the grid lacks a predictor or group of the fit, or has a level that the fit has not
        seen and that `draw_new` does not name.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> grid = bl.grid(D=[1e3, 1e4], task="digits", learner="linear")
    >>> forecast = bl.forecast(fit, grid)  # doctest: +SKIP
    """
    require_predictors(fit, grid)
    rng = np.random.default_rng([random_seed, 3])
    parameters = parameters_at(fit, grid, draw_new, random_seed)
    predictors = {name: grid[name].values for name in fit.model.law.predictors}
    mean = law_values(fit.model, parameters, predictors, slice(None))
    sigma = parameters["sigma"]
    if "stderr" in grid:
        with np.errstate(divide="ignore", invalid="ignore"):
            sigma = np.hypot(sigma, grid["stderr"].values / mean)
    new_run = fit.model.noise.draw(rng, mean, sigma)
    return answer(fit, grid, mean, new_run, sigma)


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


def answer(
    fit: Fit, grid: xr.Dataset, mean: np.ndarray, new_run: np.ndarray, sigma: np.ndarray
) -> xr.Dataset:
    """Draws of a fit with the labels, units and caveats of a forecast.

    Parameters
    ----------
    fit : Fit
        The fit.
    grid : xarray.Dataset
        Where.
    mean, new_run, sigma : array (chain, draw, run)
        The curve, a run observed there, and its relative noise.

    Returns
    -------
    xarray.Dataset
    """
    dims = ("chain", "draw", "run")
    units = {"long_name": fit.runs.attrs["response"]}
    made = grid[[name for name in grid if name in fit.model.law.predictors]]
    made = made.set_coords(list(made.data_vars))
    return made.assign(
        mean=(dims, mean, units | {"not_positive": float(np.mean(mean <= 0))}),
        new_run=(dims, new_run, units | {"not_positive": float(np.mean(mean <= 0))}),
        noise=(dims, sigma, {"long_name": "relative scale of the noise"}),
    ).assign_attrs(
        response=fit.runs.attrs["response"],
        predictors=list(fit.model.law.predictors),
        groups=table.groups(fit.runs),
        law=fit.model.law.name,
        observed=json.dumps(observed_range(fit.runs)),
        caveats=caveats_of(fit),
    )


def caveats_of(fit: Fit) -> list[str]:
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
    return [NO_MISFIT] if gate.passed else [gate.sentence, NO_MISFIT]


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
    >>> from bayeslaw.runs import grid
    >>> observed_range(grid(N=[1.0, 10.0]))
    {'N': (1.0, 10.0)}
    """
    return {
        name: (float(runs[name].min()), float(runs[name].max())) for name in table.predictors(runs)
    }
