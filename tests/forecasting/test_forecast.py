"""Posterior predictive forecasts: labels, coherence, discrepancy and noise."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw.forecasting.caveats import NO_DISCREPANCY

ALL = 10**6  # more draws than any of these fits has
DIMS = ("chain", "draw", "run")
NAMES = ["mean", "new_run", "law", "center", "scale", "noise"]


def relative_width(draws: xr.DataArray) -> np.ndarray:
    low, high = np.log(draws).quantile([0.25, 0.75], ("chain", "draw")).values
    return high - low


# Labels and values


def test_labels_of_a_forecast(crossed_fit: bl.Fit) -> None:
    grid = bl.grid(N=[1e9, 1e10], task=["c4", "books"], dataset="web")
    forecast = bl.forecast(crossed_fit, grid)
    assert list(forecast.data_vars) == NAMES
    assert all(values.dims == DIMS for values in forecast.values())
    posterior = crossed_fit.tree["posterior"].sizes
    sizes = {"chain": posterior["chain"], "draw": posterior["draw"], "run": 4}
    assert dict(forecast.sizes) == sizes
    for name in ("N", "task", "dataset", "run"):
        np.testing.assert_array_equal(forecast.coords[name], grid[name])
    assert forecast["mean"].attrs == {"long_name": "loss", "not_positive": 0.0}
    not_compared = {"caveats": [], "observed": "", "observed_by_curve": "", "scatter": ""}
    assert forecast.attrs | not_compared == {
        "response": "loss",
        "predictors": ["N"],
        "groups": ["task", "dataset"],
        "law": "power",
        **not_compared,
    }
    for name in ("new_run", "law"):
        assert forecast[name].attrs == forecast["mean"].attrs
    assert forecast["noise"].attrs == {"long_name": "relative scale of the noise"}
    unit = float(np.median(crossed_fit.runs["loss"]))
    noise = {"StudentT": {"nu": 4.0, "scale": {"LogScale": {}}, "varies_with": None}}
    assert json.loads(forecast.attrs["scatter"]) == {"noise": noise, "unit": unit}
    train = crossed_fit.runs["N"].values
    assert json.loads(forecast.attrs["observed"]) == {"N": [train.min(), train.max()]}
    observed = json.loads(forecast.attrs["observed_by_curve"])
    assert len(observed) == 12
    assert observed["code / news"] == {"N": [train.min(), train.max()]}
    assert forecast.attrs["caveats"] == [NO_DISCREPANCY]


def test_runs_whose_response_was_dropped_are_a_grid(crossed_fit: bl.Fit) -> None:
    bare = crossed_fit.runs.drop_vars("loss")
    expected = bl.forecast(crossed_fit, crossed_fit.runs, draws=100)
    xr.testing.assert_identical(bl.forecast(crossed_fit, bare, draws=100), expected)


def test_a_fit_that_failed_says_so_first(crossed_fit: bl.Fit) -> None:
    tree = crossed_fit.tree.copy()
    gate = replace(Gate.of(tree), divergences=3)
    tree.attrs["gate"] = gate.to_json()
    grid = bl.grid(N=1e9, task="c4", dataset="web")
    forecast = bl.forecast(replace(crossed_fit, tree=tree), grid)
    assert forecast.attrs["caveats"] == [gate.sentence, NO_DISCREPANCY]
    assert gate.sentence.startswith("NOT CONVERGED")
    assert bl.forecast(crossed_fit, grid).attrs["caveats"] == [NO_DISCREPANCY]


def test_a_known_curve_is_the_law_at_its_parameters(crossed_fit: bl.Fit) -> None:
    forecast = bl.forecast(crossed_fit, bl.grid(N=[1e9, 1e12], dataset="wiki", task="books"))
    posterior = crossed_fit.tree["posterior"].to_dataset().sel(curve="books / wiki")
    for i, size in enumerate([1e9, 1e12]):
        expected = bl.laws.power(
            size, **{name: posterior[name] for name in bl.laws.power.parameters}
        )
        np.testing.assert_allclose(forecast["mean"].isel(run=i), expected, rtol=1e-12)
        np.testing.assert_array_equal(forecast["noise"].isel(run=i), posterior["sigma"])
    np.testing.assert_allclose(forecast["law"], forecast["mean"])
    xr.testing.assert_equal(forecast["scale"], forecast["noise"].rename("scale"))
    np.testing.assert_allclose(forecast["center"], np.log(forecast["law"]))


def test_later_runs_are_forecast_as_they_are(
    crossed_fit: bl.Fit, crossed_split: tuple[xr.Dataset, xr.Dataset]
) -> None:
    later = crossed_split[1]
    forecast = bl.forecast(crossed_fit, later)
    np.testing.assert_array_equal(forecast["run"], later["run"])
    assert "loss" not in forecast.variables
    band = bl.interval(forecast, 0.9)["new_run"]
    inside = (band.sel(bound="lower") < later["loss"]) & (later["loss"] < band.sel(bound="upper"))
    # Two runs of a curve err together: twelve independent ones, four standard errors.
    assert float(inside.mean()) > 0.9 - 4 * np.sqrt(0.09 / 12)


def test_a_fit_without_groups_needs_none(lone_fit: bl.Fit) -> None:
    forecast = bl.forecast(lone_fit, bl.grid(N=[1e9, 1e10]))
    alpha, k, floor = (lone_fit.tree["posterior"][name] for name in ("alpha", "k", "L0"))
    expected = (floor + k * 1e9**-alpha).sel(curve="all")
    np.testing.assert_allclose(forecast["mean"].isel(run=0), expected)


# Coherence


def test_a_run_is_forecast_alike_alone_or_with_others(crossed_fit: bl.Fit) -> None:
    options = {"draw_new": ["task", "dataset"], "random_seed": 4}
    tasks, datasets = ["c4", "new", "other"], ["web", "unseen"]
    whole = bl.forecast(
        crossed_fit, bl.grid(N=[1e9, 1e10], task=tasks, dataset=datasets), **options
    )
    for task in reversed(tasks):
        for dataset in datasets:
            single = bl.forecast(
                crossed_fit, bl.grid(N=1e10, task=task, dataset=dataset), **options
            )
            is_run = (whole["N"] == 1e10) & (whole["task"] == task) & (whole["dataset"] == dataset)
            np.testing.assert_array_equal(
                single["mean"].isel(run=0), whole["mean"].isel(run=is_run.values).squeeze("run")
            )


def test_the_seed_decides(crossed_fit: bl.Fit) -> None:
    grid = bl.grid(N=1e10, task=["c4", "new"], dataset="web")
    first, again, other = (
        bl.forecast(crossed_fit, grid, draw_new=["task"], random_seed=seed) for seed in (1, 1, 2)
    )
    xr.testing.assert_identical(first, again)
    same = (first == other).all(("chain", "draw"))
    assert same["mean"].values.tolist() == [True, False]  # a known curve is not drawn
    assert not same["new_run"].any()


def test_new_run_scatters_more_than_the_curve(crossed_fit: bl.Fit) -> None:
    forecast = bl.forecast(crossed_fit, bl.grid(N=[1e6, 1e7], task="c4", dataset="web"))
    assert np.all(relative_width(forecast["new_run"]) > 1.2 * relative_width(forecast["mean"]))


def test_a_standard_error_adds_to_the_noise(lone_fit: bl.Fit) -> None:
    grid = bl.grid(N=[1e6, 1e7])
    plain = bl.forecast(lone_fit, grid)
    noisy = bl.forecast(lone_fit, grid.assign(stderr=("run", [0.3, 1e-9])))
    xr.testing.assert_equal(plain["mean"], noisy["mean"])
    expected = np.hypot(plain["noise"], 0.3 / plain["mean"]).isel(run=0)
    np.testing.assert_allclose(noisy["noise"].isel(run=0), expected)
    np.testing.assert_allclose(noisy["new_run"].isel(run=1), plain["new_run"].isel(run=1))


# Discrepancy


def log_spread(forecast: xr.Dataset, name: str) -> np.ndarray:
    return np.log(forecast[name]).std(("chain", "draw")).values


@pytest.mark.parametrize("draws", [1, 100, 300, 10**6])
def test_no_more_draws_than_requested(crossed_fit: bl.Fit, draws: int) -> None:
    grid = bl.grid(N=[1e9], task="c4", dataset="web")
    forecast = bl.forecast(crossed_fit, grid, draws=draws)
    sizes = crossed_fit.tree["posterior"].sizes
    every = -(-sizes["chain"] * sizes["draw"] // draws)
    assert forecast.sizes["draw"] == -(-sizes["draw"] // every)
    whole = bl.forecast(crossed_fit, grid, draws=ALL)
    np.testing.assert_array_equal(forecast["law"], whole["law"].values[:, ::every])


def test_a_forecast_has_draws(crossed_fit: bl.Fit) -> None:
    with pytest.raises(ValueError, match="draws must be a whole number, 1 or more, got 0"):
        bl.forecast(crossed_fit, bl.grid(N=[1e9], task="c4", dataset="web"), draws=0)


def test_bands_widen_by_the_discrepancy(discrepant_fit: bl.Fit) -> None:
    forecast = bl.forecast(
        discrepant_fit, bl.grid(N=[1e8, 1e12, 1e16], task="c4", dataset="web"), draws=ALL
    )
    assert forecast.attrs["caveats"] == []
    discrepancy = np.log(forecast["mean"] / forecast["law"])
    assert np.all(np.diff(discrepancy.std(("chain", "draw"))) > 0)
    assert np.all(log_spread(forecast, "new_run") > log_spread(forecast, "mean"))
    # Beyond the data it is Brownian motion: its variance grows by tau^2 per e-fold.
    tau = discrepant_fit.tree["posterior"]["tau"].sel(curve="c4 / web")
    step = (discrepancy.isel(run=2) - discrepancy.isel(run=1)) / (tau * np.sqrt(np.log(1e4)))
    assert abs(float(step.mean())) < 4 / np.sqrt(step.size)
    assert abs(float((step**2).mean()) - 1) < 4 * np.sqrt(2 / step.size)


def test_scores_of_a_discrepancy_integrate_it_out(discrepant_fit: bl.Fit) -> None:
    forecast = bl.forecast(
        discrepant_fit, bl.grid(N=[1e9, 1e12], task="c4", dataset="web"), draws=ALL
    )
    assert np.all(forecast["scale"] > forecast["noise"])
    beyond = forecast.isel(run=1)
    z = (np.log(beyond["new_run"]) - beyond["center"]) / beyond["scale"]
    assert abs(float(z.mean())) < 4 / np.sqrt(z.size)
    assert abs(float((z**2).mean()) - 1) < 4 * np.sqrt(2 / z.size)
    tau = discrepant_fit.tree["posterior"]["tau"].sel(curve="c4 / web")
    near, far = (forecast["scale"] ** 2 - forecast["noise"] ** 2).transpose("run", ...)
    np.testing.assert_allclose(far - near, tau**2 * np.log(1e3), rtol=1e-6)


def test_the_discrepancy_of_a_new_curve_is_zero_at_the_reference(
    discrepant_fit: bl.Fit,
) -> None:
    grid = bl.grid(N=[1e7, 1e9], task="new", dataset="web")
    forecast = bl.forecast(discrepant_fit, grid, draw_new=["task"], draws=ALL)
    np.testing.assert_allclose(
        forecast["mean"].isel(run=0), forecast["law"].isel(run=0), rtol=1e-12
    )
    discrepancy = np.log(forecast["mean"] / forecast["law"]).isel(run=1)
    variance = (forecast["scale"] ** 2 - forecast["noise"] ** 2).isel(run=1)
    z = discrepancy / np.sqrt(variance)
    assert abs(float((z**2).mean()) - 1) < 4 * np.sqrt(2 / z.size)


# The noise of the runs to come


def test_noise_of_another_size_is_given(crossed_fit: bl.Fit) -> None:
    grid = bl.grid(N=[1e9, 1e10], task="c4", dataset="web")
    plain = bl.forecast(crossed_fit, grid)
    noisier = bl.forecast(crossed_fit, grid, noise=bl.Fixed(0.2))
    xr.testing.assert_equal(noisier["mean"], plain["mean"])
    assert np.all(noisier["noise"] == 0.2)
    assert np.all(relative_width(noisier["new_run"]) > 0.2)
    drawn = bl.forecast(crossed_fit, grid, noise=bl.LogNormal(0.2, 1.5))["noise"]
    np.testing.assert_array_equal(*drawn.transpose("run", ...))  # once for each curve and draw
    z = np.log(drawn.isel(run=0) / 0.2) / np.log(1.5)
    assert abs(float(z.mean())) < 4 / np.sqrt(z.size)
    assert abs(float((z**2).mean()) - 1) < 4 * np.sqrt(2 / z.size)


def test_a_standard_error_adds_to_noise_that_is_given(lone_fit: bl.Fit) -> None:
    grid = bl.grid(N=1e6).assign(stderr=("run", [0.3]))
    forecast = bl.forecast(lone_fit, grid, noise=bl.Fixed(0.2))
    np.testing.assert_allclose(forecast["noise"], np.hypot(0.2, 0.3 / forecast["law"]))


@pytest.mark.parametrize("noise", [0.2, bl.HalfNormal(0.2)])
def test_noise_of_another_kind_is_refused(lone_fit: bl.Fit, noise: Any) -> None:
    sentence = f"noise takes bl.Fixed or bl.LogNormal, got {noise!r}"
    with pytest.raises(TypeError, match=f"^{re.escape(sentence)}$"):
        bl.forecast(lone_fit, bl.grid(N=1e9), noise=noise)


def test_where_a_law_is_not_positive(log_linear_fit: bl.Fit) -> None:
    grid = bl.grid(N=[1e9, 1e40], task="c4", dataset="web")
    forecast = bl.forecast(log_linear_fit, grid)
    share = float((forecast["mean"] <= 0).mean())
    assert share == 0.5
    assert forecast["mean"].attrs["not_positive"] == share
    assert forecast["new_run"].attrs["not_positive"] == share
    beyond = forecast.isel(run=1)
    xr.testing.assert_equal(beyond["new_run"], beyond["mean"].rename("new_run"))
