"""What a forecast refuses, before it computes anything. The fits are not sampled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.forecasting.curve_lookup import require_columns, taken_by

RUNS = bl.read_runs(
    pd.DataFrame(
        [
            {"N": N, "D": D, "loss": 3.0 + 1e5 / N + 1e6 / D, "task": task}
            for task in ("1.1", "1.10")
            for N in (1e6, 1e7)
            for D in (1e8, 1e9)
        ]
    ),
    predictors=["N", "D"],
    groups=["task"],
)
VALUES = {"L0": 2.0, "k": 300.0, "alpha": 0.4, "E": 2.0, "A": 300.0, "B": 300.0, "beta": 0.3}


@pytest.fixture
def fit_of(known_fit: Callable[..., bl.Fit]) -> Callable[[bl.Law], bl.Fit]:
    """A fit of a law with the same draw of each curve."""

    def make(law: bl.Law) -> bl.Fit:
        drawn = {name: np.full((2, 5, 2), VALUES[name]) for name in law.parameters}
        return known_fit(law, drawn, RUNS)

    return make


GRIDS = [
    ({"N": 1e8, "task": "1.1", "D": 1e9}, "D"),
    ({"N": 1e8, "task": "1.1", "x": 3.0}, "x"),
    ({"N": 1e8, "task": "1.1", "color": "red"}, "color"),
]


@pytest.mark.parametrize(("values", "name"), GRIDS)
def test_columns_that_nothing_takes_are_refused(
    fit_of: Callable[[bl.Law], bl.Fit], values: dict[str, Any], name: str
) -> None:
    message = (
        rf"^the grid has '{name}', which is neither a predictor of the law, \['N'\], nor a group "
        r"of the fit, \['task'\]$"
    )
    with pytest.raises(ValueError, match=message):
        bl.forecast(fit_of(bl.laws.power), bl.grid(**values))


def test_runs_may_have_more_columns(fit_of: Callable[[bl.Law], bl.Fit]) -> None:
    """Those of another law, with which the law is compared."""
    assert bl.forecast(fit_of(bl.laws.power), RUNS).sizes["run"] == RUNS.sizes["run"]


def test_a_stack_takes_the_columns_of_all_its_laws(fit_of: Callable[[bl.Law], bl.Fit]) -> None:
    fits = {"power": fit_of(bl.laws.power), "chinchilla": fit_of(bl.laws.chinchilla)}
    stack = bl.stack(fits, pd.Series([0.5, 0.5], fits))
    grid = bl.grid(N=1e8, D=[1e9, 1e10], task="1.10")
    require_columns(fits.values(), grid)
    assert bl.forecast(stack, grid).sizes["run"] == 2
    with pytest.raises(ValueError, match=r"^the grid has 'x', which is neither .* \['N', 'D'\]"):
        bl.forecast(stack, bl.grid(N=1e8, D=1e9, x=1.0, task="1.10"))


def test_columns_of_one_law(fit_of: Callable[[bl.Law], bl.Fit]) -> None:
    grid = bl.grid(N=[1e8, 1e9], D=1e9, task="1.1")
    expected = bl.grid(N=[1e8, 1e9], task="1.1")
    xr.testing.assert_identical(taken_by(fit_of(bl.laws.power), grid), expected)


def test_levels_are_selected_as_written(fit_of: Callable[[bl.Law], bl.Fit]) -> None:
    forecast = bl.forecast(fit_of(bl.laws.power), bl.grid(N=1e8, task=["1.10", "1.1"]))
    assert forecast["task"].values.tolist() == ["1.10", "1.1"]
    with pytest.raises(ValueError, match=r"^no curve '1\.100' in this fit"):
        bl.forecast(fit_of(bl.laws.power), bl.grid(N=1e8, task="1.100"))


@pytest.mark.parametrize("size", [5e-324, 1e-302])
def test_sizes_that_vanish_beside_the_reference_are_refused(
    fit_of: Callable[[bl.Law], bl.Fit], size: float
) -> None:
    message = (
        f"^N = {size:g} is too far from the sizes of the runs, about 3.2e\\+06, to be computed"
    )
    with pytest.raises(ValueError, match=message):
        bl.forecast(fit_of(bl.laws.power), bl.grid(N=[1e8, size], task="1.1"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"draws": 0}, "draws must be a whole number, 1 or more, got 0"),
        ({"draws": float("inf")}, "draws must be a whole number, 1 or more, got inf"),
        ({"random_seed": -1}, r"random_seed must be a whole number from 0 to 2\*\*64 - 1, got -1"),
        (
            {"random_seed": 0.5},
            r"random_seed must be a whole number from 0 to 2\*\*64 - 1, got 0.5",
        ),
        *(
            ({"noise": bl.Fixed(value)}, f"noise must be a finite number above 0, got {value}")
            for value in (0.0, -0.1, float("nan"), float("inf"))
        ),
    ],
)
def test_numbers_out_of_range_are_refused(
    fit_of: Callable[[bl.Law], bl.Fit], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        bl.forecast(fit_of(bl.laws.power), bl.grid(N=1e8, task="1.1"), **arguments)


@pytest.mark.parametrize("largest", [0.0, -1.0, float("nan"), float("inf"), True, "1e9"])
def test_the_largest_size_is_a_number(fit_of: Callable[[bl.Law], bl.Fit], largest: Any) -> None:
    with pytest.raises(ValueError, match=r"^largest must be a finite number above 0, got"):
        bl.requirement(fit_of(bl.laws.power), 2.5, largest=largest)


def test_without_a_largest_size_there_is_no_limit(fit_of: Callable[[bl.Law], bl.Fit]) -> None:
    need = bl.requirement(fit_of(bl.laws.power), 2.5)
    assert need.attrs["largest"] == float("inf")
    np.testing.assert_array_equal(need["probability"], np.ones((2, 1)))
