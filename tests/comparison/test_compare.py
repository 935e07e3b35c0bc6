"""Comparison of laws: scores, baselines, verdicts and refusals."""

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
from bayeslaw._sampling.gate import Gate
from bayeslaw.comparison.leave_one_out import leave_one_curve_out
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.diagnostics.psis_loo import leave_one_out
from bayeslaw.forecasting.scores import PERCENTS

module = importlib.import_module("bayeslaw.comparison.compare")  # bayeslaw.compare is the function
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
        "elpd_curve", "elpd_curve_se", "bad_curve_k", "caveats",
    }  # fmt: skip
    baselines = compared.loc[["last value", "least squares"]]
    assert baselines.drop(columns=["verdict", "rmsle", "caveats"]).isna().all(axis=None)


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


def test_least_squares_row_is_of_the_first_law(
    compared: pd.DataFrame, fits: dict[str, bl.Fit], crossed_split: Split
) -> None:
    later, model = crossed_split[1], fits["log-linear"].model
    points = bl.least_squares(model, crossed_split[0])
    labels = np.char.add(np.char.add(later["task"].values, " / "), later["dataset"].values)
    own = points.loc[labels]
    predicted = own["a"].values - own["b"].values * np.log(later["N"].values)
    error = np.log(predicted / later["loss"].values) ** 2
    curve = curve_index(later, curves_in(later))
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
    values = {
        "squared_log_error": [0.01, 0.04, 0.0, 0.09],
        "crps": [1.0, 2.0, 4.0, 5.0],
        "covered_90": [1.0, 1.0, 0.0, 1.0],
    }
    others = [f"{kind}_{p}" for p in PERCENTS for kind in ("covered", "width")]
    known = {name: ("run", values.get(name, np.zeros(4))) for name in [*values, *others]}
    known["log_score_batch"] = ("batch", "run"), np.zeros((20, 4))
    scores = {
        name: xr.Dataset({**known, "log_score": ("run", own)}, later.coords, later.attrs)
        for name, own in density.items()
    }
    names = {id(fit): name for name, fit in fits.items()}
    monkeypatch.setattr(module, "forecast", lambda fit, later: names[id(fit)])
    monkeypatch.setattr(module, "score", lambda name, later: scores[name])
    table = bl.compare(fits, later)
    row = table.loc["log-linear"]
    means = np.array([1.0, 3.0, 5.0])  # of the curves
    assert row["log_score"] == pytest.approx(3.0)
    assert row["log_score_se"] == pytest.approx(2.0 / np.sqrt(3))
    apart = means - [2.0, 3.0, 7.0]
    assert row["log_score_diff"] == pytest.approx(-1.0)
    # Two of the three curves are of one task: the error between tasks is the larger one.
    assert row["log_score_diff_se"] == pytest.approx(np.sqrt(2 * (1**2 + 1**2)) / 3)
    assert row["log_score_diff_se"] > apart.std(ddof=1) / np.sqrt(3)
    assert row["verdict"] == "not distinguishable from power"
    assert row["rmsle"] == pytest.approx((0.1 + np.sqrt(0.02) + 0.3) / 3)
    assert row["crps"] == pytest.approx(3.0)
    assert row["coverage_90"] == pytest.approx(2.5 / 3)
    assert table.loc["power", "verdict"] == "best"
    assert table.loc["pure", "verdict"] == "not positive at a held-out run"
    assert table.loc["pure", "log_score"] == -np.inf
    assert np.isnan(table.loc["pure", "log_score_se"])
    assert list(table.index)[:3] == ["power", "log-linear", "pure"]


def test_one_later_curve_distinguishes_nothing(
    fits: dict[str, bl.Fit], crossed_split: Split
) -> None:
    later = crossed_split[1].isel(run=slice(2))
    table = bl.compare({name: fits[name] for name in ("power", "pure")}, later)
    assert sorted(table["verdict"][:2])[0] == "best"
    assert sorted(table["verdict"][:2])[1].startswith("not distinguishable from ")
    assert np.isnan(table["log_score_se"]).all()


def test_all_laws_may_fail(log_linear_fit: bl.Fit, crossed_split: Split) -> None:
    later = crossed_split[1].assign(N=crossed_split[1]["N"] * 1e40)
    table = bl.compare({"log-linear": log_linear_fit}, later)
    assert table.loc["log-linear", "verdict"] == "not positive at a held-out run"
    assert table.loc["log-linear", "rmsle"] == np.inf
    assert (
        "infinite: median curve not above zero (rmsle) at 24 of 24 runs"
        in (table.loc["log-linear", "caveats"])
    )
    assert table.loc["least squares", "rmsle"] == np.inf


# In the range


