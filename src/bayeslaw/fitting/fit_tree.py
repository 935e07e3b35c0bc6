"""A fit as one tree of netCDF groups: model, runs and draws, with attributes that survive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._law.law import Law
from bayeslaw.errors import StoreError
from bayeslaw.fitting.derived_groups import derived_groups, with_derived_groups
from bayeslaw.fitting.fit_schema import check_fit, reading
from bayeslaw.fitting.model_record import fitted_law, model_from_record, model_to_record
from bayeslaw.fitting.result import Fit

__all__ = ["fit_from_tree", "fit_to_tree"]

FORMAT = 3
RENAMED = {  # groups of files of format 1
    "/link": "/unconstrained_posterior",
    "/prior_link": "/unconstrained_prior",
}
ATTRIBUTE = "bayeslaw"  # of the root: format and model
SPACED = "coordinates_with_spaces"  # attribute of a group
ROUNDED = ("/posterior_predictive", "/prior_predictive")
N_BITS = 20  # of the 52 of a fraction that are kept of rounded values: six digits
JSON = "json:"  # prefix of attributes that netCDF would not give back as they were


def fit_to_tree(fit: Fit) -> xr.DataTree:
    """Model, runs and draws of a fit as one tree that a file can hold.

    Groups that follow from the others are left out, and simulated responses are rounded.
    """
    record = {"format": FORMAT, "version": version("bayeslaw"), "groups": list(fit.tree.children)}
    record |= {"derived": derived_groups(fit), **model_to_record(fit.model)}
    record["runs_sha256"] = _digest(fit.runs)
    groups = {
        node.path: _to_netcdf(node.to_dataset(inherit=False))
        for node in fit.tree.subtree
        if node.path not in record["derived"]
    }
    groups |= {path: groups[path].map(_rounded) for path in ROUNDED if path in groups}
    groups["/"].attrs[ATTRIBUTE] = json.dumps(record, default=_plain)
    return xr.DataTree.from_dict({**groups, "/runs": _to_netcdf(fit.runs)})


def fit_from_tree(tree: xr.DataTree, path: Path, law: Law | None = None) -> Fit:
    """The fit of a tree from `fit_to_tree`; raises StoreError, which names the path.

    What a fit has to have is in `check_fit`.
    """
    with reading(path, "the file"):
        record = json.loads(tree.attrs[ATTRIBUTE])
        groups = {
            RENAMED.get(node.path, node.path): _from_netcdf(node.to_dataset(inherit=False))
            for node in tree.subtree
        }
        runs = groups.pop("/runs")
        del groups["/"].attrs[ATTRIBUTE]
    with reading(path, "the record of the model"):
        _check_format(record, path)
        model = model_from_record(record, fitted_law(record, law, path))
        names, checksums = record.get("groups", []), record.get("derived", {})
    with reading(path, "the fit"):
        if record.get("runs_sha256", digest := _digest(runs)) != digest:
            raise ValueError("the runs are not as they were when they were saved")
        fit = Fit(model, runs, xr.DataTree.from_dict(groups))
        groups = with_derived_groups(fit, checksums, partial(reading, path, "the fit"))
        fit = replace(fit, tree=_in_order(groups, names))
        check_fit(fit, names)
    return fit


def _digest(runs: xr.Dataset) -> str:
    """A hash of all values of the runs."""
    digest = hashlib.sha256()
    for name in sorted(map(str, runs.variables)):
        values = runs[name].values
        is_number = np.issubdtype(values.dtype, np.number)
        text = values.astype(float).tobytes() if is_number else repr([*map(str, values.ravel())])
        digest.update(f"{name} {values.shape} {text!r}".encode())
    return digest.hexdigest()


def _in_order(groups: Mapping[str, xr.Dataset], names: Sequence[str]) -> xr.DataTree:
    """A tree of groups, those with names first."""
    first = {f"/{name}": groups[f"/{name}"] for name in names}
    return xr.DataTree.from_dict({"/": groups["/"], **first, **groups})


def _rounded(values: xr.DataArray) -> xr.DataArray:
    """Floats to the nearest with `N_BITS` bits of the fraction; the others are zero."""
    if values.dtype != float:
        return values
    dropped = np.uint64(np.finfo(float).nmant - N_BITS)
    bits = np.ascontiguousarray(values.values).view(np.uint64)
    half = np.uint64(1) << (dropped - np.uint64(1))
    return values.copy(data=((bits + half) >> dropped << dropped).view(float))


def _check_format(record: Mapping[str, Any], path: Path) -> None:
    if record["format"] > FORMAT:
        raise StoreError(
            f"{str(path)!r} has format {record['format']}, of bayeslaw {record['version']}; this "
            f"is bayeslaw {version('bayeslaw')}, which reads format {FORMAT}: upgrade it"
        )


def _to_netcdf(data: xr.Dataset) -> xr.Dataset:
    for name in map(str, {*data.variables, *data.dims}):
        if "/" in name or name in ("", "."):
            raise StoreError(f"a file cannot hold the name {name!r}: rename that column")
    # netCDF separates the names of coordinates by spaces, so these would become variables.
    spaced = [name for name in map(str, data.coords) if any(map(str.isspace, name))]
    spaced = [name for name in spaced if name not in data.dims]
    data = data.drop_encoding().reset_coords(spaced)
    return _map_attributes(data.assign_attrs({SPACED: spaced} if spaced else {}), _packed)


def _from_netcdf(data: xr.Dataset) -> xr.Dataset:
    data = _map_attributes(data.drop_encoding(), _unpacked)
    return data.set_coords(data.attrs.pop(SPACED, []))


def _map_attributes(data: xr.Dataset, function: Callable[[str, Any], Any]) -> xr.Dataset:
    data = data.copy()
    for item in (data, *data.variables.values()):
        item.attrs = {name: function(name, value) for name, value in item.attrs.items()}
    return data


def _packed(name: str, value: Any) -> str | float:
    if isinstance(value, float) or (isinstance(value, str) and not value.startswith(JSON)):
        return value
    try:
        return JSON + json.dumps(value, default=_plain)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"a file cannot hold the attribute {name!r}, a {type(value).__name__}: "
            "make it text, a number or a list of them"
        ) from error


def _unpacked(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return json.loads(value.removeprefix(JSON)) if value.startswith(JSON) else value
    return value.item() if isinstance(value, np.generic) else value


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")
