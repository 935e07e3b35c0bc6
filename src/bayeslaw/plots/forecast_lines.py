"""Lines of a forecast along one predictor, with their bands and the runs on them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw.data.runs import check_runs, group_names, predictor_names, response_values
from bayeslaw.forecasting.interval import interval
from bayeslaw.plots.numbers import format_number

__all__ = [
    "ForecastLine",
    "forecast_bands",
    "forecast_line",
    "group_rows",
    "horizontal_predictor",
    "line_title",
    "runs_on_line",
    "split_into_lines",
    "varying_predictor",
]

NEAR = 0.1  # in logarithms of the other predictors


@dataclass(frozen=True)
class ForecastLine:
    """A forecast of one curve along one predictor, the others held, and the runs on that line."""

    title: str  # its curve, and where the other predictors are held
    sizes: np.ndarray  # increasing
    bands: dict[float, xr.Dataset]  # intervals of `mean` and `new_run` by their probability
    start: float  # larger sizes are extrapolated
    fitted: np.ndarray  # sizes and responses of runs, (2, runs)
    later: np.ndarray  # of runs that were held out or are beyond the fitted range, (2, runs)


def horizontal_predictor(forecast: xr.Dataset, runs: xr.Dataset, x: str | None) -> str:
    """The predictor on the horizontal axis, after checking that forecast and runs match."""
    for name in ("response", "predictors", "groups", "observed", "mean", "new_run"):
        if name not in forecast.attrs and name not in forecast.data_vars:
            raise ValueError(f"the forecast has no {name!r}; make it with bayeslaw.forecast")
    check_runs(runs)
    predictors = predictor_names(forecast)
    for name in (forecast.attrs["response"], *predictors, *group_names(forecast)):
        if name not in runs.variables:
            raise ValueError(f"the runs have no {name!r}, which the forecast has")
    if x is not None and x not in predictors:
        raise ValueError(f"x must be a predictor of the forecast, one of {predictors}, got {x!r}")
    return x or varying_predictor(forecast, predictors)


def varying_predictor(points: xr.Dataset | pd.DataFrame, predictors: Sequence[str]) -> str:
    """The first predictor that varies, or the first of all."""
    varying = [name for name in predictors if np.ptp(points[name].to_numpy()) > 0]
    return [*varying, *predictors][0]


def split_into_lines(points: xr.Dataset, x: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the title and the indices, by increasing size, of each line of a forecast along `x`."""
    others = [name for name in predictor_names(points) if name != x]
    by_curve = group_rows(points, group_names(points), range(points.sizes["run"]))
    for labels, curve_rows in by_curve.items():
        settings = group_rows(points, others, curve_rows)
        distinct = len(group_rows(points, [x, *others], curve_rows))
        if len(settings) > 1 and distinct == len(group_rows(points, [x], curve_rows)):
            settings = {(): curve_rows}  # the others change along with x
        for setting, rows in settings.items():
            first = np.unique(points[x].values[rows], return_index=True)[1]
            held = dict(zip(others, setting, strict=False))
            yield line_title(labels, held), np.array(rows)[first]


def line_title(labels: Sequence[str], held: Mapping[str, float]) -> str:
    """The levels of a curve, and where the other predictors are held: "c4 / web, D = 1e10"."""
    sizes = [f"{name} = {format_number(value)}" for name, value in held.items()]
    return ", ".join([*filter(None, [" / ".join(labels)]), *sizes])


def group_rows(
    points: xr.Dataset | pd.DataFrame, names: Sequence[str], rows: Sequence[int]
) -> dict[tuple, list[int]]:
    """Group row indices by the values that the named variables have there."""
    groups: dict[tuple, list[int]] = {}
    columns = [points[name].to_numpy().tolist() for name in names]
    for row in rows:
        groups.setdefault(tuple(column[row] for column in columns), []).append(row)
    return groups