def test_within_the_range_only(fits: dict[str, bl.Fit]) -> None:
    table = bl.compare(fits)
    assert table.index.name == "law"
    assert "log_score" not in table
    assert table["verdict"].to_dict() == {"log-linear": "worse", "power": "best", "pure": "worse"}
    assert table["loo_weight"].sum() == pytest.approx(1)
    assert table["loo_weight"].idxmax() == "power"
    for name, fit in fits.items():
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of bad pareto k
            loo = az.loo(fit.tree, pointwise=True)
        assert table.loc[name, "elpd_loo"] == pytest.approx(loo.elpd)
        assert table.loc[name, "elpd_loo_se"] == pytest.approx(loo.se)
        assert table.loc[name, "bad_pareto_k"] == (loo.pareto_k > loo.good_k).sum()


def test_whole_curves_left_out(fits: dict[str, bl.Fit], lone_fit: bl.Fit) -> None:
    table = bl.compare(fits)
    for name, fit in fits.items():
        loo = leave_one_curve_out(fit)
        assert table.loc[name, "elpd_curve"] == loo.elpd
        assert table.loc[name, "elpd_curve_se"] == loo.se
        assert table.loc[name, "bad_curve_k"] == (loo.pareto_k > loo.good_k).sum()
    assert table["elpd_curve"].idxmax() == "power"
    # Less is known of a curve without runs than of a run next to five others of its curve.
    assert (table["elpd_curve"] < table["elpd_loo"]).all()
    alone = bl.compare({"only": lone_fit})[["elpd_curve", "elpd_curve_se", "bad_curve_k"]]
    assert alone.isna().all(axis=None)


def test_leave_one_out_may_be_given(fits: dict[str, bl.Fit]) -> None:
    loo = leave_one_out(fits["pure"])
    better = {"pure": replace(loo, elpd_i=loo.elpd_i + 1, elpd=loo.elpd + 72)}
    given, table = bl.compare(fits, loo=better), bl.compare(fits)
    assert given.loc["pure", "elpd_loo"] == pytest.approx(table.loc["pure", "elpd_loo"] + 72)
    assert given.loc["power", "elpd_loo"] == table.loc["power", "elpd_loo"]
    assert bl.compare(fits, loo=None).equals(table)


