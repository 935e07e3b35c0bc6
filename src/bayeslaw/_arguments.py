"""Numbers that users give: what counts as a number, and the range that an argument takes."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

__all__ = [
    "ABOVE_ONE",
    "AT_LEAST_ONE",
    "COUNT",
    "FINITE",
    "POSITIVE",
    "PROBABILITY",
    "SEED",
    "NumberRange",
    "as_float",
    "shown",
    "text_as_float",
]


@dataclass(frozen=True)
class NumberRange:
    """The finite numbers that an argument takes, with a description for error messages."""

    description: str
    contains: Callable[[Any], bool]
    is_whole: bool = False

    def check(self, name: str, value: Any) -> Any:
        """The value as a float, or as an int where it must be whole; raises ValueError otherwise.

        `name` is for the message. Booleans and text are not numbers.
        """
        number: float | None = as_float(value)
        if number is not None and self.is_whole:
            number = int(value) if math.isfinite(number) and number % 1 == 0 else None
        if number is None or not math.isfinite(number) or not self.contains(number):
            raise ValueError(f"{name} must be {self.description}, got {shown(value)}")
        return number


FINITE = NumberRange("a finite number", lambda number: True)
POSITIVE = NumberRange("a finite number above 0", lambda number: number > 0)
ABOVE_ONE = NumberRange("a finite number above 1", lambda number: number > 1)
AT_LEAST_ONE = NumberRange("a finite number, 1 or more", lambda number: number >= 1)
PROBABILITY = NumberRange("a number between 0 and 1", lambda number: 0 < number < 1)
COUNT = NumberRange("a whole number, 1 or more", lambda number: number >= 1, is_whole=True)
SEED = NumberRange(
    "a whole number from 0 to 2**64 - 1", lambda number: 0 <= number < 2**64, is_whole=True
)


def as_float(value: Any) -> float | None:
    """A number as a float, infinite if it is too large for one; None if it is not a number."""
    if getattr(value, "ndim", None) == 0:  # a scalar of NumPy or of another array library
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # pyright: ignore[reportOperatorIssue]


def text_as_float(text: str) -> float | None:
    """A number that is written as text; None if it is not one."""
    if "_" in text or not text.isascii():  # Python reads 1_000, and the digits of all scripts
        return None
    try:
        return float(text)
    except ValueError:
        return None


def shown(value: Any) -> str:
    """A value for an error message, shortened if it is long."""
    try:
        return _shortened.repr(value)
    except ValueError:  # Python does not write whole numbers of more than 4300 digits
        return "a number of thousands of digits"


_shortened = reprlib.Repr(maxstring=80, maxother=80, maxlong=40)
