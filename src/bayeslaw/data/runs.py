"""Runs: a table of training runs as a labelled data set, its splits and grids.

Runs are a plain ``xarray.Dataset`` on dimension ``run``. Its attributes name the ``response``
(absent from a grid), the ``predictors`` and the ``groups``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from bayeslaw.data.curves import curve_index, curves_in, warn_thin_groups
from bayeslaw.data.table import (
    check_names,
    names_in,
    noted,
    read_columns,
    reject,
    require,
    size_fault,
)
from bayeslaw.errors import RunsError, RunsWarning

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

__all__ = [
    "RunsError",
    "RunsWarning",
    "check_runs",
    "curve_index",
    "curves_in",
    "grid",
    "group_names",
    "has_response",
    "predictor_names",
    "read_runs",
    "reference_sizes",
    "response_values",
    "scaled_predictors",
    "split_at",
    "split_held_out",
    "warn_thin_groups",
]


def read_runs(
    table: str | os.PathLike[str] | IntoDataFrame | xr.Dataset,
    *,
    response: str = "loss",
    predictors: Mapping[str, str] | Sequence[str],
    groups: Sequence[str] = (),
    stderr: str | None = None,
    run_id: str | None = None,
    reference: Mapping[str, float] | None = None,
    duplicates: Literal["drop", "keep"] = "drop",
    best: float | None = None,
) -> xr.Dataset:
    """Read training runs from a file, a dataframe or a dataset of xarray.

    A column ``held_out`` (true/false or 0/1), if there is one, becomes a coordinate.

    Parameters
    ----------
    table : path, dataframe or xarray.Dataset
        CSV (also ``.csv.gz``), Parquet or JSON lines; a pandas, polars or pyarrow table; or a
        dataset whose variables and coordinates are columns, with a row for each cell.
    response : str
        Column of the loss.
    predictors : mapping of str to str, or list of str
        Names of the predictors and their columns; a list names columns directly.
    groups : list of str
        Columns that tell curves apart; their values become text.
    stderr : str, optional
        Column of the response's standard error.
    run_id : str, optional
        Column of unique names of the runs; by default the row number, from 0.
    reference : mapping of str to float, optional
        Reference scale per predictor; by default the geometric centre of its range. Parts of
        the runs keep it, so that fits of parts have the same priors and can be compared.
    duplicates : {"drop", "keep"}
        What to do with later copies of a run that agree to the last digit.
    best : float, optional
        For a metric where higher is better, its best value: the response is then
        ``best - metric``, called ``<metric>_shortfall``.

    Returns
    -------
    xarray.Dataset
        Runs on dimension ``run``. What was warned of, each a `RunsWarning`, is also in
        ``attrs["notes"]``, which goes into a saved fit and its report.

    Raises
    ------
    RunsError
        Naming the column, row and value that cannot be used.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"params": [1e6, 1e8], "loss": [4.0, 3.0]})
    >>> runs = read_runs(table, predictors={"N": "params"})
    >>> runs["N"].attrs["reference"]
    10000000.0
    """
    runs = read_columns(
        table,
        response=response,
        predictors=predictors,
        groups=groups,
        stderr=stderr,
        run_id=run_id,
        duplicates=duplicates,
        best=best,
    )
    for name, value in _reference(runs, reference or {}).items():
        runs[name].attrs["reference"] = value
    return _with_single_levels_noted(runs)


def check_runs(runs: xr.Dataset) -> None:
    """Raise unless a data set is valid runs, with or without a response.

    Parameters
    ----------
    runs : xarray.Dataset
        What to check.

    Raises
    ------
    RunsError
        With a sentence about the first fault.

    Examples
    --------
    >>> check_runs(grid(N=[1e9, 1e10]))
    """
    if not isinstance(runs, xr.Dataset):
        raise RunsError(f"runs must be an xarray.Dataset, got {type(runs).__name__}")
    for key in ("predictors", "groups"):
        require(key in runs.attrs, f"runs need attrs[{key!r}]; make them with read_runs or grid")
    sizes = list(runs.sizes)
    require(sizes == ["run"], f"runs need one dimension, 'run', got {sizes}")
    require("run" in runs.indexes, "the run coordinate is missing")
    require(runs.sizes["run"] > 0, "there are no runs")
    require(runs.indexes["run"].is_unique, "the run coordinate has repeated values")
    require(bool(predictor_names(runs)), "runs need at least one predictor")
    for name in (*_measurements(runs), *predictor_names(runs)):
        _check_variable(runs, name)
    for name in group_names(runs):
        require(name in runs.coords, f"group {name!r} is not a coordinate of the runs")
        require(runs[name].dtype.kind in "UOT", f"labels of group {name!r} must be text")
    marked = "held_out" in runs.coords
    require(not marked or runs["held_out"].dtype == bool, "held_out must be true or false")


def has_response(runs: xr.Dataset) -> bool:
    """Tell whether runs carry a response; a grid does not, nor runs whose response was dropped.

    Examples
    --------
    >>> has_response(grid(N=1e9))
    False
    """
    return runs.attrs.get("response") in runs.data_vars


def response_values(runs: xr.Dataset) -> xr.DataArray:
    """Return the response of runs.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"N": [1e6, 1e8], "loss": [4.0, 3.0]})
    >>> response_values(read_runs(table, predictors=["N"])).values.tolist()
    [4.0, 3.0]
    """
    named = runs.attrs.get("response")
    why = "they come from a grid" if named is None else f"{named!r} was dropped from them"
    require(has_response(runs), f"these runs have no response: {why}")
    return runs[runs.attrs["response"]]


def predictor_names(runs: xr.Dataset) -> list[str]:
    """Return the names of the predictors.

    Examples
    --------
    >>> predictor_names(grid(N=1e9, D=2e10, task="c4"))
    ['N', 'D']
    """
    return names_in(runs, "predictors")


def group_names(runs: xr.Dataset) -> list[str]:
    """Return the names of the groups.

    Examples
    --------
    >>> group_names(grid(N=1e9, task="c4", dataset="web"))
    ['task', 'dataset']
    """
    return names_in(runs, "groups")


def reference_sizes(runs: xr.Dataset) -> dict[str, float]:
    """Return the reference scale of each predictor.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"N": [1e6, 1e8], "loss": [4.0, 3.0]})
    >>> reference_sizes(read_runs(table, predictors=["N"], reference={"N": 3e8}))
    {'N': 300000000.0}
    """
    for name in predictor_names(runs):
        require("reference" in runs[name].attrs, f"predictor {name!r} has no reference scale")
    return {name: float(runs[name].attrs["reference"]) for name in predictor_names(runs)}


def scaled_predictors(runs: xr.Dataset, reference: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Return the predictors in units of a reference scale.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs.
    reference : mapping of str to float
        The scale of each predictor that is wanted.

    Returns
    -------
    dict of str to numpy.ndarray

    Examples
    --------
    >>> scaled_predictors(grid(N=[1e9, 1e10]), {"N": 1e8})
    {'N': array([ 10., 100.])}
    """
    _check_predictors(runs, reference)
    return {name: runs[name].values / scale for name, scale in reference.items()}


