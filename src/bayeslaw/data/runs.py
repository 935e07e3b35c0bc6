"""Runs: training runs as a labelled dataset; reading, checking, attributes, and grids.

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

from bayeslaw._arguments import POSITIVE, shown
from bayeslaw._memory import require_memory
from bayeslaw._suggestions import names_arguments
from bayeslaw.data.checks import (
    check_names,
    checked,
    names_in,
    require,
    require_valid,
    why_not_positive,
    why_not_text,
    with_note,
)
from bayeslaw.data.table import read_columns
from bayeslaw.errors import RunsError

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

__all__ = [
    "check_predictors",
    "check_runs",
    "grid",
    "group_names",
    "has_response",
    "predictor_names",
    "read_runs",
    "reference_sizes",
    "response_values",
    "scaled_predictors",
]


@names_arguments
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
        CSV (also ``.csv.gz`` and ``.tsv``), Parquet, JSON lines, or JSON that is a list of records;
        a pandas, polars or pyarrow table; or a dataset whose variables and coordinates are the
        columns, with one row per cell.
    response : str
        Column of the loss.
    predictors : mapping of str to str, or list of str
        Names of the predictors and their columns; a list names columns directly.
    groups : list of str
        Columns whose combinations define the curves. Levels are text: as written in a CSV or JSON
        file, so that ``1.1`` and ``1.10`` differ; else the shortest text of a number.
    stderr : str, optional
        Column of the response's standard error.
    run_id : str, optional
        Column of unique names of the runs; by default the row number, from 0.
    reference : mapping of str to float, optional
        Reference scale per predictor; by default the geometric centre of its range. Subsets of
        the runs keep it, so that their fits have the same priors and can be compared.
    duplicates : {"drop", "keep"}
        What to do with exact copies of an earlier run.
    best : float, optional
        For a metric where higher is better, its best value: the response is then
        ``best - metric``, called ``<metric>_shortfall``.

    Returns
    -------
    xarray.Dataset
        Runs on dimension ``run``. Every `RunsWarning` is also recorded in ``attrs["notes"]``,
        which a saved fit and its report include.

    Raises
    ------
    RunsError
        If a value is invalid; the message names its column and row.

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
    for name, value in _reference_scales(runs, reference or {}).items():
        runs[name].attrs["reference"] = value
    return _with_notes_on_single_levels(runs)


def check_runs(runs: xr.Dataset) -> None:
    """Raise unless a dataset is valid runs, with or without a response.

    Parameters
    ----------
    runs : xarray.Dataset
        Dataset to check.

    Raises
    ------
    RunsError
        Describing the first problem.

    Examples
    --------
    >>> check_runs(grid(N=[1e9, 1e10]))
    """
    if not isinstance(runs, xr.Dataset):
        given = shown(runs) if isinstance(runs, str) else type(runs).__name__
        raise RunsError(
            f"runs must be an xarray.Dataset, got {given}: bl.read_runs makes one of a table"
        )
    for key in ("predictors", "groups"):
        require(key in runs.attrs, f"runs need attrs[{key!r}]; make them with read_runs or grid")
    sizes = list(runs.sizes)
    require(sizes == ["run"], f"runs need one dimension, 'run', got {sizes}")
    require("run" in runs.indexes, "the run coordinate is missing")
    require(runs.sizes["run"] > 0, "there are no runs")
    require(runs.indexes["run"].is_unique, "the run coordinate has repeated values")
    require(bool(predictor_names(runs)), "runs need at least one predictor")
    for name in (*_response_variables(runs), *predictor_names(runs)):
        _check_variable(runs, name)
    for name in group_names(runs):
        require(name in runs.coords, f"group {name!r} is not a coordinate of the runs")
        require(runs[name].dtype.kind in "UOT", f"labels of group {name!r} must be text")
    has_marks = "held_out" in runs.coords
    require(not has_marks or runs["held_out"].dtype == bool, "held_out must be true or false")


def has_response(runs: xr.Dataset) -> bool:
    """Whether runs have a response: a grid has none, nor runs whose response was dropped."""
    return runs.attrs.get("response") in runs.data_vars


def response_values(runs: xr.Dataset) -> xr.DataArray:
    """Response of the runs, (run,)."""
    name = runs.attrs.get("response")
    reason = "they come from a grid" if name is None else f"{name!r} was dropped from them"
    require(has_response(runs), f"these runs have no response: {reason}")
    return runs[runs.attrs["response"]]


def predictor_names(runs: xr.Dataset) -> list[str]:
    """Names of the predictors."""
    return names_in(runs, "predictors")


def group_names(runs: xr.Dataset) -> list[str]:
    """Names of the groups."""
    return names_in(runs, "groups")


def reference_sizes(runs: xr.Dataset) -> dict[str, float]:
    """Reference scale of each predictor."""
    for name in predictor_names(runs):
        require("reference" in runs[name].attrs, f"predictor {name!r} has no reference scale")
    return {name: float(runs[name].attrs["reference"]) for name in predictor_names(runs)}


def scaled_predictors(runs: xr.Dataset, reference: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Predictors, each (run,), divided by the given scales."""
    check_predictors(runs, reference)
    return {name: runs[name].values / scale for name, scale in reference.items()}


