"""Forecasts along lines: one predictor moves, the curve and the other predictors are held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw.data.runs import group_names, response_values
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.curve_lookup import prediction_grid
from bayeslaw.forecasting.forecast import forecast, interval, observed_range

__all__ = ["LEVELS", "Line", "grid_of", "lines_of", "nearest", "number"]

SIZES = 41  # per line
MOST_LINES = 120  # a reader chooses among them
DRAWS = 2000
REACH = (1.0, 10**0.5, 10.0)  # times the largest fitted size
NEAR = 0.1  # in log size: runs so far from a line are shown on it
LEVELS = {"5%": (0.9, "lower"), "25%": (0.5, "lower"), "50%": (0.9, "median")}
LEVELS |= {"75%": (0.5, "upper"), "95%": (0.9, "upper")}


@dataclass(frozen=True)
class Line:
    """A forecast along one predictor, and the runs about it.

    Parameters
    ----------
    held : mapping of str to str or float
        Groups and other predictors.
    predictor : str
        What moves along the line.
    bands : mapping of str to pandas.DataFrame
        Of ``mean`` and ``new_run``: quantiles (columns) by size (index, increasing).
    asked : array
        Sizes that were asked for.
    start : float
        What is larger is extrapolated.
    fitted, later : array, shape (2, runs)
        Sizes and responses.
    caveats : tuple of str
        What the forecast is subject to.
    """

    held: Mapping[str, str | float]
    predictor: str
    bands: Mapping[str, pd.DataFrame]
    asked: np.ndarray
    start: float
    fitted: np.ndarray
    later: np.ndarray
    caveats: tuple[str, ...]

    @property
    def title(self) -> str:
        """The groups, then the predictors that are held."""
        labels = [value for value in self.held.values() if isinstance(value, str)]
        sizes = [f"{n} = {number(v)}" for n, v in self.held.items() if not isinstance(v, str)]
        return ", ".join([*filter(None, [" / ".join(labels)]), *sizes]) or "all runs"


def number(value: float) -> str:
    """A number with three digits or more, as people write it.

    Examples
    --------
    >>> number(1e10), number(2.5e6), number(20480.0), number(0.1234)
    ('1e10', '2.5e6', '20480', '0.123')
    """
    text = f"{value:.0f}" if 1e3 <= abs(value) < 1e5 else f"{value:.3g}"
    return text.replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def lines_of(
    fit: Fit, at: xr.Dataset | None, later: xr.Dataset | None, draw_new: Sequence[str], seed: int
) -> list[Line]:
    """Forecast along a line through everything that is asked for.

    Parameters
    ----------
    fit : Fit
        The fit.
    at : xarray.Dataset, optional
        What is asked for; every curve within and beyond its sizes unless given.
    later : xarray.Dataset, optional
        Held-out runs, to be shown.
    draw_new : sequence of str
        Groups whose unknown levels are drawn.
    seed : int
        Seed of the forecast.

    Returns
    -------
    list of Line
    """
    asked = _frame(_default(fit) if at is None else prediction_grid(fit, at), fit)
    x = _moving(asked, fit)
    names = [name for name in asked if name != x]
    found = _apart(asked, names)
    chosen = [found[place] for place in nearest(len(found), MOST_LINES)]
    return [_line(fit, x, own, later, draw_new, seed) for own in chosen]


def nearest(count: int, most: int) -> list[int]:
    """So many places that lie evenly among a count, or all of them.

    Examples
    --------
    >>> nearest(3, 5), nearest(9, 3)
    ([0, 1, 2], [0, 4, 8])
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()


def grid_of(frame: pd.DataFrame, fit: Fit) -> xr.Dataset:
    """Runs without a response from a frame with the predictors and groups of a fit.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row per run.
    fit : Fit
        The fit.

    Returns
    -------
    xarray.Dataset
    """
    sizes, groups = list(fit.model.law.predictors), group_names(fit.runs)
    labels = {name: ("run", frame[name].to_numpy(dtype=str)) for name in groups}
    return xr.Dataset(
        {name: ("run", frame[name].to_numpy(dtype=float)) for name in sizes},
        {"run": np.arange(len(frame)), **labels},
        {"predictors": sizes, "groups": groups},
    )


