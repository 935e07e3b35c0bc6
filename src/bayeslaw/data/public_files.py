"""Files of public data sets: where each is from, and a copy that has the right hash.

A source is a JSON file in ``bayeslaw/data/public``: the files of a publication, each with its
origin and hash, and the tables of runs that are made from them. Nothing but CSV is ever read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

from bayeslaw.errors import FetchError

__all__ = ["VARIABLE", "PublicFile", "describe", "local_files", "table_names"]

VARIABLE = "BAYESLAW_DATA"  # names a folder with a folder per source
HOST = "https://raw.githubusercontent.com"
_THE_VARIABLE = f"{VARIABLE} an environment variable that names a folder"


@dataclass(frozen=True)
class PublicFile:
    """A file of a public data set.

    Parameters
    ----------
    source : str
        Name of the source, and of its folder.
    name : str
        Name of the file.
    sha256 : str
        Hash of its content.
    repository : str
        Owner and name of the repository at GitHub that it is from.
    commit : str
        Commit of that repository.
    path : str
        Where in the repository it is, or what it was made from.
    unchanged : bool
        Whether it is the file of the repository; otherwise it was converted or trimmed.
    """

    source: str
    name: str
    sha256: str
    repository: str
    commit: str
    path: str
    unchanged: bool

    @property
    def url(self) -> str | None:
        """Address to download it from; none if it was converted."""
        address = f"{HOST}/{self.repository}/{self.commit}/{self.path}"
        return address if self.unchanged else None

    @property
    def place(self) -> str:
        """Where a user can put it."""
        return f"${VARIABLE}/{self.source}/{self.name}"


@dataclass(frozen=True)
class _Source:
    name: str
    title: str
    licence: str
    citation: Sequence[str]
    files: Mapping[str, PublicFile]
    columns: Mapping[str, str]
    tables: Mapping[str, Mapping[str, Any]]


def table_names() -> list[str]:
    """List the tables of runs that are made from public files, in alphabetical order.

    Examples
    --------
    >>> table_names()[:3]
    ['chinchilla_epoch', 'datablations', 'datablations_curves']
    """
    return sorted(_source_of())


def describe(table: str) -> dict[str, Any]:
    """Tell what is known about a table, by the names of the fields of a ``DatasetInfo``.

    Parameters
    ----------
    table : str
        One of `table_names`.

    Returns
    -------
    dict

    Examples
    --------
    >>> describe("steplaw_best")["rows"]
    17
    """
    source = _source_of()[table]
    facts = dict(source.tables[table])
    columns, used = facts["columns"], _columns_of_runs(facts)
    provenance = {
        "citation": list(source.citation),
        "read_from": facts.pop("files"),
        "files": {name: _record(file) for name, file in source.files.items()},
    }
    return facts | {
        "name": table,
        "columns": {column: source.columns[column] for column in columns},
        "predictors": {name: name for name in facts["predictors"]},
        "coordinates": [column for column in columns if column not in used],
        "licence": source.licence,
        "provenance": provenance,
    }


def local_files(table: str, files: Sequence[str] | None = None) -> dict[str, Path]:
    """Return local copies of files, downloaded if need be; `bayeslaw.data.datasets.fetch` explains.

    Parameters
    ----------
    table : str
        One of `table_names`.
    files : list of str, optional
        Files of the table's source; by default those that the table is read from.

    Returns
    -------
    dict of str to pathlib.Path

    Raises
    ------
    FetchError
        If a file is not there, cannot be downloaded, or is another one.

    Examples
    --------
    >>> local_files("llm_families")["base_llm_benchmark_eval.csv"].is_file()  # doctest: +SKIP
    True
    """
    source = _source_of()[table]
    wanted = source.tables[table]["files"] if files is None else files
    unknown = [name for name in wanted if name not in source.files]
    if unknown:
        known = ", ".join(source.files)
        raise FetchError(f"data set {table!r} has no file {unknown[0]!r}; there are: {known}")
    return {name: _local_copy(source.files[name]) for name in wanted}


@cache
def _source_of() -> Mapping[str, _Source]:
    folder = resources.files("bayeslaw") / "data" / "files" / "public"
    sources = [
        _read(file.name.removesuffix(".json"), json.loads(file.read_text(encoding="utf-8")))
        for file in folder.iterdir()
    ]
    return {table: source for source in sources for table in source.tables}


def _read(name: str, facts: dict[str, Any]) -> _Source:
    files = {key: PublicFile(name, key, **record) for key, record in facts.pop("files").items()}
    return _Source(name, files=files, **facts)


def _record(file: PublicFile) -> dict[str, Any]:
    names = ("repository", "commit", "path", "unchanged", "sha256", "url")
    return {name: getattr(file, name) for name in names}


def _columns_of_runs(facts: Mapping[str, Any]) -> set[str]:
    own = {facts["response"], facts.get("stderr"), "held_out"}
    return own | {*facts["predictors"], *facts["groups"]}


def _local_copy(file: PublicFile) -> Path:
    path = _own_copy(file)
    if path is not None:
        return _checked(path, file)
    if file.url is None:
        raise FetchError(_how_to_get(file))
    return _downloaded(file, file.url)


def _own_copy(file: PublicFile) -> Path | None:
    if not os.environ.get(VARIABLE):
        return None
    folder = Path(os.environ[VARIABLE])
    if not folder.is_dir():
        raise FetchError(f"{VARIABLE} is {str(folder)!r}, and there is no such folder")
    path = _place_in(folder, file)
    return path if path.is_file() else None


def _place_in(folder: str | Path, file: PublicFile) -> Path:
    return Path(folder) / file.source / file.name


def _checked(path: Path, file: PublicFile) -> Path:
    with path.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != file.sha256:
        raise FetchError(
            f"{str(path)!r} is not the file that is known as {file.name!r} of {file.source!r}: "
            f"its sha256 is {found}, expected {file.sha256}"
        )
    return path


def _how_to_get(file: PublicFile) -> str:
    return (
        f"data set {file.source!r} needs {file.name!r}, and {_not_found(file)}; put the file "
        f"at {file.place}, with {_THE_VARIABLE}: it cannot be downloaded, because it was made from "
        f"{file.path} of https://github.com/{file.repository} at commit {file.commit}"
    )


def _not_found(file: PublicFile) -> str:
    folder = os.environ.get(VARIABLE)
    if not folder:
        return f"{VARIABLE} is not set"
    return f"{VARIABLE} is {folder!r}, where {str(_place_in(folder, file))!r} is missing"


def _downloaded(file: PublicFile, url: str) -> Path:
    pooch = _pooch()
    folder = pooch.os_cache("bayeslaw") / file.source
    instead = f"{_not_found(file)}; put the file at {file.place} instead, with {_THE_VARIABLE}"
    try:
        path = pooch.retrieve(url, f"sha256:{file.sha256}", fname=file.name, path=folder)
    except OSError as error:  # those of requests are, too
        fault = type(error).__name__
        raise FetchError(f"cannot download {url} ({fault}), and {instead}") from error
    except ValueError as error:
        raise FetchError(f"what {url} gives is another file, and {instead}; {error}") from error
    return Path(path)


def _pooch() -> ModuleType:
    try:
        import pooch
    except ImportError as error:
        raise ImportError("to download data, install pooch: pip install bayeslaw[data]") from error
    return pooch
