"""Comparison of laws: scores, baselines, verdicts, and what is refused."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable
from dataclasses import replace

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.gate import Gate
from bayeslaw.runs import curve_index, curves
from bayeslaw.scores import PERCENTS

module = importlib.import_module("bayeslaw.compare")  # bayeslaw.compare is the function
type Split = tuple[xr.Dataset, xr.Dataset]


@pytest.fixture(scope="module")
def fits(crossed_fit: bl.Fit, log_linear_fit: bl.Fit, pure_power_fit: bl.Fit) -> dict[str, bl.Fit]:
    return {"log-linear": log_linear_fit, "power": crossed_fit, "pure": pure_power_fit}


@pytest.fixture(scope="module")
def compared(fits: dict[str, bl.Fit], crossed_split: Split) -> pd.DataFrame:
    return bl.compare(fits, crossed_split[1])


def failed(fit: bl.Fit) -> bl.Fit:
    """The fit, had it diverged."""
    tree = fit.tree.copy()
    tree.attrs["gate"] = replace(Gate.of(tree), divergences=7).to_json()
    return replace(fit, tree=tree)


# Beyond the range


def test_the_best_law_comes_first(compared: pd.DataFrame) -> None:
    assert compared.index[0] == "power"
    assert list(compared.index)[3:] == ["last value", "least squares"]
    assert compared.index.name == "law"
    assert compared["verdict"].to_dict() == {
        "power": "best",
        "pure": "worse",
        "log-linear": "worse",
        "last value": "baseline",
        "least squares": "baseline",
    }
    assert np.all(np.diff(compared["log_score"][:3]) < 0)
    assert compared.loc["power", "log_score_diff"] == 0


def test_columns(compared: pd.DataFrame) -> None:
    assert set(compared) == {
        "verdict", "log_score", "log_score_se", "log_score_diff", "log_score_diff_se", "rmsle",
        "crps", "coverage_90", "elpd_loo", "elpd_loo_se", "loo_weight", "bad_pareto_k",
    }  # fmt: skip
    baselines = compared.loc[["last value", "least squares"]]
    assert baselines.drop(columns=["verdict", "rmsle"]).isna().all(axis=None)


def test_the_truth_covers_and_the_others_do_not(compared: pd.DataFrame) -> None:
    # Two runs of each of twelve curves.
    assert compared.loc["power", "coverage_90"] > 0.9 - 4 * np.sqrt(0.09 / 12)
    assert compared.loc["power", "rmsle"] < 0.02
    assert compared.loc["pure", "rmsle"] > 0.02
    assert compared.loc["power", "crps"] < compared.loc["pure", "crps"]


def test_last_value(compared: pd.DataFrame, crossed_split: Split) -> None:
    train, later = (runs.to_dataframe().reset_index() for runs in crossed_split)
    last = train.sort_values("N").groupby(["task", "dataset"]).last()["loss"].rename("last")
    both = later.join(last, on=["task", "dataset"])
    error = np.log(both["last"] / both["loss"]) ** 2
    by_curve = error.groupby([both["task"], both["dataset"]]).mean() ** 0.5
    assert compared.loc["last value", "rmsle"] == pytest.approx(by_curve.mean())


def test_last_value_of_several_runs_at_the_largest_size() -> None:
    table = pd.DataFrame(
        {"N": [1e6, 1e7, 1e7, 1e6], "loss": [4.0, 2.0, 8.0, 3.0], "task": ["a", "a", "a", "b"]}
    )
    train = bl.read_runs(table, predictors=["N"], groups=["task"])
    later = bl.grid(N=1e8, task=["b", "a"])
    np.testing.assert_allclose(module._last_values(train, later), [3.0, 4.0])


def test_least_squares_row_is_of_the_first_law(
    compared: pd.DataFrame, fits: dict[str, bl.Fit], crossed_split: Split
) -> None:
    later, model = crossed_split[1], fits["log-linear"].model
    points = bl.least_squares(model, crossed_split[0])
    labels = np.char.add(np.char.add(later["task"].values, " / "), later["dataset"].values)
    own = points.loc[labels]
    predicted = own["a"].values - own["b"].values * np.log(later["N"].values)
    error = np.log(predicted / later["loss"].values) ** 2
    curve = curve_index(later, curves(later))
    by_curve = [np.sqrt(error[curve == i].mean()) for i in range(12)]
    assert compared.loc["least squares", "rmsle"] == pytest.approx(np.mean(by_curve))


def test_standard_errors_are_between_curves_and_paired(
    fits: dict[str, bl.Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three curves of one, two and one runs; curves weigh alike."""
    table = pd.DataFrame(
        {"N": [1e9, 1e9, 2e9, 1e9], "loss": 2.0, "task": ["c4", "c4", "c4", "code"],
         "dataset": ["web", "wiki", "wiki", "news"]}
    )  # fmt: skip
    later = bl.read_runs(table, predictors=["N"], groups=["task", "dataset"])
    density = {"log-linear": [1.0, 2.0, 4.0, 5.0], "power": [2.0, 3.0, 3.0, 7.0]}
    density["pure"] = [-np.inf, 0.0, 0.0, 0.0]
    told = {
        "squared_log_error": [0.01, 0.04, 0.0, 0.09],
        "crps": [1.0, 2.0, 4.0, 5.0],
        "covered_90": [1.0, 1.0, 0.0, 1.0],
    }
    others = [f"{kind}_{p}" for p in PERCENTS for kind in ("covered", "width")]
    known = {name: ("run", told.get(name, np.zeros(4))) for name in [*told, *others]}
    known["log_score_batch"] = ("batch", "run"), np.zeros((20, 4))
    scores = {
        name: xr.Dataset({**known, "log_score": ("run", values)}, later.coords, later.attrs)
        for name, values in density.items()
    }
    names = {id(fit): name for name, fit in fits.items()}
    monkeypatch.setattr(module, "forecast", lambda fit, later: names[id(fit)])
    monkeypatch.setattr(module, "score", lambda name, later: scores[name])
    found = bl.compare(fits, later)
    row = found.loc["log-linear"]
    means = np.array([1.0, 3.0, 5.0])  # of the curves
    assert row["log_score"] == pytest.approx(3.0)
    assert row["log_score_se"] == pytest.approx(2.0 / np.sqrt(3))
    apart = means - [2.0, 3.0, 7.0]
    assert row["log_score_diff"] == pytest.approx(-1.0)
    assert row["log_score_diff_se"] == pytest.approx(apart.std(ddof=1) / np.sqrt(3))
    assert row["verdict"] == "not distinguishable from power"
    assert row["rmsle"] == pytest.approx((0.1 + np.sqrt(0.02) + 0.3) / 3)
    assert row["crps"] == pytest.approx(3.0)
    assert row["coverage_90"] == pytest.approx(2.5 / 3)
    assert found.loc["power", "verdict"] == "best"
    assert found.loc["pure", "verdict"] == "not positive at a held-out run"
    assert found.loc["pure", "log_score"] == -np.inf
    assert np.isnan(found.loc["pure", "log_score_se"])
    assert list(found.index)[:3] == ["power", "log-linear", "pure"]


