"""Runs: a table of training runs as a labelled data set, its splits, grids and curves.

Runs are a plain ``xarray.Dataset`` on dimension ``run``. Its attributes name the ``response``
(absent from a grid), the ``predictors`` and the ``groups``.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import warnings
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    import narwhals as nw
    from narwhals.typing import IntoDataFrame

__all__ = [
    "RunsError",
    "RunsWarning",
    "check_runs",
    "curve_index",
    "curves",
    "grid",
    "groups",
    "has_response",
    "predictors",
    "read_runs",
    "reference",
    "response",
    "scaled",
    "split_at",
    "split_held_out",
    "warn_thin_groups",
]

_RESERVED = ("run", "chain", "draw", "curve", "held_out", "stderr")
_MARKS = {"true": True, "1": True, "false": False, "0": False}


class RunsError(ValueError):
    """A table or data set that cannot be read as runs; the message names the culprit."""


class RunsWarning(UserWarning):
    """Something in the runs that a fit survives but its reader should know."""


def read_runs(
    table: str | os.PathLike[str] | IntoDataFrame,
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
    """Read training runs from a file or a dataframe.

    A column ``held_out`` (true/false or 0/1), if there is one, becomes a coordinate.

    Parameters
    ----------
    table : path or dataframe
        CSV (also ``.csv.gz``), Parquet or JSON lines; or a pandas, polars or pyarrow table.
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
        Reference scale per predictor; by default the geometric centre of its range.
    duplicates : {"drop", "keep"}
        What to do with later copies of a run that agree to the last digit.
    best : float, optional
        For a metric where higher is better, its best value: the response is then
        ``best - metric``, called ``<metric>_shortfall``.

    Returns
    -------
    xarray.Dataset
        Runs on dimension ``run``.

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
    columns = _column_of_predictor(predictors)
    group_names = _as_list("groups", groups)
    response_name = response if best is None else f"{response}_shortfall"
    _check_choice(duplicates)
    _check_names(response_name, list(columns), group_names)
    frame = _open_table(table)
    optional = [column for column in (stderr, run_id) if column is not None]
    _check_columns(frame, [response, *columns.values(), *group_names, *optional])

    variables = {response_name: _response(frame, response, best)}
    for name, column in columns.items():
        variables[name] = _positive(frame, column)
    if stderr is not None:
        variables["stderr"] = _positive(frame, stderr)
    coordinates: dict[str, Any] = {"run": _run_ids(frame, run_id)}
    for name in group_names:
        coordinates[name] = ("run", _labels(frame, name))
    if "held_out" in frame.columns:
        coordinates["held_out"] = ("run", _marks(frame))
    attributes = {"response": response_name, "predictors": list(columns), "groups": group_names}

    runs = _settle_duplicates(xr.Dataset(variables, coordinates, attributes), duplicates)
    for name, value in _reference(runs, reference or {}).items():
        runs[name].attrs["reference"] = value
    _warn_single_levels(runs)
    return runs


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
        _require(key in runs.attrs, f"runs need attrs[{key!r}]; make them with read_runs or grid")
    sizes = list(runs.sizes)
    _require(sizes == ["run"], f"runs need one dimension, 'run', got {sizes}")
    _require("run" in runs.indexes, "the run coordinate is missing")
    _require(runs.sizes["run"] > 0, "there are no runs")
    _require(runs.indexes["run"].is_unique, "the run coordinate has repeated values")
    _require(bool(predictors(runs)), "runs need at least one predictor")
    for name in (*_measurements(runs), *predictors(runs)):
        _check_variable(runs, name)
    for name in groups(runs):
        _require(name in runs.coords, f"group {name!r} is not a coordinate of the runs")
        _require(runs[name].dtype.kind in "UOT", f"labels of group {name!r} must be text")
    marked = "held_out" in runs.coords
    _require(not marked or runs["held_out"].dtype == bool, "held_out must be true or false")


def has_response(runs: xr.Dataset) -> bool:
    """Tell whether runs carry a response; a grid does not.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs.

    Returns
    -------
    bool

    Examples
    --------
    >>> has_response(grid(N=1e9))
    False
    """
    return "response" in runs.attrs


