"""Files of public data sets: provenance, download, and verification by hash.

A source is a JSON file in ``bayeslaw/data/files/public``: the files of a publication, each with its
origin and hash, and the tables of runs made from them. Only CSV files are read.
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

VARIABLE = "BAYESLAW_DATA"  # environment variable: a folder with one folder per source
HOST = "https://raw.githubusercontent.com"
_VARIABLE_HELP = f"{VARIABLE} an environment variable that names a folder"


@dataclass(frozen=True)
class PublicFile:
    """File of a public data set: its source, its hash, and where in a repository it is from.

    `unchanged` says whether it is the file of the repository, or was converted or trimmed.
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
        """URL to download it from; None if it was converted."""
        address = f"{HOST}/{self.repository}/{self.commit}/{self.path}"
        return address if self.unchanged else None

    @property
    def local_path(self) -> str:
        """Where a user can put a copy."""
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
    """Names of the tables of runs made from public files, in alphabetical order."""
    return sorted(_source_of())


def describe(table: str) -> dict[str, Any]:
    """Description of a table, by the names of the fields of a ``DatasetInfo``."""
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
    """Local copies of files, by default those that the table is read from; downloaded if needed."""
    source = _source_of()[table]
    requested = source.tables[table]["files"] if files is None else files
    unknown = [name for name in requested if name not in source.files]
    if unknown:
        known = ", ".join(source.files)
        raise FetchError(f"data set {table!r} has no file {unknown[0]!r}; there are: {known}")
    return {name: _local_copy(source.files[name]) for name in requested}


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
    measured = {facts["response"], facts.get("stderr"), "held_out"}
    return measured | {*facts["predictors"], *facts["groups"]}


def _local_copy(file: PublicFile) -> Path:
    path = _user_copy(file)
    if path is not None:
        return _verified(path, file)
    if file.url is None:
        raise FetchError(_how_to_get(file))
    return _downloaded(file, file.url)


def _user_copy(file: PublicFile) -> Path | None:
    if not os.environ.get(VARIABLE):
        return None
    folder = Path(os.environ[VARIABLE])
    if not folder.is_dir():
        raise FetchError(f"{VARIABLE} is {str(folder)!r}, and there is no such folder")
    path = _path_in(folder, file)
    return path if path.is_file() else None


def _path_in(folder: str | Path, file: PublicFile) -> Path:
    return Path(folder) / file.source / file.name


def _verified(path: Path, file: PublicFile) -> Path:
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    if sha256 != file.sha256:
        raise FetchError(
            f"{str(path)!r} is not the file {file.name!r} of {file.source!r}: "
            f"its sha256 is {sha256}, expected {file.sha256}"
        )
    return path


def _how_to_get(file: PublicFile) -> str:
    return (
        f"data set {file.source!r} needs {file.name!r}, and {_why_missing(file)}; put the file "
        f"at {file.local_path}, with {_VARIABLE_HELP}: it cannot be downloaded, because it was "
        f"made from {file.path} of https://github.com/{file.repository} at commit {file.commit}"
    )


def _why_missing(file: PublicFile) -> str:
    folder = os.environ.get(VARIABLE)
    if not folder:
        return f"{VARIABLE} is not set"
    return f"{VARIABLE} is {folder!r}, where {str(_path_in(folder, file))!r} is missing"


def _downloaded(file: PublicFile, url: str) -> Path:
    pooch = _pooch()
    folder = pooch.os_cache("bayeslaw") / file.source
    instead = (
        f"{_why_missing(file)}; put the file at {file.local_path} instead, with {_VARIABLE_HELP}"
    )
    try:
        path = pooch.retrieve(url, f"sha256:{file.sha256}", fname=file.name, path=folder)
    except OSError as error:  # includes the errors of requests
        reason = type(error).__name__
        raise FetchError(f"cannot download {url} ({reason}), and {instead}") from error
    except ValueError as error:
        raise FetchError(f"{url} returned a different file, and {instead}; {error}") from error
    return Path(path)


def _pooch() -> ModuleType:
    try:
        import pooch
    except ImportError as error:
        raise ImportError("to download data, install pooch: pip install bayeslaw[data]") from error
    return pooch