def test_one_later_curve_tells_nothing_apart(fits: dict[str, bl.Fit], crossed_split: Split) -> None:
    later = crossed_split[1].isel(run=slice(2))
    found = bl.compare({name: fits[name] for name in ("power", "pure")}, later)
    assert sorted(found["verdict"][:2])[0] == "best"
    assert sorted(found["verdict"][:2])[1].startswith("not distinguishable from ")
    assert np.isnan(found["log_score_se"]).all()


def test_all_laws_may_fail(log_linear_fit: bl.Fit, crossed_split: Split) -> None:
    later = crossed_split[1].assign(N=crossed_split[1]["N"] * 1e40)
    found = bl.compare({"log-linear": log_linear_fit}, later)
    assert found.loc["log-linear", "verdict"] == "not positive at a held-out run"
    assert found.loc["log-linear", "rmsle"] == np.inf
    assert found.loc["least squares", "rmsle"] == np.inf


# In the range


def test_within_the_range_only(fits: dict[str, bl.Fit]) -> None:
    found = bl.compare(fits)
    assert found.index.name == "law"
    assert "log_score" not in found
    assert found["verdict"].to_dict() == {"log-linear": "worse", "power": "best", "pure": "worse"}
    assert found["loo_weight"].sum() == pytest.approx(1)
    assert found["loo_weight"].idxmax() == "power"
    for name, fit in fits.items():
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of bad pareto k
            loo = az.loo(fit.tree, pointwise=True)
        assert found.loc[name, "elpd_loo"] == pytest.approx(loo.elpd)
        assert found.loc[name, "elpd_loo_se"] == pytest.approx(loo.se)
        assert found.loc[name, "bad_pareto_k"] == (loo.pareto_k > loo.good_k).sum()


