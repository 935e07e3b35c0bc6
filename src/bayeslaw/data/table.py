"""Tables of training runs: from a file or a dataframe to checked columns."""

from __future__ import annotations

import difflib
import json
import math
import os
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayeslaw.errors import RunsError, RunsWarning

if TYPE_CHECKING:
    import narwhals as nw

__all__ = [
    "check_names",
    "names_in",
    "noted",
    "notes",
    "open_table",
    "read_columns",
    "reject",
    "require",
    "shorten",
    "size_fault",
    "warn",
]

_RESERVED = ("run", "chain", "draw", "curve", "held_out", "stderr")
_MARKS = {"true": True, "1": True, "false": False, "0": False}


def read_columns(
    table: Any,
    *,
    response: str,
    predictors: Mapping[str, str] | Sequence[str],
    groups: Sequence[str],
    stderr: str | None,
    run_id: str | None,
    duplicates: str,
    best: float | None,
) -> xr.Dataset:
    """Read the columns that make runs, each checked, without copies of a run.

    Parameters
    ----------
    table, response, predictors, groups, stderr, run_id, duplicates, best
        As in `bayeslaw.data.runs.read_runs`.

    Returns
    -------
    xarray.Dataset
        Runs without a reference scale.

    Raises
    ------
    RunsError
        Naming the column, row and value that cannot be used.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"params": [1e6, 1e8], "loss": [4.0, 3.0]})
    >>> options = {"stderr": None, "run_id": None, "duplicates": "drop", "best": None}
    >>> data = read_columns(
    ...     table, response="loss", predictors={"N": "params"}, groups=[], **options
    ... )
    >>> data["N"].values.tolist()
    [1000000.0, 100000000.0]
    """
    columns = _column_of_predictor(predictors)
    group_names = _as_list("groups", groups)
    response_name = response if best is None else f"{response}_shortfall"
    _check_choice(duplicates)
    check_names(response_name, list(columns), group_names)
    frame = open_table(table)
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
    data = xr.Dataset(variables, coordinates, attributes)
    return _settle_duplicates(data, [*variables, *group_names], duplicates)


def check_names(response: str, predictors: Sequence[str], groups: Sequence[str]) -> None:
    """Raise unless the response, predictors and groups have names of their own."""
    require(bool(predictors), "at least one predictor is needed, such as N")
    roles: dict[str, str] = dict.fromkeys(_RESERVED, "a reserved name")
    candidates = [(response, "the response")]
    candidates += [(name, "a predictor") for name in predictors]
    candidates += [(name, "a group") for name in groups]
    for name, role in candidates:
        require(name not in roles, f"{name!r} cannot be {role}: it is {roles.get(name)}")
        require("/" not in name, f"{name!r} cannot be {role}: a slash would split a fit's tree")
        roles[name] = role


def require(condition: bool | np.bool_, message: str) -> None:
    """Raise a `RunsError` with a sentence unless a condition holds."""
    if not condition:
        raise RunsError(message)


def warn(message: str) -> None:
    """Warn on the line of the package's caller, however deep in the package it arises."""
    package = os.path.dirname(os.path.dirname(__file__))
    warnings.warn(message, RunsWarning, skip_file_prefixes=(package,))


def noted(runs: xr.Dataset, message: str) -> xr.Dataset:
    """Warn of something in the runs, and keep the sentence in their notes."""
    warn(message)
    sentence = f"{message[:1].upper()}{message[1:]}."
    return runs.assign_attrs(notes=[*notes(runs), sentence])


def notes(runs: xr.Dataset) -> list[str]:
    """Return what was found wrong with runs, or changed, when they were read."""
    return names_in(runs, "notes") if "notes" in runs.attrs else []


def reject(place: str, values: Sequence[Any], fault: Callable[[Any], str]) -> None:
    """Raise a `RunsError` that names the first value with a fault."""
    wrong = [row for row, value in enumerate(values) if fault(value)]
    if wrong:
        value = values[wrong[0]]
        raise RunsError(f"{place} {wrong[0]}: {value!r} {fault(value)}{_more(len(wrong))}")


def size_fault(value: Any) -> str:
    """Say what is wrong with a value that must be positive; nothing if it is."""
    wrong = "is not positive: a loss, a size or a standard error is above zero"
    return _number_fault(value) or ("" if float(value) > 0 else wrong)