def check_predictors(runs: xr.Dataset, names: Collection[str]) -> None:
    """Raise unless all names are predictors of the runs."""
    for name in names:
        known = ", ".join(predictor_names(runs))
        require(name in predictor_names(runs), f"{name!r} is not a predictor; there are: {known}")


def grid(**values: float | str | Sequence[float] | Sequence[str] | np.ndarray) -> xr.Dataset:
    """Make runs without a response: the Cartesian product of the values.

    Parameters
    ----------
    **values : number, text, or a list of either
        Numbers make a predictor, text makes a group; the last varies fastest.

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
    count = math.prod(level.size for level in levels.values())
    require_memory(f"a grid of {count} rows", count * len(levels))
    numeric = [name for name, level in levels.items() if level.dtype == float]
    text = [name for name in levels if name not in numeric]
    check_names("", numeric, text)
    mesh = np.meshgrid(*levels.values(), indexing="ij")
    columns = {name: ("run", axis.ravel()) for name, axis in zip(levels, mesh, strict=True)}
    return xr.Dataset(
        {name: columns[name] for name in numeric},
        {"run": np.arange(count), **{name: columns[name] for name in text}},
        {"predictors": numeric, "groups": text},
    )


def _response_variables(runs: xr.Dataset) -> list[str]:
    optional = ["stderr"] if "stderr" in runs else []
    return [runs.attrs["response"], *optional] if has_response(runs) else optional


def _check_variable(runs: xr.Dataset, name: str) -> None:
    require(name in runs.data_vars, f"{name!r} is not a variable of the runs")
    require(runs[name].dtype == float, f"{name!r} must be float64, got {runs[name].dtype}")
    values = runs[name].values
    if not ((values > 0) & (values < np.inf)).all():
        require_valid(f"{name!r}, position", values.tolist(), why_not_positive)


def _levels(name: str, value: Any) -> np.ndarray:
    items = np.ravel(np.asarray(value, dtype=object)).tolist()
    require(bool(items), f"{name} is empty: give a number, a text or a list of them")
    texts = [isinstance(item, str) for item in items]
    if all(texts):
        require_valid(f"{name}, item", items, why_not_text)
        return np.array(items, dtype=str)
    require(not any(texts), f"{name} mixes text and numbers: {shown(items)}")
    require_valid(f"{name}, item", items, why_not_positive)
    return np.array(items, dtype=float)


def _reference_scales(runs: xr.Dataset, chosen: Mapping[str, float]) -> dict[str, float]:
    check_predictors(runs, chosen)
    given = {n: checked(POSITIVE, f"reference of {n!r}", value) for n, value in chosen.items()}
    return {n: given.get(n, _centre(runs[n].values)) for n in predictor_names(runs)}


def _centre(sizes: np.ndarray) -> float:
    # Rounded to two digits, to be readable as "reducible loss at the reference".
    return float(f"{np.exp(np.log([sizes.min(), sizes.max()]).mean()):.1e}")


def _with_notes_on_single_levels(runs: xr.Dataset) -> xr.Dataset:
    for name in group_names(runs):
        levels = np.unique(runs[name].values)
        if levels.size == 1:
            runs = with_note(
                runs,
                f"group {name!r} has one level, {str(levels[0])!r}, in all "
                f"{runs.sizes['run']} runs: dropped from the pooling",
            )
    return runs
