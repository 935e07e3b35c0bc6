"""Data sets of training runs: bundled with the package, or public, with their descriptions.

A bundled data set is two files in ``bayeslaw/data/files``: a CSV with the rows and a JSON with the
description; several descriptions may share the rows. A public one is not ours to redistribute:
`fetch` gets its files.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeslaw.data.checks import notes
from bayeslaw.data.public_files import describe, local_files, table_names
from bayeslaw.data.public_tables import read_table
from bayeslaw.data.runs import read_runs
from bayeslaw.errors import FetchError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["DatasetInfo", "FetchError", "fetch", "info", "load", "names", "table"]


@dataclass(frozen=True)
class DatasetInfo:
    """Description of a data set.

    Parameters
    ----------
    name : str
        Name to load it by.
    title : str
        What it holds, in one line.
    columns : mapping of str to str
        Meaning of each column, with its unit.
    response : str
        Column of the loss.
    predictors : mapping of str to str
        Names of the predictors and their columns.
    groups : tuple of str
        Columns whose combinations define the curves.
    rows : int
        Number of rows of the table.
    runs : int
        Number of runs that `load` returns: all rows, or the subset that `keep` selects.
    licence : str
        SPDX identifier, or "none stated".
    provenance : mapping
        Script with its version, versions of its dependencies, date and machine; for public data
        the citation, and repository, commit, path and hash of each file.
    stderr : str, optional
        Column of the response's standard error.
    best : float, optional
        For a response where higher is better, its best value, as in `bayeslaw.read_runs`.
    coordinates : tuple of str
        Additional columns that become coordinates of the runs.
    notes : tuple of str
        What was dropped or changed, and known problems; also in ``runs.attrs["notes"]``.
    keep : mapping of str to list
        Values of a column for which `load` selects rows; `table` returns all rows.
    """

    name: str
    title: str
    columns: Mapping[str, str]
    response: str
    predictors: Mapping[str, str]
    groups: tuple[str, ...]
    rows: int
    runs: int
    licence: str
    provenance: Mapping[str, Any]
    stderr: str | None = None
    best: float | None = None
    coordinates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    keep: Mapping[str, list[Any]] = field(default_factory=dict)


def names(*, public: bool = False) -> list[str]:
    """List the names of the data sets.

    Parameters
    ----------
    public : bool
        Whether to list the public ones instead of those bundled with the package.

    Returns
    -------
    list of str
        In alphabetical order.

    Examples
    --------
    >>> from bayeslaw.data import datasets
    >>> datasets.names()
    ['learners', 'tiny_lm', 'tiny_lm_curves', 'tiny_lm_repeats']
    >>> datasets.names(public=True)[:3]
    ['chinchilla_epoch', 'datablations', 'datablations_curves']
    """
    if public:
        return table_names()
    files = (file.name for file in _folder().iterdir())
    return sorted(name.removesuffix(".json") for name in files if name.endswith(".json"))


def info(name: str) -> DatasetInfo:
    """Describe a data set.

    Parameters
    ----------
    name : str
        One of `names`, public or not.

    Returns
    -------
    DatasetInfo

    Raises
    ------
    ValueError
        If there is no such data set.

    Examples
    --------
    >>> from bayeslaw.data import datasets
    >>> datasets.info("learners").groups
    ('task', 'learner')
    >>> datasets.info("chinchilla_epoch").notes[0]
    'D is not in the source: it is C / (6 N).'
    """
    facts = describe(name) if _is_public(name) else _facts(name)
    facts = {"runs": facts["rows"], **facts}
    facts.pop("file", None)
    lists: dict[str, Any] = {
        key: tuple(value) for key, value in facts.items() if isinstance(value, list)
    }
    return DatasetInfo(**facts | lists)


def fetch(name: str, files: Sequence[str] | None = None) -> dict[str, Path]:
    """Get the files of a public data set, with verified hashes.

    A file is read from ``<source>/<file>`` in the folder that the environment variable
    ``BAYESLAW_DATA`` names. If it is not there and was published in this form (``unchanged`` in
    the provenance of `info`), it is downloaded once. Converted files can only be read from there.

    Parameters
    ----------
    name : str
        One of ``names(public=True)``.
    files : list of str, optional
        Names of files of the publication; by default those that the runs are read from.

    Returns
    -------
    dict of str to pathlib.Path
        Paths by file name.

    Raises
    ------
    ValueError
        If there is no such public data set, or `files` is not a list.
    FetchError
        If a file is missing, cannot be downloaded, or has the wrong hash.
    ImportError
        If a download needs pooch, the extra ``bayeslaw[data]``.

    Examples
    --------
    >>> from bayeslaw.data import datasets
    >>> list(datasets.fetch("revisiting_nsl_ic"))  # doctest: +SKIP
    ['benchmark.vision.csv']
    """
    if isinstance(files, str):
        raise ValueError(f"files takes a list, got {files!r}; write [{files!r}]")
    if not _is_public(name):
        raise ValueError(f"data set {name!r} comes with the package: there is nothing to fetch")
    return local_files(name, files)


def table(name: str) -> pd.DataFrame:
    """Read the rows of a data set, one per run, with all columns.

    Rows of a public data set are tidied: its notes say what was dropped or changed. `fetch` returns
    the path of the file as published.

    Parameters
    ----------
    name : str
        One of `names`, public or not.

    Returns
    -------
    pandas.DataFrame
        With the columns that `info` describes.

    Raises
    ------
    ValueError
        If there is no such data set.

    Examples
    --------
    >>> from bayeslaw.data import datasets
    >>> sorted(datasets.table("learners")["learner"].unique())
    ['kernel', 'linear', 'network', 'trees']
    """
    import pandas as pd

    if _is_public(name):
        return read_table(name, local_files(name))
    with resources.as_file(_folder() / _facts(name).get("file", f"{name}.csv")) as path:
        return pd.read_csv(path)


def load(name: str) -> xr.Dataset:
    """Read the runs of a data set.

    Parameters
    ----------
    name : str
        One of `names`, public or not.

    Returns
    -------
    xarray.Dataset
        Runs, as returned by `bayeslaw.read_runs`. Public data also have coordinates for columns
        that are neither predictors nor groups, and ``attrs["notes"]``.

    Raises
    ------
    ValueError
        If there is no such data set.
    FetchError
        If it is public, and a file is not available.

    Examples
    --------
    >>> from bayeslaw.data import datasets
    >>> datasets.load("learners").attrs["predictors"]
    ['D']
    """
    description, rows = info(name), table(name)
    for column, values in description.keep.items():
        rows = rows.loc[rows[column].isin(values)]
    runs = read_runs(
        rows,
        response=description.response,
        predictors=description.predictors,
        groups=description.groups,
        stderr=description.stderr,
        best=description.best,
    )
    coordinates = {
        column: ("run", np.array(rows[column].tolist())) for column in description.coordinates
    }
    all_notes = [*description.notes, *notes(runs)]
    return runs.assign_coords(coordinates).assign_attrs({"notes": all_notes} if all_notes else {})


def _is_public(name: str) -> bool:
    _require_known(name)
    return name in names(public=True)


def _facts(name: str) -> dict[str, Any]:
    """Description of a bundled data set; what it does not state is that of the one it is like."""
    facts = json.loads((_folder() / f"{name}.json").read_text(encoding="utf-8"))
    return {**_facts(facts.pop("like")), **facts} if "like" in facts else facts


def _folder() -> Traversable:
    return resources.files("bayeslaw") / "data" / "files"


def _require_known(name: str) -> None:
    bundled, public = names(), names(public=True)
    if name in bundled + public:
        return
    nearest = difflib.get_close_matches(str(name), bundled + public, n=1)
    hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
    raise ValueError(
        f"unknown data set {name!r}{hint}; there are: {', '.join(bundled)}, and {len(public)} "
        "public ones, listed by names(public=True)"
    )
