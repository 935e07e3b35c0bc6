"""Parameters that only act together within every curve, so that curves cannot tell them apart."""

from __future__ import annotations

import numpy as np

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.coordinates.base import completed, free_roles
from bayeslaw._law.roles import link_normal

__all__ = ["confounded_parameters"]

STEP = 1e-4  # of a parameter, on the scale of its link
SAME_DIRECTION = 1e-7  # squared sine of the angle between two derivatives


def confounded_parameters(bound: BoundModel) -> list[tuple[str, ...]]:
    """Sets of a law's parameters whose effects are proportional within every curve.

    With one size N in each curve, say, L0 + k N^-alpha is one number there, whatever its parts are.
    """
    effects = _effects(bound)
    sums = bound.run_arrays.sums
    squares = {name: sums(effect**2) for name, effect in effects.items()}
    sets: list[tuple[str, ...]] = []
    for name, effect in effects.items():
        for i, (first, *_) in enumerate(sets):
            product = sums(effect * effects[first]) ** 2
            expected = squares[name] * squares[first]
            if np.all(product >= (1 - SAME_DIRECTION) * expected):
                sets[i] = (*sets[i], name)
                break
        else:
            sets.append((name,))
    return [names for names in sets if len(names) > 1]


def _effects(bound: BoundModel) -> dict[str, np.ndarray]:
    """Derivatives of the response at the runs by each free parameter, where priors are centred."""
    model, predictors = bound.model, bound.run_arrays.predictors
    law, links = model.law, {}
    for name, role in free_roles(law, model.fixed, model.tie).items():
        normal = link_normal(role.prior, role.link)
        links[name] = (role.link, normal.mean if normal else 0.0)
    middle = {name: link.inverse(value) for name, (link, value) in links.items()}

    def response(name: str, step: float) -> np.ndarray:
        link, value = links[name]
        free = {**middle, name: link.inverse(value + step)}
        parameters = completed(law, free, model.fixed, model.tie)
        return np.broadcast_to(law(*predictors, **parameters), bound.run_arrays.curve.shape)

    return {name: response(name, STEP) - response(name, -STEP) for name in links}
