"""What more of a predictor changes, against derivatives by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.forecasting.caveats import LAW_ALONE, NO_DISCREPANCY
from bayeslaw.laws import chinchilla, log_linear, power

type Make = Callable[..., bl.Fit]

HOFFMANN = {"E": 1.69, "A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28}
SHAPE = 2, 20  # chains, draws


def draws_about(values: dict[str, float], curves: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {
        name: value * np.exp(0.05 * rng.standard_normal((*SHAPE, curves)))
        for name, value in values.items()
    }


def table(*predictors: str, task: tuple[str, ...] = ("",)) -> xr.Dataset:
    rows = [
        {**dict.fromkeys(predictors, size), "loss": 3.0 - 0.01 * i, "task": label}
        for label in task
        for i, size in enumerate(np.geomspace(1e7, 1e10, 8))
    ]
    groups = ["task"] if len(task) > 1 else []
    return bl.read_runs(pd.DataFrame(rows), predictors=list(predictors), groups=groups)


@pytest.fixture(scope="module")
def drawn() -> dict[str, np.ndarray]:
    return draws_about(HOFFMANN)


@pytest.fixture(scope="module")
def joint(known_fit: Make, drawn: dict[str, np.ndarray]) -> bl.Fit:
    return known_fit(chinchilla, drawn, table("N", "D"))


@pytest.fixture(scope="module")
def two_curves(known_fit: Make) -> bl.Fit:
    drawn = draws_about({"L0": 2.0, "k": 300.0, "alpha": 0.4}, curves=2)
    return known_fit(power, drawn, table("N", task=("c4", "code")))


# Slopes


def test_slopes_are_the_derivatives(joint: bl.Fit, drawn: dict[str, np.ndarray]) -> None:
    grid = bl.grid(N=[1e8, 1e12], D=[1e9, 1e13])
    result = bl.marginal_gain(joint, grid)
    N, D = grid["N"].values, grid["D"].values
    own = drawn
    slopes = {
        "N": -own["alpha"] * own["A"] * N ** -own["alpha"],
        "D": -own["beta"] * own["B"] * D ** -own["beta"],
    }
    for name, expected in slopes.items():
        np.testing.assert_allclose(result["slope"].sel(predictor=name), expected, rtol=1e-12)


def test_a_doubling_is_the_difference(joint: bl.Fit) -> None:
    result = bl.marginal_gain(joint, bl.grid(N=1e9, D=1e10))["doubling"]
    before = bl.forecast(joint, bl.grid(N=1e9, D=1e10))["mean"]
    for name, sizes in {"N": {"N": 2e9, "D": 1e10}, "D": {"N": 1e9, "D": 2e10}}.items():
        after = bl.forecast(joint, bl.grid(**sizes))["mean"]
        np.testing.assert_allclose(result.sel(predictor=name), after - before, rtol=1e-12)


def test_labels_of_a_marginal_gain(joint: bl.Fit, two_curves: bl.Fit) -> None:
    result = bl.marginal_gain(joint, bl.grid(N=[1e9, 1e10], D=1e10))
    assert list(result.data_vars) == ["slope", "doubling"]
    assert result["slope"].dims == ("chain", "draw", "run", "predictor")
    assert result["predictor"].values.tolist() == ["N", "D"]
    assert result["N"].values.tolist() == [1e9, 1e10]
    assert result["slope"].attrs == {"long_name": "change of loss per e-fold"}
    assert result.attrs["caveats"] == [NO_DISCREPANCY]
    band = bl.interval(result, 0.5)["slope"]
    assert np.all(band.sel(bound="lower") < band.sel(bound="upper"))
    every = bl.marginal_gain(two_curves, bl.grid(N=[1e9, 1e10]))
    assert every["task"].values.tolist() == ["c4", "c4", "code", "code"]
    one = bl.marginal_gain(two_curves, bl.grid(N=1e10, task="code"))
    np.testing.assert_array_equal(one["slope"][:, :, 0], every["slope"][:, :, 3])


def test_a_predictor_that_changes_nothing(known_fit: Make) -> None:
    @bl.law(unitless=("N", "D"))
    def idle(N: Any, D: Any, *, k: bl.Amplitude) -> Any:
        return k * N**-0.3

    result = bl.marginal_gain(
        known_fit(idle, draws_about({"k": 2.0}), table("N", "D")), bl.grid(N=1, D=1)
    )
    assert np.all(result.sel(predictor="D")["slope"] == 0)
    assert np.all(result.sel(predictor="D")["doubling"] == 0)


def test_what_the_grid_lacks(joint: bl.Fit) -> None:
    sentence = "the grid has no 'D', which law 'chinchilla' needs; it has ['N']"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        bl.marginal_gain(joint, bl.grid(N=1e9))


# Saturation


def test_where_a_doubling_gains_the_threshold(joint: bl.Fit, drawn: dict[str, np.ndarray]) -> None:
    thresholds = np.array([0.1, 0.001])
    result = bl.saturation(joint, thresholds, along="N", at={"D": 1e12})
    A, alpha = (drawn[name][..., None] for name in ("A", "alpha"))
    expected = (A * (1 - 2**-alpha) / thresholds) ** (1 / alpha)
    assert result["N"].dims == ("chain", "draw", "curve", "threshold")
    np.testing.assert_allclose(result["N"], expected, rtol=1e-8)
    assert result["D"].values.tolist() == [1e12]
    assert np.all(np.isfinite(bl.interval(result)["N"]))


def test_curves_of_a_saturation(two_curves: bl.Fit) -> None:
    result = bl.saturation(two_curves, 0.01)
    assert result["task"].values.tolist() == ["c4", "code"]


def test_a_law_that_never_saturates(known_fit: Make) -> None:
    fit = known_fit(log_linear, draws_about({"a": 5.0, "b": 0.1}), table("N"))
    result = bl.saturation(fit, [0.01, 1.0])["N"]
    assert np.all(np.isinf(result.isel(threshold=0)))
    assert np.all(result.isel(threshold=1) == 0)


def test_a_plateau_before_the_fall_is_not_the_end(known_fit: Make) -> None:
    @bl.law(unitless=("N",))
    def plateau(N: Any, *, top: bl.Amplitude, half: bl.Scale) -> Any:
        return top / (1 + N / half)

    drawn = draws_about({"top": 3.0, "half": 1e8})
    result = bl.saturation(known_fit(plateau, drawn, table("N")), 0.01)["N"]
    top, half = (values[..., None] for values in drawn.values())
    # Far beyond the half, top half / N loses half of itself by a doubling.
    np.testing.assert_allclose(result, top * half / 0.02, rtol=0.02)


def test_with_a_discrepancy_the_answer_is_the_laws_own(discrepant_fit: bl.Fit) -> None:
    result = bl.marginal_gain(discrepant_fit, bl.grid(N=[1e8], task="c4", dataset="web"))
    assert result.attrs["caveats"] == [LAW_ALONE]
