"""Roles of parameters: the support, link function and default priors that come with a role.

Each role is an ``Annotated`` alias; a law's signature gives the role of each of its parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from bayeslaw.priors import Fixed, HalfNormal, LinkNormal, LogitNormal, LogNormal, Normal, Prior

__all__ = [
    "IDENTITY",
    "LEVEL",
    "LOG",
    "LOGIT",
    "SHARE",
    "SIGMA",
    "SLOPE",
    "TAU",
    "TREND",
    "Amplitude",
    "Exponent",
    "Floor",
    "Fraction",
    "Link",
    "NoiseScale",
    "Rate",
    "Real",
    "Reference",
    "Role",
    "Scale",
    "Shape",
    "link_normal",
    "role_of",
]


@dataclass(frozen=True)
class Link:
    """A monotone map from a parameter to the real line, for arrays and tensors alike."""

    name: str
    forward: Callable[[Any], Any]
    inverse: Callable[[Any], Any]


IDENTITY = Link("identity", lambda value: value, lambda real: real)
LOG = Link("log", np.log, np.exp)
LOGIT = Link(
    "logit",
    lambda share: np.log(share) - np.log1p(-share),
    lambda real: 1 / (1 + np.exp(-real)),
)


@dataclass(frozen=True)
class Role:
    """The role of a parameter in a law.

    `link` maps it to the real line, on which curves are pooled. `prior` is the default prior of
    the population's value at the reference scale, `spread` that of the standard deviation between
    curves and groups on the link scale. `doc` is one line.
    """

    name: str
    link: Link
    prior: Normal | LogNormal | LogitNormal | Fixed
    spread: Prior
    doc: str


Floor = Annotated[
    Any,
    Role("Floor", LOG, LogNormal(1.0, 4.5), HalfNormal(0.5), "irreducible loss, at or above zero"),
]
Amplitude = Annotated[
    Any,
    Role("Amplitude", LOG, LogNormal(1.0, 4.5), HalfNormal(1.0), "size of a term at the reference"),
]
# Every published exponent of N, D and C lies between .04 and .96: Hoffmann et al. 2022,
# Besiroglu et al. 2024, Muennighoff et al. 2023, Kaplan et al. 2020.
Exponent = Annotated[
    Any,
    Role("Exponent", LOG, LogNormal(0.2, 2.2255), HalfNormal(0.3), "power of a predictor"),
]
Scale = Annotated[
    Any,
    Role("Scale", LOG, LogNormal(1.0, 7.4), HalfNormal(1.0), "a size in the predictor's units"),
]
Fraction = Annotated[
    Any,
    Role("Fraction", LOGIT, LogitNormal(0.5, 1.5), HalfNormal(0.5), "a share between 0 and 1"),
]
Rate = Annotated[
    Any,
    Role("Rate", LOG, LogNormal(0.1, 3.0), HalfNormal(0.5), "loss per e-fold of a predictor"),
]
Shape = Annotated[
    Any,
    Role("Shape", LOG, LogNormal(1.0, 2.0), HalfNormal(0.3), "a positive number without a unit"),
]
Reference = Annotated[
    Any,
    Role("Reference", LOG, Fixed(1.0), HalfNormal(1.0), "the size that other parameters refer to"),
]
Real = Annotated[Any, Role("Real", IDENTITY, Normal(0.0, 1.0), HalfNormal(1.0), "any real number")]

# Roles of coordinates, noise and discrepancy, which no formula has.
LEVEL = Role("level", IDENTITY, Normal(0.0, 1.0), HalfNormal(1.0), "log response at the reference")
SHARE = Role("share", LOGIT, LogitNormal(0.5, 1.5), HalfNormal(0.5), "share of the response")
TREND = Role("trend", LOG, LogNormal(0.1, 3.0), HalfNormal(0.5), "slope relative to the level")
SIGMA = Role("noise", LOG, LogNormal(0.01, 2.7183), HalfNormal(0.5), "relative noise of a run")
SLOPE = Role("slope of the noise", IDENTITY, Normal(0.0, 0.3), HalfNormal(0.1), "power of a size")
NoiseScale = Annotated[Any, SIGMA]
TAU = Role(
    "discrepancy", LOG, LogNormal(0.01, 2.7183), HalfNormal(0.5),
    "discrepancy per square root of an e-fold, relative to the response",
)  # fmt: skip


def role_of(annotation: Any) -> Role | None:
    """The role that an annotation such as `Floor` carries, or the role itself; None if neither."""
    marks = (annotation, *getattr(annotation, "__metadata__", ()))
    return next((mark for mark in marks if isinstance(mark, Role)), None)


def link_normal(prior: Prior, link: Link) -> Normal | None:
    """The normal distribution that a prior is on the scale of a link, or None if it is none."""
    match prior, link.name:
        case LinkNormal(mean, sd), _:
            return Normal(mean, sd)
        case Normal(), "identity":
            return prior
        case LogNormal(median, factor), "log":
            return Normal(float(np.log(median)), float(np.log(factor)))
        case LogitNormal(median, sd), "logit":
            return Normal(float(LOGIT.forward(median)), sd)
        case _:
            return None
