"""Lines of a forecast along one predictor, and the runs about each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayeslaw.data.runs import check_runs, group_names, predictor_names, response_values
from bayeslaw.forecasting.forecast import interval

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
    check_runs(runs)
    predictors = predictor_names(forecast)
    for name in (forecast.attrs["response"], *predictors, *group_names(forecast)):
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
    others = [name for name in predictor_names(points) if name != x]
    for labels, own in rows_by(points, group_names(points), range(points.sizes["run"])).items():
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
    >>> rows_by(grid(task=["c4", "books"], N=[1e8, 1e9]), ["task"], range(4))
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
    line, groups = forecast.isel(run=rows), group_names(forecast)
    drawn, sizes = line[["mean", "new_run"]].reset_coords(drop=True), line[x].values
    labels = tuple(str(line[group].values[0]) for group in groups)
    observed = _Observed.of(forecast)
    ranges, is_fitted = observed.ranges(labels) or observed.whole, observed.holds(runs, groups)
    own = np.ones(runs.sizes["run"], dtype=bool)
    for group, label in zip(groups, labels, strict=True):
        own &= runs[group].values == label
    places = np.stack([runs[x].values, response_values(runs).values])
    start = places[0, own & is_fitted].max(initial=0) or ranges[x][1]
    for name in ranges.keys() - {x}:
        near = np.interp(np.log(runs[x]), np.log(sizes), np.log(line[name]))
        own &= np.abs(np.log(runs[name].values) - near) < NEAR
        inside = line[name].values <= ranges[name][1]
        start = start if inside.all() else min(start, sizes[inside].max(initial=0))
    bands = {prob: interval(drawn, prob) for prob in probs}
    fitted, later = places[:, own & is_fitted], places[:, own & ~is_fitted]
    return Line(title, sizes, bands, float(start), fitted, later)


@dataclass(frozen=True)
class _Observed:
    """Ranges of the predictors that were fitted: of all runs, and of each curve by its label."""

    whole: dict[str, list[float]]
    each: dict[str, dict[str, list[float]]]

    @classmethod
    def of(cls, forecast: xr.Dataset) -> _Observed:
        """As a forecast tells; one that does not tell curves apart has the range of all runs."""
        names, whole = predictor_names(forecast), json.loads(forecast.attrs["observed"])
        each = json.loads(forecast.attrs.get("observed_by_curve", "{}"))
        own = {label: {name: of[name] for name in names} for label, of in each.items()}
        return cls({name: whole[name] for name in names}, own)

    def ranges(self, labels: tuple[str, ...]) -> dict[str, list[float]]:
        """Those of a curve; nothing if no run of it was fitted."""
        return self.each.get(" / ".join(labels) or "all", {}) if self.each else self.whole

    def holds(self, runs: xr.Dataset, groups: list[str]) -> np.ndarray:
        """Which runs lie in the fitted range of their curve, and are not marked as held out."""
        inside = np.zeros(runs.sizes["run"], dtype=bool)
        used = ~runs["held_out"].values if "held_out" in runs.coords else ~inside
        of_all = False
        for labels, rows in rows_by(runs, groups, range(inside.size)).items():
            ranges = self.ranges(labels)
            inside[rows] = bool(ranges)
            for name, (low, high) in ranges.items():
                values = runs[name].values[rows]
                inside[rows] &= (low <= values) & (values <= high)
                # If the largest fitted size is that of a marked run alone, all were fitted.
                of_all |= bool(high == values.max() > values[used[rows]].max(initial=0))
        return inside if of_all else inside & used
