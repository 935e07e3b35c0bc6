"""Change of the predictors' units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayeslaw._law.law import law
from bayeslaw._law.roles import Amplitude, Exponent, Floor, Fraction, Rate, Real, Scale
from bayeslaw._law.units import predictor_scales, rescale
from bayeslaw.data.runs import grid
from bayeslaw.laws import inverse_log, log_linear, power

SCALES = st.floats(1e-9, 1e9)


@law
def two(N: Any, D: Any, *, E: Floor, A: Amplitude, alpha: Exponent, B: Rate, beta: Exponent) -> Any:
    return E + A * N**-alpha + B * D**-beta


@law
def shifted(N: Any, *, L0: Floor, k: Amplitude, c: Scale, alpha: Exponent) -> Any:
    return L0 + k * (1 + N / c) ** -alpha


@law(unitless=("bits",))
def quantised(N: Any, bits: Any, *, k: Amplitude, alpha: Exponent, g: Real, w: Fraction) -> Any:
    return k * N**-alpha * (1 + w * np.exp(g - bits))


@law
def coupled(N: Any, *, k: Amplitude, alpha: Exponent) -> Any:
    return np.exp(-k * N) + N**-alpha


@pytest.mark.parametrize(
    ("law", "scales", "given", "expected"),
    [
        (
            power,
            {"N": 4.0},
            {"L0": 1.0, "k": 3.0, "alpha": 0.5},
            {"L0": 1.0, "k": 6.0, "alpha": 0.5},
        ),
        (
            two,
            {"N": 4.0, "D": 9.0},
            {"E": 1.0, "A": 2.0, "alpha": 0.5, "B": 3.0, "beta": 0.5},
            {"E": 1.0, "A": 4.0, "alpha": 0.5, "B": 9.0, "beta": 0.5},
        ),
        (
            two,
            {"D": 9.0},  # the other predictor keeps its unit
            {"E": 1.0, "A": 2.0, "alpha": 0.5, "B": 3.0, "beta": 0.5},
            {"E": 1.0, "A": 2.0, "alpha": 0.5, "B": 9.0, "beta": 0.5},
        ),
        (
            shifted,
            {"N": 4.0},
            {"L0": 1.0, "k": 2.0, "c": 3.0, "alpha": 0.5},
            {"L0": 1.0, "k": 2.0, "c": 12.0, "alpha": 0.5},
        ),
        (
            quantised,
            {"N": 4.0, "bits": 100.0},
            {"k": 2.0, "alpha": 0.5, "g": 1.0, "w": 0.5},
            {"k": 4.0, "alpha": 0.5, "g": 1.0, "w": 0.5},
        ),
        (log_linear, {"N": np.e}, {"a": 2.0, "b": 0.5}, {"a": 2.5, "b": 0.5}),
        (log_linear, {}, {"a": 2.0, "b": 0.5}, {"a": 2.0, "b": 0.5}),
    ],
)
def test_table(law: Any, scales: dict, given: dict, expected: dict) -> None:
    rescaled = rescale(law, scales, given)
    assert list(rescaled) == list(expected)
    np.testing.assert_allclose(list(rescaled.values()), list(expected.values()), rtol=1e-14)


@given(scale=SCALES, other=SCALES)
def test_two_changes_are_one(scale: float, other: float) -> None:
    values = {"L0": 1.0, "k": 2.0, "alpha": 0.3}
    twice = rescale(power, {"N": other}, rescale(power, {"N": scale}, values))
    at_once = rescale(power, {"N": scale * other}, values)
    np.testing.assert_allclose(list(twice.values()), list(at_once.values()), rtol=1e-12)


@given(n=SCALES, d=SCALES, x=st.floats(0.1, 10), y=st.floats(0.1, 10))
def test_the_law_is_the_same(n: float, d: float, x: float, y: float) -> None:
    values = {"E": 1.0, "A": 2.0, "alpha": 0.4, "B": 3.0, "beta": 0.2}
    rescaled = rescale(two, {"N": n, "D": d}, values)
    np.testing.assert_allclose(two(x * n, y * d, **rescaled), two(x, y, **values), rtol=1e-10)


def test_renamed_predictors_bring_their_own_scale() -> None:
    values = {"L0": 1.0, "k": 3.0, "alpha": 0.5}
    assert rescale(power.of("D"), {"D": 4.0, "N": 100.0}, values)["k"] == 6.0


def test_arguments_stay_as_they_are() -> None:
    values = {"L0": np.ones(3), "k": np.ones(3), "alpha": np.ones(3)}
    rescaled = rescale(power, {"N": 7.0}, values)
    assert rescaled["L0"] is values["L0"]
    np.testing.assert_array_equal(values["k"], 1)
    np.testing.assert_array_equal(rescaled["k"], 7)


def test_a_missing_rule_is_an_error_that_suggests_declaring_it() -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        rescale(coupled, {"N": 2.0}, {"k": 1.0, "alpha": 0.5})
    assert str(error.value) == (
        "law 'coupled': no rule found for a change of the unit of 'N'; declare it with "
        "@law(rescaling=...) or, where it has no unit, @law(unitless=...)"
    )


def test_scales_are_the_references_of_predictors_with_a_unit() -> None:
    runs = grid(N=[1e6, 1e8]).assign_attrs(groups=[])
    runs["N"].attrs["reference"] = 1e7
    assert predictor_scales(power, runs) == {"N": 1e7}
    assert predictor_scales(inverse_log, runs) == {"N": 1.0}
