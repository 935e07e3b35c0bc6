"""Forecasts: what is asked for, what is drawn, and what is refused."""

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
from bayeslaw.forecasting.forecast import NO_DISCREPANCY

QUICK = {"draws": 100, "tune": 200, "chains": 2, "progressbar": False}
ALL = 10**6  # more draws than any of these fits has
DIMS = ("chain", "draw", "run")
NAMES = ["mean", "new_run", "law", "center", "scale", "noise"]


@pytest.fixture(scope="module")
def partial_fit(crossed_split: tuple[xr.Dataset, xr.Dataset]) -> bl.Fit:
    """A fit that never saw code from the news, though code and news apart."""
    train = crossed_split[0]
    left_out = (train["task"] == "code") & (train["dataset"] == "news")
    model = bl.Model(bl.laws.pure_power, pooling=["task", "dataset"], discrepancy=None)
    return bl.fit(model, train.isel(run=~left_out.values), random_seed=1, **QUICK)


@pytest.fixture(scope="module")
def alone_fit(crossed_fit: bl.Fit) -> bl.Fit:
    """Twelve curves as if they had been fitted without pooling."""
    return replace(crossed_fit, model=bl.Model(bl.laws.power, pooling=None, discrepancy=None))


def relative_width(draws: xr.DataArray) -> np.ndarray:
    low, high = np.log(draws).quantile([0.25, 0.75], ("chain", "draw")).values
    return high - low


# What is given


def test_labels_of_a_forecast(crossed_fit: bl.Fit) -> None:
    grid = bl.grid(N=[1e9, 1e10], task=["c4", "books"], dataset="web")
    found = bl.forecast(crossed_fit, grid)
    assert list(found.data_vars) == NAMES
    assert all(values.dims == DIMS for values in found.values())
    posterior = crossed_fit.tree["posterior"].sizes
    sizes = {"chain": posterior["chain"], "draw": posterior["draw"], "run": 4}
    assert dict(found.sizes) == sizes
    for name in ("N", "task", "dataset", "run"):
        np.testing.assert_array_equal(found.coords[name], grid[name])
    assert found["mean"].attrs == {"long_name": "loss", "not_positive": 0.0}
    untold = {"caveats": [], "observed": "", "observed_by_curve": "", "scatter": ""}
    assert found.attrs | untold == {
        "response": "loss",
        "predictors": ["N"],
        "groups": ["task", "dataset"],
        "law": "power",
        **untold,
    }
    for name in ("new_run", "law"):
        assert found[name].attrs == found["mean"].attrs
    assert found["noise"].attrs == {"long_name": "relative scale of the noise"}
    unit = float(np.median(crossed_fit.runs["loss"]))
    noise = {"StudentT": {"nu": 4.0, "scale": {"LogScale": {}}, "varies_with": None}}
    assert json.loads(found.attrs["scatter"]) == {"noise": noise, "unit": unit}
    train = crossed_fit.runs["N"].values
    assert json.loads(found.attrs["observed"]) == {"N": [train.min(), train.max()]}
    each = json.loads(found.attrs["observed_by_curve"])
    assert len(each) == 12
    assert each["code / news"] == {"N": [train.min(), train.max()]}
    assert found.attrs["caveats"] == [NO_DISCREPANCY]


def test_runs_whose_response_was_dropped_are_a_grid(crossed_fit: bl.Fit) -> None:
    bare = crossed_fit.runs.drop_vars("loss")
    expected = bl.forecast(crossed_fit, crossed_fit.runs, draws=100)
    xr.testing.assert_identical(bl.forecast(crossed_fit, bare, draws=100), expected)


def test_a_fit_that_failed_says_so_first(crossed_fit: bl.Fit) -> None:
    tree = crossed_fit.tree.copy()
    gate = replace(Gate.of(tree), divergences=3)
    tree.attrs["gate"] = gate.to_json()
    grid = bl.grid(N=1e9, task="c4", dataset="web")
    found = bl.forecast(replace(crossed_fit, tree=tree), grid)
    assert found.attrs["caveats"] == [gate.sentence, NO_DISCREPANCY]
    assert gate.sentence.startswith("NOT CONVERGED")
    assert bl.forecast(crossed_fit, grid).attrs["caveats"] == [NO_DISCREPANCY]


