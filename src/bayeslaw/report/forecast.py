"""What lies ahead: the forecast, and what to buy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw.data.runs import group_names, predictor_names, response_values
from bayeslaw.decisions.allocation import training_flops
from bayeslaw.decisions.plan import plan
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.forecast import forecast, interval
from bayeslaw.plots import plot_forecast
from bayeslaw.report.blocks import Block, Explorer, Items, Paragraph, Picture, Section, Table
from bayeslaw.report.forecast_lines import LEVELS, Line, grid_of, nearest
from bayeslaw.report.judgement import told_of
from bayeslaw.report.pictures import png_of

__all__ = ["about_forecast", "about_plan"]

MOST_PANELS, PANEL_DRAWS = 12, 1000
TIMES = (1.0, 10.0, 100.0)  # the largest budget of the runs
BOUNDS = ("lower", "median", "upper")
READ = (
    "Choose a curve and the axes; drag to zoom, double-click to see all. The line is the median "
    "curve, dashes are its 90% band and dots its 50% band; the shades hold 50% and 90% of new "
    "runs. Sizes on grey are beyond the data. The table below has the same numbers."
)


def about_forecast(
    fit: Fit, lines: list[Line], later: xr.Dataset | None, draw_new: Sequence[str], seed: int
) -> Section:
    """The forecast to explore, at a glance, and in numbers.

    Parameters
    ----------
    fit : Fit
        The fit.
    lines : list of Line
        Forecasts.
    later : xarray.Dataset, optional
        Held-out runs, to be shown.
    draw_new : sequence of str
        Groups whose unknown levels are drawn.
    seed : int
        Seed of the forecast.

    Returns
    -------
    Section
    """
    response = fit.runs.attrs["response"]
    blocks: list[Block] = [Paragraph(READ), Explorer(_explored(fit, lines))]
    blocks += _panels(fit, lines, later, draw_new, seed)
    caption = f"Quantiles of the {response}: of the curve, and of a new run on it"
    blocks.append(Table("forecast-table", caption, _numbers(lines)))
    return Section("forecast", "Forecast", tuple(blocks))


def about_plan(fit: Fit, budget: Sequence[float] | None) -> list[Section]:
    """Compute-optimal sizes, where the law is one of N and D or a budget is given.

    Parameters
    ----------
    fit : Fit
        The fit.
    budget : sequence of float, optional
        Budgets in FLOPs.

    Returns
    -------
    list of Section
        One, or none.
    """
    if budget is None and not {"N", "D"} <= {*fit.model.law.predictors}:
        return []
    try:
        found = plan(fit, _budgets(fit) if budget is None else budget)
    except ValueError as error:
        if budget is not None:
            raise
        return [Section("plan", "Plan", (Paragraph(f"There is no plan: {error}."),))]
    blocks = (
        Paragraph("The best split of a budget of 6 N D FLOPs by the law: medians and 90% bands."),
        Table("plan-table", "Compute-optimal sizes", _planned(found)),
        Items(tuple(np.atleast_1d(found.attrs["caveats"]).tolist())),
    )
    return [Section("plan", "Plan", blocks)]


def _explored(fit: Fit, lines: list[Line]) -> dict[str, Any]:
    response, x = fit.runs.attrs["response"], lines[0].predictor
    return {
        "predictor": _labelled(fit.runs[x]),
        "response": _labelled(response_values(fit.runs)),
        "lines": [_plain(line, told_of(line, response)) for line in lines],
    }


def _labelled(values: xr.DataArray) -> str:
    units = f" ({values.attrs['units']})" if "units" in values.attrs else ""
    return f"{values.name}{units}"


def _plain(line: Line, told: str) -> dict[str, Any]:
    """A line as numbers that a page carries, with four digits."""
    bands = {
        name: {level: _short(frame[level]) for level in LEVELS}
        for name, frame in line.bands.items()
    }
    sizes = line.bands["mean"].index.to_numpy()
    points = {"fitted": [_short(each) for each in line.fitted]}
    points |= {"later": [_short(each) for each in line.later]}
    known = {"title": line.title, "told": told, "start": line.start}
    return {**known, "sizes": _short(sizes), **bands, **points}


def _short(values: Any) -> list[float | None]:
    return [float(f"{v:.4g}") if np.isfinite(v) else None for v in np.asarray(values)]


def _panels(
    fit: Fit, lines: list[Line], later: xr.Dataset | None, draw_new: Sequence[str], seed: int
) -> list[Block]:
    """A figure of the lines, if there are several."""
    if len(lines) < 2:
        return []
    shown = [lines[i] for i in nearest(len(lines), MOST_PANELS)]
    frames = [pd.DataFrame({e.predictor: e.bands["mean"].index, **e.held}) for e in shown]
    where = grid_of(pd.concat(frames), fit)
    drawn = forecast(fit, where, draw_new=draw_new, draws=PANEL_DRAWS, random_seed=seed)
    figure = plot_forecast(drawn, _all_runs(fit, later), x=lines[0].predictor, columns=3)
    about = f"{len(shown)} of {len(lines)} lines" if len(shown) < len(lines) else "All lines"
    told = " ".join(told_of(line, fit.runs.attrs["response"]) for line in shown[:3])
    return [Picture(png_of(figure), f"{about} at a glance.", f"Forecast bands over runs. {told}")]


def _all_runs(fit: Fit, later: xr.Dataset | None) -> xr.Dataset:
    """Fitted and held-out runs, marked."""
    names = [fit.runs.attrs["response"], *predictor_names(fit.runs)]
    kept = [name for name in fit.runs.coords if name in ("run", *group_names(fit.runs))]
    parts = []
    for runs, mark in ((fit.runs, False), (later, True)):
        if runs is not None:
            marks = np.full(runs.sizes["run"], mark)
            part = runs.reset_coords(drop=True)[names].assign_coords({n: runs[n] for n in kept})
            parts.append(part.assign_coords(held_out=("run", marks)))
    joined = xr.concat(parts, "run", combine_attrs="override")
    return joined.assign_coords(run=np.arange(joined.sizes["run"])).assign_attrs(fit.runs.attrs)


def _numbers(lines: list[Line]) -> pd.DataFrame:
    """A row for each size that was asked for."""
    rows = []
    for line in lines:
        for size in line.asked:
            row = {**line.held, line.predictor: size}
            row["times fitted"] = size / line.start if line.start else np.nan
            for name, label in (("mean", "curve"), ("new_run", "new run")):
                told = line.bands[name].loc[size]
                row |= {f"{label} {level}": told[level] for level in LEVELS}
            rows.append(row)
    return pd.DataFrame(rows)


def _budgets(fit: Fit) -> np.ndarray:
    largest = np.max(training_flops(fit.runs["N"].values, fit.runs["D"].values))
    return float(largest) * np.array(TIMES)


def _planned(found: xr.Dataset) -> pd.DataFrame:
    """A row for each curve and budget."""
    bands = interval(found, 0.9)
    labels = bands["curve"].values
    rows = []
    for place, label in enumerate(labels):
        for budget in bands["budget"].values:
            told = bands.isel(curve=place).sel(budget=budget)
            row = {"curve": str(label), "FLOPs": float(budget)}
            for name in ("N", "D", "D_per_N", "mean"):
                shown = {"D_per_N": "D/N", "mean": "loss"}.get(name, name)
                row |= {f"{shown} {b}": float(told[name].sel(bound=b)) for b in BOUNDS}
            row["optimum in range"] = float(found["in_range"].isel(curve=place).sel(budget=budget))
            rows.append(row)
    return pd.DataFrame(rows)
