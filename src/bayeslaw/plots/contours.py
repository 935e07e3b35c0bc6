"""Figure of a law in two predictors: contours, runs of one cost, and the compute-optimal path."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from bayeslaw.data.runs import group_names, predictor_names
from bayeslaw.decisions.allocation import Cost, training_flops
from bayeslaw.forecasting.forecast import interval
from bayeslaw.plots.layout import canvas, label_of, spread
from bayeslaw.plots.style import COLUMN, Inks, house
from bayeslaw.plots.ticks import log_axis

__all__ = ["plot_contours"]

CONTOURS, MOST_COSTS = 8, 6
SAME = 0.01  # in the logarithm of a cost
KEY = (
    "Thin: contours of the law's median {response}. Dashed: runs of one {budget}. Thick: the best "
    "of each, shade its 90% band. Grey ground: beyond the fitted runs."
)


def plot_contours(
    forecast: xr.Dataset,
    plan: xr.Dataset,
    runs: xr.Dataset | None = None,
    *,
    cost: Cost = training_flops,
    ax: Axes | None = None,
) -> Figure:
    """Draw contours of a law in two predictors, runs of equal cost, and the best of each.

    Parameters
    ----------
    forecast : xarray.Dataset
        Draws on a grid of both predictors of one curve, as of `bayeslaw.forecast`; its first
        predictor is on the horizontal axis. Contours are of its ``law``, as the plan is.
    plan : xarray.Dataset
        Draws of the compute-optimal sizes of one curve, as of `bayeslaw.plan`. Of more than six
        budgets, six have their line of equal cost.
    runs : xarray.Dataset, optional
        Runs to draw as dots, those of the forecast's curve.
    cost : callable
        The cost that the plan was made with, as a function of the two predictors alone.
    ax : matplotlib.axes.Axes, optional
        Where to draw. The caveats of the plan are left to you, but a fit that failed is marked.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the forecast is not a grid of two predictors, forecast or plan is of several curves, or
        the plan was made with another cost.

    Examples
    --------
    >>> import bayeslaw as bl, numpy as np
    >>> sizes = bl.grid(N=np.geomspace(1e8, 1e11, 30), D=np.geomspace(1e9, 1e12, 30))
    >>> plan = bl.plan(fit, np.geomspace(1e19, 1e23, 9))  # doctest: +SKIP
    >>> bl.plot_contours(bl.forecast(fit, sizes), plan).savefig("plan.png")  # doctest: +SKIP
    """
    across, up, law = _surface(forecast)
    names = [str(across.name), str(up.name)]
    path = _path(plan, names, cost)
    prices = cost(**dict(zip(names, (across, up), strict=True)))
    budget = label_of(plan["budget"])
    key = KEY.format(response=forecast.attrs["response"], budget=budget)
    notes = [key, *np.atleast_1d(plan.attrs["caveats"]).tolist()]
    with house(ax) as inks:
        figure, axis = canvas(inks, ax, 0.95 * COLUMN, notes)
        for which, sizes in (("x", across), ("y", up)):
            log_axis(axis, which, [float(sizes.min()), float(sizes.max())])
        _draw_ground(axis, forecast, names, inks)
        surface = across.values, up.values
        look: dict[str, Any] = {"colors": inks.grey, "linewidths": 0.5}
        contours = axis.contour(*surface, law, locator=MaxNLocator(CONTOURS), **look)
        axis.clabel(contours, fontsize=5.5, fmt="%.4g", inline_spacing=2)
        _draw_costs(axis, (*surface, prices.transpose(*names[::-1]).values), path, inks)
        _draw_path(axis, path, inks)
        if runs is not None:
            _draw_runs(axis, runs, forecast, names, inks)
        axis.set_xlabel(label_of(across), parse_math=False)
        axis.set_ylabel(label_of(up), parse_math=False)
    return figure


def _surface(forecast: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray, np.ndarray]:
    """Both predictors' sizes, and the law's median, (second, first)."""
    names = predictor_names(forecast)
    if len(names) != 2:
        raise ValueError(f"contours are of two predictors, and the forecast has {names}")
    (across, column), (up, row) = (
        np.unique(forecast[name].values, return_inverse=True) for name in names
    )
    if (
        forecast.sizes["run"] != up.size * across.size
        or len({*zip(row, column, strict=True)}) < up.size * across.size
    ):
        raise ValueError(
            f"contours need each of {across.size} {names[0]} with each of {up.size} {names[1]} "
            f"once, of one curve, and the forecast has {row.size} runs; make it on bayeslaw.grid"
        )
    median = interval(forecast[["law"]].reset_coords(drop=True), 0.5)["law"].sel(bound="median")
    law = np.empty((up.size, across.size))
    law[row, column] = median.values
    first, second = (
        xr.DataArray(values, dims=name, name=name, attrs=forecast[name].attrs)
        for name, values in zip(names, (across, up), strict=True)
    )
    return first, second, law


def _path(plan: xr.Dataset, names: list[str], cost: Cost) -> xr.Dataset:
    """Bands of both sizes over the budget."""
    if plan.sizes["curve"] > 1:
        raise ValueError(
            f"the plan is of {plan.sizes['curve']} curves; choose one: plan.isel(curve=[0])"
        )
    if {*plan.attrs["predictors"]} != {*names}:
        raise ValueError(
            f"the plan trades {plan.attrs['predictors']}, and the forecast has {names}"
        )
    price = cost(**{name: plan[name] for name in names})
    if np.abs(np.log(price / plan["budget"])).max() > SAME:
        raise ValueError(
            f"the plan's sizes do not cost its budgets by {getattr(cost, '__name__', cost)}; give "
            f"the cost that it was made with, {plan.attrs['cost']}: cost=..."
        )
    bands = interval(plan[names].reset_coords(drop=True), 0.9).isel(curve=0)
    return bands.rename({names[0]: "x", names[1]: "y"}).sortby("budget")


def _draw_ground(axis: Axes, forecast: xr.Dataset, names: list[str], inks: Inks) -> None:
    observed = json.loads(forecast.attrs["observed"])
    for name, ends, span in (
        (names[0], axis.get_xlim(), axis.axvspan),
        (names[1], axis.get_ylim(), axis.axhspan),
    ):
        start = float(np.clip(observed[name][1], *ends))
        span(start, ends[1], color=inks.beyond, lw=0, label="beyond")


def _draw_costs(axis: Axes, surface: tuple, path: xr.Dataset, inks: Inks) -> None:
    """Lines of equal cost, each named where it leaves the frame at the top or on the left."""
    chosen = spread(path["budget"].values.tolist(), MOST_COSTS)
    look: dict[str, Any] = {"colors": inks.soft, "linewidths": 0.6, "linestyles": [(0, (3, 2))]}
    lines = axis.contour(*surface, levels=chosen, **look)
    name = ScalarFormatter(useMathText=True).format_data
    place = {"xytext": (3, -4), "textcoords": "offset points", "va": "top"}
    box = {"facecolor": inks.paper, "lw": 0, "pad": 0.6, "alpha": 0.8}
    for budget, segments in zip(chosen, lines.allsegs, strict=True):
        if segments:
            corners = np.concatenate(segments)
            end = corners[corners[:, 1].argmax()]
            axis.annotate(f"${name(float(f'{budget:.2g}'))}$", end, **place, bbox=box, **inks.small)


def _draw_path(axis: Axes, path: xr.Dataset, inks: Inks) -> None:
    """On a line of equal cost the largest of one predictor goes with the smallest of the other."""
    low, middle, high = (
        np.stack([path["x"].sel(bound=x), path["y"].sel(bound=y)], axis=1)
        for x, y in (("lower", "upper"), ("median", "median"), ("upper", "lower"))
    )
    corners = np.concatenate([low, high[::-1]])
    corners = corners[np.isfinite(corners).all(axis=1)]
    axis.fill(corners[:, 0], corners[:, 1], color=inks.bands[0.5], lw=0, alpha=0.6, label="90%")
    look = {"marker": "o" if len(middle) == 1 else "", "ms": 3, "color": inks.accent, "lw": 1.4}
    axis.plot(middle[:, 0], middle[:, 1], **look, label="path")


def _draw_runs(
    axis: Axes, runs: xr.Dataset, forecast: xr.Dataset, names: list[str], inks: Inks
) -> None:
    """The runs of the forecast's curve."""
    own = np.ones(runs.sizes["run"], dtype=bool)
    for group in group_names(forecast):
        own &= runs[group].values == forecast[group].values[0]
    x, y = (runs[name].values[own] for name in names)
    axis.plot(x, y, "o", ms=1.6, mew=0, color=inks.ink, alpha=0.5, label="runs")