def test_a_known_curve_is_the_law_at_its_parameters(crossed_fit: bl.Fit) -> None:
    found = bl.forecast(crossed_fit, bl.grid(N=[1e9, 1e12], dataset="wiki", task="books"))
    own = crossed_fit.tree["posterior"].to_dataset().sel(curve="books / wiki")
    for i, size in enumerate([1e9, 1e12]):
        expected = bl.laws.power(size, **{name: own[name] for name in bl.laws.power.parameters})
        np.testing.assert_allclose(found["mean"].isel(run=i), expected, rtol=1e-12)
        np.testing.assert_array_equal(found["noise"].isel(run=i), own["sigma"])
    np.testing.assert_allclose(found["law"], found["mean"])
    xr.testing.assert_equal(found["scale"], found["noise"].rename("scale"))
    np.testing.assert_allclose(found["center"], np.log(found["law"]))


def test_later_runs_are_forecast_as_they_are(
    crossed_fit: bl.Fit, crossed_split: tuple[xr.Dataset, xr.Dataset]
) -> None:
    later = crossed_split[1]
    found = bl.forecast(crossed_fit, later)
    np.testing.assert_array_equal(found["run"], later["run"])
    assert "loss" not in found.variables
    band = bl.interval(found, 0.9)["new_run"]
    inside = (band.sel(bound="lower") < later["loss"]) & (later["loss"] < band.sel(bound="upper"))
    # Two runs of a curve err together: twelve independent ones, four standard errors.
    assert float(inside.mean()) > 0.9 - 4 * np.sqrt(0.09 / 12)


def test_a_fit_without_groups_needs_none(lone_fit: bl.Fit) -> None:
    found = bl.forecast(lone_fit, bl.grid(N=[1e9, 1e10]))
    alpha, k, floor = (lone_fit.tree["posterior"][name] for name in ("alpha", "k", "L0"))
    expected = (floor + k * 1e9**-alpha).sel(curve="all")
    np.testing.assert_allclose(found["mean"].isel(run=0), expected)


# Coherence