def response(runs: xr.Dataset) -> xr.DataArray:
    """Return the response of runs.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs.

    Returns
    -------
    xarray.DataArray

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"N": [1e6, 1e8], "loss": [4.0, 3.0]})
    >>> response(read_runs(table, predictors=["N"])).values.tolist()
    [4.0, 3.0]
    """
    _require(has_response(runs), "these runs have no response: they come from a grid")
    return runs[runs.attrs["response"]]


def predictors(runs: xr.Dataset) -> list[str]:
    """Return the names of the predictors.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs.

    Returns
    -------
    list of str

    Examples
    --------
    >>> predictors(grid(N=1e9, D=2e10, task="c4"))
    ['N', 'D']
    """
    return _names(runs, "predictors")


def groups(runs: xr.Dataset) -> list[str]:
    """Return the names of the groups.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs.

    Returns
    -------
    list of str

    Examples
    --------
    >>> groups(grid(N=1e9, task="c4", dataset="web"))
    ['task', 'dataset']
    """
    return _names(runs, "groups")


def reference(runs: xr.Dataset) -> dict[str, float]:
    """Return the reference scale of each predictor.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs.

    Returns
    -------
    dict of str to float

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"N": [1e6, 1e8], "loss": [4.0, 3.0]})
    >>> reference(read_runs(table, predictors=["N"], reference={"N": 3e8}))
    {'N': 300000000.0}
    """
    for name in predictors(runs):
        _require("reference" in runs[name].attrs, f"predictor {name!r} has no reference scale")
    return {name: float(runs[name].attrs["reference"]) for name in predictors(runs)}


def scaled(runs: xr.Dataset, reference: Mapping[str, float]) -> dict[str, np.ndarray]:
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
    >>> scaled(grid(N=[1e9, 1e10]), {"N": 1e8})
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
    _require(bool(limits), "split_at needs a limit, such as split_at(runs, N=1e8)")
    _check_predictors(runs, limits)
    within = np.all([runs[name].values <= limit for name, limit in limits.items()], axis=0)
    ranges = ", ".join(f"{name} in the data is {_range(runs[name])}" for name in limits)
    condition = " and ".join(f"{name} <= {limit:g}" for name, limit in limits.items())
    _require(within.any(), f"no run has {condition}: {ranges}")
    _require(not within.all(), f"every run has {condition}: {ranges}")
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
    _require("held_out" in runs.coords, "no run is marked: the table has no column 'held_out'")
    marked = runs["held_out"].values.astype(bool)
    _require(marked.any(), f"none of the {marked.size} runs is marked as held out")
    _require(not marked.all(), f"all {marked.size} runs are marked as held out")
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
    _check_names("", numeric, text)
    mesh = np.meshgrid(*levels.values(), indexing="ij")
    columns = {name: ("run", axis.ravel()) for name, axis in zip(levels, mesh, strict=True)}
    rows = np.arange(math.prod(level.size for level in levels.values()))
    return xr.Dataset(
        {name: columns[name] for name in numeric},
        {"run": rows, **{name: columns[name] for name in text}},
        {"predictors": numeric, "groups": text},
    )


def curves(runs: xr.Dataset) -> xr.Dataset:
    """List the distinct combinations of the groups, in order of first appearance.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs.

    Returns
    -------
    xarray.Dataset
        Without variables, on dimension ``curve``: a label per curve, and its groups.

    Examples
    --------
    >>> curves(grid(N=[1e9, 1e10], task=["c4", "pile"], dataset="web"))["curve"].values.tolist()
    ['c4 / web', 'pile / web']
    """
    names = groups(runs)
    distinct = list(dict.fromkeys(_combinations(runs, names)))
    columns = zip(names, zip(*distinct, strict=True), strict=True)
    coordinates = {name: ("curve", np.array(labels, dtype=str)) for name, labels in columns}
    return xr.Dataset(
        coords={"curve": [_curve_label(labels) for labels in distinct], **coordinates},
        attrs={"groups": names},
    )


