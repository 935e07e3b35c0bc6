"""The Brownian discrepancy: its parameters and options."""

from __future__ import annotations

import pytest

from bayeslaw import laws
from bayeslaw._law.law import Law
from bayeslaw._law.roles import TAU
from bayeslaw.model.discrepancy import Brownian


@pytest.mark.parametrize(
    ("law", "names"),
    [
        (laws.power, ["tau"]),
        (laws.power.of("D"), ["tau"]),
        (laws.chinchilla, ["tau_N", "tau_D"]),
        (laws.chinchilla.of("S", "B"), ["tau_S", "tau_B"]),
    ],
)
def test_there_is_one_scale_per_predictor(law: Law, names: list[str]) -> None:
    assert list(Brownian().parameters(law).items()) == [(name, TAU) for name in names]


def test_a_side_has_eight_knots_by_default() -> None:
    assert Brownian() == Brownian(knots=8)
    assert Brownian(knots=1).knots == 1


@pytest.mark.parametrize("knots", [0, -3, 2.5, True])
def test_there_is_at_least_one_knot(knots: float) -> None:
    with pytest.raises(
        ValueError, match=rf"^Brownian\(knots={knots}\): knots must be a whole number, 1 or more"
    ):
        Brownian(knots=knots)
