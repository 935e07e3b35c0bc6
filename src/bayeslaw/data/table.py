"""Table of training runs to a dataset: columns are looked up, checked and converted."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayeslaw.data.checks import (
    check_names,
    count_others,
    require,
    require_valid,
    why_missing,
    why_not_finite,
    why_not_positive,
    with_note,
)
from bayeslaw.data.table_files import open_table
from bayeslaw.errors import RunsError

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["read_columns"]

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
    return _handle_duplicates(data, [*variables, *group_names], duplicates)


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


def _response(frame: nw.DataFrame[Any], column: str, best: float | None) -> tuple[Any, ...]:
    if best is None:
        return _positive(frame, column)
    require(not why_not_finite(best), f"best must be a finite number, got {best!r}")

    def why_not_below_best(value: Any) -> str:
        reason = f"is not below the best value, {best:g}"
        return why_not_finite(value) or ("" if float(value) < best else reason)

    values = best - _numbers(frame, column, why_not_below_best)
    return "run", values, {"column": column, "long_name": f"{best:g} - {column}"}


def _positive(frame: nw.DataFrame[Any], column: str) -> tuple[Any, ...]:
    return "run", _numbers(frame, column, why_not_positive), {"column": column}


def _numbers(
    frame: nw.DataFrame[Any], column: str, why_invalid: Callable[[Any], str]
) -> np.ndarray:
    values = frame[column].to_list()
    require_valid(f"column {column!r}, row", values, why_invalid)
    return np.array([float(value) for value in values])


def _labels(frame: nw.DataFrame[Any], column: str) -> np.ndarray:
    values = frame[column].to_list()
    require_valid(f"column {column!r}, row", values, why_missing)
    return np.array([_label(value) for value in values], dtype=str)


def _marks(frame: nw.DataFrame[Any]) -> np.ndarray:
    marks = _labels(frame, "held_out").tolist()
    reason = "is neither true nor false (nor 1 nor 0)"
    require_valid(
        "column 'held_out', row", marks, lambda mark: "" if mark.lower() in _MARKS else reason
    )
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
            f"unique{count_others(len(repeated))}"
        )
    return labels.astype(int) if frame[column].dtype.is_integer() else labels


def _label(value: Any) -> str:
    # A column of 70000000 may be floats in one file and integers in another.
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)
