"""Two-stage forecasts: the uncertainty of both stages."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayeslaw import laws
from bayeslaw.data.runs import grid, read_runs
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.forecasting.interval import interval
from bayeslaw.forecasting.two_stage import two_stage_forecast

RNG = np.random.default_rng(1)
SIZES = [1e8, 1e9]


def draws(center: float, sd: float, n_draws: int) -> np.ndarray:
    return center * np.exp(sd * RNG.normal(size=(2, n_draws, 1)))


@pytest.fixture
def loss(known_fit: Callable[..., Fit]) -> xr.Dataset:
    runs = read_runs(pd.DataFrame({"N": [1e6, 1e8], "loss": [3.0, 2.5]}), predictors=["N"])
    parameters = {"L0": draws(1.5, 0.01, 400), "k": draws(10.0, 0.02, 400)}
    parameters["alpha"] = draws(0.2, 0.02, 400)
    return forecast(known_fit(laws.power, parameters, runs), grid(N=SIZES))


@pytest.fixture
def second(known_fit: Callable[..., Fit]) -> Fit:
    table = pd.DataFrame({"loss_1": [3.0, 2.0], "error": [0.9, 0.5]})
    runs = read_runs(table, response="error", predictors={"X": "loss_1"})
    parameters = {"a": draws(0.2, 0.01, 300), "b": draws(1.1, 0.01, 300)}
    return known_fit(laws.proportional, parameters, runs)


def test_the_variances_of_both_stages_add_up(second: Fit, loss: xr.Dataset) -> None:
    result = two_stage_forecast(second, loss)
    assert result["mean"].sizes == {"chain": 2, "draw": 300, "run": 2}
    assert result.attrs["response"] == "error"
    assert result.attrs["predictors"] == ["N"]
    assert result["N"].values.tolist() == SIZES
    log_loss = np.log(loss["mean"].isel(run=0).values)
    posterior = second.tree["posterior"].to_dataset().isel(curve=0)
    center = np.log(0.2) + 1.1 * log_loss.mean()
    variance = (
        float(np.log(posterior["a"]).var())
        + float(posterior["b"].var()) * log_loss.mean() ** 2
        + 1.1**2 * log_loss.var()
    )
    log_mean = np.log(result["mean"].isel(run=0).values)
    error = np.sqrt(variance / log_mean.size)
    assert abs(log_mean.mean() - center) < 5 * error + 0.001
    assert log_mean.var() == pytest.approx(variance, rel=0.2)


def test_a_new_run_has_the_noise_of_both_stages(second: Fit, loss: xr.Dataset) -> None:
    result = two_stage_forecast(second, loss)
    noiseless = loss.assign(new_run=loss["mean"])
    spread = np.log(result["new_run"]).std(("chain", "draw"))
    assert (spread > np.log(result["mean"]).std(("chain", "draw"))).all()
    assert (
        spread > np.log(two_stage_forecast(second, noiseless)["new_run"]).std(("chain", "draw"))
    ).all()


def test_it_is_a_forecast_like_any_other(second: Fit, loss: xr.Dataset) -> None:
    result = two_stage_forecast(second, loss)
    assert interval(result, 0.5)["mean"].sizes == {"bound": 3, "run": 2}
    assert result.attrs["caveats"]
    again = two_stage_forecast(second, loss, random_seed=0)
    xr.testing.assert_identical(result, again)
    assert not result.equals(two_stage_forecast(second, loss, random_seed=1))


def test_the_second_law_has_one_predictor(known_fit: Callable[..., Fit], loss: xr.Dataset) -> None:
    runs = read_runs(
        pd.DataFrame({"N": [1e6, 1e8], "D": [1.0, 2.0], "loss": [3.0, 2.5]}),
        predictors=["N", "D"],
    )
    ones = np.ones((1, 4, 1))
    joint = known_fit(
        laws.multiplicative, dict.fromkeys(laws.multiplicative.parameters, ones), runs
    )
    with pytest.raises(ValueError, match="'loss' of the first; law 'multiplicative' has"):
        two_stage_forecast(joint, loss)


def test_groups_of_the_second_stage_must_be_known(
    known_fit: Callable[..., Fit], loss: xr.Dataset
) -> None:
    table = pd.DataFrame({"X": [3.0, 2.0] * 2, "loss": [0.9, 0.5, 0.8, 0.4], "task": list("sstt")})
    runs = read_runs(table, predictors=["X"], groups=["task"])
    ones = np.ones((1, 4, 2))
    fit = known_fit(laws.proportional, {"a": ones, "b": ones}, runs)
    with pytest.raises(ValueError, match="does not say which 'task'"):
        two_stage_forecast(fit, loss)
    result = two_stage_forecast(fit, loss.assign_coords(task=("run", ["s", "t"])))
    assert result["task"].values.tolist() == ["s", "t"]
    with pytest.raises(ValueError, match="made without pooling"):
        two_stage_forecast(fit, loss.assign_coords(task=("run", ["s", "u"])), draw_new=["task"])
