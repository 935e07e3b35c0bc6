"""Serialisation: the parts of a model as JSON records and back, without executing code."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from bayeslaw.errors import StoreError
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.noise import BUILT_IN
from bayeslaw.model.noise_kind import Noise
from bayeslaw.priors import Fixed, HalfNormal, LinkNormal, LogitNormal, LogNormal, Normal
from bayeslaw.response_scales import LogitScale, LogScale, RawScale

__all__ = ["from_record", "to_record"]

PRIORS = (Normal, LogNormal, LogitNormal, HalfNormal, Fixed, LinkNormal)
OTHERS = {
    "scale": (LogScale, RawScale, LogitScale),
    "discrepancy": (Brownian,),
}
PARTS = {part.__name__: part for part in (*PRIORS, *itertools.chain(*OTHERS.values()))}


def to_record(what: str, part: Any) -> Any:
    """A part of a model (`what`, for the error message) or one of its values as a JSON record.

    Raises ValueError for a class of another package.
    """
    if part is None or isinstance(part, str | int | float):
        return part
    kind = type(part)
    if kind not in PARTS.values() and not issubclass(kind, Noise):
        known = ", ".join(known.__name__ for known in _kinds(what))
        raise ValueError(
            f"the {what} is a {kind.__name__} of {kind.__module__.partition('.')[0]}, which a "
            f"file cannot hold without code to run: use one of {known}"
        )
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    return {kind.__name__: {name: to_record(name, value) for name, value in values.items()}}


def _kinds(what: str) -> tuple[type, ...]:
    """The classes of this package that a part may be of."""
    if what == "noise":
        return tuple(dict.fromkeys(map(type, BUILT_IN.values())))
    return OTHERS.get(what, PRIORS)


def from_record(record: Any) -> Any:
    """The part of a model that a record of `to_record` describes.

    Raises StoreError for a kind of noise of somebody's own that this process has not defined.
    """
    if not isinstance(record, Mapping):
        return record
    [(name, values)] = record.items()
    kind = PARTS.get(name) or Noise.kinds.get(name)
    if kind is None:
        raise StoreError(
            f"{name!r} is no class of this package: if it is noise of your own, define it, or "
            "import its module, before this is read"
        )
    return kind(**{key: from_record(value) for key, value in values.items()})
