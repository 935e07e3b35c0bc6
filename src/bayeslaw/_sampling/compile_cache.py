"""The compile cache: compiled models on disk, so that a second process builds no graph.

PyTensor and numba cache machine code under the graph that it was compiled from, so the graph must
be built and rewritten to look it up. But all that a density depends on is known before: the model,
which arrays there are, and the versions of the packages. Compiled entry points of models whose
parts are all of this package are cached under a hash of those.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pymc as pm

from bayeslaw._disk.compile_folder import compile_folder, warn_if_temporary, warn_unwritten
from bayeslaw._disk.files import N_HASH, is_intact, replace_file, sha256
from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.graph import LATENT, build_graph
from bayeslaw._inference.model_data import ModelData
from bayeslaw._progress import progress
from bayeslaw._sampling.compile_pymc import compile_density
from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw._sampling.entry_points import ArrayType, compile_entry_points
from bayeslaw._sampling.flat_layout import FlatLayout
from bayeslaw.model.model import Model
from bayeslaw.model.user_code import user_code

__all__ = ["compiled_density_of", "recorded_variables"]

PACKAGES = ("bayeslaw", "pymc", "pytensor", "nutpie", "numba", "numpy")


def compiled_density_of(
    bound: BoundModel, model_data: ModelData, progressbar: bool = False
) -> CompiledDensity:
    """The compiled log density of a model, from the cache or compiled now."""
    model = bound.model
    warn_if_temporary()
    key = _key(model, model_data) if _is_ours(model) else None
    cached = _cached(key, model_data) if key else None
    if cached is not None:
        return cached
    with progress("Compiling, once for a law and its groupings", None, shown=progressbar):
        graph = build_graph(bound, model_data)
        compiled = compile_density(graph, recorded_variables(graph), key)
    if key:
        _write_record(key, compiled)
    return compiled.with_data(model_data)


def recorded_variables(graph: pm.Model) -> list[str]:
    """Names of the variables of a graph that are recorded in draws, in order."""
    names = ("center", "spread", "effects", LATENT, "theta")
    return [name for name in names if name in graph.named_vars]


def _is_ours(model: Model) -> bool:
    """Whether all code of a model is this package's, whose changes its version tells."""
    return not user_code(model)


def _key(model: Model, model_data: ModelData) -> str:
    names, *others = model_data.structure
    types = [(name, *_array_type(model_data[name])) for name in sorted(names)]
    text = f"{model.structure(model_data.priors_as_data)} {types} {others} {_versions()}"
    return hashlib.sha256(text.encode()).hexdigest()[:40]


@cache
def _versions() -> str:
    """Versions of the packages, and a hash of this one's code, which may be edited in place."""
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        code.update(path.read_bytes())
    return f"{code.hexdigest()} {[version(name) for name in PACKAGES]}"


def _array_type(values: np.ndarray) -> ArrayType:
    return ArrayType(str(values.dtype), values.ndim)


def _record_path(key: str) -> Path:
    return compile_folder() / f"{key}.json"


def _cached(key: str, model_data: ModelData) -> CompiledDensity | None:
    """The density compiled before, if its record and its code are there."""
    try:
        content = _record_path(key).read_bytes()
        if not is_intact(content):
            return None
        record = json.loads(content[:-N_HASH])
        types = {name: ArrayType(*array_type) for name, array_type in record["types"].items()}
        entry_points = compile_entry_points(None, list(types.values()), key)
    except (OSError, LookupError):
        return None
    layout = FlatLayout.from_record(record["layout"])
    dtypes = {name: np.dtype(array_type.dtype) for name, array_type in types.items()}
    initial_point = layout.initial_point(model_data)
    return CompiledDensity(entry_points, dtypes, layout, model_data, initial_point)


def _write_record(key: str, compiled: CompiledDensity) -> None:
    """Write what is needed to call the compiled code."""
    types = {
        name: ArrayType(str(dtype), np.ndim(compiled.model_data[name]))
        for name, dtype in compiled.dtypes.items()
    }
    content = json.dumps({"types": types, "layout": compiled.layout.to_record()}).encode()
    try:
        replace_file(_record_path(key), content, sha256(content))
    except OSError as error:  # a full disk: the next process compiles again
        warn_unwritten(str(error.strerror))
