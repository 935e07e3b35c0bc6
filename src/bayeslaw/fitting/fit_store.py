"""A Zarr store of fits, each under a key of its model, runs and sampler settings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._sampling.nuts import Sampler
from bayeslaw.fitting.fit import Fit
from bayeslaw.fitting.fit_tree import fit_from_tree, fit_to_tree
from bayeslaw.model.model import Model

__all__ = ["FitStore", "store_key"]

IRRELEVANT = {"cores", "progressbar"}  # settings that change no draw


class FitStore:
    """A folder that is a Zarr store of fits, one group each.

    A group is written under another name and renamed, so that it is complete or absent: a job that
    is killed loses at most the fits that were not done. Raises ImportError without zarr.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            import zarr
            from zarr.errors import ContainsGroupError
        except ImportError as error:
            raise ImportError('a store of fits needs zarr: pip install "bayeslaw[zarr]"') from error
        self.path, self._open_group = Path(path), zarr.open_group
        self._already_created = ContainsGroupError

    def __contains__(self, key: str) -> bool:
        """Whether a fit is stored."""
        return (self.path / key / "zarr.json").exists()

    def put(self, key: str, fit: Fit) -> None:
        """Store a fit."""
        with contextlib.suppress(self._already_created):  # by another job at the same time
            self._open_group(str(self.path), mode="a")
        temporary = self.path / f".{key}-{secrets.token_hex(4)}"
        fit_to_tree(fit).to_zarr(temporary, zarr_format=3, consolidated=False)
        try:
            os.replace(temporary, self.path / key)
        except OSError:  # stored by another job in the meantime
            shutil.rmtree(temporary)

    def get(self, key: str, model: Model) -> Fit:
        """The fit of a model that is stored under a key."""
        path = self.path / key
        with xr.open_datatree(path, engine="zarr", consolidated=False) as tree:
            return fit_from_tree(tree.load(), path, model.law)


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