def test_leave_one_out_of_something_else(fits: dict[str, bl.Fit], lone_fit: bl.Fit) -> None:
    other = leave_one_out(lone_fit)
    names = "['log-linear', 'power', 'pure']"
    for name, sentence in (
        ("other", f"loo has 'other', which is no fit; the fits are {names}"),
        ("pure", "loo of 'pure' is of 30 runs, and the fit is of 72; give that of the same fit"),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
            bl.compare(fits, loo={name: other})


def test_a_fit_without_a_pointwise_likelihood(lone_fit: bl.Fit) -> None:
    bare = lone_fit.tree.copy()
    del bare["log_likelihood"]
    fit = replace(lone_fit, tree=bare)
    with pytest.raises(ValueError, match=r"^fit 'bare' has no pointwise likelihood, as fits of "):
        bl.compare({"bare": fit})
    table = bl.compare({"bare": fit}, loo={"bare": leave_one_out(lone_fit)})
    assert table.equals(bl.compare({"bare": lone_fit}))


def test_differences_are_of_the_numbers_themselves(fits: dict[str, bl.Fit]) -> None:
    """ArviZ rounds them to two digits unless asked not to."""
    table = bl.compare(fits)
    expected = table["elpd_loo"] - table["elpd_loo"].max()
    np.testing.assert_allclose(table["elpd_loo_diff"], expected)
    assert table.loc["power", "elpd_loo_diff_se"] == 0


def test_one_fit(lone_fit: bl.Fit) -> None:
    table = bl.compare({"only": lone_fit})
    assert table["verdict"].to_dict() == {"only": "best"}
    assert table.loc["only", "loo_weight"] == 1


def test_a_fit_that_failed_is_shown_as_such(fits: dict[str, bl.Fit], crossed_split: Split) -> None:
    bad = fits | {"power": failed(fits["power"])}
    for table in (bl.compare(bad), bl.compare(bad, crossed_split[1])):
        assert table.loc["power", "verdict"] == "NOT CONVERGED"
        assert table.loc["pure", "verdict"] == "best"  # of those that can be trusted
        assert table.loc["log-linear", "verdict"] == "worse"
    assert Gate.of(fits["power"].tree).passed


@pytest.mark.parametrize(
    ("name", "difference", "error", "verdict"),
    [
        ("power", 0.0, 0.0, "best"),
        ("pure", -1.0, 0.4, "worse"),
        ("pure", -1.0, 0.51, "not distinguishable from power"),
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
    assert module._verdict(name, known, "power", difference, error, 100) == verdict


# Refused


def test_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match=r"^there is nothing to compare: no fits were given$"):
        bl.compare({})


@pytest.mark.parametrize("change", ["runs", "responses", "response", "order", "errors"])
def test_different_outcomes_are_refused(crossed_fit: bl.Fit, change: str) -> None:
    runs = crossed_fit.runs
    other = {
        "runs": runs.isel(run=slice(70)),
        "responses": runs.assign(loss=runs["loss"] * 1.001),
        "response": runs.rename(loss="error").assign_attrs(response="error"),
        "order": runs.isel(run=slice(None, None, -1)),
        "errors": runs.assign(stderr=0.01 * runs["loss"]),
    }[change]
    sentence = (
        "fits 'one' and 'two' are of different outcomes: the runs, their order, their responses or "
        f"their standard errors differ (72 and {other.sizes['run']} runs); fit all laws to the "
        "same runs"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        bl.compare({"one": crossed_fit, "two": replace(crossed_fit, runs=other)})


def test_a_fit_with_the_name_of_a_baseline(crossed_fit: bl.Fit) -> None:
    with pytest.raises(ValueError, match=r"^'last value' is the name of a baseline; "):
        bl.compare({"last value": crossed_fit})


# Caveats


def test_caveats(compared: pd.DataFrame, fits: dict[str, bl.Fit]) -> None:
    few = "12 curves (fewer than 16)"
    for name in fits:
        bad = int(compared.loc[name, "bad_pareto_k"])
        influential = [f"Pareto k too high at {bad} of 72 runs"] if bad else []
        bad = int(compared.loc[name, "bad_curve_k"])
        influential += [f"Pareto k too high at {bad} of 12 curves"] if bad else []
        expected = ["72 runs (fewer than 100)", *influential, few]
        assert compared.loc[name, "caveats"] == "; ".join(expected)
    assert compared.loc["last value", "caveats"] == few
    assert list(compared)[-1] == "caveats"


def test_caveats_of_a_fit_that_failed_and_of_a_small_difference(
    fits: dict[str, bl.Fit], crossed_split: Split
) -> None:
    both = {"one": fits["power"], "other": fits["power"], "bad": failed(fits["power"])}
    for table in (bl.compare(both), bl.compare(both, crossed_split[1])):
        assert table.loc["bad", "caveats"].startswith("NOT CONVERGED; 72 runs (fewer than 100)")
        assert table.loc["other", "caveats"].endswith("; difference within error")
        assert not table.loc["one", "caveats"].endswith("error")


def test_no_caveats_of_many_curves_and_runs() -> None:
    values = {"bad_pareto_k": 3, "bad_curve_k": np.nan, "diff": 0.0, "diff_se": 0.0}
    rows = pd.DataFrame(values, index=["one"])
    runs = bl.grid(N=np.geomspace(1e6, 1e8, 10), task=[f"t{i}" for i in range(16)])
    tree = xr.DataTree()
    tree.attrs["gate"] = Gate(1.0, 1000.0, 1000.0, "alpha", 0, 1.0, 1000).to_json()
    fit = bl.Fit(bl.Model(bl.laws.power), runs, tree)
    caveats = module._with_verdicts_and_caveats({"one": fit}, rows, "diff", runs)["caveats"]
    assert caveats.to_dict() == {"one": "Pareto k too high at 3 of 160 runs"}
    caveats = module._with_verdicts_and_caveats(
        {"one": fit}, rows.assign(bad_pareto_k=0), "diff", runs
    )["caveats"]
    assert caveats.to_dict() == {"one": ""}


# Verdicts by a law's own parameter


@pytest.mark.parametrize(
    ("b", "tasks", "region"),
    [
        ([[0.5], [0.6], [1.0]], ["s", "s"], "; sublinear with probability 0.67"),
        ([[0.5, 0.5]] * 3, ["s", "u"], ""),
    ],
)
def test_the_most_probable_region(
    known_fit: Callable[..., bl.Fit], b: list[list[float]], tasks: list[str], region: str
) -> None:
    frame = pd.DataFrame({"X": [1.0, 4.0] * len(tasks), "loss": [1.0, 2.0] * len(tasks)})
    runs = bl.read_runs(
        frame.assign(task=np.repeat(tasks, 2)) if region == "" else frame.iloc[:2],
        predictors=["X"],
        groups=["task"] if region == "" else [],
    )
    values = np.array([b])
    fit = known_fit(bl.laws.proportional, {"a": np.ones_like(values), "b": values}, runs)
    assert module._most_probable_region(fit) == region
    assert module._most_probable_region(failed(fit)) == ""


def test_baselines_and_other_laws_have_no_regions(crossed_fit: bl.Fit) -> None:
    assert module._most_probable_region(None) == module._most_probable_region(crossed_fit) == ""