def curve_index(runs: xr.Dataset, curves: xr.Dataset) -> np.ndarray:
    """Find the position of each run's curve among the curves.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs.
    curves : xarray.Dataset
        What `curves` returned, perhaps for other runs.

    Returns
    -------
    numpy.ndarray of int

    Examples
    --------
    >>> runs = grid(N=[1e9, 1e10], task=["c4", "pile"])
    >>> curve_index(runs, curves(runs)).tolist()
    [0, 1, 0, 1]
    """
    names = groups(curves)
    for name in names:
        _require(name in runs.coords, f"the runs have no group {name!r}, the curves have")
    position = {labels: index for index, labels in enumerate(_combinations(curves, names))}
    wanted = _combinations(runs, names)
    unknown = list(dict.fromkeys(labels for labels in wanted if labels not in position))
    if unknown:
        known = _shorten([_curve_label(labels) for labels in position])
        raise RunsError(f"unknown curve {_curve_label(unknown[0])!r}; the curves are: {known}")
    return np.array([position[labels] for labels in wanted], dtype=int)


def warn_thin_groups(runs: xr.Dataset, groups: Sequence[str], n_parameters: int) -> None:
    """Warn of curves with fewer distinct sizes than a law has parameters.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs.
    groups : list of str
        Groups that tell curves apart.
    n_parameters : int
        Number of parameters of the law.

    Examples
    --------
    >>> warn_thin_groups(grid(N=[1e7, 1e8, 1e9], task=["c4", "pile"]), ["task"], 3)
    """
    sizes: dict[tuple[str, ...], set[tuple[float, ...]]] = {}
    settings = zip(*(runs[name].values.tolist() for name in predictors(runs)), strict=True)
    for labels, setting in zip(_combinations(runs, groups), settings, strict=True):
        sizes.setdefault(labels, set()).add(setting)
    thin = [
        f"{_curve_label(labels)} has {len(distinct)}"
        for labels, distinct in sizes.items()
        if len(distinct) < n_parameters
    ]
    if thin:
        _warn(
            f"{len(thin)} of {len(sizes)} curves have fewer distinct values of "
            f"{' and '.join(predictors(runs))} than the law has parameters ({n_parameters}): "
            f"{_shorten(thin)}; pooling may still carry them"
        )


def _require(condition: bool | np.bool_, message: str) -> None:
    if not condition:
        raise RunsError(message)


def _warn(message: str) -> None:
    # The line to blame is the caller's, however deep in the package the warning arises.
    package = os.path.dirname(__file__)
    warnings.warn(message, RunsWarning, skip_file_prefixes=(package,))


def _shorten(items: Sequence[str]) -> str:
    more = [f"and {len(items) - 3} more"] if len(items) > 3 else []
    return ", ".join([*items[:3], *more])


def _range(values: xr.DataArray) -> str:
    return f"{values.min().item():g} to {values.max().item():g}"


def _names(runs: xr.Dataset, key: str) -> list[str]:
    # netCDF gives a list of one name back as the name itself.
    return [str(name) for name in np.atleast_1d(runs.attrs[key])]


def _measurements(runs: xr.Dataset) -> list[str]:
    optional = ["stderr"] if "stderr" in runs else []
    return [runs.attrs["response"], *optional] if has_response(runs) else optional


def _check_variable(runs: xr.Dataset, name: str) -> None:
    _require(name in runs.data_vars, f"{name!r} is not a variable of the runs")
    _require(runs[name].dtype == float, f"{name!r} must be float64, got {runs[name].dtype}")
    _reject(f"{name!r}, position", runs[name].values.tolist(), _size_fault)


def _check_predictors(runs: xr.Dataset, names: Collection[str]) -> None:
    for name in names:
        known = ", ".join(predictors(runs))
        _require(name in predictors(runs), f"{name!r} is not a predictor; there are: {known}")


def _check_choice(duplicates: str) -> None:
    known = duplicates in ("drop", "keep")
    _require(known, f"duplicates must be 'drop' or 'keep', got {duplicates!r}")


def _check_names(response: str, predictors: Sequence[str], groups: Sequence[str]) -> None:
    _require(bool(predictors), "at least one predictor is needed, such as N")
    roles: dict[str, str] = dict.fromkeys(_RESERVED, "a reserved name")
    candidates = [(response, "the response")]
    candidates += [(name, "a predictor") for name in predictors]
    candidates += [(name, "a group") for name in groups]
    for name, role in candidates:
        _require(name not in roles, f"{name!r} cannot be {role}: it is {roles.get(name)}")
        roles[name] = role


