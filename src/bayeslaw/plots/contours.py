"""Contour figure of a law in two predictors, with isoFLOP lines and the compute-optimal path."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from bayeslaw.data.runs import group_names, predictor_names
from bayeslaw.decisions.allocation import Cost, training_flops
from bayeslaw.decisions.plan import plan as draw_plan
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.curve_lookup import prediction_grid
from bayeslaw.forecasting.forecast import forecast as draw_forecast
from bayeslaw.forecasting.interval import interval
from bayeslaw.forecasting.observed_range import observed_range
from bayeslaw.plots.figures import FitFigure
from bayeslaw.plots.layout import axes_with_notes, axis_label, evenly_spaced
from bayeslaw.plots.style import COLUMN_WIDTH, Palette, package_style
from bayeslaw.plots.ticks import set_log_scale

__all__ = ["FIGURE", "plot_contours"]

CONTOURS, MAX_BUDGETS = 8, 6
SIZES, MARGIN = 30, 1.5  # of each predictor: number, and a factor beyond the runs and the plan
TOLERANCE = 0.01  # in the logarithm of a cost
CAPTION = (
    "Thin: contours of the law's median {response}. Dashed: runs of equal {budget}. Thick: the "
    "optimum, with its 90% band shaded. Grey background: beyond the fitted runs."
)


def plot_contours(
    forecast: xr.Dataset,
    plan: xr.Dataset,
    runs: xr.Dataset | None = None,
    *,
    cost: Cost = training_flops,
    ax: Axes | None = None,
) -> Figure:
    """Plot contours of a law in two predictors, lines of equal cost, and the optimum on each.

    Parameters
    ----------
    forecast : xarray.Dataset
        Draws on a grid of both predictors for one curve, as `bayeslaw.forecast` returns them;
        the first predictor is on the horizontal axis. Contours are of its ``law``, without the
        discrepancy, as in the plan.
    plan : xarray.Dataset
        Draws of the compute-optimal sizes of one curve, as `bayeslaw.plan` returns them. At most
        six budgets get a line of equal cost.
    runs : xarray.Dataset, optional
        Runs to draw as dots; only those of the forecast's curve are shown.
    cost : callable
        The cost function of the plan, as a function of the two predictors alone.
    ax : matplotlib.axes.Axes, optional
        Axes to draw in. The plan's caveats are not written there, but a fit that did not converge
        is marked.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the forecast is not on a grid of two predictors, if forecast or plan has several curves,
        or if the plan was made with another cost.

    Examples
    --------
    >>> import bayeslaw as bl, numpy as np
    >>> sizes = bl.grid(N=np.geomspace(1e8, 1e11, 30), D=np.geomspace(1e9, 1e12, 30))
    >>> plan = bl.plan(fit, np.geomspace(1e19, 1e23, 9))  # doctest: +SKIP
    >>> bl.plot_contours(bl.forecast(fit, sizes), plan).savefig("plan.png")  # doctest: +SKIP
    """
    x, y, law = _surface(forecast)
    names = [str(x.name), str(y.name)]
    path = _path(plan, names, cost)
    costs = cost(**dict(zip(names, (x, y), strict=True)))
    budget = axis_label(plan["budget"])
    caption = CAPTION.format(response=forecast.attrs["response"], budget=budget)
    notes = [caption, *np.atleast_1d(plan.attrs["caveats"]).tolist()]
    with package_style(ax) as palette:
        figure, axis = axes_with_notes(palette, ax, 0.95 * COLUMN_WIDTH, notes)
        for which, sizes in (("x", x), ("y", y)):
            set_log_scale(axis, which, [float(sizes.min()), float(sizes.max())])
        _shade_extrapolation(axis, forecast, names, palette)
        grid = x.values, y.values
        line_style: dict[str, Any] = {"colors": palette.grey, "linewidths": 0.5}
        contours = axis.contour(*grid, law, locator=MaxNLocator(CONTOURS), **line_style)
        axis.clabel(contours, fontsize=5.5, fmt="%.4g", inline_spacing=2)
        _draw_budgets(axis, (*grid, costs.transpose(*names[::-1]).values), path, palette)
        _draw_path(axis, path, palette)
        if runs is not None:
            _draw_runs(axis, runs, forecast, names, palette)
        axis.set_xlabel(axis_label(x), parse_math=False)
        axis.set_ylabel(axis_label(y), parse_math=False)
    return figure


def _surface(forecast: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray, np.ndarray]:
    """Sizes of both predictors, and the median of the law, (second, first)."""
    names = predictor_names(forecast)
    if len(names) != 2:
        raise ValueError(f"contours are of two predictors, and the forecast has {names}")
    (x, column), (y, row) = (
        np.unique(forecast[name].values, return_inverse=True) for name in names
    )
    if (
        forecast.sizes["run"] != y.size * x.size
        or len({*zip(row, column, strict=True)}) < y.size * x.size
    ):
        raise ValueError(
            f"contours need each of {x.size} {names[0]} with each of {y.size} {names[1]} "
            f"once, of one curve, and the forecast has {row.size} runs; make it on bayeslaw.grid"
        )
    median = interval(forecast[["law"]].reset_coords(drop=True), 0.5)["law"].sel(bound="median")
    law = np.empty((y.size, x.size))
    law[row, column] = median.values
    first, second = (
        xr.DataArray(values, dims=name, name=name, attrs=forecast[name].attrs)
        for name, values in zip(names, (x, y), strict=True)
    )
    return first, second, law


def _path(plan: xr.Dataset, names: list[str], cost: Cost) -> xr.Dataset:
    """Bands of both sizes, as x and y, by budget."""
    if plan.sizes["curve"] > 1:
        raise ValueError(
            f"the plan is of {plan.sizes['curve']} curves; choose one: plan.isel(curve=[0])"
        )
    if {*plan.attrs["predictors"]} != {*names}:
        raise ValueError(
            f"the plan trades {plan.attrs['predictors']}, and the forecast has {names}"
        )
    total = cost(**{name: plan[name] for name in names})
    if np.abs(np.log(total / plan["budget"])).max() > TOLERANCE:
        raise ValueError(
            f"the plan's sizes do not cost its budgets by {getattr(cost, '__name__', cost)}; give "
            f"the cost that it was made with, {plan.attrs['cost']}: cost=..."
        )
    bands = interval(plan[names].reset_coords(drop=True), 0.9).isel(curve=0)
    return bands.rename({names[0]: "x", names[1]: "y"}).sortby("budget")


def _shade_extrapolation(
    axis: Axes, forecast: xr.Dataset, names: list[str], palette: Palette
) -> None:
    observed = json.loads(forecast.attrs["observed"])
    for name, ends, span in (
        (names[0], axis.get_xlim(), axis.axvspan),
        (names[1], axis.get_ylim(), axis.axhspan),
    ):
        start = float(np.clip(observed[name][1], *ends))
        span(start, ends[1], color=palette.extrapolation, lw=0, label="beyond")


def _draw_budgets(axis: Axes, surface: tuple, path: xr.Dataset, palette: Palette) -> None:
    """Draw lines of equal cost, each labelled where it leaves the frame at the top or the left."""
    chosen = evenly_spaced(path["budget"].values.tolist(), MAX_BUDGETS)
    line_style: dict[str, Any] = {
        "colors": palette.muted,
        "linewidths": 0.6,
        "linestyles": [(0, (3, 2))],
    }
    lines = axis.contour(*surface, levels=chosen, **line_style)
    format_power = ScalarFormatter(useMathText=True).format_data
    offset = {"xytext": (3, -4), "textcoords": "offset points", "va": "top"}
    box = {"facecolor": palette.background, "lw": 0, "pad": 0.6, "alpha": 0.8}
    for budget, segments in zip(chosen, lines.allsegs, strict=True):
        corners = np.concatenate([np.empty((0, 2)), *segments])
        if corners.size:  # the line is in the frame
            end = corners[corners[:, 1].argmax()]
            label = f"${format_power(float(f'{budget:.2g}'))}$"
            axis.annotate(label, end, **offset, bbox=box, **palette.note_style)


def _draw_path(axis: Axes, path: xr.Dataset, palette: Palette) -> None:
    """Draw the compute-optimal sizes; the upper end of one predictor pairs with the lower other."""
    low, middle, high = (
        np.stack([path["x"].sel(bound=x), path["y"].sel(bound=y)], axis=1)
        for x, y in (("lower", "upper"), ("median", "median"), ("upper", "lower"))
    )
    corners = np.concatenate([low, high[::-1]])
    corners = corners[np.isfinite(corners).all(axis=1)]
    axis.fill(corners[:, 0], corners[:, 1], color=palette.bands[0.5], lw=0, alpha=0.6, label="90%")
    line_style = {
        "marker": "o" if len(middle) == 1 else "",
        "ms": 3,
        "color": palette.accent,
        "lw": 1.4,
    }
    axis.plot(middle[:, 0], middle[:, 1], **line_style, label="path")


def _draw_runs(
    axis: Axes, runs: xr.Dataset, forecast: xr.Dataset, names: list[str], palette: Palette
) -> None:
    """Draw the runs of the forecast's curve."""
    of_curve = np.ones(runs.sizes["run"], dtype=bool)
    for group in group_names(forecast):
        of_curve &= runs[group].values == forecast[group].values[0]
    x, y = (runs[name].values[of_curve] for name in names)
    axis.plot(x, y, "o", ms=1.6, mew=0, color=palette.foreground, alpha=0.5, label="runs")


