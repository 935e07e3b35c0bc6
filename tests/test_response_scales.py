"""Response scales: maps there and back, slopes, on numbers, arrays and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayeslaw.response_scales import LogitScale, LogScale, RawScale

UNIT = 2.5
# A scale, responses that it can hold, and some that it cannot.
CASES = {
    "log": (LogScale(), [1e-6, 0.3, 2.5, 1e4], [0.0, -1.0, np.nan]),
    "raw": (RawScale(), [-3.0, 0.0, 2.5, 1e4], [np.nan, np.inf, -np.inf]),
    "logit": (LogitScale(), [1e-6, 0.3, 0.9], [0.0, 1.0, -0.1, 1.5, np.nan]),
    "logit above guessing": (LogitScale(0.25, 0.95), [0.26, 0.6, 0.94], [0.25, 0.95, 0.1, 1.0]),
}
every_scale = pytest.mark.parametrize(("scale", "inside", "outside"), CASES.values(), ids=CASES)
METHODS = ("forward", "inverse", "slope")


@every_scale
def test_round_trip(scale: Any, inside: list[float], outside: list[float]) -> None:
    values = scale.forward(np.array(inside), UNIT)
    np.testing.assert_allclose(scale.inverse(values, UNIT), inside, rtol=1e-9)
    assert np.all(np.diff(values) > 0)


@given(value=st.floats(-15.0, 15.0), unit=st.floats(1e-3, 1e3))
@pytest.mark.parametrize("scale", [LogScale(), RawScale(), LogitScale(-1.0, 3.0)])
def test_every_value_has_a_response_inside_the_scale(scale: Any, value: float, unit: float) -> None:
    response = scale.inverse(value, unit)
    assert scale.holds(response)
    np.testing.assert_allclose(scale.forward(response, unit), value, rtol=1e-7, atol=1e-8)


@every_scale
def test_the_slope_is_that_of_finite_differences(
    scale: Any, inside: list[float], outside: list[float]
) -> None:
    response = np.array(inside)
    step = 1e-5 * np.minimum(np.abs(response) + (response == 0), 1 - 0.99 * (response == 0.94))
    up, down = (scale.forward(response + way, UNIT) for way in (step, -step))
    np.testing.assert_allclose(scale.slope(response, UNIT), (up - down) / (2 * step), rtol=1e-5)


@every_scale
def test_holds(scale: Any, inside: list[float], outside: list[float]) -> None:
    assert np.all(scale.holds(np.array(inside)))
    assert not np.any(scale.holds(np.array(outside)))


@every_scale
@pytest.mark.parametrize("method", METHODS)
def test_tensors_agree_with_arrays(
    scale: Any, inside: list[float], outside: list[float], method: str
) -> None:
    values = np.array([-3.0, 0.0, 1.5] if method == "inverse" else inside)
    x, unit = pt.dvector("x"), pt.dscalar("unit")
    function = pytensor.function(
        [x, unit], getattr(scale, method)(x, unit), mode="FAST_COMPILE", on_unused_input="ignore"
    )
    expected = getattr(scale, method)(values, UNIT)
    np.testing.assert_allclose(function(values, UNIT), expected, rtol=1e-12)


@pytest.mark.parametrize("scale", [LogScale(), LogitScale()])
@pytest.mark.parametrize("method", METHODS)
def test_the_unit_does_not_matter_to_log_and_logit(scale: Any, method: str) -> None:
    without = getattr(scale, method)(0.3)
    assert without == getattr(scale, method)(0.3, UNIT)


def test_the_raw_scale_is_relative_to_the_unit() -> None:
    assert RawScale().forward(5.0, UNIT) == 2.0
    np.testing.assert_array_equal(RawScale().slope(np.array([1.0, 9.0]), UNIT), [0.4, 0.4])


def test_the_middle_between_the_bounds_is_zero() -> None:
    np.testing.assert_allclose(LogitScale(2.0, 4.0).forward(3.0), 0.0, atol=1e-15)
    np.testing.assert_allclose(LogitScale().inverse(np.log(3.0)), 0.75)


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (1.0, 0.0)])
def test_bounds_are_in_order(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"^LogitScale\(.*\): lower must be below upper$"):
        LogitScale(*bounds)


@pytest.mark.parametrize("bounds", [(0.0, float("nan")), (float("-inf"), 1.0), (False, 1.0)])
def test_bounds_are_finite_numbers(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"(lower|upper) must be a finite number, got"):
        LogitScale(*bounds)
