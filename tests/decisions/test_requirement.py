"""The size or budget that a target needs, where it can be reached and where not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.forecasting.caveats import NO_DISCREPANCY
from bayeslaw.laws import chinchilla, log_linear, power, pure_power

type Make = Callable[..., bl.Fit]

HOFFMANN = {"E": 1.69, "A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28}
SHAPE = 2, 50  # chains, draws


def draws_about(values: dict[str, float], curves: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(6)
    return {
        name: value * np.exp(0.05 * rng.standard_normal((*SHAPE, curves)))
        for name, value in values.items()
    }


def table(*predictors: str, task: tuple[str, ...] = ()) -> xr.Dataset:
    rows = [
        {**dict.fromkeys(predictors, size), "loss": 3.0 - 0.01 * i, "task": label}
        for label in task or ("",)
        for i, size in enumerate(np.geomspace(1e7, 1e10, 8))
    ]
    groups = ["task"] if task else []
    return bl.read_runs(pd.DataFrame(rows), predictors=list(predictors), groups=groups)


@pytest.fixture(scope="module")
def drawn() -> dict[str, np.ndarray]:
    return draws_about(HOFFMANN)


@pytest.fixture(scope="module")
def joint(known_fit: Make, drawn: dict[str, np.ndarray]) -> bl.Fit:
    return known_fit(chinchilla, drawn, table("N", "D"))


@pytest.fixture(scope="module")
def single(known_fit: Make) -> bl.Fit:
    drawn = draws_about({"L0": 2.0, "k": 300.0, "alpha": 0.4}, curves=2)
    return known_fit(power, drawn, table("N", task=("c4", "code")))


def parameters(fit: bl.Fit) -> dict[str, np.ndarray]:
    posterior = fit.tree["posterior"]
    return {name: posterior[name].values[..., None] for name in fit.model.law.parameters}


# Along a predictor


def test_a_size_is_the_inverse_of_the_law(single: bl.Fit) -> None:
    targets = np.array([3.0, 2.5])
    result = bl.requirement(single, targets)
    own = parameters(single)
    expected = (own["k"] / (targets - own["L0"])) ** (1 / own["alpha"])
    assert result["N"].dims == ("chain", "draw", "curve", "target")
    np.testing.assert_allclose(result["N"], expected, rtol=1e-10)
    assert result["task"].values.tolist() == ["c4", "code"]
    assert result["probability"].values.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert result["target"].attrs == {"long_name": "loss"}
    assert result.attrs["caveats"] == [NO_DISCREPANCY]


def test_other_predictors_are_held(joint: bl.Fit) -> None:
    result = bl.requirement(joint, 2.1, along="N", at={"D": [1e12, 1e13]})
    own = parameters(joint)
    rest = 2.1 - own["E"] - own["B"] * np.array([[1e12], [1e13]]) ** -own["beta"]
    expected = np.where(rest > 0, (own["A"] / np.maximum(rest, 1e-9)) ** (1 / own["alpha"]), np.inf)
    np.testing.assert_allclose(result["N"], expected, rtol=1e-9)
    assert result["D"].values.tolist() == [1e12, 1e13]
    other = bl.requirement(joint, 2.1, at={"D": [1e12, 1e13]})
    xr.testing.assert_identical(result, other)  # N is the only one that is left


def test_a_floor_above_the_target(single: bl.Fit) -> None:
    """Infinite draws, with a probability; bands hold with them."""
    result = bl.requirement(single, 2.05)
    reachable = parameters(single)["L0"] < 2.05
    np.testing.assert_array_equal(np.isfinite(result["N"]), reachable)
    np.testing.assert_allclose(result["probability"], reachable.mean((0, 1)))
    assert np.all(result["probability"] < 0.95)
    band = bl.interval(result, 0.9)["N"]
    assert np.all(np.isfinite(band.sel(bound="lower")))
    assert np.all(np.isinf(band.sel(bound="upper")))
    order = np.sort(result["N"].values[:, :, 0, 0].ravel())
    middle = (order[49] + order[50]) / 2
    np.testing.assert_allclose(band.sel(bound="median")[0, 0], middle, rtol=1e-12)
    never = bl.requirement(single, 1e-3)
    assert np.all(np.isinf(bl.interval(never)["N"]))
    assert np.all(never["probability"] == 0)


def test_probability_by_the_largest_size(single: bl.Fit) -> None:
    result = bl.requirement(single, 2.2, largest=1e8)
    assert 0 < float(result["probability"].min()) < 1
    expected = (result["N"] <= 1e8).mean(("chain", "draw"))
    np.testing.assert_allclose(result["probability"], expected)
    assert result["probability"].attrs["long_name"].endswith("N up to 1e+08 is enough")


def test_any_size_will_do(known_fit: Make) -> None:
    """A response that starts at a plateau below the target."""

    @bl.law(unitless=("N",))
    def plateau(N: Any, *, top: bl.Amplitude, half: bl.Scale) -> Any:
        return top / (1 + N / half)

    drawn = draws_about({"top": 0.9, "half": 1e8})
    result = bl.requirement(known_fit(plateau, drawn, table("N")), 5.0)
    assert np.all(result["N"] == 0)
    assert np.all(result["probability"] == 1)


def test_laws_of_one_predictor(known_fit: Make) -> None:
    runs = table("N")
    drawn = draws_about({"N_c": 1e14, "alpha": 0.08})
    result = bl.requirement(known_fit(pure_power, drawn, runs), 2.0)
    own = {name: values[..., None] for name, values in drawn.items()}
    np.testing.assert_allclose(result["N"], own["N_c"] * 2.0 ** (-1 / own["alpha"]), rtol=1e-10)
    drawn = draws_about({"a": 5.0, "b": 0.1})
    result = bl.requirement(known_fit(log_linear, drawn, runs), 2.0)
    own = {name: values[..., None] for name, values in drawn.items()}
    np.testing.assert_allclose(result["N"], np.exp((own["a"] - 2.0) / own["b"]), rtol=1e-9)


@bl.law(direction={"N": 1}, unitless=("N",), higher_is_better=True)
def accuracy(N: Any, *, best: bl.Fraction, k: bl.Amplitude) -> Any:
    """A response that rises."""
    return best - k * N**-0.3


def test_a_rising_response(known_fit: Make) -> None:
    drawn = draws_about({"best": 0.8, "k": 40.0})
    result = bl.requirement(known_fit(accuracy, drawn, table("N")), 0.75)
    best, k = (values[..., None] for values in drawn.values())
    rest = best - 0.75
    expected = np.where(rest > 0, (k / np.maximum(rest, 1e-9)) ** (1 / 0.3), np.inf)
    np.testing.assert_allclose(result["N"], expected, rtol=1e-9)
    assert 0.5 < float(result["probability"].item()) < 1


@pytest.mark.parametrize(
    ("target", "loss", "probability"),
    [(0.55, 2.0, 1), (0.9, 0.0, 0), (0.2, np.inf, 1)],
    ids=["between", "above the ceiling", "below guessing"],
)
def test_an_accuracy_along_the_loss(
    known_fit: Make, target: float, loss: float, probability: float
) -> None:
    one = np.ones((1, 4, 1))
    drawn = {"g": 0.25 * one, "h": 0.8 * one, "L_0": 2.0 * one, "w": 0.3 * one}
    runs = bl.read_runs(pd.DataFrame({"L": [1.0, 3.0], "loss": [0.8, 0.3]}), predictors=["L"])
    result = bl.requirement(known_fit(bl.laws.loss_to_accuracy, drawn, runs), target)
    np.testing.assert_allclose(result["L"], loss, rtol=1e-9)
    assert result["probability"].item() == probability


def test_the_largest_model_that_is_fast_enough(known_fit: Make) -> None:
    one = np.ones((1, 4, 1))
    drawn = {"T0": one, "xi": one, "p_1": 0.5 * one, "p_2": one}
    runs = bl.read_runs(
        pd.DataFrame({"N": [1e2, 1e4], "D_inf": [1.0, 2.0], "loss": [11.0, 201.0]}),
        predictors=["N", "D_inf"],
    )
    fit = known_fit(bl.laws.decoding_time, drawn, runs)
    result = bl.requirement(fit, [11.0, 0.5], along="N", at={"D_inf": 1.0})
    np.testing.assert_allclose(result["N"].isel(chain=0, draw=0, curve=0), [1e2, 0.0], rtol=1e-9)
    assert result["probability"].values.tolist() == [[1.0, 0.0]]


@bl.law(direction={"N": 0}, unitless=("N",))
def valley(N: Any, *, low: bl.Amplitude, w: bl.Amplitude) -> Any:
    """A response that falls and rises again."""
    return low + w * (np.log(N) - np.log(1e9)) ** 2


def test_a_response_that_may_rise_is_met_where_it_falls(known_fit: Make) -> None:
    drawn = draws_about({"low": 1.0, "w": 0.1})
    result = bl.requirement(known_fit(valley, drawn, table("N")), 1.5)
    low, w = (values[..., None] for values in drawn.values())
    np.testing.assert_allclose(result["N"], 1e9 * np.exp(-np.sqrt((1.5 - low) / w)), rtol=1e-9)


# Along the compute-optimal path


def test_the_budget_is_the_inverse_of_the_plan(joint: bl.Fit) -> None:
    result = bl.requirement(joint, [2.3, 2.0], along=bl.training_flops)
    assert list(result.data_vars) == ["budget", "N", "D", "probability"]
    for i, target in enumerate((2.3, 2.0)):
        for draw in range(3):
            one = result.isel(target=i, chain=0, draw=draw, curve=0)
            if np.isinf(one["budget"]):
                continue
            plan = bl.plan(joint, float(one["budget"])).isel(chain=0, draw=draw, curve=0, budget=0)
            np.testing.assert_allclose(plan["mean"], target, rtol=1e-11)
            np.testing.assert_allclose(plan["N"], one["N"], rtol=1e-9)
            np.testing.assert_allclose(plan["D"], one["D"], rtol=1e-9)


def test_a_budget_out_of_reach(joint: bl.Fit) -> None:
    result = bl.requirement(joint, 1.69, along=bl.training_flops)
    reachable = parameters(joint)["E"] < 1.69
    for name in ("budget", "N", "D"):
        np.testing.assert_array_equal(np.isfinite(result[name]), reachable)
    np.testing.assert_allclose(result["probability"], reachable.mean((0, 1)))
    assert not np.any(np.isnan(bl.interval(result)["budget"]))
    never = bl.requirement(joint, 0.5, along=bl.training_flops)
    assert np.all(np.isinf(never["budget"]))


def test_the_budget_of_another_cost(joint: bl.Fit) -> None:
    def lifetime(N: Any, D: Any, served: Any) -> Any:
        return 6 * N * D + 2 * N * served

    result = bl.requirement(joint, 2.3, along=lifetime, at={"served": [0, 1e13]})
    plain = bl.requirement(joint, 2.3, along=bl.training_flops)
    np.testing.assert_allclose(result["budget"][:, :, :1], plain["budget"], rtol=1e-6)
    assert np.all(result["budget"][:, :, 1] > plain["budget"][:, :, 0])
    assert np.all(result["N"][:, :, 1] < plain["N"][:, :, 0])


# What is refused


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"target": 0.0},
            "target must be a finite number above 0, got 0.0",
        ),
        (
            {"target": 2.0},
            "along=None is no predictor of law 'chinchilla'; say which of ['N', 'D'], and hold "
            "the others: at={'D': ...}",
        ),
        (
            {"target": 2.0, "along": "width"},
            "along='width' is no predictor of law 'chinchilla'; say which of ['N', 'D'], and "
            "hold the others: at={'D': ...}",
        ),
        (
            {"target": 2.0, "along": "N"},
            "law 'chinchilla' needs 'D' too; hold it at a value: at={'D': ...}",
        ),
        (
            {"target": 2.0, "along": "N", "at": {"N": 1e9, "D": 1e10}},
            "at holds 'N'; along 'N' law 'chinchilla' takes ['D']",
        ),
    ],
    ids=["target", "which", "unknown", "held", "both"],
)
def test_what_cannot_be_required(joint: bl.Fit, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        bl.requirement(joint, **options)


def test_levels_are_those_of_forecasts(single: bl.Fit) -> None:
    sentence = "no curve 'poems' in this fit, which was made without pooling"
    with pytest.raises(ValueError, match=f"^{sentence}"):
        bl.requirement(single, 2.5, at={"task": "poems"})
    one = bl.requirement(single, 2.5, at={"task": "code"})
    xr.testing.assert_allclose(
        one["N"].isel(curve=0), bl.requirement(single, 2.5)["N"].isel(curve=1)
    )