def split_at(runs: xr.Dataset, /, **limits: float) -> tuple[xr.Dataset, xr.Dataset]:
    """Split runs into those up to a size and those beyond it.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs.
    **limits : float
        Largest value for training, per predictor; the training runs satisfy all of them.

    Returns
    -------
    tuple of xarray.Dataset
        Runs to train on, and the rest.

    Examples
    --------
    >>> train, later = split_at(grid(N=[1e7, 1e8, 1e9]), N=1e8)
    >>> train.sizes["run"], later.sizes["run"]
    (2, 1)
    """
    require(bool(limits), "split_at needs a limit, such as split_at(runs, N=1e8)")
    _check_predictors(runs, limits)
    within = np.all([runs[name].values <= limit for name, limit in limits.items()], axis=0)
    ranges = ", ".join(f"{name} in the data is {_range(runs[name])}" for name in limits)
    condition = " and ".join(f"{name} <= {limit:g}" for name, limit in limits.items())
    require(within.any(), f"no run has {condition}: {ranges}")
    require(not within.all(), f"every run has {condition}: {ranges}")
    return runs.isel(run=within), runs.isel(run=~within)


def split_held_out(runs: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Split runs by their ``held_out`` mark.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs of a table with a column ``held_out``.

    Returns
    -------
    tuple of xarray.Dataset
        Runs to train on, and the held-out runs.

    Examples
    --------
    >>> runs = grid(N=[1e8, 1e9]).assign_coords(held_out=("run", [False, True]))
    >>> train, later = split_held_out(runs)
    >>> later["N"].values.tolist()
    [1000000000.0]
    """
    require("held_out" in runs.coords, "no run is marked: the table has no column 'held_out'")
    marked = runs["held_out"].values.astype(bool)
    require(marked.any(), f"none of the {marked.size} runs is marked as held out")
    require(not marked.all(), f"all {marked.size} runs are marked as held out")
    return runs.isel(run=~marked), runs.isel(run=marked)


def grid(**values: float | str | Sequence[float] | Sequence[str] | np.ndarray) -> xr.Dataset:
    """Make runs without a response: the cross product of what is given.

    Parameters
    ----------
    **values : number, text, or a list of either
        Numbers make a predictor, text makes a group; the last one varies fastest.

    Returns
    -------
    xarray.Dataset
        Runs on dimension ``run``.

    Examples
    --------
    >>> grid(N=[1e9, 1e10], task=["c4", "books"])["task"].values.tolist()
    ['c4', 'books', 'c4', 'books']
    """
    levels = {name: _levels(name, value) for name, value in values.items()}
    numeric = [name for name, level in levels.items() if level.dtype == float]
    text = [name for name in levels if name not in numeric]
    check_names("", numeric, text)
    mesh = np.meshgrid(*levels.values(), indexing="ij")
    columns = {name: ("run", axis.ravel()) for name, axis in zip(levels, mesh, strict=True)}
    rows = np.arange(math.prod(level.size for level in levels.values()))
    return xr.Dataset(
        {name: columns[name] for name in numeric},
        {"run": rows, **{name: columns[name] for name in text}},
        {"predictors": numeric, "groups": text},
    )


def _range(values: xr.DataArray) -> str:
    return f"{values.min().item():g} to {values.max().item():g}"


def _measurements(runs: xr.Dataset) -> list[str]:
    optional = ["stderr"] if "stderr" in runs else []
    return [runs.attrs["response"], *optional] if has_response(runs) else optional


def _check_variable(runs: xr.Dataset, name: str) -> None:
    require(name in runs.data_vars, f"{name!r} is not a variable of the runs")
    require(runs[name].dtype == float, f"{name!r} must be float64, got {runs[name].dtype}")
    reject(f"{name!r}, position", runs[name].values.tolist(), size_fault)


def _check_predictors(runs: xr.Dataset, names: Collection[str]) -> None:
    for name in names:
        known = ", ".join(predictor_names(runs))
        require(name in predictor_names(runs), f"{name!r} is not a predictor; there are: {known}")


def _levels(name: str, value: Any) -> np.ndarray:
    items = np.ravel(np.asarray(value, dtype=object)).tolist()
    require(bool(items), f"{name} is empty: give a number, a text or a list of them")
    if all(isinstance(item, str) for item in items):
        return np.array(items, dtype=str)
    reject(f"{name}, item", items, size_fault)
    return np.array(items, dtype=float)


def _reference(runs: xr.Dataset, given: Mapping[str, float]) -> dict[str, float]:
    _check_predictors(runs, given)
    for name, value in given.items():
        fault = size_fault(value)
        require(not fault, f"reference of {name!r}: {value!r} {fault}")
    return {
        name: float(given.get(name, _centre(runs[name].values))) for name in predictor_names(runs)
    }


def _centre(sizes: np.ndarray) -> float:
    # Two digits, so that "reducible loss at the reference" reads well.
    return float(f"{np.exp(np.log([sizes.min(), sizes.max()]).mean()):.1e}")


def _with_single_levels_noted(runs: xr.Dataset) -> xr.Dataset:
    for name in group_names(runs):
        levels = np.unique(runs[name].values)
        if levels.size == 1:
            runs = noted(
                runs,
                f"group {name!r} has one level, {str(levels[0])!r}, in all "
                f"{runs.sizes['run']} runs: dropped from the pooling",
            )
    return runs
