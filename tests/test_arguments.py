"""Numbers that users give: what is one, and which an argument takes."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayeslaw._arguments import (
    ABOVE_ONE,
    AT_LEAST_ONE,
    COUNT,
    FINITE,
    POSITIVE,
    PROBABILITY,
    SEED,
    NumberRange,
    as_float,
    shown,
    text_as_float,
)

RANGES = [ABOVE_ONE, AT_LEAST_ONE, COUNT, FINITE, POSITIVE, PROBABILITY, SEED]
NO_NUMBERS = [
    math.nan, math.inf, -math.inf, True, np.True_, "1", b"1", None, [1], np.ones(1), 1j, 10**400,
]  # fmt: skip


@pytest.mark.parametrize("number_range", RANGES, ids=lambda each: each.description)
@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(value)[:20])
def test_no_argument_takes_what_is_no_finite_number(number_range: NumberRange, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^size must be .*, got "):
        number_range.check("size", value)


@pytest.mark.parametrize(
    ("number_range", "inside", "outside"),
    [
        (ABOVE_ONE, [1.5, 2], [1, 0.5, -2]),
        (AT_LEAST_ONE, [1, 1.5], [0.999, -1]),
        (COUNT, [1, 2.0, np.int8(3), 10**30], [0, -1, 1.5]),
        (FINITE, [0, -1e300, Decimal("1.5"), Fraction(1, 3), np.array(2.0)], []),
        (POSITIVE, [5e-324, 1e308, 1], [0, -0.0, -1]),
        (PROBABILITY, [0.5, 1e-9], [0, 1, 90, -0.1]),
        (SEED, [0, 2**64 - 1, np.uint64(2**64 - 1)], [-1, 2**64, 0.5]),
    ],
)
def test_ranges(number_range: NumberRange, inside: list[Any], outside: list[Any]) -> None:
    for value in inside:
        checked = number_range.check("size", value)
        assert checked == pytest.approx(float(value), rel=1e-15)
        assert type(checked) is (int if number_range.is_whole else float)
    for value in outside:
        with pytest.raises(ValueError, match=f"^size must be .*, got {value}$"):
            number_range.check("size", value)


@given(st.floats(allow_nan=False))
def test_a_number_is_read_from_its_text(number: float) -> None:
    assert text_as_float(f" {number!r}") == number == as_float(number)


@pytest.mark.parametrize("text", ["1_000", "\u0661", "true", "", "0x10", "1,5", "1e", "1 000"])
def test_text_that_is_no_number(text: str) -> None:
    assert text_as_float(text) is None


@pytest.mark.parametrize(("number", "value"), [(10**400, math.inf), (-(10**400), -math.inf)])
def test_a_number_that_is_too_large_is_infinite(number: int, value: float) -> None:
    assert as_float(number) == value


def test_what_is_shown_is_short() -> None:
    for value in ("x" * 10**6, 10**4000, 10**9000, ["x" * 10**6] * 100):
        assert 0 < len(shown(value)) < 1000
