"""Forecast and plan sections of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw.data.runs import response_values
from bayeslaw.data.splits import join_held_out
from bayeslaw.decisions.allocation import training_flops
from bayeslaw.decisions.plan import plan
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.forecasting.interval import interval
from bayeslaw.plots.forecast import plot_forecast
from bayeslaw.plots.layout import axis_label, evenly_spaced
from bayeslaw.report.answer import describe_forecast
from bayeslaw.report.blocks import (
    Block,
    Explorer,
    Items,
    Paragraph,
    Picture,
    Section,
    Table,
    figure_png,
)
from bayeslaw.report.requested_lines import LEVELS, RequestedLine, points_from_frame

__all__ = ["forecast_section", "plan_sections"]

MAX_PANELS, PANEL_DRAWS = 12, 1000
MULTIPLES = (1.0, 10.0, 100.0)  # of the largest budget of the runs
BOUNDS = ("lower", "median", "upper")
QUANTITIES = {"N": "N", "D": "D", "D_per_N": "D/N", "mean": "loss"}
INSTRUCTIONS = (
    "Choose a curve and the axes; drag to zoom, double-click to see everything. The line is the "
    "median curve; dashes are its 90% band and dots its 50% band. The shaded bands contain 50% and "
    "90% of new runs. Sizes on grey are beyond the data. The table below has the same numbers."
)


def forecast_section(
    fit: Fit,
    lines: list[RequestedLine],
    later: xr.Dataset | None,
    draw_new: Sequence[str],
    seed: int,
) -> Section:
    """The forecast as an interactive figure, as panels, and as a table."""
    response = fit.runs.attrs["response"]
    blocks: list[Block] = [Paragraph(INSTRUCTIONS), Explorer(_explorer_data(fit, lines))]
    blocks += _panels(fit, lines, later, draw_new, seed)
    caption = f"Quantiles of the {response}: of the curve, and of a new run on it"
    blocks.append(Table("forecast-table", caption, _forecast_table(lines)))
    return Section("forecast", "Forecast", tuple(blocks))


def plan_sections(fit: Fit, budget: Sequence[float] | None) -> list[Section]:
    """Compute-optimal sizes, if the law is one of N and D or a budget is given."""
    if budget is None and not {"N", "D"} <= {*fit.model.law.predictors}:
        return []
    try:
        draws = plan(fit, _default_budgets(fit) if budget is None else budget)
    except ValueError as error:
        if budget is not None:
            raise
        return [Section("plan", "Plan", (Paragraph(f"There is no plan: {error}."),))]
    blocks = (
        Paragraph(
            "The compute-optimal split of a budget of 6 N D FLOPs under the law: medians and 90% "
            "bands."
        ),
        Table("plan-table", "Compute-optimal sizes", _plan_table(draws)),
        Items(tuple(np.atleast_1d(draws.attrs["caveats"]).tolist())),
    )
    return [Section("plan", "Plan", blocks)]


def _explorer_data(fit: Fit, lines: list[RequestedLine]) -> dict[str, Any]:
    response, x = fit.runs.attrs["response"], lines[0].predictor
    return {
        "predictor": axis_label(fit.runs[x]),
        "response": axis_label(response_values(fit.runs)),
        "lines": [_line_data(line, describe_forecast(line, response)) for line in lines],
    }


def _line_data(line: RequestedLine, sentence: str) -> dict[str, Any]:
    """A line as JSON numbers of four digits."""
    frames = {name: line.quantiles(name) for name in ("mean", "new_run")}
    bands = {
        name: {level: _rounded(frame[level]) for level in LEVELS} for name, frame in frames.items()
    }
    points = {"fitted": [_rounded(values) for values in line.fitted]}
    points |= {"later": [_rounded(values) for values in line.later]}
    texts = {"title": line.title, "sentence": sentence, "start": line.start}
    return {**texts, "sizes": _rounded(line.sizes), **bands, **points}


def _rounded(values: Any) -> list[float | None]:
    return [float(f"{v:.4g}") if np.isfinite(v) else None for v in np.asarray(values)]


def _panels(
    fit: Fit,
    lines: list[RequestedLine],
    later: xr.Dataset | None,
    draw_new: Sequence[str],
    seed: int,
) -> list[Block]:
    """A figure with a panel per line, if there are several."""
    if len(lines) < 2:
        return []
    shown = evenly_spaced(lines, MAX_PANELS)
    frames = [pd.DataFrame({line.predictor: line.sizes, **line.held}) for line in shown]
    points = points_from_frame(pd.concat(frames), fit)
    draws = forecast(fit, points, draw_new=draw_new, draws=PANEL_DRAWS, random_seed=seed)
    figure = plot_forecast(draws, join_held_out(fit.runs, later), x=lines[0].predictor, columns=3)
    count = f"{len(shown)} of {len(lines)} lines" if len(shown) < len(lines) else "All lines"
    sentences = " ".join(describe_forecast(line, fit.runs.attrs["response"]) for line in shown[:3])
    alternative = f"Forecast bands over runs. {sentences}"
    return [Picture(figure_png(figure), f"{count} at a glance.", alternative)]


def _forecast_table(lines: list[RequestedLine]) -> pd.DataFrame:
    """One row for each requested size."""
    rows = []
    for line in lines:
        frames = {"curve": line.quantiles("mean"), "new run": line.quantiles("new_run")}
        for size in line.requested:
            row = {**line.held, line.predictor: size}
            row["times fitted"] = size / line.start if line.start else np.nan
            for label, frame in frames.items():
                row |= {f"{label} {level}": frame.loc[size, level] for level in LEVELS}
            rows.append(row)
    return pd.DataFrame(rows)


def _default_budgets(fit: Fit) -> np.ndarray:
    largest = np.max(training_flops(fit.runs["N"].values, fit.runs["D"].values))
    return float(largest) * np.array(MULTIPLES)


def _plan_table(draws: xr.Dataset) -> pd.DataFrame:
    """One row for each curve and budget."""
    bands = interval(draws, 0.9)
    rows = []
    for curve, label in enumerate(bands["curve"].values):
        for budget in bands["budget"].values:
            band = bands.isel(curve=curve).sel(budget=budget)
            in_range = draws["in_range"].isel(curve=curve).sel(budget=budget)
            row = {"curve": str(label), "FLOPs": float(budget)}
            for name, title in QUANTITIES.items():
                row |= {f"{title} {bound}": float(band[name].sel(bound=bound)) for bound in BOUNDS}
            rows.append({**row, "optimum in range": float(in_range)})
    return pd.DataFrame(rows)
