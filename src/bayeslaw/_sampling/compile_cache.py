"""Compiled models that the disk remembers: a second start builds no graph.

PyTensor and numba keep machine code by the graph that it was made from, so the graph must be built
and rewritten to ask for it. All that a density depends on is known before: the model, which
arrays there are, and the versions of the packages. Of a model whose parts are this package's own,
the compiled entry points are kept under that.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import xarray as xr

from bayeslaw._inference.graph import LATENT, build_graph
from bayeslaw._inference.model_data import ModelData
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw._progress import progress
from bayeslaw._sampling.compiled import CompiledDensity, FlatLayout, compile_density
from bayeslaw._sampling.entry_points import ArrayType, compile_entry_points
from bayeslaw.model.model import Model

__all__ = ["compiled_density_of", "recorded_variables"]

PACKAGES = ("bayeslaw", "pymc", "pytensor", "nutpie", "numba", "numpy")
OWN = __name__.partition(".")[0]


def compiled_density_of(
    model: Model,
    runs: xr.Dataset,
    run_arrays: RunArrays,
    model_data: ModelData,
    progressbar: bool = False,
) -> CompiledDensity:
    """The compiled model on runs.

    Parameters
    ----------
    model : Model
        The model.
    runs : xarray.Dataset
        Training runs.
    design : RunArrays
        The runs as arrays.
    numbers : ModelData
        All that the density takes from them.
    progressbar : bool
        Whether to say that it is compiled.

    Returns
    -------
    CompiledDensity
    """
    key = _key(model, model_data) if _is_ours(model) else None
    kept = _kept(key, model_data) if key else None
    if kept is not None:
        return kept
    with progress("Compiling, once for a law and its groupings", None, shown=progressbar):
        built = build_graph(model, run_arrays, model_data, runs)
        compiled = compile_density(built, recorded_variables(built), key)
    if key:
        _keep(key, compiled)
    return compiled.with_data(model_data)


def recorded_variables(model: pm.Model) -> list[str]:
    """Names of the variables that draws are given of.

    Parameters
    ----------
    model : pymc.Model
        As of `bayeslaw.build`.

    Returns
    -------
    list of str
    """
    every = ("center", "spread", "effects", LATENT, "theta")
    return [name for name in every if name in model.named_vars]


def _is_ours(model: Model) -> bool:
    """Whether all code that a model runs is this package's; other code may change unnoticed."""
    parts = [model.law.function, *map(type, _parts(model))]
    return all(part.__module__.partition(".")[0] in (OWN, "builtins") for part in parts)


def _parts(item: Any) -> Iterable[Any]:
    """The objects that a model is made of, but for the law."""
    for field in dataclasses.fields(item):
        value = getattr(item, field.name)
        if field.name == "law":
            continue
        for each in value.values() if isinstance(value, Mapping) else (value,):
            yield each
            if dataclasses.is_dataclass(each):
                yield from _parts(each)


def _key(model: Model, model_data: ModelData) -> str:
    names, *others = model_data.structure
    kinds = [(name, *_kind(model_data[name])) for name in sorted(names)]
    told = f"{model.structure(model_data.priors_as_data)} {kinds} {others} {_versions()}"
    return hashlib.sha256(told.encode()).hexdigest()[:40]


@cache
def _versions() -> str:
    """Of the packages, and what this one's code is, which may be edited in place."""
    told = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        told.update(path.read_bytes())
    return f"{told.hexdigest()} {[version(name) for name in PACKAGES]}"


def _kind(values: np.ndarray) -> ArrayType:
    return ArrayType(str(values.dtype), values.ndim)


def _record(key: str) -> Path:
    return Path(pytensor.config.base_compiledir) / "bayeslaw" / f"{key}.json"


def _kept(key: str, model_data: ModelData) -> CompiledDensity | None:
    """What was compiled before, if it is there."""
    try:
        record = json.loads(_record(key).read_text())
        kinds = {name: ArrayType(*kind) for name, kind in record["kinds"].items()}
        found = compile_entry_points(None, list(kinds.values()), key)
    except (OSError, LookupError, ValueError):
        return None
    layout = FlatLayout.of_record(record["layout"])
    types = {name: np.dtype(kind.dtype) for name, kind in kinds.items()}
    return CompiledDensity(found, types, layout, model_data, layout.initial_point(model_data))


def _keep(key: str, compiled: CompiledDensity) -> None:
    """Write what is needed to call the compiled code; whole or not at all."""
    path = _record(key)
    kinds = {
        name: ArrayType(str(kind), np.ndim(compiled.model_data[name]))
        for name, kind in compiled.dtypes.items()
    }
    record = {"kinds": kinds, "layout": compiled.layout.to_record()}
    aside = path.with_suffix(f".{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(record))
        os.replace(aside, path)
    except OSError:  # no place to keep it: the next start compiles again
        with contextlib.suppress(OSError):
            aside.unlink()
