"""Forecasts under all combinations of choices."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw.comparison.multiverse import Multiverse, multiverse

module = importlib.import_module("bayeslaw.comparison.multiverse")
LAWS = {"power": bl.laws.power, "pure": bl.Model(bl.laws.pure_power, discrepancy=None)}
NOISES = {"normal": bl.Gaussian(), "heavy": bl.StudentT()}
AT = bl.grid(N=[1e9, 1e10])
DEFAULTS = {"executor": None, "store": None}
type Calls = list[dict[str, Any]]


@pytest.fixture(scope="module")
def point_fit() -> Callable[[bl.Model, xr.Dataset], pd.DataFrame]:
    """Least squares, once for each law and data."""
    cached: dict[tuple[object, ...], pd.DataFrame] = {}

    def point(model: bl.Model, runs: xr.Dataset) -> pd.DataFrame:
        key = model.law.name, *(runs[name].values.tobytes() for name in ("N", "loss"))
        if key not in cached:
            cached[key] = bl.least_squares(model, runs)
        return cached[key]

    return point


@pytest.fixture
def calls(
    monkeypatch: pytest.MonkeyPatch,
    known_fit: Callable[..., bl.Fit],
    point_fit: Callable[[bl.Model, xr.Dataset], pd.DataFrame],
) -> Calls:
    """Least squares with a little scatter in place of sampling; the calls are recorded."""
    recorded: Calls = []

    def refit(model: bl.Model, many: Sequence[xr.Dataset], **options: Any) -> list[bl.Fit]:
        recorded.append({"model": model, "many": many, **options})
        return [fitted(model, runs) for runs in many]

    def fitted(model: bl.Model, runs: xr.Dataset) -> bl.Fit:
        point = point_fit(model, runs)
        normal = np.random.default_rng(1).standard_normal((2, 200, len(point)))
        draws = {
            name: point[name].to_numpy() * np.exp(1e-4 * normal) for name in model.law.parameters
        }
        return known_fit(model.law, draws, runs)

    monkeypatch.setattr(module, "refit", refit)
    return recorded


def failing(fit: bl.Fit) -> bl.Fit:
    tree = fit.tree.copy()
    tree.attrs["gate"] = replace(Gate.of(tree), divergences=7).to_json()
    return replace(fit, tree=tree)


def test_every_combination_is_fitted_with_one_call_for_each_model(
    calls: Calls, lone_runs: xr.Dataset
) -> None:
    small = lone_runs["N"].values < 1e5
    result = multiverse(
        lone_runs,
        laws=LAWS,
        noises=NOISES,
        drops={"none": None, "small": small},
        hold_outs={"up to 1e7": lambda runs: bl.split_at(runs, N=1e7)[0], "all": None},
        at=AT,
        sampler=bl.Sampler(random_seed=7),
    )
    assert [(call["model"].law.name, call["model"].noise) for call in calls] == [
        ("power", bl.Gaussian()), ("power", bl.StudentT()),
        ("pure_power", bl.Gaussian()), ("pure_power", bl.StudentT()),
    ]  # fmt: skip
    assert [call["sampler"].random_seed for call in calls] == [7, 11, 15, 19]
    assert all(call.items() >= DEFAULTS.items() for call in calls)
    assert calls[2]["model"].discrepancy is None
    assert calls[0]["model"].discrepancy == bl.Brownian()
    n, cut = lone_runs.sizes["run"], int((lone_runs["N"].values > 1e7).sum())
    expected = [n - cut, n, n - small.sum() - cut, n - small.sum()]
    assert [runs.sizes["run"] for runs in calls[0]["many"]] == expected
    assert list(result.universes) == ["law", "noise", "drop", "hold_out", "runs", "passed", "fault"]
    assert len(result.universes) == 16
    assert result.universes["runs"].to_list() == 4 * expected
    assert result.universes["passed"].all()
    assert result.caveats == ()
    assert str(result).startswith("16 of 16 universes were fitted and passed their gate.\n")


def test_the_sampler_is_passed_on(calls: Calls, lone_runs: xr.Dataset, tmp_path: Any) -> None:
    sampler = bl.Sampler(1, draws=3, tune=4, chains=2, target_accept=0.8, importance=True)
    with ThreadPoolExecutor(1) as pool:
        parallel = {"executor": pool, "store": tmp_path}
        multiverse(lone_runs, laws=LAWS, at=AT, sampler=sampler, **parallel)
    assert all(call.items() >= parallel.items() for call in calls)
    assert [call["sampler"] for call in calls] == [sampler, replace(sampler, random_seed=2)]
    assert [call["model"].noise for call in calls] == [bl.Gaussian(), bl.StudentT()]


def test_forecasts_and_parameters_are_those_of_the_fits(
    calls: Calls, lone_runs: xr.Dataset
) -> None:
    result = multiverse(lone_runs, laws=LAWS, at=AT, sampler=bl.Sampler(random_seed=1))
    point = bl.least_squares(bl.Model(bl.laws.power), lone_runs).loc["all"]
    table = result.forecasts.loc[0]
    mean = bl.laws.power(AT["N"].values, **{n: point[n] for n in bl.laws.power.parameters})
    assert table["N"].to_list() == [1e9, 1e10]
    np.testing.assert_allclose(table["median"], mean, rtol=1e-3)
    assert np.all((table["lower"] < table["median"]) & (table["median"] < table["upper"]))
    assert result.forecasts.index.names == ["universe", "point"]
    alpha = result.parameters.loc[(0, "curve", "all", "alpha")]
    assert alpha["median"] == pytest.approx(point["alpha"], rel=1e-4)
    assert result.parameters.index.names == ["universe", "of", "label", "parameter"]
    # For a normal posterior the band is 2 x 1.645 deviations wide.
    width = np.log(table["upper"] / table["lower"])
    np.testing.assert_allclose(table["sd"], width / 3.29, rtol=0.1)


def test_shares_are_of_the_logarithm_of_the_forecasts(calls: Calls, lone_runs: xr.Dataset) -> None:
    result = multiverse(
        lone_runs,
        laws=LAWS,
        noises={"one": bl.Gaussian()},
        drops={"none": None, "small": lone_runs["N"] < 1e6},
        at=AT,
        sampler=bl.Sampler(random_seed=1),
    )
    assert result.shares.index.names == ["point", "source"]
    table = result.forecasts["median"].unstack("point")
    for point in (0, 1):
        shares = result.shares.loc[point]
        # Noise had no alternative.
        assert shares.index.to_list() == ["law", "drop", "all choices", "posterior"]
        log = np.log(table[point].to_numpy()).reshape(2, 2)
        assert shares.loc["law", "sd"] == pytest.approx(log.mean(1).std())
        assert shares.loc["law", "total"] == pytest.approx(log.var(0).mean() / log.var())
        assert shares.loc["drop", "first_order"] == pytest.approx(log.mean(0).var() / log.var())
        within = result.forecasts["sd"].xs(point, level="point")
        assert shares.loc["posterior", "sd"] == pytest.approx(np.sqrt(np.mean(within**2)))
        assert np.isnan(shares.loc["posterior", "total"])


def test_invalid_combinations_are_recorded(calls: Calls, lone_runs: xr.Dataset) -> None:
    noises = {"normal": bl.Gaussian(), "accuracy": bl.Gaussian(bl.response_scales.LogitScale(0.1))}
    laws = {**LAWS, "joint": bl.laws.chinchilla}
    result = multiverse(
        lone_runs, laws=laws, noises=noises, at=AT, sampler=bl.Sampler(random_seed=1)
    )
    fault = result.universes["fault"].to_list()
    assert [bool(each) for each in fault] == [False, True, False, True, True, True]
    assert "are outside LogitScale" in fault[1]
    assert "needs the predictor 'D'" in fault[4]
    assert result.universes["runs"].to_list() == [30, 0, 30, 0, 0, 0]
    assert set(result.forecasts.index.get_level_values("universe")) == {0, 2}
    assert len(calls) == 2
    # What is left is crossed: only the laws differ.
    assert result.caveats == (f"4 of 6 could not be fitted, first: {fault[1]}.",)
    assert result.shares.loc[0].index.to_list() == ["law", "all choices", "posterior"]


def test_an_incomplete_cross_is_reported(calls: Calls, lone_runs: xr.Dataset) -> None:
    noises = {"normal": bl.Gaussian(), "by size": bl.Gaussian(varies_with="N")}
    laws = {"power": bl.laws.power, "of D": bl.laws.power.of("D"), "pure": bl.laws.pure_power}
    runs = lone_runs.assign(D=lone_runs["N"])
    runs.attrs["predictors"] = ["N", "D"]
    at = bl.grid(N=1e9, D=[1e9])
    result = multiverse(runs, laws=laws, noises=noises, at=at, sampler=bl.Sampler(random_seed=1))
    assert [bool(fault) for fault in result.universes["fault"]] == [0, 0, 0, 1, 0, 0]
    assert "the noise varies with 'N'" in result.universes["fault"][3]
    assert result.caveats[-1].startswith("With some combinations missing")


def test_a_failed_gate_is_reported_and_not_in_the_shares(
    calls: Calls, lone_runs: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    refit = module.refit

    def fails(model: bl.Model, many: Sequence[xr.Dataset], **options: Any) -> list[bl.Fit]:
        fits = refit(model, many, **options)
        return fits if model.law is bl.laws.power else [failing(fit) for fit in fits]

    monkeypatch.setattr(module, "refit", fails)
    laws = {**LAWS, "again": bl.laws.power}
    result = multiverse(lone_runs, laws=laws, at=AT, sampler=bl.Sampler(random_seed=1))
    assert result.universes["passed"].to_list() == [True, False, True]
    assert result.universes["fault"][1].startswith("NOT CONVERGED")
    assert result.caveats == ("1 of 3 did not pass their gate and are not in the shares.",)
    assert result.shares.loc[(0, "law"), "sd"] == pytest.approx(0, abs=1e-12)
    assert len(result.forecasts) == 6

    laws = {"pure": bl.laws.pure_power, "curvature": bl.laws.log_linear}
    result = multiverse(lone_runs, laws=laws, at=AT, sampler=bl.Sampler(random_seed=1))
    assert result.caveats[0].startswith("None of 2 fits passed its gate")
    assert result.shares.loc[(0, "law"), "sd"] > 0


def test_forecasts_without_a_logarithm_have_no_shares(calls: Calls, lone_runs: xr.Dataset) -> None:
    far = bl.grid(N=[1e9, 1e60])
    laws = {"log-linear": bl.laws.log_linear, "power": bl.laws.power}
    result = multiverse(lone_runs, laws=laws, at=far, sampler=bl.Sampler(random_seed=1))
    assert result.forecasts.loc[(0, 1), "median"] < 0
    assert np.isinf(result.forecasts.loc[(0, 1), "sd"])
    assert result.caveats[0] == "1 forecasts are at or below zero and are not in the shares."
    assert result.shares.loc[1].index.to_list() == ["all choices", "posterior"]
    alone = multiverse(
        lone_runs,
        laws={"one": bl.laws.log_linear},
        at=far.isel(run=[1]),
        sampler=bl.Sampler(random_seed=1),
    )
    assert alone.shares.empty


def test_a_convention_is_applied_to_the_runs_and_to_the_grid(
    calls: Calls, lone_runs: xr.Dataset
) -> None:
    def millions(runs: xr.Dataset) -> xr.Dataset:
        return runs.assign(N=("run", runs["N"].values / 1e6))

    conventions = {"as read": None, "millions": millions}
    result = multiverse(
        lone_runs, laws=LAWS, conventions=conventions, at=AT, sampler=bl.Sampler(random_seed=1)
    )
    changed = calls[0]["many"][1]
    assert changed["N"].max() == lone_runs["N"].max() / 1e6
    assert changed["N"].attrs["reference"] == 1e6  # arithmetic drops it
    assert result.forecasts.loc[1, "N"].to_list() == [1e3, 1e4]
    medians = result.forecasts["median"].unstack("point")
    np.testing.assert_allclose(medians.loc[0], medians.loc[1], rtol=1e-3)


def test_a_convention_that_needs_what_is_not_there(calls: Calls, lone_runs: xr.Dataset) -> None:
    def without_embedding(runs: xr.Dataset) -> xr.Dataset:
        return runs.assign(N=runs["N"] - runs["embedding"])

    conventions = {"as read": None, "without embedding": without_embedding}
    result = multiverse(
        lone_runs, laws=LAWS, conventions=conventions, at=AT, sampler=bl.Sampler(random_seed=1)
    )
    assert result.universes["passed"].to_list() == [True, False, True, False]
    assert "embedding" in result.universes["fault"][1]


def test_groups_of_the_forecast(calls: Calls, crossed_runs: xr.Dataset) -> None:
    at = bl.grid(N=1e10, task="c4", dataset=["web"])
    model = bl.Model(bl.laws.pure_power, pooling=["task"])
    drops = {"none": None, "c4": crossed_runs["task"] == "c4"}
    result = multiverse(
        crossed_runs, laws={"pure": model}, drops=drops, at=at, sampler=bl.Sampler(random_seed=1)
    )
    assert result.universes["passed"].to_list() == [True, False]
    assert result.universes["fault"][1] == (
        "the forecast is for task ['c4'], and the remaining runs have ['books', 'code']"
    )
    assert result.forecasts.loc[(0, 0), ["task", "dataset"]].to_list() == ["c4", "web"]
    with pytest.raises(ValueError, match=r"^no combination .*: the forecast is for"):
        multiverse(
            crossed_runs,
            laws={"pure": model},
            at=bl.grid(N=[1e10]),
            sampler=bl.Sampler(random_seed=1),
        )


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"laws": {}}, ValueError, "there is nothing to choose from: laws are empty"),
        ({"drops": {}}, ValueError, "there is nothing to choose from: drops are empty"),
        ({"laws": {"power": "power"}}, TypeError, "a model takes a law, .* got 'power'"),
        ({"noises": {"normal": 0.1}}, TypeError, "noise takes a kind of noise"),
        (
            {"hold_outs": {"large": np.array([True])}},
            ValueError,
            "the mask 'large' must be true or false for each of the 30 runs, got bool",
        ),
        ({"drops": {"first": np.zeros(30)}}, ValueError, "the mask 'first' .* got float64"),
        ({"at": xr.Dataset()}, bl.errors.RunsError, "runs need attrs"),
    ],
)
def test_invalid_arguments(
    arguments: dict[str, Any], error: type[Exception], sentence: str, lone_runs: xr.Dataset
) -> None:
    with pytest.raises(error, match=sentence):
        multiverse(lone_runs, **{"laws": LAWS, "at": AT, "sampler": bl.Sampler(1), **arguments})


def test_sampled(lone_runs: xr.Dataset) -> None:
    """Two data sets with one compilation: the forecasts are right, and the tables complete."""
    result = multiverse(
        lone_runs,
        laws={"power": bl.Model(bl.laws.power, discrepancy=None)},
        hold_outs={"none": None, "largest": lone_runs["N"].values > 3e7},
        at=bl.grid(N=[1e9]),
        sampler=bl.Sampler(random_seed=1, tune=800, progressbar=False),
    )
    assert isinstance(result, Multiverse)
    assert result.universes["passed"].all(), result.universes["fault"].to_list()
    truth = 2 + 300 * 1e9**-0.4
    for _, row in result.forecasts.iterrows():
        assert abs(np.log(row["median"] / truth)) < 4 * row["sd"]
    assert isinstance(result.shares, pd.DataFrame)
    assert result.shares.loc[(0, "hold_out"), "total"] == 1
