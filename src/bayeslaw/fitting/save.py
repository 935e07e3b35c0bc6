"""`save` and `load`: a fit as one netCDF file, which holds no code."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import xarray as xr

from bayeslaw._disk.files import is_intact, sha256, write_file
from bayeslaw._law.law import Law
from bayeslaw.errors import StoreError
from bayeslaw.fitting.fit_schema import check_fit, reading
from bayeslaw.fitting.fit_tree import fit_from_tree, fit_to_tree
from bayeslaw.fitting.result import Fit, require_fit

__all__ = ["load", "save"]

# A higher level takes longer, and hardly less space: most bits of draws are random.
COMPRESSION = {"zlib": True, "complevel": 1, "shuffle": True}


def save(fit: Fit, path: str | os.PathLike[str]) -> Path:
    """Save a fit: its model, runs, draws and versions, in one netCDF file.

    The file is written under another name and renamed, so that it is complete or absent; it ends
    with a hash of the rest, which netCDF ignores. A law
    that is not in the catalogue is saved by name and hash; `load` has to be given the law.

    The sampler's variables, ``unconstrained_posterior``, are saved bit by bit. What follows from
    them and the runs is left out, and `load` computes it: ``posterior``, ``prior`` and
    ``log_likelihood``, the last when it is first read. It is the same bit by bit where the same
    versions run on the same kind of processor, and to about 12 digits elsewhere; a group that was
    changed is saved as it is. The simulated responses of ``posterior_predictive`` and
    ``prior_predictive`` are rounded to six digits.

    Parameters
    ----------
    fit : Fit
        The fit.
    path : path
        The file, which is replaced if it exists.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    StoreError
        If the file cannot be written, or the fit contains something that a file cannot hold, such
        as a prior from outside this package.

    Examples
    --------
    >>> import tempfile
    >>> import bayeslaw as bl
    >>> import xarray as xr
    >>> fit = bl.Fit(bl.Model(bl.laws.power), bl.grid(N=[1e6, 1e8]), xr.DataTree())
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     bl.save(fit, f"{directory}/fit.nc").name
    'fit.nc'
    """
    require_fit(fit)
    content = _netcdf(fit)
    return write_file(path, content, sha256(content))


def load(path: str | os.PathLike[str], *, law: Law | None = None) -> Fit:
    """Load a fit from a file written by `save`.

    Parameters
    ----------
    path : path
        The file; it is closed after reading.
    law : Law, optional
        The law that was fitted, if it is not in the catalogue.

    Returns
    -------
    Fit

    Raises
    ------
    StoreError
        If there is no such file, it is not a complete fit, or the law is not the one fitted.

    Examples
    --------
    >>> import tempfile
    >>> import bayeslaw as bl
    >>> import xarray as xr
    >>> fit = bl.Fit(bl.Model(bl.laws.power), bl.grid(N=[1e6, 1e8]), xr.DataTree())
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = bl.save(fit, f"{directory}/fit.nc")
    ...     bl.load(path).model == fit.model
    True
    """
    path = Path(path)
    return fit_from_tree(_read(path), path, law)


def _netcdf(fit: Fit) -> memoryview:
    try:
        check_fit(fit)
    except ValueError as error:
        raise StoreError(f"a fit that could not be loaded is not saved: {error}") from error
    tree = fit_to_tree(fit)
    try:
        # In memory, because HDF5 crashes the process where a disk is full.
        return tree.to_netcdf(engine="h5netcdf", encoding=_compressed(tree))
    except (TypeError, ValueError) as error:
        raise StoreError(f"a file cannot hold this fit: {error}") from error


def _compressed(tree: xr.DataTree) -> dict[str, Any]:
    """Encodings of the draws; other variables are small."""
    return {
        node.path: {name: COMPRESSION for name, x in node.data_vars.items() if "draw" in x.dims}
        for node in tree.subtree
    }


def _read(path: Path) -> xr.DataTree:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {str(path)!r}: {error.strerror}") from error
    # HDF5 would notice a truncated file but not a flipped bit, on which it may hang.
    if not is_intact(content):
        raise StoreError(
            f"{str(path)!r} is not a complete fit: it was truncated or changed, or is another "
            "kind of file"
        )
    with (
        reading(path, "the file"),
        xr.open_datatree(io.BytesIO(content), engine="h5netcdf") as tree,
    ):
        return tree.load()
