"""Derivatives by dual numbers, against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw.decisions.autodiff import log_slope


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 3 + x - x * 2 + 1 / x,
        lambda x: x**0.3 + 2.0**x + x**2 + x**0 + x**x,
        lambda x: np.exp(-x) + np.expm1(x / 3) + np.log(x) + np.log1p(x) + np.sqrt(x),
        lambda x: bl.maximum(x, 2.5) * bl.minimum(x**2, 3.0) + abs(-x) - (+x),
        lambda x: np.tanh(x) * np.square(x) + np.array([1.0, 2.0, 3.0]) * x,
    ],
    ids=["arithmetic", "powers", "functions", "corners", "others"],
)
def test_derivatives_are_exact(function: Callable[[Any], Any]) -> None:
    x = np.array([0.4, 1.3, 3.7])
    slope = log_slope(lambda sizes: function(sizes["x"]), "x", {"x": x})
    # Central differences, to the fourth order.
    step = 1e-3
    at = {k: function(x * np.exp(k * step)) for k in (-2, -1, 1, 2)}
    expected = (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * step)
    np.testing.assert_allclose(slope, expected, rtol=1e-8)
    assert log_slope(lambda sizes: 3.0, "x", {"x": x}).tolist() == [0.0, 0.0, 0.0]


def test_a_derivative_along_one_of_several_arguments() -> None:
    def cost(sizes: Any) -> Any:
        return 6 * sizes["N"] * sizes["D"] ** 2

    assert float(log_slope(cost, "D", {"N": np.array(2.0), "D": np.array(5.0)})) == 600.0
