"""A fit as one file: netCDF for the numbers, JSON for the model, nothing that is executed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import secrets
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw import laws
from bayeslaw._law.law import Law
from bayeslaw.errors import StoreError
from bayeslaw.fitting.fit import Fit
from bayeslaw.model.model import Model, Pooling
from bayeslaw.model.serialise import from_record, to_record

__all__ = ["fit_from_tree", "fit_to_tree", "load", "save"]

FORMAT = 2
RENAMED = {  # groups of files of format 1
    "/link": "/unconstrained_posterior",
    "/prior_link": "/unconstrained_prior",
}
ATTRIBUTE = "bayeslaw"  # of the file: format and model
SPACED = "coordinates_with_spaces"  # of a group
JSON = "json:"  # how an attribute begins that netCDF would not give back as it was
SEAL = 32  # bytes of hash after the netCDF content, which ignores them


def save(fit: Fit, path: str | os.PathLike[str]) -> Path:
    """Save a fit: its model, runs, draws and versions, in one netCDF file.

    The file is written aside and renamed, so that it is whole or absent. A law of the user's own
    is kept by its name and hash; `load` has to be given it.

    Parameters
    ----------
    fit : Fit
        What to save.
    path : path
        Where; a file that is there is replaced.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    StoreError
        If the file cannot be written, or the fit holds what a file cannot, such as a prior that
        is not one of this package.

    Examples
    --------
    >>> import tempfile
    >>> from bayeslaw import laws
    >>> from bayeslaw.data import runs
    >>> fit = Fit(Model(laws.power), runs.grid(N=[1e6, 1e8]), xr.DataTree())
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     save(fit, Path(directory) / "fit.nc").name
    'fit.nc'
    """
    path, content = Path(path), _content(fit)
    target = path.resolve()  # a link stays, and what it points to is replaced
    # A name of its own, in the same directory: only there is a rename a single step.
    aside = target.parent / f".bayeslaw-{secrets.token_hex(8)}.tmp"
    try:
        _write(aside, content)
        os.replace(aside, target)
    except OSError as error:
        raise StoreError(f"cannot write {str(path)!r}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()
    return path


def load(path: str | os.PathLike[str], *, law: Law | None = None) -> Fit:
    """Load a fit that `save` wrote.

    Parameters
    ----------
    path : path
        The file; it is closed again.
    law : Law, optional
        The law that was fitted, if it is not of the catalogue.

    Returns
    -------
    Fit

    Raises
    ------
    StoreError
        If there is no such file, it is not a whole fit, or the law is not the one fitted.

    Examples
    --------
    >>> import tempfile
    >>> from bayeslaw import laws
    >>> from bayeslaw.data import runs
    >>> fit = Fit(Model(laws.power), runs.grid(N=[1e6, 1e8]), xr.DataTree())
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = save(fit, Path(directory) / "fit.nc")
    ...     load(path).model == fit.model
    True
    """
    path = Path(path)
    return fit_from_tree(_read(path), path, law)


def fit_from_tree(tree: xr.DataTree, path: Path, law: Law | None = None) -> Fit:
    """The fit that a tree holds.

    Parameters
    ----------
    tree : xarray.DataTree
        As of `fit_to_tree`.
    path : path
        Where it was found, for errors.
    law : Law, optional
        The law that was fitted, if it is not of the catalogue.

    Returns
    -------
    Fit
    """
    record = json.loads(tree.attrs[ATTRIBUTE])
    _check_format(record, path)
    groups = {
        RENAMED.get(node.path, node.path): _restored(node.to_dataset(inherit=False))
        for node in tree.subtree
    }
    runs = groups.pop("/runs")
    del groups["/"].attrs[ATTRIBUTE]
    model = _model(record, _fitted_law(record, law, path))
    return Fit(model, runs, xr.DataTree.from_dict(groups))


def _write(path: Path, content: memoryview) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.write(_seal(content))
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> xr.DataTree:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {str(path)!r}: {error.strerror}") from error
    # HDF5 would notice a cut but not a flipped bit, which it may hang on.
    if content[-SEAL:] != _seal(memoryview(content)[:-SEAL]):
        raise StoreError(
            f"{str(path)!r} is not a whole fit: it was cut short or changed, or is another kind "
            "of file"
        )
    with xr.open_datatree(io.BytesIO(content), engine="h5netcdf") as tree:
        return tree.load()


def _seal(content: memoryview) -> bytes:
    return hashlib.sha256(content).digest()


def _check_format(record: Mapping[str, Any], path: Path) -> None:
    if record["format"] > FORMAT:
        raise StoreError(
            f"{str(path)!r} has format {record['format']}, of bayeslaw {record['version']}; this "
            f"is bayeslaw {version('bayeslaw')}, which reads format {FORMAT}: upgrade it"
        )


def _content(fit: Fit) -> memoryview:
    tree = fit_to_tree(fit)
    try:
        # In memory, because HDF5 crashes the process where a disk is full.
        return tree.to_netcdf(engine="h5netcdf")
    except (TypeError, ValueError) as error:
        raise StoreError(f"a file cannot hold this fit: {error}") from error


def fit_to_tree(fit: Fit) -> xr.DataTree:
    """Model, runs and draws of a fit as one tree that a file can hold.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    xarray.DataTree
    """
    record = {"format": FORMAT, "version": version("bayeslaw"), **_model_record(fit.model)}
    groups = {node.path: _storable(node.to_dataset(inherit=False)) for node in fit.tree.subtree}
    groups["/"].attrs[ATTRIBUTE] = json.dumps(record, default=_plain)
    return xr.DataTree.from_dict({**groups, "/runs": _storable(fit.runs)})


def _storable(data: xr.Dataset) -> xr.Dataset:
    """Return the data set as netCDF can hold it."""
    for name in map(str, {*data.variables, *data.dims}):
        if "/" in name or name in ("", "."):
            raise StoreError(f"a file cannot hold the name {name!r}: rename that column")
    # netCDF lists coordinates between spaces, so these would come back as variables.
    spaced = [name for name in map(str, data.coords) if any(map(str.isspace, name))]
    spaced = [name for name in spaced if name not in data.dims]
    data = data.drop_encoding().reset_coords(spaced)
    return _with_attributes(data.assign_attrs({SPACED: spaced} if spaced else {}), _packed)


def _restored(data: xr.Dataset) -> xr.Dataset:
    data = _with_attributes(data.drop_encoding(), _unpacked)
    return data.set_coords(data.attrs.pop(SPACED, []))


def _with_attributes(data: xr.Dataset, change: Callable[[str, Any], Any]) -> xr.Dataset:
    data = data.copy()
    for item in (data, *data.variables.values()):
        item.attrs = {name: change(name, value) for name, value in item.attrs.items()}
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
    raise TypeError(f"a {type(value).__name__} has no JSON")


def _model_record(model: Model) -> dict[str, Any]:
    return {
        "law": _law_record(model.law),
        "pooling": _pooling_record(model.pooling),
        "noise": _part_record("noise", model.noise),
        "discrepancy": _part_record("discrepancy", model.discrepancy),
        "priors": {
            name: _part_record(f"prior of {name!r}", prior) for name, prior in model.priors.items()
        },
        "tie": dict(model.tie),
    }


def _model(record: Mapping[str, Any], law: Law) -> Model:
    return Model(
        law,
        pooling=_pooling(record["pooling"]),
        noise=from_record(record["noise"]),
        discrepancy=from_record(record["discrepancy"]),
        priors={name: from_record(prior) for name, prior in record["priors"].items()},
        tie=record["tie"],
    )


def _part_record(what: str, part: Any) -> Any:
    try:
        return to_record(what, part)
    except ValueError as error:
        raise StoreError(str(error)) from None


def _pooling_record(pooling: Pooling) -> Any:
    if isinstance(pooling, Mapping):
        return {"each": {name: _pooling_record(groups) for name, groups in pooling.items()}}
    # JSON has one kind of list, and a model compares equal only with the kind it had.
    if isinstance(pooling, tuple):
        return {"tuple": pooling}
    return None if pooling is None else list(pooling)


def _pooling(record: Any) -> Any:
    match record:
        case {"each": groups}:
            return {name: _pooling(names) for name, names in groups.items()}
        case {"tuple": names}:
            return tuple(names)
        case _:
            return record


def _law_record(law: Law) -> dict[str, Any]:
    catalogued = _catalogued(law.name)
    return {
        "name": law.name,
        "digest": law.digest,
        "predictors": law.predictors,
        "parameters": _roles(law),
        "catalogue": catalogued is not None and catalogued.digest == law.digest,
    }


def _catalogued(name: str) -> Law | None:
    try:
        return laws.find(name)
    except ValueError:
        return None


def _roles(law: Law) -> dict[str, str]:
    return {
        name: f"{role.name} with priors {role.prior} and {role.spread}"
        for name, role in law.parameters.items()
    }


def _fitted_law(record: Mapping[str, Any], given: Law | None, path: Path) -> Law:
    kept = record["law"]
    law = _catalogued(kept["name"]) if given is None and kept["catalogue"] else given
    if law is None:
        raise StoreError(
            f"{str(path)!r} keeps law {kept['name']!r} by name and hash only: "
            f"pass the law itself, load({str(path)!r}, law={kept['name']})"
        )
    _check_same(kept, law, f"{str(path)!r} was saved by bayeslaw {record['version']}")
    predictors = tuple(kept["predictors"])
    return law if law.predictors == predictors else law.of(*predictors)


def _check_same(kept: Mapping[str, Any], law: Law, saved: str) -> None:
    if not isinstance(law, Law):
        raise StoreError(f"law must be a Law, as bl.law makes, got a {type(law).__name__}")
    if law.name != kept["name"]:
        raise StoreError(f"the law that was fitted is {kept['name']!r}, got law {law.name!r}")
    if law.digest != kept["digest"]:
        raise StoreError(
            f"the formula of law {law.name!r} was changed after {saved}: "
            f"its hash was {kept['digest'][:8]} and is {law.digest[:8]}"
        )
    _check_roles(kept["parameters"], _roles(law), f"law {law.name!r} was changed after {saved}")


def _check_roles(old: Mapping[str, str], new: Mapping[str, str], changed: str) -> None:
    for name in {**old, **new}:
        was, now = old.get(name, "absent"), new.get(name, "absent")
        if was != now:
            raise StoreError(f"{changed}: parameter {name!r} was {was}, and is {now}")
