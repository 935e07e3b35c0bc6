"""Formulas as plain text."""

from __future__ import annotations

import pytest

import bayeslaw as bl
from bayeslaw._law.latex import plain_formula


@pytest.mark.parametrize("name", bl.laws.names())
def test_formulas_are_plain(name: str) -> None:
    formula = plain_formula(bl.laws.find(name).latex or "")
    assert formula
    assert not set(formula) & set("\\{}")
    assert formula.count("(") == formula.count(")")


def test_fractions_powers_and_indices() -> None:
    formula = r"L_0 + \frac{k}{1 + (N/d)^{\alpha}}"
    assert plain_formula(formula) == "L_0 + k / (1 + (N/d)^alpha)"
