"""How a law's parameters move when its predictors change units.

Most laws need not say it: the rule is found among products ``parameter * scale**exponent`` and
checked on the law itself. Laws with another rule declare it (``@law(rescaling=...)``).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._law.law import Law
from bayeslaw.data.runs import reference_sizes

__all__ = ["predictor_scales", "rescale"]


def predictor_scales(law: Law, runs: xr.Dataset) -> dict[str, float]:
    """The scale in whose units a law is evaluated on runs, for each of its predictors.

    Parameters
    ----------
    law : Law
        The law.
    runs : xarray.Dataset
        The runs that carry the reference scales.

    Returns
    -------
    dict of str to float
        The reference scale, and 1 for predictors without a unit.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> predictor_scales(bl.laws.power.of("D"), bl.datasets.load("learners")).keys()
    dict_keys(['D'])
    """
    reference = reference_sizes(runs)
    return {n: 1.0 if n in law.unitless else reference[n] for n in law.predictors}


def rescale(law: Law, scales: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Change parameters at a reference scale into those for predictors in their own units.

    Parameters
    ----------
    law : Law
        The law.
    scales : mapping of str to float
        Reference scale of each predictor.
    parameters : mapping of str to number or array
        Parameters for predictors divided by their reference scale.

    Returns
    -------
    dict
        ``law(N, **rescaled)`` equals ``law(N / scale, **parameters)``.

    Raises
    ------
    ValueError
        If no rule is declared or found.

    Examples
    --------
    >>> from bayeslaw import laws
    >>> rescale(laws.power, {"N": 100.0}, {"L0": 1.0, "k": 2.0, "alpha": 0.5})
    {'L0': 1.0, 'k': 20.0, 'alpha': 0.5}
    """
    if law.rescaling is not None:
        units = (scales.get(name, 1.0) for name in law.predictors)
        return {**parameters, **law.rescaling(*units, **parameters)}
    moved = dict(parameters)
    for position, predictor in enumerate(law.predictors):
        if predictor not in law.unitless:
            moved = _move(_find(law, position), scales.get(predictor, 1.0), moved)
    return moved


type Moves = dict[str, str]  # parameter -> the exponent it moves with; "" stays, "1" moves as is


def _move(moves: Moves, scale: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    power = {"": 0.0, "1": 1.0, **parameters}
    return {
        name: value if not moves[name] else value * scale ** power[moves[name]]
        for name, value in parameters.items()
    }


@functools.lru_cache(maxsize=256)
def _find(law: Law, position: int) -> Moves:
    rng = np.random.default_rng(20)
    scale = np.exp(rng.normal(size=16))
    predictors = [np.exp(rng.normal(size=16)) for _ in law.predictors]
    parameters = {name: rng.uniform(0.2, 0.8, size=16) for name in law.parameters}
    smaller = [x / scale if i == position else x for i, x in enumerate(predictors)]
    with np.errstate(all="ignore"):
        wanted = law(*smaller, **parameters)
        for moves in _candidates(law):
            if np.allclose(law(*predictors, **_move(moves, scale, parameters)), wanted, 1e-9, 0):
                return moves
    raise ValueError(
        f"law {law.name!r}: no rule found for a change of the unit of "
        f"{law.predictors[position]!r}; "
        "declare it with @law(rescaling=...) or, where it has no unit, @law(unitless=...)"
    )


def _candidates(law: Law) -> Iterator[Moves]:
    exponents = [name for name, role in law.parameters.items() if role.name == "Exponent"]
    size, term = ["", "1"], ["", *exponents]
    choices = {"Scale": size, "Reference": size, "Amplitude": term, "Rate": term}
    per_parameter = [choices.get(role.name, [""]) for role in law.parameters.values()]
    for combination in itertools.product(*per_parameter):
        yield dict(zip(law.parameters, combination, strict=True))
