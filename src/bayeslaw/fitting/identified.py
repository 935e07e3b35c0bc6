"""A model with the deviations between curves that the runs can tell apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import xarray as xr

from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.confounded import confounded_parameters
from bayeslaw._inference.coordinates import coordinates
from bayeslaw._law.roles import SHARE
from bayeslaw.data.checks import warn
from bayeslaw.model.model import Model
from bayeslaw.priors import Fixed

__all__ = ["identified", "identified_model"]

AS_SHARES = " (floors and amplitudes as shares of the response)"
ROLES = ("Amplitude", "Floor")  # of parameters that act together, which should differ


def identified_model(model: Model, runs: xr.Dataset) -> Model:
    """The model of `identified`."""
    return identified(bind(model, runs)).model


def identified(bound: BoundModel) -> BoundModel:
    """The model, in which parameters that curves cannot tell apart differ between them in one only.

    Warns of what is shared. A parameter that is pooled over groups, or whose standard deviation has
    a prior of the user's, is left as it is.
    """
    confounded = confounded_parameters(bound) if bound.hierarchy else []
    divided = [(names, *_divided(names, bound)) for names in confounded]
    priors = {f"sd_{name}": Fixed(0.0) for _, _, shared in divided for name in shared}
    if not priors:
        return bound
    model = replace(bound.model, priors={**bound.model.priors, **priors})
    result = replace(bound, model=model, coordinates=coordinates(model))
    for names, varying, shared in divided:
        if shared:
            warn(_sentence(names, varying, shared, result))
    return result


def _divided(names: tuple[str, ...], bound: BoundModel) -> tuple[list[str], list[str]]:
    """Those that differ between curves, and those that are to be shared."""
    model = bound.model
    named = model.pooling if isinstance(model.pooling, Mapping) else {}
    has_prior = {name for name in names if f"sd_{name}" in model.priors}
    varies = {n for n in has_prior if model.priors[f"sd_{n}"] != Fixed(0.0)}
    varies |= {n for n in names if n in named or bound.groupings[n].groups}
    if not varies:
        varies = {min(set(names) - has_prior or names, key=lambda n: _rank(n, bound))}
    return (
        [name for name in names if name in varies],
        [name for name in names if name not in varies | has_prior],
    )


def _rank(name: str, bound: BoundModel) -> tuple[int, str]:
    role = bound.model.roles[name].name
    return (ROLES.index(role) if role in ROLES else len(ROLES)), name


def _sentence(
    names: tuple[str, ...], varying: list[str], shared: list[str], bound: BoundModel
) -> str:
    """What is shared, and why."""
    low, high = bound.run_arrays.frame.smallest, bound.run_arrays.frame.largest
    constant = [
        predictor
        for i, predictor in enumerate(bound.model.law.predictors)
        if np.array_equal(low[i], high[i])
    ]
    why = f" (each curve has one {' and one '.join(constant)})" if constant else ""
    return (
        f"within a curve, {_listed(names)} of law {bound.model.law.name!r} only act together{why}: "
        f"{_listed(shared)} {'is' if len(shared) == 1 else 'are'} the same in all curves"
        f"{AS_SHARES if SHARE in bound.coordinates.roles.values() else ''}, and {_listed(varying)} "
        f"varies; give a prior to sd_{shared[0]} to let it vary as well"
    )


def _listed(names: tuple[str, ...] | list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
