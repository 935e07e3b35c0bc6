"""A Zarr store of fits, each under a key of its model, runs and sampler settings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._disk.files import require_folder, temporary_folder
from bayeslaw._sampling.nuts import Sampler
from bayeslaw.errors import StoreError
from bayeslaw.fitting.fit_tree import fit_from_tree, fit_to_tree
from bayeslaw.fitting.result import Fit
from bayeslaw.model.model import Model

__all__ = ["FitStore", "store_key"]

METADATA = "zarr.json"  # of a group
HASH = "bayeslaw_sha256"  # attribute of a group
IRRELEVANT = {"cores", "progressbar"}  # settings that change no draw


class FitStore:
    """A folder that is a Zarr store of fits, one group each, with a hash of its files.

    A group is written under another name and renamed, so that it is complete or absent: a job that
    is killed loses at most the fits that were not done. Raises ImportError without zarr, and
    StoreError if the path cannot be a folder to write in.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            import zarr
            from zarr.errors import ContainsGroupError
        except ImportError as error:
            raise ImportError(
                "a store of fits needs zarr: uv sync --extra zarr in a checkout, otherwise "
                'pip install "bayeslaw[zarr]"'
            ) from error
        require_folder(path)
        self.path, self._open_group = Path(path), zarr.open_group
        self._already_created = ContainsGroupError

    def __contains__(self, key: str) -> bool:
        """Whether a fit is stored, intact or not."""
        return (self.path / key / METADATA).exists()

    def put(self, key: str, fit: Fit) -> None:
        """Store a fit."""
        with contextlib.suppress(self._already_created):  # by another job at the same time
            self._open_group(str(self.path), mode="a")
        with temporary_folder(self.path) as folder:
            fit_to_tree(fit).to_zarr(folder, mode="a", zarr_format=3, consolidated=False)
            _write_hash(folder)
            with contextlib.suppress(OSError):  # stored by another job in the meantime
                os.replace(folder, self.path / key)

    def get(self, key: str, model: Model) -> Fit:
        """The fit of a model that is stored under a key; raises StoreError if it is damaged."""
        path = self.path / key
        if not _is_intact(path):
            raise StoreError(f"fit {key} in {str(self.path)!r} is damaged: delete its folder")
        with xr.open_datatree(path, engine="zarr", consolidated=False) as tree:
            loaded = tree.load()
        del loaded.attrs[HASH]
        return fit_from_tree(loaded, path, model.law)

    def intact(self, models: Mapping[str, Model]) -> dict[str, Fit]:
        """The fits of models that are stored under keys, by key.

        Damaged ones are removed, with a warning of how many, so that they are fitted again.
        """
        stored = [key for key in models if key in self]
        damaged = [key for key in stored if not _is_intact(self.path / key)]
        for key in damaged:
            shutil.rmtree(self.path / key)
        if damaged:
            warnings.warn(
                f"{len(damaged)} of {len(stored)} fits in {str(self.path)!r} are damaged, or "
                "without a hash, and are fitted again",
                stacklevel=3,
            )
        return {key: self.get(key, models[key]) for key in stored if key not in damaged}


def _write_hash(folder: Path) -> None:
    """Add the hash of a group to its attributes."""
    metadata = json.loads((folder / METADATA).read_text())
    metadata["attributes"][HASH] = _hash(folder, metadata)
    (folder / METADATA).write_text(json.dumps(metadata))


def _is_intact(folder: Path) -> bool:
    """Whether the files of a group are those that were written."""
    try:
        metadata = json.loads((folder / METADATA).read_text())
        expected = metadata["attributes"].pop(HASH)
        return expected == _hash(folder, metadata)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def _hash(folder: Path, metadata: Any) -> str:
    """A hash of the metadata of a group and of the names and contents of all its other files."""
    result = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / METADATA:
            content = path.read_bytes()
            result.update(f"{path.relative_to(folder).as_posix()} {len(content)} ".encode())
            result.update(content)
    return result.hexdigest()


def store_key(model: Model, runs: xr.Dataset, sampler: Sampler) -> str:
    """A hash of what determines a fit: the model, the runs and the sampler settings."""
    key = hashlib.sha256(model.content.encode())
    for name in sorted(map(str, runs.variables)):
        values = runs[name].values
        key.update(name.encode())
        key.update(repr(values.tolist()).encode() if values.dtype == object else _bytes(values))
    key.update(json.dumps(runs.attrs, sort_keys=True, default=str).encode())
    record = sampler.to_record().items()
    settings = {name: value for name, value in record if name not in IRRELEVANT}
    key.update(json.dumps(settings, sort_keys=True, default=str).encode())
    return key.hexdigest()[:32]


def _bytes(values: Any) -> bytes:
    return str(values.dtype).encode() + np.ascontiguousarray(values).tobytes()
