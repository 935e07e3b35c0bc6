"""The parts of a model as plain records for JSON, and back: nothing that is executed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.priors import Fixed, HalfNormal, LinkNormal, LogitNormal, LogNormal, Normal
from bayeslaw.response_scales import LogitScale, LogScale, RawScale

__all__ = ["from_record", "to_record"]

PRIORS = (Normal, LogNormal, LogitNormal, HalfNormal, Fixed, LinkNormal)
OTHERS = {
    "noise": (Gaussian, StudentT, Undertuned),
    "scale": (LogScale, RawScale, LogitScale),
    "discrepancy": (Brownian,),
}
PARTS = {part.__name__: part for part in (*PRIORS, *itertools.chain(*OTHERS.values()))}


def to_record(what: str, part: Any) -> Any:
    """A part of a model, or one of its numbers, as JSON can hold it.

    Parameters
    ----------
    what : str
        What it is, for the error.
    part : record of this package, number, str or None
        The part.

    Returns
    -------
    dict, number, str or None

    Raises
    ------
    ValueError
        If it is of a class of somebody else.

    Examples
    --------
    >>> to_record("prior", Fixed(1.69))
    {'Fixed': {'value': 1.69}}
    """
    if part is None or isinstance(part, str | int | float):
        return part
    kind = type(part)
    if kind not in PARTS.values():
        known = ", ".join(known.__name__ for known in OTHERS.get(what, PRIORS))
        raise ValueError(
            f"the {what} is a {kind.__name__} of {kind.__module__.partition('.')[0]}, which a "
            f"file cannot hold without code to run: use one of {known}"
        )
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    return {kind.__name__: {name: to_record(name, value) for name, value in values.items()}}


def from_record(record: Any) -> Any:
    """The part that a record is of.

    Parameters
    ----------
    record : dict, number, str or None
        As `to_record` makes it.

    Returns
    -------
    object

    Examples
    --------
    >>> from_record({"Gaussian": {"scale": {"LogScale": {}}, "varies_with": None}})
    Gaussian(scale=LogScale(), varies_with=None)
    """
    if not isinstance(record, Mapping):
        return record
    [(name, values)] = record.items()
    return PARTS[name](**{key: from_record(value) for key, value in values.items()})
