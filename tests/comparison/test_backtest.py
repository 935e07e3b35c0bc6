"""Rolling origins: which runs are fitted, which are scored, and the table of scores."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw.comparison.backtest import backtest, backtest_table
from bayeslaw.data.curves import curves_in

module = importlib.import_module("bayeslaw.comparison.backtest")
POWER, LOG_LINEAR = bl.Model(bl.laws.power), bl.Model(bl.laws.log_linear)
type Calls = list[dict[str, Any]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, known_fit: Callable[..., bl.Fit]) -> Calls:
    """Fits that know the truth, in place of sampling; the calls are recorded."""
    recorded: Calls = []

    def refit(model: bl.Model, many: Sequence[xr.Dataset], **sampler: Any) -> list[bl.Fit]:
        recorded.append({"model": model, "many": many, **sampler})
        return [known(known_fit, model, runs) for runs in many]

    monkeypatch.setattr(module, "refit", refit)
    return recorded


def known(make: Callable[..., bl.Fit], model: bl.Model, runs: xr.Dataset) -> bl.Fit:
    """Draws about 2 + 300 N^-0.4, or about a line that is off by a fifth."""
    rng = np.random.default_rng(5)
    truth = {
        "power": {"L0": 2.0, "k": 300.0, "alpha": 0.4},
        "log_linear": {"a": 2.4, "b": 1e-9},
        "chinchilla": {"E": 2.0, "A": 300.0, "alpha": 0.4, "B": 300.0, "beta": 0.4},
    }[model.law.name]
    size = 2, 40, curves_in(runs).sizes["curve"]
    draws = {name: value * np.exp(1e-4 * rng.normal(size=size)) for name, value in truth.items()}
    return make(model.law, draws, runs)


def failed(fit: bl.Fit) -> bl.Fit:
    """The fit, had it diverged."""
    tree = fit.tree.copy()
    tree.attrs["gate"] = replace(Gate.of(tree), divergences=7).to_json()
    return replace(fit, tree=tree)


def runs_of(sizes: dict[str, Sequence[float]]) -> xr.Dataset:
    """Runs of tasks at sizes, on the known curve."""
    rows = [
        {"N": N, "loss": 2 + 300 * N**-0.4, "task": task}
        for task, own in sizes.items()
        for N in own
    ]
    return bl.read_runs(pd.DataFrame(rows), predictors=["N"], groups=["task"])


TWO = runs_of({"a": [1e6, 2e6, 4e6, 8e6, 1e7, 3e7, 1e8], "b": [1e6, 2e6, 4e6, 8e6, 2e7, 1e8]})


def test_runs_up_to_an_origin_are_fitted_and_later_ones_are_scored(calls: Calls) -> None:
    scores = backtest({"power": POWER}, TWO, origins=[8e6, 1e7], random_seed=1)
    [call] = calls
    assert [sorted({*runs["N"].values}) for runs in call["many"]] == [
        [1e6, 2e6, 4e6, 8e6], [1e6, 2e6, 4e6, 8e6, 1e7]
    ]  # fmt: skip
    own = scores.isel(run=(scores["model"] == "power").values)
    first = own.isel(run=(own["origin"] == 8e6).values)
    labels = zip(
        *(first[name].values.tolist() for name in ("task", "size", "horizon")), strict=True
    )
    assert {*labels} == {
        ("a", 1e7, 2), ("a", 3e7, 5), ("a", 1e8, np.inf), ("b", 2e7, 5), ("b", 1e8, np.inf),
    }  # fmt: skip
    second = own.isel(run=(own["origin"] == 1e7).values)
    labels = zip(
        *(second[name].values.tolist() for name in ("task", "size", "horizon")), strict=True
    )
    assert {*labels} == {("a", 3e7, 5), ("a", 1e8, 10), ("b", 2e7, 2), ("b", 1e8, 10)}
    assert own["passed"].all()
    assert scores.attrs == {
        "groups": ["task"], "response": "loss", "along": "N", "origins": [8e6, 1e7],
        "left_out": [0, 0], "refits": 2, "failed": 0,
    }  # fmt: skip


def test_scores_are_those_of_the_forecasts(calls: Calls, known_fit: Callable[..., bl.Fit]) -> None:
    scores = backtest({"power": POWER}, TWO, origins=[8e6], random_seed=1)
    train, later = bl.split_at(TWO, N=8e6)
    expected = bl.score(bl.forecast(known(known_fit, POWER, train), later), later)
    own = scores.isel(run=(scores["model"] == "power").values)
    for name, values in expected.items():
        np.testing.assert_allclose(own[name].transpose(*values.dims), values)
    assert own["run"].values.tolist() == later["run"].values.tolist()


def test_baselines_are_scored_as_well(calls: Calls) -> None:
    scores = backtest({"line": LOG_LINEAR, "power": POWER}, TWO, origins=[8e6], random_seed=1)
    assert list(dict.fromkeys(scores["model"].values.tolist())) == [
        "line", "power", "last value", "least squares"
    ]  # fmt: skip
    last = scores.isel(run=(scores["model"] == "last value").values)
    expected = np.log((2 + 300 * 8e6**-0.4) / (2 + 300 * last["size"].values ** -0.4)) ** 2
    np.testing.assert_allclose(last["squared_log_error"], expected)
    assert np.isnan(last["log_score"]).all()
    fitted = bl.least_squares(LOG_LINEAR, bl.split_at(TWO, N=8e6)[0])
    squares = scores.isel(run=(scores["model"] == "least squares").values)
    a, b = (fitted.loc[squares["task"].values, name].to_numpy() for name in ("a", "b"))
    observed = 2 + 300 * squares["size"].values ** -0.4
    expected = np.log((a - b * np.log(squares["size"].values)) / observed) ** 2
    np.testing.assert_allclose(squares["squared_log_error"], expected)


def test_curves_that_begin_later_are_left_out_and_counted(calls: Calls) -> None:
    runs = runs_of({"a": [1e6, 1e7, 1e8], "b": [5e6, 1e8], "c": [5e7, 1e8]})
    scores = backtest({"power": POWER}, runs, origins=[1e6, 1e7], random_seed=1)
    assert scores.attrs["left_out"] == [2, 1]
    own = scores.isel(run=(scores["model"] == "power").values)
    labels = zip(own["origin"].values.tolist(), own["task"].values.tolist(), strict=True)
    assert {*labels} == {(1e6, "a"), (1e7, "a"), (1e7, "b")}
    table = backtest_table(scores)["caveats"]
    first, second = (
        f"curves without runs up to {count}" for count in ("1e+06 left out: 2", "1e+07 left out: 1")
    )
    assert table[np.inf, "power"] == f"1 curves (fewer than 16); {first}"
    assert table[10, "power"] == f"2 curves (fewer than 16); {first}; {second}"


@pytest.mark.parametrize(
    ("origins", "horizons"), [([4e6, 1e7], (2, 5, 10)), ([1e7, 4e6, 4e6], [5, 2, 10.0, 2])]
)
def test_origins_and_horizons_are_sets(
    calls: Calls, origins: list[float], horizons: Sequence[float]
) -> None:
    scores = backtest({"power": POWER}, TWO, origins=origins, horizons=horizons, random_seed=1)
    expected = backtest({"power": POWER}, TWO, origins=[4e6, 1e7], random_seed=1)
    xr.testing.assert_identical(scores, expected)


# Origins that are not given


def test_origins_leave_a_size_more_than_parameters(calls: Calls) -> None:
    """Four sizes for the three parameters of a power law, then evenly up to the largest run."""
    sizes = np.geomspace(1e6, 1e9, 8)
    runs = runs_of({"a": sizes, "b": sizes})
    scores = backtest({"line": LOG_LINEAR, "power": POWER}, runs, random_seed=1)
    np.testing.assert_allclose(scores.attrs["origins"], sizes[[3, 4, 5]])
    scores = backtest({"line": LOG_LINEAR}, runs, random_seed=1)
    np.testing.assert_allclose(scores.attrs["origins"], sizes[[2, 3, 5]])


def test_half_of_the_curves_must_have_enough(calls: Calls) -> None:
    runs = runs_of({"a": np.geomspace(1e6, 8e6, 4), "b": [1e6, 1e8], "c": [1e6, 1e7, 2e7, 3e7]})
    scores = backtest({"power": POWER}, runs, random_seed=1)
    assert scores.attrs["origins"][0] == 3e7


def test_no_origin_is_good_enough(calls: Calls) -> None:
    sentence = (
        "no origin leaves half of the curves 4 distinct sizes along 'N', for a law of 3 "
        "parameters, and a larger run; give origins=[...]"
    )
    sizes = [1e6, 2e6, 3e6, 4e6]
    with pytest.raises(bl.errors.RunsError, match=f"^{re.escape(sentence)}$"):
        backtest({"power": POWER}, runs_of({"a": sizes, "b": sizes}), random_seed=1)
    assert not calls


# What grows


def test_compute_of_runs_with_two_sizes(calls: Calls) -> None:
    grid = bl.grid(N=[1e6, 1e7, 1e8], D=[1e8, 1e9, 1e10])
    loss = 2 + 300 * grid["N"] ** -0.4 + 300 * grid["D"] ** -0.4
    table = grid.to_dataframe()[["N", "D"]].assign(loss=loss.values)
    runs = bl.read_runs(table, predictors=["N", "D"])
    model = bl.Model(bl.laws.chinchilla)
    scores = backtest({"both": model}, runs, along="C", origins=[6e16], random_seed=1)
    [[train]] = [call["many"] for call in calls]
    compute = 6 * train["N"].values * train["D"].values
    assert compute.max() <= 6e16 * (1 + 1e-9)
    own = scores.isel(run=(scores["model"] == "both").values)
    assert sorted({*own["size"].values.round()}) == [6e17, 6e18]
    assert own.sizes["run"] + train.sizes["run"] == 9
    assert own["horizon"].values[own["size"].values < 1e18].tolist() == [10, 10]


def test_a_number_of_the_runs(calls: Calls) -> None:
    runs = TWO.assign_coords(year=("run", np.arange(2001, 2001 + TWO.sizes["run"])))
    runs = runs.isel(run=(TWO["task"] == "a").values)
    scores = backtest({"power": POWER}, runs, along="year", origins=[2004], random_seed=1)
    [[train]] = [call["many"] for call in calls]
    assert train["year"].values.tolist() == [2001, 2002, 2003, 2004]
    assert {*scores["size"].values.tolist()} == {2005, 2006, 2007}
    assert scores.attrs["along"] == "year"


# Options of the sampler


def test_options_are_passed_to_the_sampler(calls: Calls, tmp_path: Path) -> None:
    models = {"power": POWER, "line": LOG_LINEAR}
    backtest(models, TWO, origins=[8e6], random_seed=1)
    options = {
        "random_seed": 1, "draws": 1000, "tune": 1000, "chains": 4, "target_accept": None,
        "importance": False, "executor": None, "store": None, "progressbar": True,
    }  # fmt: skip
    assert [call["model"] for call in calls] == [POWER, LOG_LINEAR]
    assert all({**call, **options} == call and len(call) == len(options) + 2 for call in calls)
    calls.clear()
    options = {
        "random_seed": 2, "draws": 3, "tune": 4, "chains": 5, "target_accept": 0.7,
        "importance": True, "progressbar": False, "store": tmp_path,
    }  # fmt: skip
    with ThreadPoolExecutor(1) as executor:
        backtest(models, TWO, origins=[8e6], executor=executor, **options)
        options["executor"] = executor
        assert all({**call, **options} == call for call in calls)


def test_with_a_real_fit(crossed_split: tuple[xr.Dataset, xr.Dataset]) -> None:
    """A few draws already do better than the last value."""
    quick = {"draws": 25, "tune": 100, "chains": 2, "target_accept": 0.9, "progressbar": False}
    models = {"pure": bl.Model(bl.laws.pure_power, pooling=["task", "dataset"])}
    scores = backtest(models, crossed_split[0], origins=[5.2e7], random_seed=5, **quick)
    assert (scores.attrs["refits"], scores.attrs["failed"]) == (1, 1)  # so few draws never pass
    own = scores.isel(run=(scores["model"] == "pure").values)
    assert own.sizes["run"] == 12
    assert np.isfinite(own["log_score"]).all()
    assert not own["passed"].any()
    errors = backtest_table(scores)["rmsle"].unstack("model")
    assert (errors["pure"] < errors["last value"]).all()


# The table


@pytest.fixture
def scores(calls: Calls) -> xr.Dataset:
    """Two models over three origins."""
    models = {"line": LOG_LINEAR, "power": POWER}
    return backtest(models, TWO, origins=[4e6, 8e6, 1e7], random_seed=1)


def test_the_table_is_of_curves(scores: xr.Dataset) -> None:
    table = backtest_table(scores)
    assert table.index.names == ["horizon", "model"]
    assert list(table) == [
        "log_score", "log_score_se", "crps", "crps_se", "rmsle", "rmsle_se", "coverage_90",
        "coverage_90_se", "log_score_diff", "log_score_diff_se", "n_curves", "n_failed", "caveats",
    ]  # fmt: skip
    assert table.loc[10].index.tolist() == ["power", "line", "last value", "least squares"]
    at_ten = scores.isel(run=(scores["horizon"] == 10).values)
    expected = bl.score_table(at_ten, by="model")
    shared = ["log_score", "log_score_se", "crps", "rmsle", "rmsle_se", "coverage_90"]
    pd.testing.assert_frame_equal(table.loc[10][shared].sort_index(), expected[shared].sort_index())
    assert (table["n_curves"] == 2).all()
    assert (table["n_failed"] == 0).all()
    assert table.loc[[(10, "last value")], "log_score":"crps_se"].isna().all(axis=None)
    assert table.loc[(10, "last value"), "rmsle"] > table.loc[(10, "power"), "rmsle"]


def test_differences_are_paired(scores: xr.Dataset) -> None:
    """By hand: means of each curve over its runs of all origins, then over curves."""
    frame = scores["log_score"].to_dataframe().query("horizon == 10")
    mean = frame.groupby(["model", "task"])["log_score"].mean().unstack("model")
    apart = mean["line"] - mean["power"]
    row = backtest_table(scores).loc[(10, "line")]
    assert row["log_score_diff"] == pytest.approx(apart.mean())
    assert row["log_score_diff_se"] == pytest.approx(apart.std(ddof=1) / np.sqrt(2))
    assert backtest_table(scores).loc[(10, "power"), "log_score_diff"] == 0


def test_caveats(scores: xr.Dataset) -> None:
    few = "2 curves (fewer than 16)"
    table = backtest_table(scores)["caveats"]
    assert {*table.loc[10]} == {few}
    equal = scores.assign(log_score=scores["log_score"].where(scores["model"] != "line", 0.1))
    equal = equal.assign(log_score=equal["log_score"].where(scores["model"] != "power", 0.1))
    caveats = backtest_table(equal)["caveats"].loc[10]
    assert caveats.to_dict() == dict.fromkeys(caveats.index, few)
    never = scores.assign(log_score=scores["log_score"].where(scores["model"] != "line", -np.inf))
    assert backtest_table(never)["caveats"][10, "line"].startswith(
        f"{few}; infinite: no density at what was observed (log_score) at "
    )
    one = scores.isel(run=(scores["task"] == "a").values)
    assert backtest_table(one)["caveats"][10, "line"].endswith("; difference of unknown error")


def test_fits_that_failed_are_counted_and_are_not_the_best(
    monkeypatch: pytest.MonkeyPatch, known_fit: Callable[..., bl.Fit]
) -> None:
    def refit(model: bl.Model, many: Sequence[xr.Dataset], **_: Any) -> list[bl.Fit]:
        first, second = (known(known_fit, model, runs) for runs in many)
        return [failed(first), second] if model is POWER else [first, second]

    monkeypatch.setattr(module, "refit", refit)
    models = {"line": LOG_LINEAR, "power": POWER}
    scores = backtest(models, TWO, origins=[8e6, 1e7], random_seed=1)
    assert (scores.attrs["refits"], scores.attrs["failed"]) == (4, 1)
    own = scores.isel(run=(scores["model"] == "power").values)
    assert own["passed"].values.tolist() == (own["origin"] > 8e6).values.tolist()
    table = backtest_table(scores).loc[5]
    assert table["n_failed"].to_dict() == {
        "power": 1, "line": 0, "last value": 0, "least squares": 0
    }  # fmt: skip
    assert table.loc["power", "caveats"].startswith("NOT CONVERGED: 1 of 2 fits; 2 curves")
    assert table.loc["line", "log_score_diff"] == 0
    assert table.loc["power", "log_score_diff"] > 0
    later = backtest_table(scores).loc[10]  # of the second origin alone
    assert later.loc["power", "n_failed"] == 0
    assert later.loc["power", "log_score_diff"] == 0


# Refused


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"models": {}}, "there is nothing to backtest: no models were given"),
        (
            {"models": {"last value": POWER}},
            "'last value' is the name of a baseline; give the model another name",
        ),
        ({"along": "D"}, "along='D' is no number of the runs; those are ['N']"),
        ({"along": "C"}, "along='C' is no number of the runs; those are ['N']"),
        ({"along": "task"}, "along='task' is no number of the runs; those are ['N']"),
        ({"origins": []}, "there is no origin: give at least one size, or leave origins out"),
        (
            {"origins": [1e5]},
            "origin 100000 leaves no curve with runs up to it and beyond: N in the data is 1e+06 "
            "to 1e+08",
        ),
        (
            {"origins": [1e8]},
            "origin 1e+08 leaves no curve with runs up to it and beyond: N in the data is 1e+06 "
            "to 1e+08",
        ),
        ({"horizons": [1, 2]}, "horizons are multiples of the origin, above 1, got [1, 2]"),
        (
            {"runs": TWO.assign_coords(size=("run", np.ones(TWO.sizes["run"])))},
            "the runs have 'size' already, which the scores of a backtest use; rename it",
        ),
        ({"runs": bl.grid(N=1e8)}, "these runs have no response: they come from a grid"),
    ],
)
def test_what_cannot_be_done(calls: Calls, settings: dict[str, Any], sentence: str) -> None:
    given = {"models": {"power": POWER}, "runs": TWO, "origins": [8e6], "random_seed": 1}
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        backtest(**{**given, **settings})
    assert not calls


def test_sizes_must_be_positive_numbers(calls: Calls) -> None:
    runs = TWO.assign_coords(year=("run", np.full(TWO.sizes["run"], np.nan)))
    with pytest.raises(bl.errors.RunsError, match=r"^'year', position 0: nan is a missing value"):
        backtest({"power": POWER}, runs, along="year", random_seed=1)