def _frame(runs: xr.Dataset, fit: Fit) -> pd.DataFrame:
    """Groups and predictors of runs, a row each."""
    wanted = [*group_names(fit.runs), *fit.model.law.predictors]
    missing = [name for name in wanted if name not in runs.variables]
    if missing:
        raise ValueError(f"what to forecast lacks {missing[0]!r}; the fit has {wanted}")
    return pd.DataFrame({name: runs[name].values for name in wanted})


def _apart(frame: pd.DataFrame, names: list[str]) -> list[pd.DataFrame]:
    """Rows that share their values of some columns, together."""
    return [own for _, own in frame.groupby(names, sort=False)] if names else [frame]


def _default(fit: Fit) -> xr.Dataset:
    """Every curve at multiples of its largest size, others as in at most three of its runs."""
    x, *others = fit.model.law.predictors
    rows = []
    for own in _apart(_frame(fit.runs, fit), group_names(fit.runs)):
        settings = own.drop_duplicates(others) if others else own[:1]
        order = np.argsort(np.log(settings[others].to_numpy()).sum(axis=1))
        kept = settings.iloc[order[nearest(len(order), 3)]]
        rows += [kept.assign(**{x: own[x].max() * times}) for times in REACH]
    return grid_of(pd.concat(rows), fit)


def _moving(asked: pd.DataFrame, fit: Fit) -> str:
    """The predictor along which lines go: the first that varies."""
    sizes = fit.model.law.predictors
    return next((name for name in sizes if np.ptp(asked[name].to_numpy()) > 0), sizes[0])


def _line(
    fit: Fit,
    x: str,
    rows: pd.DataFrame,
    later: xr.Dataset | None,
    draw_new: Sequence[str],
    seed: int,
) -> Line:
    """A line through rows that differ in one predictor."""
    held = {str(name): rows[name].iloc[0] for name in rows if name != x}
    asked = np.unique(rows[x].to_numpy())
    fitted = _beside(fit.runs, x, held)
    shown = np.empty((2, 0)) if later is None else _beside(later, x, held)
    ends = np.concatenate([asked, fitted[0], shown[0]])
    sizes = np.unique([*np.geomspace(ends.min(), ends.max(), SIZES), *asked])
    frame = pd.DataFrame({x: sizes, **held})
    drawn = forecast(fit, grid_of(frame, fit), draw_new=draw_new, draws=DRAWS, random_seed=seed)
    bands = dict(_bands(drawn, sizes))
    start = _start(fit, x, held, fitted[0])
    caveats = tuple(np.atleast_1d(drawn.attrs["caveats"]).tolist())
    return Line(held, x, bands, asked, start, fitted, shown, caveats)


def _bands(drawn: xr.Dataset, sizes: np.ndarray) -> Iterator[tuple[str, pd.DataFrame]]:
    found = {prob: interval(drawn[["mean", "new_run"]], prob) for prob in (0.5, 0.9)}
    for name in ("mean", "new_run"):
        columns = {
            level: found[prob][name].sel(bound=bound).values
            for level, (prob, bound) in LEVELS.items()
        }
        yield name, pd.DataFrame(columns, index=sizes)


def _beside(runs: xr.Dataset, x: str, held: Mapping[str, Any]) -> np.ndarray:
    """Sizes and responses of the runs that lie on a line, or nearly so."""
    own = np.ones(runs.sizes["run"], dtype=bool)
    for name, value in held.items():
        values = runs[name].values
        is_label = isinstance(value, str)
        own &= values == value if is_label else np.abs(np.log(values / value)) < NEAR
    return np.stack([runs[x].values[own], response_values(runs).values[own]])


def _start(fit: Fit, x: str, held: Mapping[str, Any], own: np.ndarray) -> float:
    """Where extrapolation starts: at the line's own largest run, or everywhere."""
    ranges = observed_range(fit.runs)
    sizes = {name: value for name, value in held.items() if not isinstance(value, str)}
    if not all(ranges[n][0] <= value <= ranges[n][1] for n, value in sizes.items()):
        return 0.0
    return float(own.max()) if own.size else ranges[x][1]
