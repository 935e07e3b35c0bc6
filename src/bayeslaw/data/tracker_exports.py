"""Files that experiment trackers export: training curves, as a table for `read_runs`."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeslaw.data.checks import require, shorten, warn
from bayeslaw.data.table_files import open_table
from bayeslaw.errors import RunsError

if TYPE_CHECKING:
    import pandas as pd
    from narwhals.typing import IntoDataFrame

__all__ = ["read_exports"]

TENSORBOARD = ["Wall time", "Step", "Value"]
DOWNLOADED = re.compile(r"run-(.+)-tag-.+")  # TensorBoard's name of a file: its run and its tag
BETWEEN = " - "  # run and metric, in a column of a W&B chart
ENDS = ("__MIN", "__MAX")  # columns beside each of a W&B chart
COUNTER = "_step"  # what W&B adds to a chart along another axis

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
    """Read training curves that W&B or TensorBoard exported, as a table for `read_runs`.

    A chart of W&B is a CSV file with a column for each run, ``"<run> - <metric>"``, mostly beside
    those that end in ``__MIN`` and ``__MAX``. TensorBoard's scalars are a CSV or JSON file for each
    run, with wall time, step and value; its event files are not read.

    Parameters
    ----------
    files : path, list of path, or mapping of str to path
        The files; a mapping names the runs of files that hold one run each. Otherwise a file that
        does not tell is named by TensorBoard's ``run-<run>-tag-<tag>``, or as the file is.
    about : path or dataframe, optional
        What is known of each run, such as its parameters: a table of the kinds that `read_runs`
        takes, for example the CSV export of W&B's table of runs.
    name : str
        Column of the runs' names, in `about` and in the result.
    response : str
        What the column of the values is to be called.
    metric : str, optional
        Which metric of a W&B chart to read; may be left out if there is one.
    last : bool
        Whether to keep only the last value of each run.

    Returns
    -------
    pandas.DataFrame
        A row per run and step: `name`, ``step`` (in the units of the chart's horizontal axis),
        `response`, and the columns of `about` but those that are called like one of these.

    Raises
    ------
    RunsError
        Naming the file that is not such an export, the run that `about` does not know or that is
        in two files, or the metrics that a chart has.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> table = bl.read_exports("chart.csv", about="runs.csv", last=True)  # doctest: +SKIP
    >>> runs = bl.read_runs(table, predictors={"N": "params"}, run_id="Name")  # doctest: +SKIP
    """
    import pandas as pd

    found: Curves = {}
    for path, given in _named(files):
        for run, curve in _curves(path, given, metric).items():
            require(run not in found, f"run {run!r} is in two files; {str(path)!r} is the second")
            found[run] = curve
    parts = [
        pd.DataFrame({name: run, "step": curve["step"], response: curve["value"]})
        for run, curve in ((run, _part(curve, last)) for run, curve in found.items())
    ]
    rows = pd.concat(parts, ignore_index=True)
    return rows if about is None else _joined(rows, open_table(about).to_pandas(), name)


def _named(
    files: PathLike | Sequence[PathLike] | Mapping[str, PathLike],
) -> Iterator[tuple[Path, str | None]]:
    """Paths, and the names that were given to their runs."""
    if isinstance(files, Mapping):
        yield from ((Path(path), str(run)) for run, path in files.items())
        return
    every = [files] if isinstance(files, str | os.PathLike) else list(files)
    require(bool(every), "there are no files to read")
    yield from ((Path(path), None) for path in every)


def _curves(path: Path, given: str | None, metric: str | None) -> Curves:
    if path.suffix.lower() == ".json":
        return {given or _run_of(path): _scalars(path)}
    frame = open_table(path).to_pandas()
    if list(frame.columns) == TENSORBOARD:
        return {given or _run_of(path): _curve(frame["Step"], frame["Value"], path)}
    found = _chart(frame, path, metric)
    if given is None:
        return found
    require(len(found) == 1, f"{given!r} names one run, and {str(path)!r} has {len(found)}")
    [curve] = found.values()
    return {given: curve}


def _run_of(path: Path) -> str:
    told = DOWNLOADED.fullmatch(path.stem)
    return told[1] if told else path.stem


def _scalars(path: Path) -> pd.DataFrame:
    """TensorBoard's JSON: a list of wall time, step and value."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        steps, values = ([row[i] for _, *row in rows] for i in (0, 1))
        return _curve(steps, values, path)
    except (IndexError, OSError, TypeError, ValueError) as error:
        raise RunsError(
            f"{str(path)!r} is no JSON of TensorBoard, a list of [wall time, step, value]: {error}"
        ) from error


def _chart(frame: pd.DataFrame, path: Path, metric: str | None) -> Curves:
    """Each run of a W&B chart; where the run has no value the cell is empty."""
    axis, *columns = map(str, frame.columns)
    thinned = {name for name in columns if {name + end for end in ENDS} <= {*columns}}
    values = [name for name in columns if not name.endswith(ENDS)]
    split = {name: _parts(name) for name in values if BETWEEN in name or name in thinned}
    require(
        bool(split),
        f"{str(path)!r} is no export of W&B or TensorBoard: its columns are neither "
        f"{', '.join(TENSORBOARD)} nor '<run>{BETWEEN}<metric>'",
    )
    metrics = [*dict.fromkeys(of for _, of in split.values() if of != COUNTER)]
    wanted = metrics[0] if metric is None and len(metrics) == 1 else metric
    told = f"{str(path)!r} has the metrics {', '.join(map(repr, metrics))}"
    require(wanted in metrics, f"{told}; choose one, such as metric={metrics[0]!r}")
    chosen = {name: run or path.stem for name, (run, of) in split.items() if of == wanted}
    _warn_of_thinned(frame, [name for name in chosen if name in thinned], path)
    return {run: _curve(frame[axis], frame[name], path) for name, run in chosen.items()}


def _parts(column: str) -> tuple[str, str]:
    """Run and metric; a chart of one run may not name it."""
    run, _, metric = column.rpartition(BETWEEN)
    return run, metric


def _warn_of_thinned(frame: pd.DataFrame, columns: list[str], path: Path) -> None:
    """W&B draws long histories by bins."""
    if not columns:
        return
    low, high = (
        np.stack([_numbers(frame[name + end]) for name in columns], axis=1) for end in ENDS
    )
    several, total = np.sum(high > low), np.sum(~np.isnan(low))
    if several:
        warn(
            f"{several} of {total} values of {str(path)!r} stand for several steps or runs, whose "
            "least and greatest differ: the chart was thinned or grouped"
        )


def _numbers(cells: Any) -> np.ndarray:
    return np.array([np.nan if cell == "" else float(cell) for cell in cells])


def _curve(steps: Any, values: Any, path: Path) -> pd.DataFrame:
    """Numbers, without the steps at which nothing was measured."""
    import pandas as pd

    measured = np.array([value != "" for value in values])
    try:
        step, value = _numbers(steps)[measured], _numbers(values)[measured]
    except (TypeError, ValueError) as error:
        raise RunsError(f"{str(path)!r} has a cell that is no number: {error}") from error
    whole = np.all(step == np.round(step))
    return pd.DataFrame({"step": step.astype(int) if whole else step, "value": value})


def _part(curve: pd.DataFrame, last: bool) -> pd.DataFrame:
    ordered = curve.sort_values("step", kind="stable")
    return ordered.tail(1) if last else ordered


def _joined(rows: pd.DataFrame, about: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows with what is known of their runs."""
    require(name in about, f"the table about the runs has no column {name!r}; see name=")
    known = about.astype({name: str})
    names = known[name].tolist()
    repeated = known[name][known[name].duplicated()].tolist()
    require(not repeated, f"two rows of the table about the runs are of {shorten(repeated)}")
    runs = rows[name].unique().tolist()
    for run in runs:
        near = difflib.get_close_matches(run, names, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        require(run in names, f"run {run!r} is not in the table about the runs{hint}")
    without = [each for each in names if each not in runs]
    if without:
        warn(f"{len(without)} of {len(names)} runs have no curve, left out: {shorten(without)}")
    more = [column for column in known if column == name or column not in rows]
    return rows.merge(known[more], on=name, how="left", validate="many_to_one")