def _draw_fit(
    fit: Fit,
    *,
    budget: Sequence[float],
    at: Mapping[str, Any] | None = None,
    draw_new: Sequence[str] = (),
) -> Figure:
    """Draw the law and the compute-optimal sizes of one curve of a fit."""
    plan = draw_plan(fit, budget, at=at, draw_new=draw_new)
    if plan.sizes["curve"] > 1:
        choice = " and ".join(f"at={{{group!r}: ...}}" for group in group_names(fit.runs))
        raise ValueError(
            f"contours are of one curve, and there are {plan.sizes['curve']}; choose with {choice}"
        )
    points = prediction_grid(fit, {**_surface_sizes(fit, plan), **(at or {})})
    return plot_contours(draw_forecast(fit, points, draw_new=draw_new), plan, fit.runs)


def _surface_sizes(fit: Fit, plan: xr.Dataset) -> dict[str, np.ndarray]:
    """Sizes of both predictors, around those of the runs and the plan."""
    ranges, median = observed_range(fit.runs), interval(plan, 0.9).sel(bound="median")
    sizes = {}
    for name in plan.attrs["predictors"]:
        ends = [*ranges[name], *median[name].values.ravel()]
        sizes[name] = np.geomspace(np.nanmin(ends) / MARGIN, np.nanmax(ends) * MARGIN, SIZES)
    return sizes


FIGURE = FitFigure(_draw_fit)