def test_a_point_is_the_same_whatever_else_is_asked_for(crossed_fit: bl.Fit) -> None:
    asked = {"draw_new": ["task", "dataset"], "random_seed": 4}
    tasks, datasets = ["c4", "new", "other"], ["web", "unseen"]
    whole = bl.forecast(crossed_fit, bl.grid(N=[1e9, 1e10], task=tasks, dataset=datasets), **asked)
    for task in reversed(tasks):
        for dataset in datasets:
            one = bl.forecast(crossed_fit, bl.grid(N=1e10, task=task, dataset=dataset), **asked)
            place = (whole["N"] == 1e10) & (whole["task"] == task) & (whole["dataset"] == dataset)
            np.testing.assert_array_equal(
                one["mean"].isel(run=0), whole["mean"].isel(run=place.values).squeeze("run")
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
    found = bl.forecast(crossed_fit, bl.grid(N=[1e6, 1e7], task="c4", dataset="web"))
    assert np.all(relative_width(found["new_run"]) > 1.2 * relative_width(found["mean"]))


def test_a_standard_error_adds_to_the_noise(lone_fit: bl.Fit) -> None:
    grid = bl.grid(N=[1e6, 1e7])
    plain = bl.forecast(lone_fit, grid)
    noisy = bl.forecast(lone_fit, grid.assign(stderr=("run", [0.3, 1e-9])))
    xr.testing.assert_equal(plain["mean"], noisy["mean"])
    expected = np.hypot(plain["noise"], 0.3 / plain["mean"]).isel(run=0)
    np.testing.assert_allclose(noisy["noise"].isel(run=0), expected)
    np.testing.assert_allclose(noisy["new_run"].isel(run=1), plain["new_run"].isel(run=1))


# What the law gets wrong


def spreads(found: xr.Dataset, name: str) -> np.ndarray:
    return np.log(found[name]).std(("chain", "draw")).values


@pytest.mark.parametrize("draws", [1, 100, 300, 10**6])
def test_no_more_draws_than_asked_for(crossed_fit: bl.Fit, draws: int) -> None:
    grid = bl.grid(N=[1e9], task="c4", dataset="web")
    found = bl.forecast(crossed_fit, grid, draws=draws)
    sizes = crossed_fit.tree["posterior"].sizes
    every = -(-sizes["chain"] * sizes["draw"] // draws)
    assert found.sizes["draw"] == -(-sizes["draw"] // every)
    whole = bl.forecast(crossed_fit, grid, draws=ALL)
    np.testing.assert_array_equal(found["law"], whole["law"].values[:, ::every])


def test_a_forecast_has_draws(crossed_fit: bl.Fit) -> None:
    with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
        bl.forecast(crossed_fit, bl.grid(N=[1e9], task="c4", dataset="web"), draws=0)


def test_bands_widen_by_what_the_law_gets_wrong(discrepant_fit: bl.Fit) -> None:
    found = bl.forecast(
        discrepant_fit, bl.grid(N=[1e8, 1e12, 1e16], task="c4", dataset="web"), draws=ALL
    )
    assert found.attrs["caveats"] == []
    wrong = found.assign(wrong=np.log(found["mean"] / found["law"]))["wrong"]
    assert np.all(np.diff(wrong.std(("chain", "draw"))) > 0)
    assert np.all(spreads(found, "new_run") > spreads(found, "mean"))
    # Beyond the data it is a walk: its variance goes up by tau^2 per e-fold.
    tau = discrepant_fit.tree["posterior"]["tau"].sel(curve="c4 / web")
    step = (wrong.isel(run=2) - wrong.isel(run=1)) / (tau * np.sqrt(np.log(1e4)))
    assert abs(float(step.mean())) < 4 / np.sqrt(step.size)
    assert abs(float((step**2).mean()) - 1) < 4 * np.sqrt(2 / step.size)


def test_scores_of_a_discrepancy_integrate_it_out(discrepant_fit: bl.Fit) -> None:
    found = bl.forecast(discrepant_fit, bl.grid(N=[1e9, 1e12], task="c4", dataset="web"), draws=ALL)
    assert np.all(found["scale"] > found["noise"])
    far = found.isel(run=1)
    z = (np.log(far["new_run"]) - far["center"]) / far["scale"]
    assert abs(float(z.mean())) < 4 / np.sqrt(z.size)
    assert abs(float((z**2).mean()) - 1) < 4 * np.sqrt(2 / z.size)
    tau = discrepant_fit.tree["posterior"]["tau"].sel(curve="c4 / web")
    near, there = (found["scale"] ** 2 - found["noise"] ** 2).transpose("run", ...)
    np.testing.assert_allclose(there - near, tau**2 * np.log(1e3), rtol=1e-6)


def test_a_new_curve_may_be_wrong_everywhere_but_at_the_reference(discrepant_fit: bl.Fit) -> None:
    grid = bl.grid(N=[1e7, 1e9], task="new", dataset="web")
    found = bl.forecast(discrepant_fit, grid, draw_new=["task"], draws=ALL)
    np.testing.assert_allclose(found["mean"].isel(run=0), found["law"].isel(run=0), rtol=1e-12)
    wrong = np.log(found["mean"] / found["law"]).isel(run=1)
    variance = (found["scale"] ** 2 - found["noise"] ** 2).isel(run=1)
    z = wrong / np.sqrt(variance)
    assert abs(float((z**2).mean()) - 1) < 4 * np.sqrt(2 / z.size)


# The noise of the runs to come


def test_noise_of_another_size_is_given(crossed_fit: bl.Fit) -> None:
    grid = bl.grid(N=[1e9, 1e10], task="c4", dataset="web")
    plain = bl.forecast(crossed_fit, grid)
    given = bl.forecast(crossed_fit, grid, noise=bl.Fixed(0.2))
    xr.testing.assert_equal(given["mean"], plain["mean"])
    assert np.all(given["noise"] == 0.2)
    assert np.all(relative_width(given["new_run"]) > 0.2)
    drawn = bl.forecast(crossed_fit, grid, noise=bl.LogNormal(0.2, 1.5))["noise"]
    np.testing.assert_array_equal(*drawn.transpose("run", ...))  # once for each curve and draw
    z = np.log(drawn.isel(run=0) / 0.2) / np.log(1.5)
    assert abs(float(z.mean())) < 4 / np.sqrt(z.size)
    assert abs(float((z**2).mean()) - 1) < 4 * np.sqrt(2 / z.size)


def test_a_standard_error_adds_to_noise_that_is_given(lone_fit: bl.Fit) -> None:
    grid = bl.grid(N=1e6).assign(stderr=("run", [0.3]))
    found = bl.forecast(lone_fit, grid, noise=bl.Fixed(0.2))
    np.testing.assert_allclose(found["noise"], np.hypot(0.2, 0.3 / found["law"]))


@pytest.mark.parametrize("noise", [0.2, bl.HalfNormal(0.2)])
def test_noise_of_another_kind_is_refused(lone_fit: bl.Fit, noise: Any) -> None:
    sentence = f"noise takes bl.Fixed or bl.LogNormal, got {noise!r}"
    with pytest.raises(TypeError, match=f"^{re.escape(sentence)}$"):
        bl.forecast(lone_fit, bl.grid(N=1e9), noise=noise)


# Curves that were not run


def test_known_levels_never_seen_together_are_forecast(
    partial_fit: bl.Fit, crossed_split: tuple[xr.Dataset, xr.Dataset]
) -> None:
    assert "code / news" not in partial_fit.tree["posterior"]["curve"].values
    both = bl.grid(N=1e8, task="code", dataset=["news", "web"])
    found = bl.forecast(partial_fit, both)
    unseen, seen = relative_width(found["mean"])
    assert unseen > 3 * seen  # its own deviation is drawn
    new = bl.grid(N=1e8, task="poems", dataset="plays")
    drawn = bl.forecast(partial_fit, new, draw_new=["task", "dataset"])
    assert unseen < relative_width(drawn["mean"])[0]  # its effects are known
    left_out = (crossed_split[0]["task"] == "code") & (crossed_split[0]["dataset"] == "news")
    truth = crossed_split[0].isel(run=left_out.values)
    band = bl.interval(bl.forecast(partial_fit, truth), 0.99)["mean"]
    assert np.all(band.sel(bound="lower") < truth["loss"])
    assert np.all(truth["loss"] < band.sel(bound="upper"))


def test_curves_of_a_new_level_share_its_effect(crossed_fit: bl.Fit) -> None:
    """Their levels correlate as the variances of the model say."""
    grid = bl.grid(N=1e7, task=["new", "other"], dataset=["web", "wiki"])
    found = np.log(bl.forecast(crossed_fit, grid, draw_new=["task"])["mean"])
    shift = found - found.mean(("chain", "draw"))
    same = float(xr.corr(shift.isel(run=0), shift.isel(run=1)))
    link = crossed_fit.tree["unconstrained_posterior"].to_dataset()
    of = {"new": "k task", "own": "k own"}
    variance = {kind: float((link["spread"].sel(spread_of=of[kind]) ** 2).mean()) for kind in of}
    shared = variance["new"] / (variance["new"] + variance["own"])
    assert same > shared / 2
    apart = float(xr.corr(shift.isel(run=0), shift.isel(run=2)))
    assert apart < same


def test_a_new_level_is_drawn_from_the_population(crossed_fit: bl.Fit) -> None:
    """Moments of the noise of a new curve, against those that the draws of the fit imply."""
    found = bl.forecast(
        crossed_fit, bl.grid(N=1e7, task="new", dataset="unseen"), draw_new=["task", "dataset"]
    )
    link = crossed_fit.tree["unconstrained_posterior"].to_dataset()
    center = link["center"].sel(parameter="sigma")
    spread = link["spread"].sel(spread_of=["sigma own", "sigma task", "sigma dataset"])
    z = (np.log(found["noise"].isel(run=0)) - center) / np.sqrt((spread**2).sum("spread_of"))
    n = z.size
    assert abs(float(z.mean())) < 4 / np.sqrt(n)
    assert abs(float((z**2).mean()) - 1) < 4 * np.sqrt(2 / n)


@pytest.mark.parametrize(
    ("where", "draw_new", "sentence"),
    [
        (
            {"N": 1e9, "task": ["c4", "poems"], "dataset": "web"},
            (),
            "task 'poems' is not in this fit, which has ['c4', 'books', 'code']; to draw a new "
            "task from the population ask for draw_new=['task']",
        ),
        (
            {"N": 1e9, "task": "poems", "dataset": "plays"},
            ("task",),
            "dataset 'plays' is not in this fit, which has ['web', 'wiki', 'forum', 'news']; to "
            "draw a new dataset from the population ask for draw_new=['dataset']",
        ),
        (
            {"D": 1e9, "task": "c4", "dataset": "web"},
            (),
            "the grid has no 'N', which law 'power' needs; it has ['D']",
        ),
        (
            {"N": 1e9, "task": "c4"},
            (),
            "the grid does not say which 'dataset'; the fit has ['web', 'wiki', 'forum', 'news']",
        ),
    ],
    ids=["task", "dataset", "predictor", "group"],
)
def test_what_a_grid_lacks(
    crossed_fit: bl.Fit, where: dict, draw_new: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        bl.forecast(crossed_fit, bl.grid(**where), draw_new=draw_new)


@pytest.mark.parametrize(
    ("draw_new", "kind", "sentence"),
    [
        (
            ["tsk"],
            ValueError,
            "'tsk' in draw_new is no group of the fit; did you mean 'task'? Those are "
            "['task', 'dataset']",
        ),
        (
            ["task", "zzz"],
            ValueError,
            "'zzz' in draw_new is no group of the fit. Those are ['task', 'dataset']",
        ),
        ("task", TypeError, "draw_new takes a list of groups, got the string 'task'"),
    ],
)
def test_what_draw_new_names(
    crossed_fit: bl.Fit, draw_new: list[str] | str, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=f"^{re.escape(sentence)}$"):
        bl.forecast(crossed_fit, bl.grid(N=1e9, task="c4", dataset="web"), draw_new=draw_new)


def test_without_pooling_nothing_is_known_of_other_curves(alone_fit: bl.Fit) -> None:
    sentence = (
        "no curve 'c4 / plays' in this fit, which was made without pooling: nothing is known "
        "about other curves"
    )
    grid = bl.grid(N=1e9, task="c4", dataset=["web", "plays"])
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        bl.forecast(alone_fit, grid, draw_new=["task", "dataset"])
    known = bl.forecast(alone_fit, bl.grid(N=1e9, task="c4", dataset=["web", "wiki"]))
    assert np.all(known["mean"] > 0)


def test_where_a_law_is_not_positive(log_linear_fit: bl.Fit) -> None:
    grid = bl.grid(N=[1e9, 1e40], task="c4", dataset="web")
    found = bl.forecast(log_linear_fit, grid)
    share = float((found["mean"] <= 0).mean())
    assert share == 0.5
    assert found["mean"].attrs["not_positive"] == share
    assert found["new_run"].attrs["not_positive"] == share
    beyond = found.isel(run=1)
    xr.testing.assert_equal(beyond["new_run"], beyond["mean"].rename("new_run"))


# Bands


def test_bands_are_quantiles(crossed_fit: bl.Fit) -> None:
    found = bl.forecast(crossed_fit, bl.grid(N=[1e9, 1e10], task="c4", dataset="web"))
    band = bl.interval(found, 0.8)
    assert band["bound"].values.tolist() == ["lower", "median", "upper"]
    for name in NAMES:
        expected = np.quantile(found[name].values, [0.1, 0.5, 0.9], axis=(0, 1))
        np.testing.assert_allclose(band[name].transpose("bound", "run"), expected)
    assert band.attrs == found.attrs | {"prob": 0.8}
    assert band["mean"].attrs == found["mean"].attrs
    np.testing.assert_array_equal(band["N"], [1e9, 1e10])


def test_bands_of_what_was_not_drawn_are_left_out(crossed_fit: bl.Fit) -> None:
    found = bl.forecast(crossed_fit, bl.grid(N=1e9, task="c4", dataset="web"))
    band = bl.interval(found.assign(known=("run", [1.0])), 0.5)
    assert list(band.data_vars) == NAMES


@pytest.mark.parametrize("prob", [0.0, 1.0, 90.0, -0.5, float("nan")])
def test_prob_of_a_band(prob: float) -> None:
    with pytest.raises(ValueError, match=f"^prob must lie between 0 and 1, got {prob}$"):
        bl.interval(xr.Dataset(), prob)
