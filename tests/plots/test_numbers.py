"""Numbers as text."""

from __future__ import annotations

import pytest

from bayeslaw.plots.numbers import format_number


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e10, "1e10"), (2.5e6, "2.5e6"), (20480.0, "20480"), (0.1234, "0.123"), (1e-7, "1e-7")],
)
def test_format(value: float, text: str) -> None:
    assert format_number(value) == text
