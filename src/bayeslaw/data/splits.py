"""Train/test splits of runs: by size, or by the ``held_out`` mark."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayeslaw._arguments import POSITIVE
from bayeslaw.data.checks import checked, require
from bayeslaw.data.runs import check_predictors, group_names, predictor_names

__all__ = ["join_held_out", "split_at", "split_held_out"]


def split_at(runs: xr.Dataset, /, **limits: float) -> tuple[xr.Dataset, xr.Dataset]:
    """Split runs into those up to a size and those beyond it.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs.
    **limits : float
        Largest value in the training runs, per predictor; all limits must hold.

    Returns
    -------
    tuple of xarray.Dataset
        Training runs, and the rest.

    Examples
    --------
    >>> from bayeslaw.data.runs import grid
    >>> train, later = split_at(grid(N=[1e7, 1e8, 1e9]), N=1e8)
    >>> train.sizes["run"], later.sizes["run"]
    (2, 1)
    """
    require(bool(limits), "split_at needs a limit, such as split_at(runs, N=1e8)")
    check_predictors(runs, limits)
    limits = {name: checked(POSITIVE, name, limit) for name, limit in limits.items()}
    within = np.all([runs[name].values <= limit for name, limit in limits.items()], axis=0)
    ranges = ", ".join(f"{name} in the data is {_range(runs[name])}" for name in limits)
    condition = " and ".join(f"{name} <= {limit:g}" for name, limit in limits.items())
    require(within.any(), f"no run has {condition}: {ranges}")
    require(not within.all(), f"every run has {condition}: {ranges}")
    return runs.isel(run=within), runs.isel(run=~within)


def split_held_out(runs: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Split runs by their ``held_out`` mark.

    Parameters
    ----------
    runs : xarray.Dataset
        Runs of a table with a column ``held_out``.

    Returns
    -------
    tuple of xarray.Dataset
        Training runs, and held-out runs.

    Examples
    --------
    >>> from bayeslaw.data.runs import grid
    >>> runs = grid(N=[1e8, 1e9]).assign_coords(held_out=("run", [False, True]))
    >>> train, later = split_held_out(runs)
    >>> later["N"].values.tolist()
    [1000000000.0]
    """
    require("held_out" in runs.coords, "no run is marked: the table has no column 'held_out'")
    held_out = runs["held_out"].values.astype(bool)
    require(held_out.any(), f"none of the {held_out.size} runs is marked as held out")
    require(not held_out.all(), f"all {held_out.size} runs are marked as held out")
    return runs.isel(run=~held_out), runs.isel(run=held_out)


def join_held_out(train: xr.Dataset, later: xr.Dataset | None) -> xr.Dataset:
    """Training and held-out runs, marked as ``held_out``: the response, predictors and groups."""
    names = [train.attrs["response"], *predictor_names(train)]
    coords = [name for name in train.coords if name in ("run", *group_names(train))]
    parts = []
    for runs, is_held_out in ((train, False), (later, True)):
        if runs is not None:
            marks = np.full(runs.sizes["run"], is_held_out)
            part = runs.reset_coords(drop=True)[names].assign_coords({n: runs[n] for n in coords})
            parts.append(part.assign_coords(held_out=("run", marks)))
    joined = xr.concat(parts, "run", combine_attrs="override")
    return joined.assign_coords(run=np.arange(joined.sizes["run"])).assign_attrs(train.attrs)


def _range(values: xr.DataArray) -> str:
    return f"{values.min().item():g} to {values.max().item():g}"