def shorten(items: Sequence[str]) -> str:
    """List the first three items, and how many more there are."""
    more = [f"and {len(items) - 3} more"] if len(items) > 3 else []
    return ", ".join([*items[:3], *more])


def names_in(runs: xr.Dataset, key: str) -> list[str]:
    """Return the names that an attribute of runs lists."""
    # netCDF gives a list of one name back as the name itself.
    return [str(name) for name in np.atleast_1d(runs.attrs[key])]


def _number_fault(value: Any) -> str:
    try:
        finite = math.isfinite(float(value))
    except (TypeError, ValueError):
        return _missing_fault(value) or "is not a number"
    return _missing_fault(value) or ("" if finite else "is not finite")


def _missing_fault(value: Any) -> str:
    # A table may say None, NaN, NaT or pandas' NA, and a CSV file the same in text.
    missing = value is None or str(value).strip() in ("", "nan", "NaN", "NaT", "<NA>")
    return "is a missing value: fill it in or drop the row" if missing else ""


def _more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def _check_choice(duplicates: str) -> None:
    known = duplicates in ("drop", "keep")
    require(known, f"duplicates must be 'drop' or 'keep', got {duplicates!r}")


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
    require(not text, f"{argument} must be a list of columns, got {columns!r}")
    return list(columns)


def _settle_duplicates(runs: xr.Dataset, names: Sequence[str], duplicates: str) -> xr.Dataset:
    import pandas as pd

    copies = pd.DataFrame({name: runs[name].values for name in names}).duplicated().to_numpy()
    if not copies.any():
        return runs
    count = f"{copies.sum()} of {copies.size} runs are exact copies of earlier ones"
    if duplicates == "keep":
        return noted(runs, f"{count}: kept, so they count as new evidence")
    return noted(runs.isel(run=~copies), f"{count}: dropped (duplicates='keep' keeps them)")


def open_table(table: Any) -> nw.DataFrame[Any]:
    """Open a file, a dataframe or a dataset; cells of a CSV file that are empty hold empty text."""
    import narwhals as nw

    if isinstance(table, (str, os.PathLike)):
        table = _read_file(Path(table))
    if isinstance(table, xr.Dataset):
        table = table.to_dataframe().reset_index()
    try:
        frame = nw.from_native(table, eager_only=True)
    except (TypeError, ValueError) as error:
        raise RunsError(
            f"a table is a path, a dataframe in memory or an xarray.Dataset: {error}"
        ) from error
    require(len(frame) > 0, "the table has no rows")
    return frame


def _read_file(path: Path) -> Any:
    suffix = next((suffix for suffix in _READERS if path.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise RunsError(f"{str(path)!r} does not end in one of {', '.join(_READERS)}")
    require(path.is_file(), f"there is no file {str(path)!r}")
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
    require(not _number_fault(best), f"best must be a finite number, got {best!r}")

    def fault(value: Any) -> str:
        beaten = f"is not below the best value, {best:g}"
        return _number_fault(value) or ("" if float(value) < best else beaten)

    values = best - _numbers(frame, column, fault)
    return "run", values, {"column": column, "long_name": f"{best:g} - {column}"}


def _positive(frame: nw.DataFrame[Any], column: str) -> tuple[Any, ...]:
    return "run", _numbers(frame, column, size_fault), {"column": column}


def _numbers(frame: nw.DataFrame[Any], column: str, fault: Callable[[Any], str]) -> np.ndarray:
    values = frame[column].to_list()
    reject(f"column {column!r}, row", values, fault)
    return np.array([float(value) for value in values])


def _labels(frame: nw.DataFrame[Any], column: str) -> np.ndarray:
    values = frame[column].to_list()
    reject(f"column {column!r}, row", values, _missing_fault)
    return np.array([_label(value) for value in values], dtype=str)


def _marks(frame: nw.DataFrame[Any]) -> np.ndarray:
    marks = _labels(frame, "held_out").tolist()
    wrong = "is neither true nor false (nor 1 nor 0)"
    reject("column 'held_out', row", marks, lambda mark: "" if mark.lower() in _MARKS else wrong)
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


def _label(value: Any) -> str:
    # A column of 70000000 is read as floats in one file and as integers in another.
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)
