"""Printed sources on disk: a model is printed once, then read.

Printing takes as long as some fits, and imports PyMC and PyTensor. Files are in the folder of
compiled code, under a key of all that a source depends on: the model, the structure of its data,
the source of this package, and the versions of the packages that print. A law, noise or prior of
the user's may depend on anything, so a model that has one is printed in every process.
"""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

from bayeslaw._disk.compile_folder import FLAGS, compile_folder, warn_unwritten
from bayeslaw._disk.files import N_HASH, is_intact, replace_file, sha256
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
    sources = _read(path)
    if sources is None:
        sources = _printed(bound, model_data)
        _write(path, sources)
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
    """What prints: this package, others by version, and PyTensor's settings."""
    files = sorted(PACKAGE.rglob("*.py"))
    own = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
    packages = [version(name) for name in ("pymc", "pytensor", "numpy")]
    return own, *packages, platform.python_version(), os.environ.get(FLAGS, "")


def _read(path: Path) -> ModelSources | None:
    """The sources in a file; None if there is none, or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return ModelSources.from_json(content[:-N_HASH]) if is_intact(content) else None


def _write(path: Path, sources: ModelSources) -> None:
    """Write a file; a full disk does not prevent that the sources are used."""
    content = sources.to_json().encode()
    try:
        replace_file(path, [content, sha256(content)])
    except OSError as error:
        warn_unwritten(str(error.strerror))