def _check_columns(frame: nw.DataFrame[Any], wanted: Sequence[str]) -> None:
    names = [str(name) for name in frame.columns]
    missing = [column for column in wanted if column not in names]
    if missing:
        spelling = {name.lower(): name for name in names}
        close = difflib.get_close_matches(missing[0].lower(), spelling, n=1)
        hint = f"; did you mean {spelling[close[0]]!r}?" if close else "."
        raise RunsError(
            f"column {missing[0]!r} is not in the table{hint} It has: {', '.join(names)}"
        )


def _column_of_predictor(predictors: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    if isinstance(predictors, Mapping):
        return dict(predictors)
    return {column: column for column in _as_list("predictors", predictors)}


def _as_list(argument: str, columns: Sequence[str]) -> list[str]:
    text = isinstance(columns, str)
    _require(not text, f"{argument} must be a list of columns, got {columns!r}")
    return list(columns)


def _combinations(runs: xr.Dataset, groups: Sequence[str]) -> list[tuple[str, ...]]:
    if not groups:
        return [()] * next(iter(runs.sizes.values()))
    return list(zip(*(runs[name].values.tolist() for name in groups), strict=True))


def _curve_label(labels: Sequence[str]) -> str:
    return " / ".join(labels) or "all"


def _levels(name: str, value: Any) -> np.ndarray:
    items = np.ravel(np.asarray(value, dtype=object)).tolist()
    _require(bool(items), f"{name} is empty: give a number, a text or a list of them")
    if all(isinstance(item, str) for item in items):
        return np.array(items, dtype=str)
    _reject(f"{name}, item", items, _size_fault)
    return np.array(items, dtype=float)


def _reference(runs: xr.Dataset, given: Mapping[str, float]) -> dict[str, float]:
    _check_predictors(runs, given)
    for name, value in given.items():
        fault = _size_fault(value)
        _require(not fault, f"reference of {name!r}: {value!r} {fault}")
    return {name: float(given.get(name, _centre(runs[name].values))) for name in predictors(runs)}


def _centre(sizes: np.ndarray) -> float:
    # Two digits, so that "reducible loss at the reference" reads well.
    return float(f"{np.exp(np.log([sizes.min(), sizes.max()]).mean()):.1e}")


def _settle_duplicates(runs: xr.Dataset, duplicates: str) -> xr.Dataset:
    import pandas as pd

    names = [*_measurements(runs), *predictors(runs), *groups(runs)]
    copies = pd.DataFrame({name: runs[name].values for name in names}).duplicated().to_numpy()
    if not copies.any():
        return runs
    count = f"{copies.sum()} of {copies.size} runs are exact copies of earlier ones"
    if duplicates == "keep":
        _warn(f"{count}: kept, so they count as new evidence")
        return runs
    _warn(f"{count}: dropped (duplicates='keep' keeps them)")
    return runs.isel(run=~copies)


def _warn_single_levels(runs: xr.Dataset) -> None:
    for name in groups(runs):
        levels = np.unique(runs[name].values)
        if levels.size == 1:
            _warn(
                f"group {name!r} has one level, {str(levels[0])!r}, in all "
                f"{runs.sizes['run']} runs: dropped from the pooling"
            )


def _open_table(table: Any) -> nw.DataFrame[Any]:
    import narwhals as nw

    if isinstance(table, (str, os.PathLike)):
        table = _read_file(Path(table))
    try:
        frame = nw.from_native(table, eager_only=True)
    except (TypeError, ValueError) as error:
        raise RunsError(f"a table is a path or a dataframe in memory: {error}") from error
    _require(len(frame) > 0, "the table has no rows")
    return frame


def _read_file(path: Path) -> Any:
    suffix = next((suffix for suffix in _READERS if path.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise RunsError(f"{str(path)!r} does not end in one of {', '.join(_READERS)}")
    _require(path.is_file(), f"there is no file {str(path)!r}")
    try:
        return _READERS[suffix](path)
    except (OSError, ValueError, EOFError, zlib.error, Warning) as error:
        raise RunsError(f"cannot read {str(path)!r}: {error}") from error


def _read_csv(path: Path) -> Any:
    import pandas as pd

    # "None" and "NA" are good labels, and a cell that is no number must keep its text for the
    # error. A surplus field in each row would turn the first column into an index, or be lost.
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(path, keep_default_na=False, low_memory=False, index_col=False)


def _read_parquet(path: Path) -> Any:
    import pandas as pd

    return pd.read_parquet(path)


def _read_json_lines(path: Path) -> Any:
    import pandas as pd

    # pandas' own reader rounds numbers and makes dates of columns by their names.
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return pd.DataFrame(json.loads(f"[{',\n'.join(lines)}]"))


_READERS: dict[str, Callable[[Path], Any]] = {
    ".csv": _read_csv,
    ".csv.gz": _read_csv,
    ".parquet": _read_parquet,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
}


def _response(frame: nw.DataFrame[Any], column: str, best: float | None) -> tuple[Any, ...]:
    if best is None:
        return _positive(frame, column)
    _require(not _number_fault(best), f"best must be a finite number, got {best!r}")

    def fault(value: Any) -> str:
        beaten = f"is not below the best value, {best:g}"
        return _number_fault(value) or ("" if float(value) < best else beaten)

    values = best - _numbers(frame, column, fault)
    return "run", values, {"column": column, "long_name": f"{best:g} - {column}"}


def _positive(frame: nw.DataFrame[Any], column: str) -> tuple[Any, ...]:
    return "run", _numbers(frame, column, _size_fault), {"column": column}


def _numbers(frame: nw.DataFrame[Any], column: str, fault: Callable[[Any], str]) -> np.ndarray:
    values = frame[column].to_list()
    _reject(f"column {column!r}, row", values, fault)
    return np.array([float(value) for value in values])


def _labels(frame: nw.DataFrame[Any], column: str) -> np.ndarray:
    values = frame[column].to_list()
    _reject(f"column {column!r}, row", values, _missing_fault)
    return np.array([_label(value) for value in values], dtype=str)


def _marks(frame: nw.DataFrame[Any]) -> np.ndarray:
    marks = _labels(frame, "held_out").tolist()
    wrong = "is neither true nor false (nor 1 nor 0)"
    _reject("column 'held_out', row", marks, lambda mark: "" if mark.lower() in _MARKS else wrong)
    return np.array([_MARKS[mark.lower()] for mark in marks])


def _run_ids(frame: nw.DataFrame[Any], column: str | None) -> np.ndarray:
    if column is None:
        return np.arange(len(frame))
    labels = _labels(frame, column)
    names, counts = np.unique(labels, return_counts=True)
    repeated = names[counts > 1].tolist()
    if repeated:
        rows = ", ".join(map(str, np.flatnonzero(labels == repeated[0])))
        raise RunsError(
            f"column {column!r}: {repeated[0]!r} names rows {rows}; a run's name must be "
            f"unique{_more(len(repeated))}"
        )
    return labels.astype(int) if frame[column].dtype.is_integer() else labels


def _reject(place: str, values: Sequence[Any], fault: Callable[[Any], str]) -> None:
    wrong = [row for row, value in enumerate(values) if fault(value)]
    if wrong:
        value = values[wrong[0]]
        raise RunsError(f"{place} {wrong[0]}: {value!r} {fault(value)}{_more(len(wrong))}")


def _more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def _missing_fault(value: Any) -> str:
    # A table may say None, NaN, NaT or pandas' NA, and a CSV file the same in text.
    missing = value is None or str(value).strip() in ("", "nan", "NaN", "NaT", "<NA>")
    return "is a missing value: fill it in or drop the row" if missing else ""


def _number_fault(value: Any) -> str:
    try:
        finite = math.isfinite(float(value))
    except (TypeError, ValueError):
        return _missing_fault(value) or "is not a number"
    return _missing_fault(value) or ("" if finite else "is not finite")


def _size_fault(value: Any) -> str:
    wrong = "is not positive: a loss, a size or a standard error is above zero"
    return _number_fault(value) or ("" if float(value) > 0 else wrong)


def _label(value: Any) -> str:
    # A column of 70000000 is read as floats in one file and as integers in another.
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)
