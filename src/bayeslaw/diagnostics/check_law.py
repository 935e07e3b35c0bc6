"""Contract tests of a law, for the catalogue and for laws of users."""

# pyright: reportArgumentType=false

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._inference.coordinates import Frame, coordinates
from bayeslaw._inference.law_derivatives import values_and_gradient
from bayeslaw._law.law import Law
from bayeslaw._law.units import rescale
from bayeslaw.model.model import Model

__all__ = ["LawReport", "check_law"]

SIZE = 5
PROBES = 500
STEP = 1.1  # factor by which a predictor grows in the test of directions

# Parameter ranges by role, for predictors from 1 to 10, in which laws are finite and positive and
# keep their direction; for roles that are not listed, by the name of their link.
RANGES = {
    "Floor": (0.5, 2.0),
    "Amplitude": (1.0, 3.0),
    "Exponent": (0.1, 0.9),
    "Scale": (20.0, 50.0),
    "Fraction": (0.2, 0.8),
    "Rate": (0.01, 0.1),
    "Real": (-1.0, 1.0),
    "Shape": (0.5, 2.0),
    "Reference": (0.5, 2.0),
    "Curvature": (-1.0, 3.0),
    "log": (0.5, 2.0),
    "logit": (0.2, 0.8),
    "identity": (-1.0, 1.0),
}


@dataclass(frozen=True)
class LawReport:
    """Result of the contract tests of a law.

    Parameters
    ----------
    law : Law
        The law.
    failures : mapping of str to str
        The tests that it fails, and why.
    coordinates : str
        The kind of coordinates that it is sampled in; empty if there are none.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> bl.check_law(bl.laws.power).failures
    {}
    """

    law: Law
    failures: dict[str, str]
    coordinates: str

    @property
    def passed(self) -> bool:
        """Whether the law passes all tests."""
        return not self.failures

    def __str__(self) -> str:
        """One line, or one line per failure."""
        if self.passed:
            return f"law {self.law.name!r} is sound; sampled as {self.coordinates}"
        return "\n".join(
            f"law {self.law.name!r}: {test}: {why}" for test, why in self.failures.items()
        )


def check_law(law: Law) -> LawReport:
    """Run the contract tests that all laws of the catalogue pass.

    Parameters
    ----------
    law : Law
        The law.

    Returns
    -------
    LawReport
        A law fails if it does not give the same values for numbers, arrays, labelled arrays and
        tensors with gradients, has no docstring, omits parameters from its LaTeX, is not finite
        or mostly not positive in the ranges of its roles, moves against its declared direction,
        cannot be rescaled to other units, or does not come back from the coordinates it would be
        sampled in.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> print(bl.check_law(bl.laws.power))
    law 'power' is sound; sampled as SumOfTerms
    """
    failures: dict[str, str] = {}
    for test, check in _CHECKS.items():
        try:
            with np.errstate(all="ignore"):  # floating-point faults are in the report
                check(law)
        except Exception as error:  # a user's law may raise anything: that is a failure to report
            failures[test] = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    sampled = "" if "coordinates" in failures else type(coordinates(Model(law))).__name__
    return LawReport(law, failures, sampled)