def runs_on_line(
    runs: xr.Dataset, labels: Mapping[str, str], log_others: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Mask of the runs of a curve whose other predictors are near those of a line, (run,).

    `log_others` has the logarithms of the line's other predictors: one value, or one for each run.
    """
    mask = np.ones(runs.sizes["run"], dtype=bool)
    for group, label in labels.items():
        mask &= runs[group].values == label
    for name, log_size in log_others.items():
        mask &= np.abs(np.log(runs[name].values) - log_size) < NEAR
    return mask


def forecast_bands(forecast: xr.Dataset, probs: Sequence[float]) -> dict[float, xr.Dataset]:
    """Intervals of the curve and of a new run, by their probability."""
    draws = forecast[["mean", "new_run"]].reset_coords(drop=True)
    return {prob: interval(draws, prob) for prob in probs}


def forecast_line(
    forecast: xr.Dataset,
    runs: xr.Dataset,
    x: str,
    titled_rows: tuple[str, np.ndarray],
    probs: Sequence[float],
) -> ForecastLine:
    """Take a line, as `split_into_lines` gives it, out of a forecast, with the runs on it."""
    title, rows = titled_rows
    line, groups = forecast.isel(run=rows), group_names(forecast)
    sizes = line[x].values
    labels = {group: str(line[group].values[0]) for group in groups}
    fitted_ranges = _FittedRanges.of(forecast)
    ranges = fitted_ranges.of_curve(tuple(labels.values())) or fitted_ranges.overall
    is_fitted = fitted_ranges.contain(runs, groups)
    others = sorted(ranges.keys() - {x})
    points = np.stack([runs[x].values, response_values(runs).values])
    start = points[0, runs_on_line(runs, labels, {}) & is_fitted].max(initial=0) or ranges[x][1]
    for name in others:
        inside = line[name].values <= ranges[name][1]
        start = start if inside.all() else min(start, sizes[inside].max(initial=0))
    log_others = {n: np.interp(np.log(runs[x]), np.log(sizes), np.log(line[n])) for n in others}
    on_line = runs_on_line(runs, labels, log_others)
    fitted, later = points[:, on_line & is_fitted], points[:, on_line & ~is_fitted]
    return ForecastLine(title, sizes, forecast_bands(line, probs), float(start), fitted, later)


@dataclass(frozen=True)
class _FittedRanges:
    """Ranges (smallest, largest) of the predictors in the fit: of all runs, and of each curve."""

    overall: dict[str, list[float]]
    by_curve: dict[str, dict[str, list[float]]]

    @classmethod
    def of(cls, forecast: xr.Dataset) -> _FittedRanges:
        """Read the ranges from a forecast; older forecasts have those of all runs only."""
        names, overall = predictor_names(forecast), json.loads(forecast.attrs["observed"])
        observed = json.loads(forecast.attrs.get("observed_by_curve", "{}"))
        by_curve = {
            label: {name: ranges[name] for name in names} for label, ranges in observed.items()
        }
        return cls({name: overall[name] for name in names}, by_curve)

    def of_curve(self, labels: tuple[str, ...]) -> dict[str, list[float]]:
        """Ranges of one curve; empty if none of its runs was fitted."""
        if not self.by_curve:
            return self.overall
        return self.by_curve.get(" / ".join(labels) or "all", {})

    def contain(self, runs: xr.Dataset, groups: list[str]) -> np.ndarray:
        """Mask of runs in the fitted range of their curve and not marked as held out, (run,)."""
        inside = np.zeros(runs.sizes["run"], dtype=bool)
        not_held_out = ~runs["held_out"].values if "held_out" in runs.coords else ~inside
        marked_were_fitted = False
        for labels, rows in group_rows(runs, groups, range(inside.size)).items():
            ranges = self.of_curve(labels)
            inside[rows] = bool(ranges)
            for name, (low, high) in ranges.items():
                values = runs[name].values[rows]
                inside[rows] &= (low <= values) & (values <= high)
                # If the largest fitted size is that of a marked run alone, all were fitted.
                largest = values[not_held_out[rows]].max(initial=0)
                marked_were_fitted |= bool(high == values.max() > largest)
        return inside if marked_were_fitted else inside & not_held_out
