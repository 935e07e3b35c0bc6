"""How a law's parameters change with the units of its predictors.

For most laws this is derived: candidates ``parameter * scale**exponent`` are checked numerically
against the law itself. Other laws declare it (``@law(rescaling=...)``).
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
    """Scale in which a law takes each predictor: the reference of the runs, 1 if it has no unit."""
    reference = reference_sizes(runs)
    return {n: 1.0 if n in law.unitless else reference[n] for n in law.predictors}


def rescale(law: Law, scales: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Convert parameters at a reference scale to those for predictors in their own units.

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
        If no rule is declared and none can be derived.

    Examples
    --------
    >>> from bayeslaw import laws
    >>> rescale(laws.power, {"N": 100.0}, {"L0": 1.0, "k": 2.0, "alpha": 0.5})
    {'L0': 1.0, 'k': 20.0, 'alpha': 0.5}
    """
    if law.rescaling is not None:
        units = (scales.get(name, 1.0) for name in law.predictors)
        return {**parameters, **law.rescaling(*units, **parameters)}
    rescaled = dict(parameters)
    for position, predictor in enumerate(law.predictors):
        if predictor not in law.unitless:
            rescaled = _rescale(_derived_rule(law, position), scales.get(predictor, 1.0), rescaled)
    return rescaled


# For each parameter the exponent of the scale that multiplies it: "" is 0, "1" is 1.
type Rule = dict[str, str]


def _rescale(rule: Rule, scale: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    power = {"": 0.0, "1": 1.0, **parameters}
    return {
        name: value if not rule[name] else value * scale ** power[rule[name]]
        for name, value in parameters.items()
    }


@functools.lru_cache(maxsize=256)
def _derived_rule(law: Law, position: int) -> Rule:
    rng = np.random.default_rng(20)
    scale = np.exp(rng.normal(size=16))
    predictors = [np.exp(rng.normal(size=16)) for _ in law.predictors]
    parameters = {name: rng.uniform(0.2, 0.8, size=16) for name in law.parameters}
    smaller = [x / scale if i == position else x for i, x in enumerate(predictors)]
    with np.errstate(all="ignore"):
        expected = law(*smaller, **parameters)
        for rule in _candidates(law):
            if np.allclose(
                law(*predictors, **_rescale(rule, scale, parameters)), expected, 1e-9, 0
            ):
                return rule
    raise ValueError(
        f"law {law.name!r}: no rule found for a change of the unit of "
        f"{law.predictors[position]!r}; "
        "declare it with @law(rescaling=...) or, where it has no unit, @law(unitless=...)"
    )


def _candidates(law: Law) -> Iterator[Rule]:
    exponents = [name for name, role in law.parameters.items() if role.name == "Exponent"]
    size, term = ["", "1"], ["", *exponents]
    choices = {"Scale": size, "Reference": size, "Amplitude": term, "Rate": term}
    per_parameter = [choices.get(role.name, [""]) for role in law.parameters.values()]
    for combination in itertools.product(*per_parameter):
        yield dict(zip(law.parameters, combination, strict=True))