def _point(law: Law) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Random predictors and parameters, (SIZE,) each."""
    rng = np.random.default_rng(11)
    predictors = [np.exp(rng.uniform(0.1, 0.5, SIZE)) for _ in law.predictors]
    return predictors, {name: rng.uniform(0.2, 0.6, SIZE) for name in law.parameters}


def _array(law: Law) -> np.ndarray:
    predictors, parameters = _point(law)
    return np.asarray(law(*predictors, **parameters))


def _numbers(law: Law) -> None:
    predictors, parameters = _point(law)
    array = _array(law)
    _require(array.shape == (SIZE,), f"arrays of {SIZE} give shape {array.shape}")
    _require(bool(np.all(np.isfinite(array))), f"not finite: {array}")
    values = [*predictors, *parameters.values()]
    numbers = [float(_evaluate(law, [float(value[i]) for value in values])) for i in range(SIZE)]
    _require(np.allclose(numbers, array, 1e-12), "numbers and arrays give different values")


def _labels(law: Law) -> None:
    predictors, parameters = _point(law)
    labelled = law(
        *(xr.DataArray(x, dims="run") for x in predictors),
        **{k: xr.DataArray(v, dims="draw") for k, v in parameters.items()},
    )
    _require(set(labelled.dims) == {"run", "draw"}, f"dims run and draw give {labelled.dims}")
    crossed = law(*(x[:, None] for x in predictors), **parameters)
    same = np.allclose(labelled.transpose("run", "draw"), crossed, 1e-12)
    _require(same, "labelled arrays and arrays give different values")


def _tensors(law: Law) -> None:
    predictors, parameters = _point(law)
    values = [*predictors, *parameters.values()]
    tensor, gradient = values_and_gradient(law, values)
    _require(np.allclose(tensor, _array(law), 1e-12), "tensors and arrays give different values")
    for i, name in enumerate([*law.predictors, *law.parameters]):
        numeric = _numeric_slope(law, values, i)
        _require(np.allclose(gradient[i], numeric, 1e-5, 1e-7), f"wrong gradient in {name!r}")


def _evaluate(law: Law, values: list) -> Any:
    """The law, given predictors and parameters in one list."""
    n = len(law.predictors)
    return law(*values[:n], **dict(zip(law.parameters, values[n:], strict=True)))


def _numeric_slope(law: Law, values: list, i: int) -> np.ndarray:
    """Central difference along one value."""
    up, down = ([*values[:i], values[i] + step, *values[i + 1 :]] for step in (1e-6, -1e-6))
    return (_evaluate(law, up) - _evaluate(law, down)) / 2e-6


def _units(law: Law) -> None:
    predictors, parameters = _point(law)
    scales = {name: 3.0 + i for i, name in enumerate(law.predictors) if name not in law.unitless}
    smaller = [x / scales.get(name, 1) for name, x in zip(law.predictors, predictors, strict=True)]
    rescaled = rescale(law, scales, parameters)
    same = np.allclose(law(*smaller, **parameters), law(*predictors, **rescaled), 1e-9)
    _require(same, f"law(N / s) is not law(N) with rescaled parameters for s = {scales}")


def _coordinates(law: Law) -> None:
    system, weight = coordinates(Model(law)), 0.7
    theta = {name: np.full(1, -0.4 - 0.1 * i) for i, name in enumerate(system.roles)}
    frame = Frame(*(tuple(np.full(1, at) for _ in law.predictors) for at in (1.3, 1.0, 1.6)))
    weights = dict.fromkeys(theta, weight)
    back = system.from_pivot(system.to_pivot(theta, frame, weights), frame, weights)
    for name, value in theta.items():
        _require(
            np.allclose(back[name], value, 1e-9), f"{name!r} does not come back from its pivot"
        )


def _probes(law: Law) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Random predictors and parameters over the ranges of their roles, (PROBES,) each."""
    rng = np.random.default_rng(12)
    predictors = [rng.uniform(1, 10, PROBES) for _ in law.predictors]
    return predictors, {
        name: rng.uniform(*RANGES.get(role.name, RANGES.get(role.link.name, (0.5, 2.0))), PROBES)
        for name, role in law.parameters.items()
    }


def _response(law: Law) -> None:
    predictors, parameters = _probes(law)
    response = np.broadcast_to(law(*predictors, **parameters), PROBES)
    finite, positive = np.isfinite(response), response > 0
    _require(bool(finite.all()), f"not finite at {_probe(law, int(finite.argmin()))}")
    # A law such as a line that falls may be negative somewhere, but not almost everywhere.
    _require(positive.mean() > 0.5, f"not positive at {_probe(law, int(positive.argmin()))}")


def _probe(law: Law, i: int) -> str:
    predictors, parameters = _probes(law)
    point = {**dict(zip(law.predictors, predictors, strict=True)), **parameters}
    return ", ".join(f"{name} = {values[i]:.3g}" for name, values in point.items())


def _direction(law: Law) -> None:
    predictors, parameters = _probes(law)
    before = law(*predictors, **parameters)
    for i, name in enumerate(law.predictors):
        larger = [STEP * x if j == i else x for j, x in enumerate(predictors)]
        change = law(*larger, **parameters) - before
        slack = 1e-12 * np.abs(before)
        _require_direction(law, name, bool(np.any(change > slack)), bool(np.any(change < -slack)))


def _require_direction(law: Law, name: str, rises: bool, falls: bool) -> None:
    sign = law.direction.get(name, -1)
    declared = f"is declared to {'fall' if sign < 0 else 'rise'}"
    declared = declared if name in law.direction else "has to fall unless declared"
    does = " and ".join(["rises"] * rises + ["falls"] * falls)
    fix = f"write @law(direction={{{name!r}: {int(rises) - int(falls)}}})"
    is_against = {-1: rises, 0: False, 1: falls}[sign]
    _require(not is_against, f"the response {does} with {name!r} and {declared}: {fix}")


def _latex(law: Law) -> None:
    """Raise unless each part of a name such as alpha_N is a command or in the text of the LaTeX."""
    if law.latex is None:
        return
    commands = {word.removeprefix("var") for word in re.findall(r"\\([A-Za-z]+)", law.latex)}
    text = re.sub(r"\\[A-Za-z]+", " ", law.latex).replace("*", "star")
    for name in law.parameters:
        parts = re.findall(r"[A-Za-z]+|\d+", name)
        known = all(part in commands or part in text for part in parts)
        _require(known, f"no {name!r} in {law.latex}")


def _docstring(law: Law) -> None:
    _require(bool(law.doc), "no docstring: say what the formula is and where it is from")


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise ValueError(sentence)


_CHECKS: dict[str, Callable[[Law], None]] = {
    "docstring": _docstring,
    "LaTeX": _latex,
    "numbers and arrays": _numbers,
    "labelled arrays": _labels,
    "tensors and gradients": _tensors,
    "response": _response,
    "direction": _direction,
    "units": _units,
    "coordinates": _coordinates,
}