def test_differences_are_of_the_numbers_themselves(fits: dict[str, bl.Fit]) -> None:
    """ArviZ rounds them to two digits unless asked not to."""
    found = bl.compare(fits)
    expected = found["elpd_loo"] - found["elpd_loo"].max()
    np.testing.assert_allclose(found["elpd_loo_diff"], expected)
    assert found.loc["power", "elpd_loo_diff_se"] == 0


def test_one_fit(lone_fit: bl.Fit) -> None:
    found = bl.compare({"only": lone_fit})
    assert found["verdict"].to_dict() == {"only": "best"}
    assert found.loc["only", "loo_weight"] == 1


def test_a_fit_that_failed_is_shown_as_such(fits: dict[str, bl.Fit], crossed_split: Split) -> None:
    bad = fits | {"power": failed(fits["power"])}
    for found in (bl.compare(bad), bl.compare(bad, crossed_split[1])):
        assert found.loc["power", "verdict"] == "NOT CONVERGED"
        assert found.loc["pure", "verdict"] == "best"  # of those that can be trusted
        assert found.loc["log-linear", "verdict"] == "worse"
    assert Gate.of(fits["power"].tree).passed


@pytest.mark.parametrize(
    ("name", "difference", "error", "verdict"),
    [
        ("power", 0.0, 0.0, "best"),
        ("pure", -1.0, 0.4, "worse"),
        ("pure", -1.0, 0.5, "not distinguishable from power"),
        ("pure", -1.0, 0.6, "not distinguishable from power"),
        ("pure", -1.0, np.nan, "not distinguishable from power"),
        ("pure", 0.0, 0.0, "not distinguishable from power"),
        ("pure", -np.inf, np.nan, "not positive at a held-out run"),
        ("power", np.nan, np.nan, "not positive at a held-out run"),
        ("bad", 0.0, 0.0, "NOT CONVERGED"),
        ("last value", np.nan, np.nan, "baseline"),
    ],
)
def test_verdicts(
    fits: dict[str, bl.Fit], name: str, difference: float, error: float, verdict: str
) -> None:
    known = fits | {"bad": failed(fits["pure"])}
    assert module._verdict(name, known, "power", difference, error) == verdict


# Refused


def test_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match=r"^there is nothing to compare: no fits were given$"):
        bl.compare({})


@pytest.mark.parametrize("change", ["runs", "responses", "response", "order"])
def test_different_outcomes_are_refused(crossed_fit: bl.Fit, change: str) -> None:
    runs = crossed_fit.runs
    other = {
        "runs": runs.isel(run=slice(70)),
        "responses": runs.assign(loss=runs["loss"] * 1.001),
        "response": runs.rename(loss="error").assign_attrs(response="error"),
        "order": runs.isel(run=slice(None, None, -1)),
    }[change]
    sentence = (
        "fits 'one' and 'two' are of different outcomes: the runs, their order or their responses "
        f"differ (72 and {other.sizes['run']} runs); fit all laws to the same runs"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        bl.compare({"one": crossed_fit, "two": replace(crossed_fit, runs=other)})


# Verdicts by a law's own parameter


@pytest.mark.parametrize(
    ("b", "tasks", "told"),
    [
        ([[0.5], [0.6], [1.0]], ["s", "s"], "; sublinear with probability 0.67"),
        ([[0.5, 0.5]] * 3, ["s", "u"], ""),
    ],
)
def test_a_parameter_may_tell_the_kind_of_law(
    known_fit: Callable[..., bl.Fit], b: list[list[float]], tasks: list[str], told: str
) -> None:
    frame = pd.DataFrame({"X": [1.0, 4.0] * len(tasks), "loss": [1.0, 2.0] * len(tasks)})
    runs = bl.read_runs(
        frame.assign(task=np.repeat(tasks, 2)) if told == "" else frame.iloc[:2],
        predictors=["X"],
        groups=["task"] if told == "" else [],
    )
    values = np.array([b])
    fit = known_fit(bl.laws.proportional, {"a": np.ones_like(values), "b": values}, runs)
    assert module._by_parameter(fit) == told
    assert module._by_parameter(failed(fit)) == ""


def test_baselines_and_other_laws_tell_nothing_more(crossed_fit: bl.Fit) -> None:
    assert module._by_parameter(None) == module._by_parameter(crossed_fit) == ""
