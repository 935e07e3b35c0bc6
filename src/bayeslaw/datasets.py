"""Training runs that come with the package, and what is known about them.

A data set is two files in ``bayeslaw/data``: a CSV with the rows and a JSON with the description.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

from bayeslaw.runs import read_runs

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["DatasetInfo", "info", "load", "names", "table"]


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
        Number of runs.
    licence : str
        SPDX identifier.
    provenance : mapping
        Script, its version, versions of what it ran on, date and machine.
    """

    name: str
    title: str
    columns: Mapping[str, str]
    response: str
    predictors: Mapping[str, str]
    groups: tuple[str, ...]
    rows: int
    licence: str
    provenance: Mapping[str, Any]


def names() -> list[str]:
    """List the data sets by name.

    Returns
    -------
    list of str
        In alphabetical order.

    Examples
    --------
    >>> from bayeslaw import datasets
    >>> datasets.names()
    ['learners']
    """
    files = (file.name for file in _folder().iterdir())
    return sorted(name.removesuffix(".json") for name in files if name.endswith(".json"))


def info(name: str) -> DatasetInfo:
    """Describe a data set.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    DatasetInfo

    Raises
    ------
    ValueError
        If there is no such data set.

    Examples
    --------
    >>> from bayeslaw import datasets
    >>> datasets.info("learners").groups
    ('task', 'learner')
    """
    description = json.loads(_file(name, "json").read_text(encoding="utf-8"))
    return DatasetInfo(**{**description, "groups": tuple(description["groups"])})


def table(name: str) -> pd.DataFrame:
    """Read the rows of a data set as they were measured.

    Parameters
    ----------
    name : str
        One of `names`.

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
    >>> from bayeslaw import datasets
    >>> sorted(datasets.table("learners")["learner"].unique())
    ['kernel', 'linear', 'network', 'trees']
    """
    import pandas as pd

    with _file(name, "csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


def load(name: str) -> xr.Dataset:
    """Read the runs of a data set.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    xarray.Dataset
        Runs, as `bayeslaw.read_runs` gives them.

    Raises
    ------
    ValueError
        If there is no such data set.

    Examples
    --------
    >>> from bayeslaw import datasets
    >>> datasets.load("learners").attrs["predictors"]
    ['D']
    """
    about = info(name)
    return read_runs(
        table(name), response=about.response, predictors=about.predictors, groups=about.groups
    )


def _folder() -> Traversable:
    return resources.files("bayeslaw") / "data"


def _file(name: str, suffix: str) -> Traversable:
    _require_known(name)
    return _folder() / f"{name}.{suffix}"


def _require_known(name: str) -> None:
    known = names()
    if name in known:
        return
    nearest = difflib.get_close_matches(str(name), known, n=1)
    guess = f" (did you mean {nearest[0]!r}?)" if nearest else ""
    raise ValueError(f"unknown data set {name!r}{guess}; there are: {', '.join(known)}")
