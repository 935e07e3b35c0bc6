"""From a fit to what happens at runs that were not made."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr

from bayeslaw import runs as table
from bayeslaw.coordinates import coordinates
from bayeslaw.fit import Fit
from bayeslaw.gate import Gate
from bayeslaw.pooling import groupings, is_pooled, layout
from bayeslaw.posterior import law_values, natural
from bayeslaw.units import scales_of

__all__ = ["forecast", "interval"]

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
    _require_same_predictors(fit, grid)
    rng = np.random.default_rng([random_seed, 3])
    wanted = table.curves(_with_groups(fit, grid))
    parameters = _parameters(fit, wanted, tuple(draw_new), random_seed)
    curve = table.curve_index(_with_groups(fit, grid), wanted)
    predictors = {name: grid[name].values for name in fit.model.law.predictors}
    mean = law_values(fit.model, parameters, predictors, curve)
    sigma = parameters["sigma"][..., curve]
    if "stderr" in grid:
        with np.errstate(divide="ignore", invalid="ignore"):
            sigma = np.hypot(sigma, grid["stderr"].values / mean)
    new_run = fit.model.noise.draw(rng, mean, sigma)
    return _labelled(fit, grid, mean, new_run, sigma)


def interval(forecast: xr.Dataset, prob: float = 0.9) -> xr.Dataset:
    """Credible bands of a forecast.

    Parameters
    ----------
    forecast : xarray.Dataset
        Draws, as of `forecast`.
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
    with np.errstate(invalid="ignore"):  # draws may be infinite far beyond the data
        bands = drawn.quantile(levels, dim=("chain", "draw"), keep_attrs=True, skipna=False)
    bands = bands.rename(quantile="bound").assign_coords(bound=["lower", "median", "upper"])
    return bands.assign_attrs(forecast.attrs, prob=prob)


def _require_same_predictors(fit: Fit, grid: xr.Dataset) -> None:
    missing = [name for name in fit.model.law.predictors if name not in grid]
    if missing:
        raise ValueError(
            f"the grid has no {missing[0]!r}, which law {fit.model.law.name!r} needs; "
            f"it has {table.predictors(grid)}"
        )
    lacking = [name for name in table.groups(fit.runs) if name not in grid.coords]
    if lacking:
        raise ValueError(
            f"the grid does not say which {lacking[0]!r}; the fit has "
            f"{_levels(fit.runs, lacking[0])}"
        )


def _levels(runs: xr.Dataset, group: str) -> list[str]:
    return list(dict.fromkeys(str(label) for label in runs[group].values))


def _with_groups(fit: Fit, grid: xr.Dataset) -> xr.Dataset:
    """The grid with the groups of the fit, in their order."""
    return grid.assign_attrs(groups=table.groups(fit.runs))


def _parameters(
    fit: Fit, wanted: xr.Dataset, draw_new: tuple[str, ...], random_seed: int
) -> dict[str, np.ndarray]:
    """Parameters of the wanted curves in the user's units, each (chain, draw, curve)."""
    known = table.curves(fit.runs)
    groups = table.groups(fit.runs)
    where = {_key(known, groups, i): i for i in range(known.sizes["curve"])}
    places = [where.get(_key(wanted, groups, i)) for i in range(wanted.sizes["curve"])]
    _require_known_levels(fit, wanted, places, draw_new)
    link = fit.tree["link"].to_dataset()
    names = [str(name) for name in link["parameter"].values]
    columns = [
        link["theta"].values[..., place]
        if place is not None
        else _new_curve(fit, names, wanted.isel(curve=i), random_seed)
        for i, place in enumerate(places)
    ]
    theta = np.stack(columns, axis=-1)
    rows = {name: theta[:, :, row] for row, name in enumerate(names)}
    return natural(fit.model, coordinates(fit.model), rows, scales_of(fit.model.law, fit.runs))


def _key(curves: xr.Dataset, groups: list[str], i: int) -> tuple[str, ...]:
    return tuple(str(curves[group].values[i]) for group in groups)


def _require_known_levels(
    fit: Fit, wanted: xr.Dataset, places: list[int | None], draw_new: tuple[str, ...]
) -> None:
    unknown = [i for i, place in enumerate(places) if place is None]
    if unknown and not is_pooled(fit.model, table.curves(fit.runs)):
        label = str(wanted["curve"].values[unknown[0]])
        raise ValueError(
            f"no curve {label!r} in this fit, which was made without pooling: nothing is known "
            "about other curves"
        )
    for group in table.groups(fit.runs):
        seen = _levels(fit.runs, group)
        for i in unknown:
            label = str(wanted[group].values[i])
            if label not in seen and group not in draw_new:
                raise ValueError(
                    f"{group} {label!r} is not in this fit, which has {seen}; to draw a new "
                    f"{group} from the population ask for draw_new=[{group!r}]"
                )


def _new_curve(fit: Fit, names: list[str], labels: xr.Dataset, random_seed: int) -> np.ndarray:
    """Reference coordinates (chain, draw, parameter) of a curve drawn from the population.

    What is drawn depends on the names of curve and level alone: all curves of a new level share
    its effect, and a curve is the same whatever else is asked for.
    """
    link = fit.tree["link"].to_dataset()
    where = layout(groupings(fit.model, table.curves(fit.runs)), names)
    spread = link["spread"].values
    center = link["center"].values
    own = _standard_normal(center.shape, random_seed, "own", str(labels["curve"].values))
    theta = center + spread[..., : len(names)] * own
    for i, (name, group) in enumerate(where.spreads[len(names) :], start=len(names)):
        level = (name, group, str(labels[group].values))
        if level in where.levels:
            effect = link["effects"].values[..., where.levels.index(level)]
        else:
            effect = _standard_normal(theta.shape[:2], random_seed, *level)
        theta[..., names.index(name)] += spread[..., i] * effect
    return theta


def _standard_normal(shape: tuple[int, ...], random_seed: int, *name: str) -> np.ndarray:
    rng = np.random.default_rng([random_seed, *repr(name).encode()])
    return rng.standard_normal(shape)


def _labelled(
    fit: Fit, grid: xr.Dataset, mean: np.ndarray, new_run: np.ndarray, sigma: np.ndarray
) -> xr.Dataset:
    gate, dims = Gate.of(fit.tree), ("chain", "draw", "run")
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
        observed=json.dumps(_observed(fit.runs)),
        caveats=[sentence for sentence in (_distrust(gate), NO_MISFIT) if sentence],
    )


def _distrust(gate: Gate) -> str:
    return "" if gate.passed else gate.sentence


def _observed(runs: xr.Dataset) -> dict[str, tuple[float, float]]:
    """Smallest and largest value of each predictor that the law was fitted to."""
    return {
        name: (float(runs[name].min()), float(runs[name].max())) for name in table.predictors(runs)
    }
