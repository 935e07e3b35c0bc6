"""Forecasts along lines through the requested sizes: one predictor varies, the rest is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw.data.runs import group_names, response_values
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.curve_lookup import prediction_grid
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.forecasting.observed_range import observed_range
from bayeslaw.plots.forecast_lines import (
    ForecastLine,
    forecast_bands,
    group_rows,
    line_title,
    runs_on_line,
    varying_predictor,
)
from bayeslaw.plots.layout import evenly_spaced

__all__ = ["LEVELS", "RequestedLine", "points_from_frame", "requested_lines"]

SIZES = 41  # per line
MAX_LINES = 120  # a reader chooses among them
DRAWS = 2000
MULTIPLES = (1.0, 10**0.5, 10.0)  # of the largest fitted size
LEVELS = {"5%": (0.9, "lower"), "25%": (0.5, "lower"), "50%": (0.9, "median")}
LEVELS |= {"75%": (0.5, "upper"), "95%": (0.9, "upper")}


@dataclass(frozen=True)
class RequestedLine(ForecastLine):
    """A line of a forecast through the sizes that were requested on it."""

    held: Mapping[str, str | float]  # groups and other predictors
    predictor: str  # that varies along the line
    requested: np.ndarray  # sizes, increasing
    caveats: tuple[str, ...]

    def quantiles(self, name: str) -> pd.DataFrame:
        """Quantiles (columns) of `mean` or `new_run` by size (index)."""
        columns = {
            level: self.bands[prob][name].sel(bound=bound).values
            for level, (prob, bound) in LEVELS.items()
        }
        return pd.DataFrame(columns, index=self.sizes)


def requested_lines(
    fit: Fit, at: xr.Dataset | None, later: xr.Dataset | None, draw_new: Sequence[str], seed: int
) -> list[RequestedLine]:
    """Forecast along a line through each set of requested points that differ in one predictor.

    Without `at`, every curve is forecast at multiples of its largest fitted size.
    """
    points = _frame(_default_points(fit) if at is None else prediction_grid(fit, at), fit)
    x = varying_predictor(points, fit.model.law.predictors)
    lines = _split(points, [name for name in points if name != x])
    selected = evenly_spaced(lines, MAX_LINES)
    return [_forecast_along(fit, x, rows, later, draw_new, seed) for rows in selected]


def points_from_frame(frame: pd.DataFrame, fit: Fit) -> xr.Dataset:
    """Runs without a response, one per row of a frame with the fit's predictors and groups."""
    predictors, groups = list(fit.model.law.predictors), group_names(fit.runs)
    labels = {name: ("run", frame[name].to_numpy(dtype=str)) for name in groups}
    return xr.Dataset(
        {name: ("run", frame[name].to_numpy(dtype=float)) for name in predictors},
        {"run": np.arange(len(frame)), **labels},
        {"predictors": predictors, "groups": groups},
    )


def _frame(runs: xr.Dataset, fit: Fit) -> pd.DataFrame:
    """Groups and predictors of runs, one row each."""
    names = [*group_names(fit.runs), *fit.model.law.predictors]
    missing = [name for name in names if name not in runs.variables]
    if missing:
        raise ValueError(f"what to forecast lacks {missing[0]!r}; the fit has {names}")
    return pd.DataFrame({name: runs[name].values for name in names})


def _split(frame: pd.DataFrame, names: list[str]) -> list[pd.DataFrame]:
    """Split rows by the values of some columns."""
    return [frame.iloc[rows] for rows in group_rows(frame, names, range(len(frame))).values()]


def _default_points(fit: Fit) -> xr.Dataset:
    """Multiples of every curve's largest size, at no more than three settings of the others."""
    x, *others = fit.model.law.predictors
    rows = []
    for curve in _split(_frame(fit.runs, fit), group_names(fit.runs)):
        settings = curve.drop_duplicates(others) if others else curve[:1]
        order = np.argsort(np.log(settings[others].to_numpy()).sum(axis=1))
        selected = settings.iloc[evenly_spaced(order.tolist(), 3)]
        rows += [selected.assign(**{x: curve[x].max() * multiple}) for multiple in MULTIPLES]
    return points_from_frame(pd.concat(rows), fit)


def _forecast_along(
    fit: Fit,
    x: str,
    rows: pd.DataFrame,
    later: xr.Dataset | None,
    draw_new: Sequence[str],
    seed: int,
) -> RequestedLine:
    """Forecast along the line through rows that differ in one predictor."""
    held = {str(name): rows[name].iloc[0] for name in rows if name != x}
    labels = {name: value for name, value in held.items() if isinstance(value, str)}
    others = {name: value for name, value in held.items() if name not in labels}
    requested = np.unique(rows[x].to_numpy())
    fitted = _observed(fit.runs, x, labels, others)
    held_out = np.empty((2, 0)) if later is None else _observed(later, x, labels, others)
    ends = np.concatenate([requested, fitted[0], held_out[0]])
    sizes = np.unique([*np.geomspace(ends.min(), ends.max(), SIZES), *requested])
    points = points_from_frame(pd.DataFrame({x: sizes, **held}), fit)
    draws = forecast(fit, points, draw_new=draw_new, draws=DRAWS, random_seed=seed)
    return RequestedLine(
        title=line_title([*labels.values()], others) or "all runs",
        sizes=sizes,
        bands=forecast_bands(draws, (0.5, 0.9)),
        start=_extrapolation_start(fit, x, others, fitted[0]),
        fitted=fitted,
        later=held_out,
        held=held,
        predictor=x,
        requested=requested,
        caveats=tuple(np.atleast_1d(draws.attrs["caveats"]).tolist()),
    )


def _observed(
    runs: xr.Dataset, x: str, labels: Mapping[str, str], others: Mapping[str, float]
) -> np.ndarray:
    """Sizes and responses of the runs on a line, (2, runs)."""
    log_others = {name: np.log(value) for name, value in others.items()}
    mask = runs_on_line(runs, labels, log_others)
    return np.stack([runs[x].values[mask], response_values(runs).values[mask]])


def _extrapolation_start(fit: Fit, x: str, others: Mapping[str, float], sizes: np.ndarray) -> float:
    """The largest fitted size on a line; 0 if its other predictors are outside the fitted range."""
    ranges = observed_range(fit.runs)
    if not all(ranges[n][0] <= value <= ranges[n][1] for n, value in others.items()):
        return 0.0
    return float(sizes.max()) if sizes.size else ranges[x][1]
