"""The contract that every law keeps, for the catalogue and for a user's own."""

# PyTensor's annotations do not know that its variables can be computed with.
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytensor
import pytensor.tensor as pt
import xarray as xr
from pytensor.compile.mode import Mode

from bayeslaw.coordinates import Frame, coordinates
from bayeslaw.law import Law
from bayeslaw.model import Model
from bayeslaw.units import rescale

__all__ = ["LawReport", "check_law"]

SIZE = 5


@dataclass(frozen=True)
class LawReport:
    """What a law was found to do.

    Parameters
    ----------
    law : Law
        The law.
    failures : mapping of str to str
        What it does not do, and why.
    coordinates : str
        The kind of coordinates that it is sampled in; empty if they could not be found.
    """

    law: Law
    failures: dict[str, str]
    coordinates: str

    @property
    def passed(self) -> bool:
        """Whether the law keeps the contract."""
        return not self.failures

    def __str__(self) -> str:
        """One line, or one line per failure."""
        if self.passed:
            return f"law {self.law.name!r} is sound; sampled as {self.coordinates}"
        return "\n".join(
            f"law {self.law.name!r}: {what}: {why}" for what, why in self.failures.items()
        )


def check_law(law: Law) -> LawReport:
    """Run on a law the contract test that the catalogue passes.

    Parameters
    ----------
    law : Law
        The law.

    Returns
    -------
    LawReport
        Falls short where the law does not serve numbers, arrays, labelled arrays and tensors
        with gradients alike, has no docstring, does not know its units, or is not sound in the
        coordinates it would be sampled in.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> print(bl.check_law(bl.laws.power))
    law 'power' is sound; sampled as SumOfTerms
    """
    failures: dict[str, str] = {}
    for what, check in _CHECKS.items():
        try:
            check(law)
        except Exception as error:  # a user's law may fail in any way at all: that is the answer
            failures[what] = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    sampled = "" if "coordinates" in failures else type(coordinates(Model(law))).__name__
    return LawReport(law, failures, sampled)


def _point(law: Law) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(11)
    predictors = [np.exp(rng.uniform(0.1, 0.5, SIZE)) for _ in law.predictors]
    return predictors, {name: rng.uniform(0.2, 0.6, SIZE) for name in law.parameters}


def _array(law: Law) -> np.ndarray:
    predictors, parameters = _point(law)
    return np.asarray(law(*predictors, **parameters))


def _numbers(law: Law) -> None:
    predictors, parameters = _point(law)
    whole = _array(law)
    _require(whole.shape == (SIZE,), f"arrays of {SIZE} give shape {whole.shape}")
    one = law(*(float(x[0]) for x in predictors), **{k: float(v[0]) for k, v in parameters.items()})
    _require(np.isclose(float(one), whole[0], 1e-12), "numbers and arrays give different values")
    _require(bool(np.all(np.isfinite(whole))), f"not finite: {whole}")


def _labels(law: Law) -> None:
    predictors, parameters = _point(law)
    labelled = law(
        *(xr.DataArray(x, dims="run") for x in predictors),
        **{k: xr.DataArray(v, dims="draw") for k, v in parameters.items()},
    )
    _require(set(labelled.dims) == {"run", "draw"}, f"dims run and draw give {labelled.dims}")


def _tensors(law: Law) -> None:
    predictors, parameters = _point(law)
    inputs = [pt.dvector() for _ in (*predictors, *parameters)]
    n = len(predictors)
    value = law(*inputs[:n], **dict(zip(parameters, inputs[n:], strict=True)))
    mode = Mode(linker="py", optimizer="fast_compile")
    slopes = pt.grad(pt.sum(value), inputs[n:])
    evaluate = pytensor.function(inputs, [value, *slopes], mode=mode)
    found, *gradient = evaluate(*predictors, *parameters.values())
    _require(np.allclose(found, _array(law), 1e-12), "tensors and arrays give different values")
    for name, slope in zip(parameters, gradient, strict=True):
        numeric = _numeric_slope(law, name)
        _require(np.allclose(slope, numeric, 1e-5, 1e-7), f"wrong gradient in {name!r}")


def _numeric_slope(law: Law, name: str) -> np.ndarray:
    predictors, parameters = _point(law)
    up, down = ({**parameters, name: parameters[name] + step} for step in (1e-6, -1e-6))
    return (law(*predictors, **up) - law(*predictors, **down)) / 2e-6


def _units(law: Law) -> None:
    predictors, parameters = _point(law)
    scales = {name: 3.0 + i for i, name in enumerate(law.predictors) if name not in law.unitless}
    smaller = [x / scales.get(name, 1) for name, x in zip(law.predictors, predictors, strict=True)]
    moved = rescale(law, scales, parameters)
    same = np.allclose(law(*smaller, **parameters), law(*predictors, **moved), 1e-9)
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


def _docstring(law: Law) -> None:
    _require(bool(law.doc), "no docstring: say what the formula is and where it is from")


def _require(good: bool, sentence: str) -> None:
    if not good:
        raise ValueError(sentence)


_CHECKS: dict[str, Callable[[Law], None]] = {
    "docstring": _docstring,
    "numbers and arrays": _numbers,
    "labelled arrays": _labels,
    "tensors and gradients": _tensors,
    "units": _units,
    "coordinates": _coordinates,
}
