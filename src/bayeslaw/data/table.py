"""Table of training runs to a dataset: columns are looked up, checked and converted."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayeslaw._arguments import FINITE, shown
from bayeslaw.data.checks import (
    check_names,
    checked,
    count_others,
    number_in,
    require,
    require_valid,
    why_missing,
    why_not_finite,
    why_not_positive,
    why_not_text,
    with_note,
)
from bayeslaw.data.table_files import INT64, Table, open_blocks, open_table
from bayeslaw.errors import RunsError

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["label", "read_columns", "read_points"]

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
    """Runs without reference scales, from a table; arguments as of `bayeslaw.read_runs`."""
    columns = _column_of_predictor(predictors)
    group_names = _as_list("groups", groups)
    response_name = response if best is None else f"{response}_shortfall"
    _check_choice(duplicates)
    check_names(response_name, list(columns), group_names)
    opened = open_table(table)
    frame = opened.frame
    optional = [column for column in (stderr, run_id) if column is not None]
    _check_columns(frame, [response, *columns.values(), *group_names, *optional], response)

    variables = {response_name: _response(opened, response, best)}
    for name, column in columns.items():
        variables[name] = _positive(opened, column)
    if stderr is not None:
        variables["stderr"] = _positive(opened, stderr)
    coordinates: dict[str, Any] = {"run": _run_ids(opened, run_id)}
    for name in group_names:
        coordinates[name] = ("run", _levels(opened, name))
    if "held_out" in frame.columns:
        coordinates["held_out"] = ("run", _marks(opened))
    attributes = {"response": response_name, "predictors": list(columns), "groups": group_names}
    data = xr.Dataset(variables, coordinates, attributes)
    return _handle_duplicates(data, [*variables, *group_names], duplicates)


def read_points(
    path: Path, predictors: Sequence[str], groups: Sequence[str], size: int
) -> Iterator[xr.Dataset]:
    """Points of a file, so many at a time; its columns are predictors and groups, by name."""
    count = 0
    for table in open_blocks(path, size):
        _check_columns(table.frame, [*predictors, *groups], response="")
        rows = np.arange(count, count := count + len(table.frame))
        yield xr.Dataset(
            {name: _positive(table, name) for name in predictors},
            {"run": rows, **{name: ("run", _levels(table, name)) for name in groups}},
            {"predictors": list(predictors), "groups": list(groups)},
        )


def _check_choice(duplicates: str) -> None:
    known = duplicates in ("drop", "keep")
    require(known, f"duplicates must be 'drop' or 'keep', got {duplicates!r}")


def _check_columns(frame: nw.DataFrame[Any], wanted: Sequence[str], response: str) -> None:
    names = [str(name) for name in frame.columns]
    missing = [column for column in wanted if column not in names]
    if missing:
        spelling = {name.lower(): name for name in names}
        close = difflib.get_close_matches(missing[0].lower(), spelling, n=1)
        hint = f"; did you mean {spelling[close[0]]!r}?" if close else "."
        which = "; response=COLUMN says which is the response" if missing[0] == response else ""
        raise RunsError(
            f"column {missing[0]!r} is not in the table{hint} It has: {', '.join(names)}{which}"
        )


def _column_of_predictor(predictors: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    if isinstance(predictors, Mapping):
        return dict(predictors)
    return {column: column for column in _as_list("predictors", predictors)}


def _as_list(argument: str, columns: Sequence[str]) -> list[str]:
    require(not isinstance(columns, str), f"{argument} must be a list of columns, got {columns!r}")
    return list(columns)


def _handle_duplicates(runs: xr.Dataset, names: Sequence[str], duplicates: str) -> xr.Dataset:
    import pandas as pd

    copies = pd.DataFrame({name: runs[name].values for name in names}).duplicated().to_numpy()
    if not copies.any():
        return runs
    count = f"{copies.sum()} of {copies.size} runs are exact copies of earlier ones"
    if duplicates == "keep":
        return with_note(runs, f"{count}: kept, so they count as new evidence")
    return with_note(runs.isel(run=~copies), f"{count}: dropped (duplicates='keep' keeps them)")


def _response(table: Table, column: str, best: float | None) -> tuple[Any, ...]:
    if best is None:
        return _positive(table, column)
    best = checked(FINITE, "best", best)

    def why_not_below_best(value: Any) -> str:
        reason = f"is not below the best value, {best:g}"
        return why_not_finite(value) or ("" if (number_in(value) or 0.0) < best else reason)

    values = best - _numbers(table, column, why_not_below_best)
    return "run", values, {"column": column, "long_name": f"{best:g} - {column}"}


def _positive(table: Table, column: str) -> tuple[Any, ...]:
    return "run", _numbers(table, column, why_not_positive), {"column": column}


def _numbers(table: Table, column: str, why_invalid: Callable[[Any], str]) -> np.ndarray:
    values = table.frame[column].to_list()
    require_valid(f"column {column!r},", values, why_invalid, table.place)
    return np.array([number_in(value) for value in values], dtype=float)


def _labels(table: Table, column: str) -> np.ndarray:
    """The cells of a column as text: as they are written, or the shortest text of a number."""
    values = _exact_values(table.frame[column])
    require_valid(f"column {column!r},", values, _why_not_label, table.place)
    return np.array([label(value) for value in values], dtype=str)


def _levels(table: Table, column: str) -> np.ndarray:
    """The labels of a group, unless text and something else have one label, as "1" and 1 have."""
    labels, values = _labels(table, column), table.frame[column].to_list()
    is_text = np.array([isinstance(value, str) for value in values])
    both = np.intersect1d(labels[is_text], labels[~is_text])
    if both.size:
        rows = [np.flatnonzero((labels == both[0]) & kind)[0] for kind in (~is_text, is_text)]
        first, second = (f"{shown(values[row])} of {table.place(int(row))}" for row in rows)
        raise RunsError(
            f"column {column!r}: {first} and the text {second} would be one level"
            f"{count_others(both.size)}; convert the column to one type, such as text"
        )
    return labels


def _exact_values(column: nw.Series[Any]) -> list[Any]:
    """The values of a column; those of single precision stay such, as their text is shorter."""
    is_single = str(column.dtype) == "Float32"
    values = column.to_list()
    return [np.float32(value) for value in values] if is_single else values


def _why_not_label(value: Any) -> str:
    if isinstance(value, (dict, list, tuple, set, bytes, np.ndarray)):
        return "is neither text nor a number"
    return why_missing(value) or why_not_text(str(value))


def _marks(table: Table) -> np.ndarray:
    marks = _labels(table, "held_out").tolist()
    reason = "is neither true nor false (nor 1 nor 0)"
    require_valid(
        "column 'held_out',",
        marks,
        lambda mark: "" if mark.lower() in _MARKS else reason,
        table.place,
    )
    return np.array([_MARKS[mark.lower()] for mark in marks])


def _run_ids(table: Table, column: str | None) -> np.ndarray:
    if column is None:
        return np.arange(len(table.frame))
    labels = _labels(table, column)
    names, counts = np.unique(labels, return_counts=True)
    repeated = names[counts > 1].tolist()
    if repeated:
        rows = ", ".join(map(table.place, np.flatnonzero(labels == repeated[0]).tolist()))
        raise RunsError(
            f"column {column!r}: {repeated[0]!r} names {rows}; a run's name must be "
            f"unique{count_others(len(repeated))}"
        )
    is_whole = table.frame[column].dtype.is_integer()
    fits = is_whole and all(int(label) in INT64 for label in labels)
    return labels.astype(int) if fits else labels


def label(value: Any) -> str:
    """The text of a cell: as it is written, or the shortest text of a number."""
    # A column of 70000000 may be floats in one file and integers in another.
    return str(value).removesuffix(".0") if isinstance(value, (float, np.floating)) else str(value)
