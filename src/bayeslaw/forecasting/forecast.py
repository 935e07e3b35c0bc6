"""Posterior predictive forecasts: draws of the curve and of a new run at given sizes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from bayeslaw._arguments import COUNT, SEED
from bayeslaw._inference.pointwise import ResponseDistribution
from bayeslaw._law.units import predictor_scales
from bayeslaw._suggestions import names_arguments, require_kind
from bayeslaw.data.runs import group_names
from bayeslaw.fitting.result import Fit, require_fit
from bayeslaw.fitting.thinning import thin
from bayeslaw.forecasting.caveats import fit_caveats
from bayeslaw.forecasting.curve_lookup import curve_parameters, require_columns, taken_by
from bayeslaw.forecasting.observed_range import observed_range, observed_range_by_curve
from bayeslaw.forecasting.predictive_at import DiscrepancyAt, response_distribution_at
from bayeslaw.forecasting.random_parts import JointDraws, MarginalDraws
from bayeslaw.forecasting.stack import Stack, stack_forecasts
from bayeslaw.model.noise_kind import own_parameters
from bayeslaw.model.serialise import from_record, to_record
from bayeslaw.priors import Fixed, LogNormal

__all__ = [
    "ForecastOptions",
    "draw_forecast",
    "forecast",
    "forecast_dataset",
    "log_density",
    "mixture",
    "thinned",
]


@names_arguments
def forecast(
    fit: Fit | Stack,
    grid: xr.Dataset,
    *,
    noise: Fixed | LogNormal | None = None,
    draw_new: Sequence[str] = (),
    draws: int = 4000,
    random_seed: int = 0,
) -> xr.Dataset:
    """Draw the curve and a new run at given sizes from the posterior predictive distribution.

    Parameters
    ----------
    fit : Fit or Stack
        The fit, or a weighted mixture of fits; see `bayeslaw.stack`.
    grid : xarray.Dataset
        Sizes and curves to forecast: `bayeslaw.grid`, or held-out runs. For thousands of points,
        whose draws take gigabytes, see `bayeslaw.forecast_bands`.
    noise : Fixed or LogNormal, optional
        Relative noise of the new runs, where it differs from that of the fitted runs, which may
        have been averaged or selected: see `observation_noise`. A `LogNormal` is drawn once for
        each curve and draw.
    draw_new : sequence of str, optional
        Groups whose unseen levels are drawn from the population. A new combination of known
        levels can always be forecast: its own deviation is drawn.
    draws : int
        Maximum number of draws; a longer fit is thinned.
    random_seed : int
        Seed of the noise, of the discrepancy, and of draws from the population.

    Returns
    -------
    xarray.Dataset
        Draws with dims chain, draw, run and the grid's coordinates. ``law`` is the law alone,
        ``mean`` the curve (law and discrepancy), ``new_run`` a run observed there. Where the law
        is outside the scale of the noise, at or below zero for a loss, ``new_run`` is the law's
        value; the attribute ``not_positive`` is the probability of that. ``center``, ``scale``
        and ``noise`` serve scores: the distribution of a response given a draw, on the scale of
        the noise.

    Raises
    ------
    TypeError
        If `noise` is another kind of prior, `fit` is no fit, or `grid` is no grid.
    ValueError
        If `draws`, the seed or the noise is out of its range; if the grid lacks a predictor or
        group of the fit, has one that the fit has not, or an unseen level of a group that
        `draw_new` does not name; or if the draws would not fit in memory.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> grid = bl.grid(D=[1e3, 1e4], task="digits", learner="linear")
    >>> forecast = bl.forecast(fit, grid)  # doctest: +SKIP
    """
    points = "points, as bl.grid(N=[1e9]) makes them, or runs of bl.read_runs"
    require_kind("grid", grid, xr.Dataset, points)
    options = ForecastOptions(noise, draw_new, draws, random_seed)
    return mixture(fit, grid, partial(draw_forecast, options=options, kind=JointDraws))


@dataclass(frozen=True)
class ForecastOptions:
    """Options of a forecast, as `forecast` has them."""

    noise: Fixed | LogNormal | None
    draw_new: Sequence[str]
    draws: int
    random_seed: int


def mixture(
    fit: Fit | Stack, grid: xr.Dataset, draw: Callable[[Fit, xr.Dataset], xr.Dataset]
) -> xr.Dataset:
    """What a function draws from a fit at a grid, or the mixture of it over a stack."""
    if isinstance(fit, Stack):
        require_columns(fit.fits.values(), grid)
        members = {n: draw(member, taken_by(member, grid)) for n, member in fit.fits.items()}
        return stack_forecasts(members, fit.weights)
    require_fit(fit)
    return draw(fit, grid)


def draw_forecast(
    fit: Fit,
    grid: xr.Dataset,
    *,
    options: ForecastOptions,
    kind: type[JointDraws | MarginalDraws],
) -> xr.Dataset:
    """The forecast of a fit, with its random parts drawn in one of the ways that there are."""
    require_columns([fit], grid)
    random = kind(SEED.check("random_seed", options.random_seed))
    fit = thinned(fit, options.draws)
    curves = curve_parameters(fit, grid, options.draw_new, options.random_seed)
    sizes = {name: grid[name].values for name in fit.model.law.predictors}
    _require_representable(fit, sizes)
    response = response_distribution_at(fit, curves, sizes)
    discrepancy = random.discrepancy(fit, curves, sizes)
    if options.noise is not None:
        shape = (*response.law.shape[:2], curves.fitted_index.size)
        sigma = random.noise_of_curves(options.noise, shape)
        response = replace(response, sigma=sigma[..., curves.curve])
    if "stderr" in grid:
        response = _with_standard_errors(response, grid["stderr"].values)
    new_run = random.new_run(response, discrepancy.draw)
    return forecast_dataset(
        fit, grid, response, discrepancy, new_run, with_density=random.are_joint
    )


def thinned(fit: Fit, draws: int) -> Fit:
    """The fit with at most as many draws in all chains together."""
    draws = COUNT.check("draws", draws)
    sizes = fit.tree["unconstrained_posterior"].sizes
    return thin(fit, math.ceil(sizes["chain"] * sizes["draw"] / draws))


def _require_representable(fit: Fit, sizes: dict[str, np.ndarray]) -> None:
    """Raise if a size, in units of the reference, is zero or infinite in floating point."""
    for name, scale in predictor_scales(fit.model.law, fit.runs).items():
        with np.errstate(over="ignore"):
            scaled = sizes[name] / scale
        outside = ~np.isfinite(scaled) | (scaled < np.finfo(float).tiny)
        if outside.any():
            raise ValueError(
                f"{name} = {sizes[name][outside][0]:g} is too far from the sizes of the runs, "
                f"about {scale:g}, to be computed with"
            )


def _with_standard_errors(
    response: ResponseDistribution, stderr: np.ndarray
) -> ResponseDistribution:
    with np.errstate(divide="ignore", invalid="ignore"):
        known_error = stderr * response.noise.scale.slope(response.law, response.unit)
    return replace(response, sigma=np.hypot(response.sigma, known_error))


def forecast_dataset(
    fit: Fit,
    grid: xr.Dataset,
    response: ResponseDistribution,
    discrepancy: DiscrepancyAt,
    new_run: np.ndarray,
    *,
    with_density: bool = True,
) -> xr.Dataset:
    """A forecast from distributions at the rows of a grid: draws, labels, units and caveats.

    Without the density it has no variables but the curve and the new run.
    """
    draws = {"mean": response.curve(discrepancy.draw), "new_run": new_run}
    if with_density:
        draws |= _density(response, discrepancy)
    not_positive = float(np.mean(~response.noise.scale.holds(draws["mean"])))
    data = grid[[name for name in grid if name in fit.model.law.predictors]]
    data = data.set_coords(list(data.data_vars))
    dims = ("chain", "draw", "run")
    data = data.assign({name: (dims, values) for name, values in draws.items()})
    attributes = {"long_name": fit.runs.attrs["response"], "not_positive": not_positive}
    labels = dict.fromkeys(("mean", "new_run", "law"), attributes)
    labels |= {"noise": {"long_name": "relative scale of the noise"}}
    for name in draws.keys() & labels.keys():
        data[name].attrs = dict(labels[name])
    return data.assign_attrs(
        response=fit.runs.attrs["response"],
        predictors=list(fit.model.law.predictors),
        groups=group_names(fit.runs),
        law=fit.model.law.name,
        observed=json.dumps(observed_range(fit.runs)),
        observed_by_curve=json.dumps(observed_range_by_curve(fit.runs)),
        scatter=json.dumps({"noise": to_record("noise", response.noise), "unit": response.unit}),
        caveats=fit_caveats(fit),
    )


def _density(response: ResponseDistribution, discrepancy: DiscrepancyAt) -> dict[str, np.ndarray]:
    """Variables of a forecast that serve scores, each (chain, draw, run)."""
    center, scale = response.center + discrepancy.draw, response.sigma
    if response.noise.absorbs:  # the discrepancy can be integrated out
        center = response.center + discrepancy.mean
        scale = np.hypot(response.sigma, np.sqrt(discrepancy.variance))
    return {
        "law": response.law,
        "center": center,
        "scale": scale,
        "noise": response.sigma,
        **{name: response.parameters[name] for name in own_parameters(response.noise)},
    }


def log_density(forecast: xr.Dataset, observed: np.ndarray) -> np.ndarray:
    """Log density (chain, draw, run) of responses (run,) given each draw of a forecast.

    The discrepancy is integrated out where it can be. A stack mixes the densities of its members.
    """
    records = json.loads(forecast.attrs["scatter"])
    if "member" not in forecast.dims:
        return _log_density(forecast, records, observed)
    densities = [
        _log_density(forecast.isel(member=i), record, observed) for i, record in enumerate(records)
    ]
    return np.asarray(logsumexp(densities, axis=0, b=forecast["weight"].values[:, None, None]))


def _log_density(forecast: xr.Dataset, record: dict[str, Any], observed: np.ndarray) -> np.ndarray:
    noise = from_record(record["noise"])
    law, center, sigma = (forecast[name].values for name in ("law", "center", "scale"))
    parameters = {name: forecast[name].values for name in noise.parameters if name in forecast}
    response = ResponseDistribution(law, record["unit"], center, sigma, noise, parameters)
    return response.log_density(observed)
