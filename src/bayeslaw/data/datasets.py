"""Training runs that come with the package or are public, and what is known about them.

A data set that comes with the package is two files in ``bayeslaw/data``: a CSV with the rows and a
JSON with the description; several descriptions may read the same rows. A public one is not ours to
ship: `fetch` gets its files.
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
    """What is known about a data set.

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
        Columns that tell curves apart.
    rows : int
        Rows of the table.
    runs : int
        Runs that `load` gives: as many as rows, or those that are kept.
    licence : str
        SPDX identifier, or "none stated".
    provenance : mapping
        Script, its version, versions of what it ran on, date and machine; of public data the
        citation, and repository, commit, path and hash of each file.
    stderr : str, optional
        Column of the response's standard error.
    best : float, optional
        For a response where higher is better, its best value, as in `bayeslaw.read_runs`.
    coordinates : tuple of str
        Further columns that become coordinates of the runs.
    notes : tuple of str
        What was dropped or changed, and what to beware of; also in ``runs.attrs["notes"]``.
    keep : mapping of str to list
        Values that a column has in the rows that `load` reads; `table` reads all.
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
    """List the data sets by name.

    Parameters
    ----------
    public : bool
        Whether to list the public ones, rather than those that come with the package.

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
    """Get the files of a public data set, each with the right hash.

    A file is taken from the folder that the environment variable ``BAYESLAW_DATA`` names, at
    ``<source>/<file>``. One that is not there is downloaded, once, if its publication has it as it
    is (``unchanged`` in `info`'s provenance); files that were converted are only read from there.

    Parameters
    ----------
    name : str
        One of ``names(public=True)``.
    files : list of str, optional
        Names of files of that publication; by default those that the runs are read from.

    Returns
    -------
    dict of str to pathlib.Path
        Path by the name of the file.

    Raises
    ------
    ValueError
        If there is no such public data set, or files is not a list.
    FetchError
        If a file is not there, cannot be downloaded, or has another hash.
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
    """Read the rows of a data set, a row per run, with everything that is known of each.

    Rows of a public data set are tidy: its notes tell what was dropped or changed. The file as it
    was published is at its path, which `fetch` gives.

    Parameters
    ----------
    name : str
        One of `names`, public or not.

    Returns
    -------
    pandas.DataFrame
        With the columns that `info` explains.

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
        Runs, as `bayeslaw.read_runs` gives them. Those of public data have coordinates for
        columns that are neither predictors nor groups, and ``attrs["notes"]``.

    Raises
    ------
    ValueError
        If there is no such data set.
    FetchError
        If it is public, and a file cannot be had.

    Examples
    --------
    >>> from bayeslaw.data import datasets
    >>> datasets.load("learners").attrs["predictors"]
    ['D']
    """
    about, rows = info(name), table(name)
    for column, values in about.keep.items():
        rows = rows.loc[rows[column].isin(values)]
    runs = read_runs(
        rows,
        response=about.response,
        predictors=about.predictors,
        groups=about.groups,
        stderr=about.stderr,
        best=about.best,
    )
    more = {column: ("run", np.array(rows[column].tolist())) for column in about.coordinates}
    told = [*about.notes, *notes(runs)]
    return runs.assign_coords(more).assign_attrs({"notes": told} if told else {})


def _is_public(name: str) -> bool:
    _require_known(name)
    return name in names(public=True)


def _facts(name: str) -> dict[str, Any]:
    """The description of a data set that comes with the package, on top of one it is like."""
    own = json.loads((_folder() / f"{name}.json").read_text(encoding="utf-8"))
    return {**_facts(own.pop("like")), **own} if "like" in own else own


def _folder() -> Traversable:
    return resources.files("bayeslaw") / "data" / "files"


def _require_known(name: str) -> None:
    own, public = names(), names(public=True)
    if name in own + public:
        return
    nearest = difflib.get_close_matches(str(name), own + public, n=1)
    guess = f" (did you mean {nearest[0]!r}?)" if nearest else ""
    raise ValueError(
        f"unknown data set {name!r}{guess}; there are: {', '.join(own)}, and {len(public)} public "
        "ones that names(public=True) lists"
    )
