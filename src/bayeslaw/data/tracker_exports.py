"""Exports of experiment trackers (W&B, TensorBoard): training curves as a table of runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeslaw._arguments import shown
from bayeslaw._suggestions import did_you_mean
from bayeslaw.data.checks import number_in, require, shorten, warn
from bayeslaw.data.table import label
from bayeslaw.data.table_files import open_table, parse_json
from bayeslaw.errors import RunsError

if TYPE_CHECKING:
    import pandas as pd
    from narwhals.typing import IntoDataFrame

__all__ = ["read_exports"]

TENSORBOARD = ["Wall time", "Step", "Value"]
TENSORBOARD_FILE = re.compile(r"run-(.+)-tag-.+")  # run and tag
SEPARATOR = " - "  # of run and metric, in a column of a W&B chart
RANGE_SUFFIXES = ("__MIN", "__MAX")  # of the columns next to each value of a W&B chart
LARGEST_STEP = 2**53  # up to which floats hold every whole number
STEP_METRIC = "_step"  # added by W&B to a chart along another axis

type PathLike = str | os.PathLike[str]
type Curves = dict[str, pd.DataFrame]  # columns step and value, by run


def read_exports(
    files: PathLike | Sequence[PathLike] | Mapping[str, PathLike],
    *,
    about: PathLike | IntoDataFrame | None = None,
    name: str = "Name",
    response: str = "loss",
    metric: str | None = None,
    last: bool = False,
) -> pd.DataFrame:
    """Read training curves exported from W&B or TensorBoard, as a table for `read_runs`.

    A W&B chart is a CSV file with a column per run, ``"<run> - <metric>"``, usually next to columns
    that end in ``__MIN`` and ``__MAX``. TensorBoard exports scalars as one CSV or JSON file per
    run, with wall time, step and value; its event files are not supported.

    Parameters
    ----------
    files : path, list of path, or mapping of str to path
        The files; a mapping gives the names of runs, for files with one run each. Otherwise a run
        that its file does not name takes its name from a file name
        ``run-<run>-tag-<tag>``, as TensorBoard writes it, or else the file name itself.
    about : path or dataframe, optional
        Information about each run, such as its parameters: any table that `read_runs` accepts,
        for example the CSV export of W&B's runs table.
    name : str
        Column of the run names, in `about` and in the result.
    response : str
        Name of the column of values.
    metric : str, optional
        Metric of a W&B chart to read; needed only if there are several.
    last : bool
        Whether to return only the last value of each run.

    Returns
    -------
    pandas.DataFrame
        One row per run and step: `name`, ``step`` (in the units of the chart's horizontal axis),
        `response`, and the columns of `about` whose names do not clash with these.

    Raises
    ------
    RunsError
        If a file is not such an export, a run is missing from `about` or is in two files, or a
        chart has several metrics.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> table = bl.read_exports("chart.csv", about="runs.csv", last=True)  # doctest: +SKIP
    >>> runs = bl.read_runs(table, predictors={"N": "params"}, run_id="Name")  # doctest: +SKIP
    """
    import pandas as pd

    curves: Curves = {}
    for path, run_name in _paths(files):
        for run, curve in _curves(path, run_name, metric).items():
            require(run not in curves, f"run {run!r} is in two files; {str(path)!r} is the second")
            curves[run] = curve
    parts = [
        pd.DataFrame({name: run, "step": curve["step"], response: curve["value"]})
        for run, curve in ((run, _by_step(curve, last)) for run, curve in curves.items())
    ]
    rows = pd.concat(parts, ignore_index=True)
    return rows if about is None else _joined(rows, _about(about), name)


def _about(source: PathLike | IntoDataFrame) -> pd.DataFrame:
    """The table about the runs; columns of text files become numbers where no text is lost."""
    table = open_table(source)
    frame = table.frame.to_pandas()
    if table.lines is None:
        return frame
    return frame.assign(**{str(name): _as_numbers(column) for name, column in frame.items()})


def _as_numbers(column: pd.Series) -> pd.Series:
    """The column as numbers, if each is written as Python writes it, and all in one way.

    So 1.10, 007 and 1e9 stay text, and 1.0 next to 1.
    """
    if column.dtype != object:
        return column
    number_of = {text: number_in(text) for text in {*column}}
    is_plain = all(n is not None and text in (str(n), label(n)) for text, n in number_of.items())
    is_one_way = len({*number_of.values()}) == len(number_of)
    return column.map(number_of).astype(float) if is_plain and is_one_way else column


def _paths(
    files: PathLike | Sequence[PathLike] | Mapping[str, PathLike],
) -> Iterator[tuple[Path, str | None]]:
    """Paths, with the names of their runs where the user gave them."""
    if isinstance(files, Mapping):
        yield from ((Path(path), str(run)) for run, path in files.items())
        return
    paths = [files] if isinstance(files, str | os.PathLike) else list(files)
    require(bool(paths), "there are no files to read")
    yield from ((Path(path), None) for path in paths)


def _curves(path: Path, run_name: str | None, metric: str | None) -> Curves:
    if path.suffix.lower() == ".json":
        return {run_name or _run_of(path): _tensorboard_json(path)}
    frame = open_table(path).frame.to_pandas()
    if list(frame.columns) == TENSORBOARD:
        return {run_name or _run_of(path): _curve(frame["Step"], frame["Value"], path)}
    curves = _wandb_chart(frame, path, metric)
    if run_name is None:
        return curves
    require(len(curves) == 1, f"{run_name!r} names one run, and {str(path)!r} has {len(curves)}")
    [curve] = curves.values()
    return {run_name: curve}


def _run_of(path: Path) -> str:
    match = TENSORBOARD_FILE.fullmatch(path.stem)
    return match[1] if match else path.stem


def _tensorboard_json(path: Path) -> pd.DataFrame:
    """TensorBoard's JSON: a list of [wall time, step, value]."""
    try:
        rows = parse_json(path.read_text(encoding="utf-8"), "it")
        steps, values = ([row[i] for _, *row in rows] for i in (0, 1))
        return _curve(steps, values, path)
    except (IndexError, OSError, TypeError, ValueError) as error:
        raise RunsError(
            f"{str(path)!r} is not a TensorBoard JSON, a list of [wall time, step, value]: {error}"
        ) from error


def _wandb_chart(frame: pd.DataFrame, path: Path, metric: str | None) -> Curves:
    """Curves of a W&B chart, by run; cells without a value are empty."""
    axis, *columns = map(str, frame.columns)
    has_range = {name for name in columns if {name + end for end in RANGE_SUFFIXES} <= {*columns}}
    values = [name for name in columns if not name.endswith(RANGE_SUFFIXES)]
    run_and_metric = {
        name: _split_column(name) for name in values if SEPARATOR in name or name in has_range
    }
    require(
        bool(run_and_metric),
        f"{str(path)!r} is not an export of W&B or TensorBoard: its columns are neither "
        f"{', '.join(TENSORBOARD)} nor '<run>{SEPARATOR}<metric>'",
    )
    metrics = [*dict.fromkeys(m for _, m in run_and_metric.values() if m != STEP_METRIC)]
    selected = metrics[0] if metric is None and len(metrics) == 1 else metric
    listing = f"{str(path)!r} has the metrics {', '.join(map(repr, metrics))}"
    require(selected in metrics, f"{listing}; choose one, such as metric={metrics[0]!r}")
    run_of = {name: run or path.stem for name, (run, m) in run_and_metric.items() if m == selected}
    _warn_of_binning(frame, [name for name in run_of if name in has_range], path)
    return {run: _curve(frame[axis], frame[name], path) for name, run in run_of.items()}


def _split_column(column: str) -> tuple[str, str]:
    """Run and metric; a chart of a single run may not name it."""
    run, _, metric = column.rpartition(SEPARATOR)
    return run, metric


def _warn_of_binning(frame: pd.DataFrame, columns: list[str], path: Path) -> None:
    """Warn where values stand for several steps: W&B bins long histories."""
    if not columns:
        return
    low, high = (
        np.stack([_numbers(frame[name + end]) for name in columns], axis=1)
        for end in RANGE_SUFFIXES
    )
    several, total = np.sum(high > low), np.sum(~np.isnan(low))
    if several:
        warn(
            f"{several} of {total} values of {str(path)!r} stand for several steps or runs with "
            "different values: the chart was downsampled or grouped"
        )


def _numbers(cells: Any) -> np.ndarray:
    return np.array([_number(cell) for cell in cells], dtype=float)


def _number(cell: Any) -> float:
    """The number in a cell, NaN if it is empty."""
    number = np.nan if cell == "" else number_in(cell)
    if number is None:
        raise ValueError(shown(cell))
    return number


def _curve(steps: Any, values: Any, path: Path) -> pd.DataFrame:
    """Steps and values as numbers, without the steps at which nothing was measured."""
    import pandas as pd

    measured = np.array([value != "" for value in values])
    try:
        step, value = _numbers(steps)[measured], _numbers(values)[measured]
    except ValueError as error:
        raise RunsError(f"{str(path)!r} has a cell that is not a number: {error}") from error
    whole = np.all((step == np.round(step)) & (np.abs(step) < LARGEST_STEP))
    return pd.DataFrame({"step": step.astype(int) if whole else step, "value": value})


def _by_step(curve: pd.DataFrame, last: bool) -> pd.DataFrame:
    ordered = curve.sort_values("step", kind="stable")
    return ordered.tail(1) if last else ordered


def _joined(rows: pd.DataFrame, about: pd.DataFrame, name: str) -> pd.DataFrame:
    """Join the rows with the table about their runs."""
    require(name in about, f"the table about the runs has no column {name!r}; see name=")
    info = about.astype({name: str})
    names = info[name].tolist()
    repeated = info[name][info[name].duplicated()].tolist()
    require(not repeated, f"the table about the runs has two rows for {shorten(repeated)}")
    runs = rows[name].unique().tolist()
    for run in runs:
        hint = did_you_mean(run, names, "")
        require(run in names, f"run {run!r} is not in the table about the runs{hint}")
    missing = [run for run in names if run not in runs]
    if missing:
        warn(f"{len(missing)} of {len(names)} runs have no curve, left out: {shorten(missing)}")
    columns = [column for column in info if column == name or column not in rows]
    return rows.merge(info[columns], on=name, how="left", validate="many_to_one")
