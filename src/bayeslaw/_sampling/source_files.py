"""Printed sources on disk: a model is printed once, then read.

Printing takes as long as some fits, and imports PyMC and PyTensor. Files are in the folder of
compiled code, under a key of all that a source depends on: the model, the structure of its data,
the source of this package, and the versions of the packages that print. PyTensor's settings are not
among these, as printing does not depend on them (`double_precision`). A law, noise or prior of the
user's may depend on anything, so a model that has one is printed in every process.
"""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

from bayeslaw._disk.cache_files import read_cached, write_cached
from bayeslaw._disk.compile_folder import compile_folder
from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.model_data import ModelData
from bayeslaw._inference.model_sources import ModelSources
from bayeslaw._law.law import Law
from bayeslaw.laws import find
from bayeslaw.model.model import Model
from bayeslaw.model.user_code import user_code

__all__ = ["sources_of"]

PACKAGE = Path(__file__).parents[1]


def sources_of(bound: BoundModel, model_data: ModelData) -> ModelSources:
    """The sources of a model, from a file or printed."""
    if not _is_of_this_package(bound.model):
        return _printed(bound, model_data)
    path = compile_folder() / f"{_key(bound.model, model_data)}.sources"
    content = read_cached(path)
    if content is not None:
        return ModelSources.from_json(content)
    sources = _printed(bound, model_data)
    write_cached(path, sources.to_json().encode())
    return sources


def _printed(bound: BoundModel, model_data: ModelData) -> ModelSources:
    from bayeslaw._inference.printed_model import printed_model  # slow to import

    return printed_model(bound, model_data)


def _is_of_this_package(model: Model) -> bool:
    """Whether no part of a model is of the user's."""
    return _is_catalogued(model.law) and not user_code(model)


def _is_catalogued(law: Law) -> bool:
    try:
        return vars(law) == vars(find(law.name).of(*law.predictors))
    except ValueError:
        return False


def _key(model: Model, model_data: ModelData) -> str:
    arrays, *structure = model_data.structure
    parts = (model.structure(model_data.priors_as_data), sorted(arrays), structure, _printers())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@cache
def _printers() -> tuple[str, ...]:
    """What prints: this package, and others by version."""
    files = sorted(PACKAGE.rglob("*.py"))
    own = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
    packages = [version(name) for name in ("pymc", "pytensor", "numpy")]
    return own, *packages, platform.python_version()
