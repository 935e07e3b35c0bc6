"""Lines of a forecast along one predictor, and the runs about each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayeslaw import runs as table
from bayeslaw.forecast import interval

__all__ = ["Line", "checked", "line_of", "lines", "rows_by"]

NEAR = 0.1  # in logarithms of the other predictors


@dataclass(frozen=True)
class Line:
    """A line of a forecast along one predictor, and the runs about it.

    Parameters
    ----------
    title : str
        Its curve, and where the other predictors are held.
    sizes : array
        Sizes, increasing.
    bands : dict of float to xarray.Dataset
        Intervals by their probability.
    start : float
        What is larger is extrapolated.
    fitted, later : array, shape (2, runs)
        Sizes and responses of runs.
    """

    title: str
    sizes: np.ndarray
    bands: dict[float, xr.Dataset]
    start: float
    fitted: np.ndarray
    later: np.ndarray


def checked(forecast: xr.Dataset, runs: xr.Dataset, x: str | None) -> str:
    """Return the predictor on the horizontal axis, after a look at what was given.

    Parameters
    ----------
    forecast : xarray.Dataset
        The forecast.
    runs : xarray.Dataset
        The runs.
    x : str or None
        What was asked for.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If forecast and runs do not go together, or `x` is no predictor.
    """
    for name in ("response", "predictors", "groups", "observed", "mean", "new_run"):
        if name not in forecast.attrs and name not in forecast.data_vars:
            raise ValueError(f"the forecast has no {name!r}; make it with bayeslaw.forecast")
    table.check_runs(runs)
    predictors = table.predictors(forecast)
    for name in (forecast.attrs["response"], *predictors, *table.groups(forecast)):
        if name not in runs.variables:
            raise ValueError(f"the runs have no {name!r}, which the forecast has")
    if x is not None and x not in predictors:
        raise ValueError(f"x must be a predictor of the forecast, one of {predictors}, got {x!r}")
    varying = [name for name in predictors if np.ptp(forecast[name].values) > 0]
    return x or (varying or predictors)[0]


def lines(points: xr.Dataset, x: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield title and positions, by size, of each line of a forecast.

    Parameters
    ----------
    points : xarray.Dataset
        The forecast.
    x : str
        The predictor along which lines go.

    Yields
    ------
    tuple of str and array
    """
    others = [name for name in table.predictors(points) if name != x]
    for labels, own in rows_by(points, table.groups(points), range(points.sizes["run"])).items():
        settings = rows_by(points, others, own)
        distinct = len(rows_by(points, [x, *others], own))
        if len(settings) > 1 and distinct == len(rows_by(points, [x], own)):
            settings = {(): own}  # the others change along with x
        for setting, rows in settings.items():
            told = [f"{name} = {value:.3g}" for name, value in zip(others, setting, strict=False)]
            first = np.unique(points[x].values[rows], return_index=True)[1]
            yield ", ".join([*filter(None, [" / ".join(labels)]), *told]), np.array(rows)[first]


def rows_by(points: xr.Dataset, names: list[str], rows: Sequence[int]) -> dict[tuple, list[int]]:
    """Gather positions by the values that variables have there.

    Parameters
    ----------
    points : xarray.Dataset
        Runs or a forecast.
    names : list of str
        The variables.
    rows : sequence of int
        Positions.

    Returns
    -------
    dict of tuple to list of int

    Examples
    --------
    >>> rows_by(table.grid(task=["c4", "books"], N=[1e8, 1e9]), ["task"], range(4))
    {('c4',): [0, 1], ('books',): [2, 3]}
    """
    found: dict[tuple, list[int]] = {}
    columns = [points[name].values.tolist() for name in names]
    for row in rows:
        found.setdefault(tuple(column[row] for column in columns), []).append(row)
    return found


def line_of(
    forecast: xr.Dataset,
    runs: xr.Dataset,
    x: str,
    named: tuple[str, np.ndarray],
    probs: Sequence[float],
) -> Line:
    """Take a line out of a forecast, and the runs about it.

    Parameters
    ----------
    forecast : xarray.Dataset
        The forecast.
    runs : xarray.Dataset
        The runs.
    x : str
        The predictor along which the line goes.
    named : tuple of str and array
        Its title and positions, as of `lines`.
    probs : sequence of float
        Probabilities of the bands.

    Returns
    -------
    Line
    """
    title, rows = named
    line, observed = forecast.isel(run=rows), json.loads(forecast.attrs["observed"])
    drawn, sizes = line[["mean", "new_run"]].reset_coords(drop=True), line[x].values
    ranges = {name: observed[name] for name in table.predictors(forecast)}
    is_fitted = _is_fitted(runs, ranges)
    own = np.ones(runs.sizes["run"], dtype=bool)
    for group in table.groups(forecast):
        own &= runs[group].values == line[group].values[0]
    places = np.stack([runs[x].values, table.response(runs).values])
    start = places[0, own & is_fitted].max(initial=0) or ranges[x][1]
    for name in ranges.keys() - {x}:
        near = np.interp(np.log(runs[x]), np.log(sizes), np.log(line[name]))
        own &= np.abs(np.log(runs[name].values) - near) < NEAR
        inside = line[name].values <= ranges[name][1]
        start = start if inside.all() else min(start, sizes[inside].max(initial=0))
    bands = {prob: interval(drawn, prob) for prob in probs}
    fitted, later = places[:, own & is_fitted], places[:, own & ~is_fitted]
    return Line(title, sizes, bands, float(start), fitted, later)


def _is_fitted(runs: xr.Dataset, ranges: dict[str, list[float]]) -> np.ndarray:
    values = {name: runs[name].values for name in ranges}
    inside = [(low <= values[n]) & (values[n] <= high) for n, (low, high) in ranges.items()]
    fitted = np.all(inside, axis=0)
    used = ~runs["held_out"].values if "held_out" in runs.coords else np.ones_like(fitted)
    # If the largest fitted size is that of a marked run alone, the fit was made of all runs.
    of_all = [ranges[n][1] == v.max() > v[used].max(initial=0) for n, v in values.items()]
    return fitted if any(of_all) else fitted & used
