"""Coordinates in which a law's posterior is round enough to sample.

Curves are pooled in *reference coordinates*, one per free parameter and named after it: the level
(log response), stick-breaking logits of the terms' shares, links of all other parameters, at the
reference scale. The sampler moves in *pivot coordinates*: level and shares at the middle of the
curve's own range, and for an exponent the log-log slope of its term there. The map between the
two has determinant one for sums of terms, so priors are untouched.

Everything here serves NumPy arrays and PyTensor tensors alike. Predictors are in units of their
reference scale.
"""

from __future__ import annotations

from bayeslaw._inference.coordinates.base import Coordinates, Frame
from bayeslaw._inference.coordinates.other import LinkScale, Recentred, SingleTerm
from bayeslaw._inference.coordinates.sum_of_terms import LevelAndTrend, SumOfTerms
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
]


def coordinates(model: Model) -> Coordinates:
    """The coordinates that suit a model's law, found from the law itself.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    Coordinates

    Examples
    --------
    >>> import bayeslaw as bl
    >>> type(coordinates(bl.Model(bl.laws.power))).__name__
    'SumOfTerms'
    >>> type(coordinates(bl.Model(bl.laws.log_linear))).__name__
    'LevelAndTrend'
    """
    law, tie = model.law, dict(model.tie)
    fixed = {name: value for name, value in model.fixed.items() if name in law.parameters}
    given = _given(model)
    if law.recentring and not tie and _may_move(model):
        return Recentred(law, fixed)
    probe = Structure(law)
    if law.level and law.level[0] not in {*given, *tie}:
        return SingleTerm(law, *law.level, fixed, tie)
    if probe.is_linear and not set(probe.terms) & {*tie, *tie.values()}:
        if probe.is_positive:
            terms = tuple(name for name in probe.terms if fixed.get(name) != 0)
            held = [name for name in terms if name in fixed]
            free_slopes = all(probe.is_constant(name) for name in held)
            steepens = probe.steepens(tie, fixed) if free_slopes else {}
            explicit = bool(given.keys() & set(terms))
            return SumOfTerms(law, fixed, tie, terms, steepens, explicit)
        if probe.is_signed_pair and not given.keys() & set(probe.terms):
            return LevelAndTrend(law, *probe.terms)
    return LinkScale(law, fixed, tie)


def _given(model: Model) -> dict[str, Prior]:
    """Priors of the law's parameters themselves, not of their coordinates."""
    return {
        name: prior
        for name, prior in model.priors.items()
        if name in model.law.parameters and not isinstance(prior, LinkNormal)
    }


def _may_move(model: Model) -> bool:
    """Whether only priors of a law's other parameters than level and slope were given."""
    law, given = model.law, _given(model)
    assert law.recentring is not None
    held = any(isinstance(prior, Fixed) for prior in given.values())
    return not held and not given.keys() & {*law.recentring[:2], *_references(law)}


def _references(law: Law) -> list[str]:
    return [name for name, role in law.parameters.items() if role.name == "Reference"]
