"""Many fits in one Zarr store, each kept as it is done and found again by what it is a fit of."""

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
from bayeslaw.fitting.save import fit_from_tree, fit_to_tree
from bayeslaw.model.model import Model

__all__ = ["FitStore", "store_key"]

WITHOUT = {"cores", "progressbar"}  # settings that change no draw


class FitStore:
    """A Zarr store of fits, one group each.

    A group is written aside and renamed, so that it is whole or absent: whoever is killed loses at
    most the fits that were not done.

    Parameters
    ----------
    path : path
        A folder, made with the first fit.

    Raises
    ------
    ImportError
        If zarr is not installed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            import zarr
            from zarr.errors import ContainsGroupError
        except ImportError as error:
            raise ImportError('a store of fits needs zarr: pip install "bayeslaw[zarr]"') from error
        self.path, self._group, self._was_faster = Path(path), zarr.open_group, ContainsGroupError

    def __contains__(self, key: str) -> bool:
        """Whether a fit is kept."""
        return (self.path / key / "zarr.json").exists()

    def put(self, key: str, fit: Fit) -> None:
        """Keep a fit."""
        with contextlib.suppress(self._was_faster):  # several write their first fits at once
            self._group(str(self.path), mode="a")
        aside = self.path / f".{key}-{secrets.token_hex(4)}"
        fit_to_tree(fit).to_zarr(aside, zarr_format=3, consolidated=False)
        try:
            os.replace(aside, self.path / key)
        except OSError:  # another was faster
            shutil.rmtree(aside)

    def get(self, key: str, model: Model) -> Fit:
        """A fit that is kept, of the model that it is of."""
        where = self.path / key
        with xr.open_datatree(where, engine="zarr", consolidated=False) as tree:
            return fit_from_tree(tree.load(), where, model.law)


def store_key(model: Model, runs: xr.Dataset, sampler: Sampler) -> str:
    """Name of a fit by its content: the model, the runs and how it is sampled.

    Parameters
    ----------
    model : Model
        The model.
    runs : xarray.Dataset
        Training runs.
    sampler : Sampler
        How.

    Returns
    -------
    str
    """
    told = hashlib.sha256(model.content.encode())
    for name in sorted(map(str, runs.variables)):
        values = runs[name].values
        told.update(name.encode())
        told.update(repr(values.tolist()).encode() if values.dtype == object else _bytes(values))
    told.update(json.dumps(runs.attrs, sort_keys=True, default=str).encode())
    how = {name: value for name, value in sampler.to_record().items() if name not in WITHOUT}
    told.update(json.dumps(how, sort_keys=True, default=str).encode())
    return told.hexdigest()[:32]


def _bytes(values: Any) -> bytes:
    return str(values.dtype).encode() + np.ascontiguousarray(values).tobytes()
