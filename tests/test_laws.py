"""The contract that every law of the catalogue fulfils; a new law is tested by being there."""

from __future__ import annotations

import re

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw import laws
from bayeslaw.law import Law
from bayeslaw.units import rescale

# Values at which a law of each role is a falling curve for predictors between 1 and 10.
RANGES = {
    "Floor": (0.5, 2.0),
    "Amplitude": (1.0, 3.0),
    "Exponent": (0.1, 0.9),
    "Scale": (20.0, 50.0),
    "Fraction": (0.2, 0.8),
    "Rate": (0.01, 0.1),
    "Real": (-1.0, 1.0),
}
CATALOGUE = [item for name in laws.__all__ if isinstance(item := getattr(laws, name), Law)]
every_law = pytest.mark.parametrize("law", CATALOGUE, ids=lambda law: law.name)


def parameters_at(law: Law, position: np.ndarray | float) -> dict[str, np.ndarray]:
    """Parameters somewhere between the ends of their roles' ranges."""
    return {
        name: low + (high - low) * np.asarray(position)
        for name, role in law.parameters.items()
        for low, high in [RANGES[role.name]]
    }


def sample(law: Law, size: int = 8) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Predictors and parameters, different in every element."""
    rng = np.random.default_rng(4)
    predictors = [rng.uniform(1, 10, size) for _ in law.predictors]
    drawn = {name: parameters_at(law, rng.uniform(size=size))[name] for name in law.parameters}
    return predictors, drawn


def test_the_catalogue_is_not_empty() -> None:
    assert {"power", "pure_power", "log_linear"} <= {law.name for law in CATALOGUE}


@every_law
def test_floats_and_arrays_agree(law: Law) -> None:
    predictors, parameters = sample(law)
    many = law(*predictors, **parameters)
    each = [
        law(*(float(x[i]) for x in predictors), **{n: float(v[i]) for n, v in parameters.items()})
        for i in range(8)
    ]
    assert np.all(np.isfinite(many))
    np.testing.assert_allclose(many, each, rtol=1e-12)


@every_law
def test_labelled_arrays_broadcast_by_name(law: Law) -> None:
    predictors, parameters = sample(law)
    at = [xr.DataArray(x, dims="run") for x in predictors]
    drawn = {name: xr.DataArray(value, dims="draw") for name, value in parameters.items()}
    labelled = law(*at, **drawn).transpose("run", "draw")
    expected = law(*(x[:, None] for x in predictors), **parameters)
    np.testing.assert_allclose(labelled.values, expected, rtol=1e-12)


@every_law
def test_tensors_agree_and_have_gradients(law: Law) -> None:
    predictors, parameters = sample(law)
    inputs = {name: pt.dvector(name) for name in [*law.predictors, *law.parameters]}
    value = law(
        *(inputs[name] for name in law.predictors),
        **{name: inputs[name] for name in law.parameters},
    )
    slopes = pt.grad(value.sum(), list(inputs.values()))
    evaluate = pytensor.function(list(inputs.values()), [value, *slopes], mode="FAST_COMPILE")
    point = dict(zip(law.predictors, predictors, strict=True)) | parameters
    found, *gradients = evaluate(**point)
    np.testing.assert_allclose(found, law(*predictors, **parameters), rtol=1e-12)

    def moved(name: str, step: float) -> np.ndarray:
        there = {**point, name: point[name] + step}
        return law(*(there[n] for n in law.predictors), **{n: there[n] for n in law.parameters})

    for name, gradient in zip(inputs, gradients, strict=True):
        step = 1e-6 * point[name].max()
        difference = (moved(name, step) - moved(name, -step)) / (2 * step)
        np.testing.assert_allclose(gradient, difference, rtol=1e-6, atol=1e-8, err_msg=name)


@every_law
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_change_of_units_changes_nothing(law: Law, data: st.DataObject) -> None:
    scales = {name: np.exp(data.draw(st.floats(-20, 20), name)) for name in law.predictors}
    scales |= dict.fromkeys(law.unitless, 1.0)
    drawn = parameters_at(law, 0.0)
    for name in drawn:
        drawn[name] = parameters_at(law, data.draw(st.floats(0, 1), name))[name]
    at = [data.draw(st.floats(1, 10), f"at {name}") for name in law.predictors]
    in_units = [x * scales[name] for x, name in zip(at, law.predictors, strict=True)]
    moved = rescale(law, scales, drawn)
    assert list(moved) == list(drawn)
    np.testing.assert_allclose(law(*in_units, **moved), law(*at, **drawn), rtol=1e-9)


@every_law
@given(position=st.floats(0, 1), low=st.floats(1, 9.9), factor=st.floats(1.001, 10))
def test_the_response_falls_with_every_size(
    law: Law, position: float, low: float, factor: float
) -> None:
    parameters = parameters_at(law, position)
    start = [low] * len(law.predictors)
    for i, name in enumerate(law.predictors):
        if name not in law.unitless:
            end = [low * factor if j == i else x for j, x in enumerate(start)]
            assert law(*end, **parameters) < law(*start, **parameters), name


@every_law
def test_documentation_cites_a_source(law: Law) -> None:
    assert re.search(r"\b(19|20)\d\d\b", law.doc), f"{law.name} cites nothing"
    assert law.name == law.function.__name__
    assert law.latex is None or law.latex.strip("$ ")


@every_law
def test_level_solves_for_its_parameter(law: Law) -> None:
    if law.level is None:
        pytest.skip("has amplitudes")
    predictors, parameters = sample(law)
    name, solve = law.level
    others = {key: value for key, value in parameters.items() if key != name}
    value = law(*predictors, **parameters)
    np.testing.assert_allclose(solve(value, *predictors, **others), parameters[name], rtol=1e-12)


def test_power_laws_are_what_their_papers_say() -> None:
    assert laws.power(8.0, L0=1.0, k=4.0, alpha=1 / 3) == pytest.approx(3.0, rel=1e-15)
    assert laws.pure_power(2.0, N_c=32.0, alpha=0.25) == pytest.approx(2.0, rel=1e-15)
    assert laws.log_linear(np.e, a=3.0, b=0.5) == pytest.approx(2.5, rel=1e-15)
