"""Serialisation: the parts of a model as JSON records and back, without executing code."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from bayeslaw.errors import StoreError
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.noise import BUILT_IN
from bayeslaw.model.noise_kind import OWN_MODULE, Noise
from bayeslaw.model.user_code import code_hash
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
    is_own = kind in PARTS.values() or kind.__module__ == OWN_MODULE
    name = kind.__name__ if is_own else f"{kind.__module__}:{kind.__name__}"
    return {name: {name: to_record(name, value) for name, value in values.items()}}


def _kinds(what: str) -> tuple[type, ...]:
    """The classes of this package that a part may be of."""
    if what == "noise":
        return tuple(dict.fromkeys(map(type, BUILT_IN.values())))
    return OTHERS.get(what, PRIORS)


def from_record(record: Any) -> Any:
    """The part of a model that a record of `to_record` describes.

    Raises StoreError for a kind of noise of somebody's own that this process has not defined, or
    has several of, and for fields that the class does not take.
    """
    if not isinstance(record, Mapping):
        return record
    if len(record) != 1:
        raise StoreError(f"the record of a part of a model has one class, got {list(record)}")
    [(name, values)] = record.items()
    kind = PARTS.get(name) or _noise_kind(*name.rpartition(":")[::2])
    try:
        return kind(**{key: from_record(value) for key, value in values.items()})
    except (TypeError, AttributeError) as error:
        raise StoreError(f"{values!r} are not the fields of {name}: {error}") from error


def _noise_kind(module: str, name: str) -> type[Noise]:
    """The kind of noise of a name: that of the module, or the only one."""
    kinds = Noise.kinds.get(name, {})
    if module in kinds:
        return kinds[module]
    if not kinds:
        raise StoreError(
            f"{name!r} is no class of this package: if it is noise of your own, define it, or "
            f"import its module, before this is read; commands take --import {module or 'MODULE'}"
        )
    if len({code_hash(kind) for kind in kinds.values()}) > 1:
        raise StoreError(
            f"several kinds of noise are called {name!r}, of the modules {', '.join(kinds)}, and "
            f"this is of {module or 'one of them'}: import only that"
        )
    return next(reversed(kinds.values()))
