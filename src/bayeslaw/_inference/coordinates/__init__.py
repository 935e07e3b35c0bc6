"""Coordinate systems of laws: reference coordinates to pool in, pivot coordinates to sample in.

Reference coordinates are one per free parameter and named after it: the level (log response),
stick-breaking logits of the terms' shares, and links of all other parameters, at the reference
scale. Pivot coordinates are the level and shares at the middle of the curve's own range, and
log-log slopes of terms there in place of exponents; there the posterior is closer to normal. The
map between the two has determinant one for sums of terms, so priors are untouched.

All functions take NumPy arrays and PyTensor tensors. Predictors are in units of their reference.
"""

from __future__ import annotations

from collections.abc import Collection

from bayeslaw._inference.coordinates.base import Coordinates, Frame
from bayeslaw._inference.coordinates.level_and_trend import LevelAndTrend
from bayeslaw._inference.coordinates.link_scale import LinkScale
from bayeslaw._inference.coordinates.recentred import Recentred
from bayeslaw._inference.coordinates.single_term import SingleTerm
from bayeslaw._inference.coordinates.sum_of_terms import SumOfTerms
from bayeslaw._law.law import Law
from bayeslaw._law.structure import Structure
from bayeslaw.model.model import Model
from bayeslaw.priors import Fixed, LinkNormal, Prior

__all__ = [
    "Coordinates",
    "Frame",
    "LevelAndTrend",
    "LinkScale",
    "Recentred",
    "SingleTerm",
    "SumOfTerms",
    "coordinates",
    "differs_in_one",
]


def coordinates(model: Model) -> Coordinates:
    """The coordinate system that suits a model's law, derived from the law itself."""
    law, tie = model.law, dict(model.tie)
    fixed = {name: value for name, value in model.fixed.items() if name in law.parameters}
    own_priors = _own_priors(model)
    if law.recentring and not tie and _can_be_recentred(model):
        return Recentred(law, fixed)
    probe = Structure(law)
    if law.level and law.level[0] not in {*own_priors, *tie}:
        return SingleTerm(law, *law.level, fixed, tie)
    if probe.is_linear and not set(probe.terms) & {*tie, *tie.values()}:
        if probe.is_positive:
            terms = tuple(name for name in probe.terms if fixed.get(name) != 0)
            known_slopes = all(probe.is_constant(name) for name in terms if name in fixed)
            steepens = probe.steepens(tie, fixed) if known_slopes else {}
            log_coefficients = bool(own_priors.keys() & set(terms)) or differs_in_one(model, terms)
            return SumOfTerms(law, fixed, tie, terms, steepens, log_coefficients)
        if probe.is_level_and_trend and not own_priors.keys() & set(probe.terms):
            return LevelAndTrend(law, *probe.terms)
    return LinkScale(law, fixed, tie)


def differs_in_one(model: Model, names: Collection[str]) -> bool:
    """Whether curves differ in one free parameter of the law only, which is one of the names."""
    free = [name for name in model.law.parameters if name in model.free]
    varying = [name for name in free if model.groups_of(name) or not _is_shared(model, name)]
    return len(free) > 1 and len(varying) == 1 and varying[0] in names


def _is_shared(model: Model, name: str) -> bool:
    return model.priors.get(f"sd_{name}") == Fixed(0.0)


def _own_priors(model: Model) -> dict[str, Prior]:
    """Priors of the law's parameters themselves rather than of their coordinates."""
    return {
        name: prior
        for name, prior in model.priors.items()
        if name in model.law.parameters and not isinstance(prior, LinkNormal)
    }


def _can_be_recentred(model: Model) -> bool:
    """Whether a law's level, slope and reference have default priors and nothing else is fixed."""
    law, own_priors = model.law, _own_priors(model)
    assert law.recentring is not None
    is_fixed = any(isinstance(prior, Fixed) for prior in own_priors.values())
    return not is_fixed and not own_priors.keys() & {*law.recentring[:2], *_references(law)}


def _references(law: Law) -> list[str]:
    return [name for name, role in law.parameters.items() if role.name == "Reference"]
