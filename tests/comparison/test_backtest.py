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
    scores = backtest({"power": POWER}, TWO, origins=[8e6, 1e7], sampler=bl.Sampler(random_seed=1))
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
    scores = backtest({"power": POWER}, TWO, origins=[8e6], sampler=bl.Sampler(random_seed=1))
    train, later = bl.split_at(TWO, N=8e6)
    expected = bl.score(bl.forecast(known(known_fit, POWER, train), later), later)
    own = scores.isel(run=(scores["model"] == "power").values)
    for name, values in expected.items():
        np.testing.assert_allclose(own[name].transpose(*values.dims), values)
    assert own["run"].values.tolist() == later["run"].values.tolist()


def test_baselines_are_scored_as_well(calls: Calls) -> None:
    scores = backtest(
        {"line": LOG_LINEAR, "power": POWER}, TWO, origins=[8e6], sampler=bl.Sampler(random_seed=1)
    )
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
    scores = backtest({"power": POWER}, runs, origins=[1e6, 1e7], sampler=bl.Sampler(random_seed=1))
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
    scores = backtest(
        {"power": POWER}, TWO, origins=origins, horizons=horizons, sampler=bl.Sampler(random_seed=1)
    )
    expected = backtest(
        {"power": POWER}, TWO, origins=[4e6, 1e7], sampler=bl.Sampler(random_seed=1)
    )
    xr.testing.assert_identical(scores, expected)


# Origins that are not given


def test_origins_leave_a_size_more_than_parameters(calls: Calls) -> None:
    """Four sizes for the three parameters of a power law, then evenly up to the largest run."""
    sizes = np.geomspace(1e6, 1e9, 8)
    runs = runs_of({"a": sizes, "b": sizes})
    scores = backtest({"line": LOG_LINEAR, "power": POWER}, runs, sampler=bl.Sampler(random_seed=1))
    np.testing.assert_allclose(scores.attrs["origins"], sizes[[3, 4, 5]])
    scores = backtest({"line": LOG_LINEAR}, runs, sampler=bl.Sampler(random_seed=1))
    np.testing.assert_allclose(scores.attrs["origins"], sizes[[2, 3, 5]])


def test_half_of_the_curves_must_have_enough(calls: Calls) -> None:
    runs = runs_of({"a": np.geomspace(1e6, 8e6, 4), "b": [1e6, 1e8], "c": [1e6, 1e7, 2e7, 3e7]})
    scores = backtest({"power": POWER}, runs, sampler=bl.Sampler(random_seed=1))
    assert scores.attrs["origins"][0] == 3e7


def test_no_origin_is_good_enough(calls: Calls) -> None:
    sentence = (
        "no origin leaves half of the curves 4 distinct sizes along 'N', for a law of 3 "
        "parameters, and a larger run; give origins=[...]"
    )
    sizes = [1e6, 2e6, 3e6, 4e6]
    with pytest.raises(bl.errors.RunsError, match=f"^{re.escape(sentence)}$"):
        backtest(
            {"power": POWER}, runs_of({"a": sizes, "b": sizes}), sampler=bl.Sampler(random_seed=1)
        )
    assert not calls


# What grows


def test_compute_of_runs_with_two_sizes(calls: Calls) -> None:
    grid = bl.grid(N=[1e6, 1e7, 1e8], D=[1e8, 1e9, 1e10])
    loss = 2 + 300 * grid["N"] ** -0.4 + 300 * grid["D"] ** -0.4
    table = grid.to_dataframe()[["N", "D"]].assign(loss=loss.values)
    runs = bl.read_runs(table, predictors=["N", "D"])
    model = bl.Model(bl.laws.chinchilla)
    scores = backtest(
        {"both": model}, runs, along="C", origins=[6e16], sampler=bl.Sampler(random_seed=1)
    )
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
    scores = backtest(
        {"power": POWER}, runs, along="year", origins=[2004], sampler=bl.Sampler(random_seed=1)
    )
    [[train]] = [call["many"] for call in calls]
    assert train["year"].values.tolist() == [2001, 2002, 2003, 2004]
    assert {*scores["size"].values.tolist()} == {2005, 2006, 2007}
    assert scores.attrs["along"] == "year"


# Options of the sampler


def test_options_are_passed_to_the_sampler(calls: Calls, tmp_path: Path) -> None:
    models = {"power": POWER, "line": LOG_LINEAR}
    backtest(models, TWO, origins=[8e6], sampler=bl.Sampler(random_seed=1))
    given = {"sampler": bl.Sampler(1), "executor": None, "store": None}
    assert [call["model"] for call in calls] == [POWER, LOG_LINEAR]
    assert all({**call, **given} == call and len(call) == len(given) + 2 for call in calls)
    calls.clear()
    sampler = bl.Sampler(2, draws=3, tune=4, chains=5, target_accept=0.7, importance=True)
    with ThreadPoolExecutor(1) as executor:
        given = {"sampler": sampler, "executor": executor, "store": tmp_path}
        backtest(models, TWO, origins=[8e6], **given)
        assert all({**call, **given} == call for call in calls)


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
        ({"horizons": [1, 2]}, "each of horizons must be a finite number above 1, got 1"),
        ({"horizons": [np.inf]}, "each of horizons must be a finite number above 1, got inf"),
        ({"origins": [np.nan]}, "each of origins must be a finite number above 0, got nan"),
        (
            {"runs": TWO.assign_coords(size=("run", np.ones(TWO.sizes["run"])))},
            "the runs have 'size' already, which the scores of a backtest use; rename it",
        ),
        ({"runs": bl.grid(N=1e8)}, "these runs have no response: they come from a grid"),
    ],
)
def test_what_cannot_be_done(calls: Calls, settings: dict[str, Any], sentence: str) -> None:
    given = {"models": {"power": POWER}, "runs": TWO, "origins": [8e6], "sampler": bl.Sampler(1)}
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        backtest(**{**given, **settings})
    assert not calls


def test_sizes_must_be_positive_numbers(calls: Calls) -> None:
    runs = TWO.assign_coords(year=("run", np.full(TWO.sizes["run"], np.nan)))
    with pytest.raises(bl.errors.RunsError, match=r"^'year', position 0: nan is a missing value"):
        backtest({"power": POWER}, runs, along="year", sampler=bl.Sampler(random_seed=1))
