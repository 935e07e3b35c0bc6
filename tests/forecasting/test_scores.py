"""Scores of forecasts, against densities, scores and averages worked out another way."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
import scoringrules
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from bayeslaw.data.runs import grid, read_runs
from bayeslaw.errors import RunsError
from bayeslaw.forecasting.scores import (
    PERCENTS,
    curve_means,
    score,
    score_table,
    scores_from_draws,
    standard_error,
)
from bayeslaw.model.noise import StudentT
from bayeslaw.model.serialise import to_record

NU, SIGMA = 4.0, 0.05
OBSERVED = np.array([2.5, 8.0, 1.4])
NAMES = {
    "squared_log_error", "log_score", "log_score_mcse", "log_score_batch", "crps", "pit",
    "covered_50", "covered_80", "covered_90", "covered_95",
    "width_50", "width_80", "width_90", "width_95",
}  # fmt: skip


def forecast_of(mean: np.ndarray, sigma: float = SIGMA, seed: int = 1) -> xr.Dataset:
    """A forecast from draws of the mean, (draw, run), in two chains, of Student-t noise."""
    mean = mean.reshape(2, -1, mean.shape[-1])
    noise = sigma * np.random.default_rng(seed).standard_t(NU, size=mean.shape)
    new_run = np.where(mean > 0, mean * np.exp(noise), mean)
    dims = ("chain", "draw", "run")
    center = np.log(np.where(mean > 0, mean, np.nan))
    values = {"mean": mean, "new_run": new_run, "law": mean, "center": center}
    values["scale"] = np.full_like(mean, sigma)
    scatter = json.dumps({"noise": to_record("noise", StudentT(NU)), "unit": 1.0})
    variables = {name: (dims, value) for name, value in values.items()}
    return xr.Dataset(variables, attrs={"scatter": scatter})


def density_of(mean: np.ndarray, observed: np.ndarray, sigma: float = SIGMA) -> np.ndarray:
    """Log density of a response that is Student-t on the log scale, (draw, run)."""
    center = np.log(np.where(mean > 0, mean, 1.0))
    density = stats.t.logpdf(np.log(observed), NU, center, sigma) - np.log(observed)
    return np.where(mean > 0, density, -np.inf)


def scored(mean: np.ndarray, observed: np.ndarray, sigma: float = SIGMA) -> xr.Dataset:
    density = density_of(mean, observed, sigma).reshape(2, -1, observed.size)
    return scores_from_draws(forecast_of(mean, sigma), observed, density)


def scored_draws(new_run: np.ndarray, observed: np.ndarray) -> xr.Dataset:
    """Scores where only the draws of new runs, (draw, run), matter."""
    values = new_run[None]
    variables = dict.fromkeys(("mean", "new_run"), (("chain", "draw", "run"), values))
    return scores_from_draws(xr.Dataset(variables), observed, np.zeros_like(values))


def draws(n: int = 400) -> np.ndarray:
    return np.exp(np.random.default_rng(2).normal([1.0, 2.0, 0.0], 0.1, size=(n, 3)))


def runs_of(observed: np.ndarray, task: list[str]) -> xr.Dataset:
    sizes = np.geomspace(1e6, 1e9, observed.size)
    frame = pd.DataFrame({"N": sizes, "loss": observed, "task": task, "name": sizes.astype(str)})
    return read_runs(frame, predictors=["N"], groups=["task"], run_id="name")


# Run by run


def test_log_score_is_the_density_of_the_mixture() -> None:
    mean = draws()
    expected = special.logsumexp(density_of(mean, OBSERVED), axis=0) - np.log(len(mean))
    np.testing.assert_allclose(scored(mean, OBSERVED)["log_score"], expected, rtol=1e-12)


def test_log_score_is_a_density_of_the_response() -> None:
    """It integrates to one over the response."""
    response = np.linspace(0.5, 8.0, 4001)
    mean = np.repeat(draws(40)[:, :1], response.size, axis=1)
    assert np.trapezoid(np.exp(scored(mean, response)["log_score"]), response) == pytest.approx(
        1, abs=2e-3
    )


def test_monte_carlo_error_is_the_spread_over_repetitions() -> None:
    """Autocorrelated draws, of a density with a known mean."""
    repetitions, persistence = 400, 0.8
    rng = np.random.default_rng(5)
    steps = np.sqrt(1 - persistence**2) * rng.normal(size=(4, 1000, repetitions))
    steps[:, 0] = rng.normal(size=(4, repetitions))
    for i in range(1, 1000):
        steps[:, i] += persistence * steps[:, i - 1]
    density = 0.3 * steps
    variables = {name: (("chain", "draw", "run"), np.exp(density)) for name in ("mean", "new_run")}
    scores = scores_from_draws(xr.Dataset(variables), np.ones(repetitions), density)
    spread = scores["log_score"].values.std(ddof=1)
    error = np.sqrt(np.mean(scores["log_score_mcse"].values ** 2))
    # A standard deviation from n values has a relative error of 1 / sqrt(2 n).
    assert abs(error / spread - 1) < 4 / np.sqrt(2 * repetitions)
    assert abs(scores["log_score"].mean() - 0.045) < 4 * spread / np.sqrt(repetitions)


@pytest.mark.parametrize(
    ("chains", "length", "batches"),
    [(1, 100, 20), (2, 99, 20), (3, 100, 21), (4, 100, 20), (25, 100, 25), (2, 3, 6), (1, 1, 1)],
)
def test_batches_are_within_chains(chains: int, length: int, batches: int) -> None:
    level = np.arange(1.0, chains + 1)  # each chain has one density, so its batches have it
    density = np.log(level)[:, None, None] + np.zeros((chains, length, 1))
    variables = {name: (("chain", "draw", "run"), np.exp(density)) for name in ("mean", "new_run")}
    scores = scores_from_draws(xr.Dataset(variables), np.ones(1), density)
    batch = scores["log_score_batch"].sel(run=0).values
    assert batch.size == batches
    np.testing.assert_allclose(np.unique(batch.round(12)), level / level.mean())
    expected = batch.std(ddof=1) / np.sqrt(batches) if batches > 1 else np.nan
    np.testing.assert_allclose(scores["log_score_mcse"], [expected])


def test_crps_of_a_normal_forecast() -> None:
    rng = np.random.default_rng(3)
    center, sd, observed = np.array([5.0, 3.0]), np.array([0.2, 0.5]), np.array([5.1, 1.5])
    crps = scored_draws(rng.normal(center, sd, size=(20_000, 2)), observed)["crps"]
    expected = scoringrules.crps_normal(observed, center, sd)
    np.testing.assert_allclose(crps, expected, rtol=0.02)


def test_crps_of_one_draw_is_the_distance() -> None:
    scores = scored(np.array([[2.0], [2.0]]), np.array([2.7]), sigma=1e-100)
    np.testing.assert_allclose(scores["crps"], 0.7)


def test_errors_are_of_the_median_on_the_log_scale() -> None:
    mean = draws(401 * 2)
    expected = np.log(np.median(mean, axis=0) / OBSERVED) ** 2
    np.testing.assert_allclose(scored(mean, OBSERVED)["squared_log_error"], expected)


@pytest.mark.parametrize("percent", PERCENTS)
def test_bands_are_of_a_new_run(percent: int) -> None:
    """Logarithms of draws are evenly spaced from 0 to 1."""
    half = percent / 200
    observed = np.exp(0.5 + np.array([0.0, half - 0.01, half + 0.01, 0.01 - half, -half - 0.01]))
    new_run = np.exp(np.linspace(0, 1, 2001))[:, None].repeat(5, axis=1)
    scores = scored_draws(new_run, observed)
    assert scores[f"covered_{percent}"].values.tolist() == [1, 1, 0, 1, 0]
    np.testing.assert_allclose(scores[f"width_{percent}"], percent / 100)


@pytest.mark.parametrize(
    ("low", "high", "width", "crps"),
    [
        (1.0, 2.0, np.log(2), 0.25),
        (0.0, 1.0, np.inf, 0.25),
        (-2.0, -1.0, np.inf, 2.25),
        (1.0, np.inf, np.inf, np.inf),
        (np.inf, np.inf, np.inf, np.inf),
    ],
)
def test_bands_may_reach_zero_or_infinity(
    low: float, high: float, width: float, crps: float
) -> None:
    scores = scored_draws(np.repeat([[low], [high]], 50, axis=0), np.ones(1))
    np.testing.assert_allclose(scores["width_95"], [width])
    np.testing.assert_allclose(scores["crps"], [crps])


def test_bands_cover_as_many_runs_as_they_say() -> None:
    n = 4000
    observed = np.exp(SIGMA * np.random.default_rng(8).standard_t(NU, n))
    scores = scored(np.ones((500, n)), observed)
    for percent in PERCENTS:
        expected = percent / 100
        # Each band is from 500 draws: its own error is as large as that of the count.
        error = np.sqrt(expected * (1 - expected) / n)
        assert abs(scores[f"covered_{percent}"].mean() - expected) < 4 * error + 0.01
    ranks = scores["pit"].values
    assert stats.kstest(ranks, "uniform").pvalue > 1e-4
    assert abs(ranks.mean() - 0.5) < 4 * np.sqrt(1 / 12 / n)


@pytest.mark.parametrize(
    ("observed", "rank"), [(0.5, 0.1), (1.0, 0.2), (1.5, 0.3), (2.0, 0.5), (3.0, 0.8), (9.0, 0.9)]
)
def test_rank_among_draws(observed: float, rank: float) -> None:
    scores = scored_draws(np.array([[1.0], [2.0], [2.0], [3.0]]), np.array([observed]))
    np.testing.assert_allclose(scores["pit"], [rank])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(1, 9))
def test_rank_is_symmetric_and_inside(values: list[int], observed: int) -> None:
    new_run = np.array(values, dtype=float)[:, None]
    rank = scored_draws(new_run, np.array([float(observed)]))["pit"].item()
    mirrored = scored_draws(10 - new_run, np.array([10.0 - observed]))["pit"].item()
    assert 0 < rank < 1
    assert rank + mirrored == pytest.approx(1)


@pytest.mark.parametrize("level", [0.0, -1.0])
def test_a_law_that_is_not_positive_fails(level: float) -> None:
    scores = scored(np.full((100, 1), level), np.array([2.0]))
    assert scores["squared_log_error"].item() == np.inf
    assert scores["log_score"].item() == -np.inf
    assert np.isnan(scores["log_score_mcse"].item())
    assert scores["crps"].item() == pytest.approx(2.0 - level)
    assert scores["covered_95"].item() == 0
    assert scores["width_50"].item() == np.inf
    assert scores["pit"].item() == pytest.approx(1 - 0.5 / 101)


def test_draws_that_are_not_positive_have_no_density() -> None:
    mean = np.ones((100, 1))
    mean[:75] = -1.0
    whole, rest = (scored(x, np.array([1.0])) for x in (mean, mean[76:]))
    expected = rest["log_score"].item() + np.log(0.25)
    assert whole["log_score"].item() == pytest.approx(expected)


# Of a forecast


def test_scores_are_by_run_with_the_labels_of_the_runs() -> None:
    observed = runs_of(OBSERVED, ["c4", "books", "c4"])
    scores = score(forecast_of(draws()), observed)
    assert set(scores) == NAMES
    assert all(values.dims[-1:] == ("run",) for values in scores.values())
    assert [name for name in scores if scores[name].ndim > 1] == ["log_score_batch"]
    assert set(scores.coords) == set(observed.coords)
    assert scores["run"].values.tolist() == observed["run"].values.tolist()
    assert scores["task"].values.tolist() == ["c4", "books", "c4"]
    assert scores.attrs == {"response": "loss", "groups": ["task"]}
    expected = scored(draws(), OBSERVED)
    for name in NAMES:
        np.testing.assert_allclose(scores[name], expected[name], rtol=1e-10)


def test_another_number_of_runs_is_refused() -> None:
    sentence = "the forecast is of 3 runs and 2 were observed; forecast the observed runs, in their"
    with pytest.raises(ValueError, match=sentence):
        score(forecast_of(draws()), runs_of(OBSERVED[:2], ["c4", "books"]))


def test_runs_without_a_response_are_refused() -> None:
    with pytest.raises(RunsError, match="these runs have no response"):
        score(forecast_of(draws()), grid(N=[1e6, 1e7, 1e8]))


# Over curves


def scores_of_curves() -> xr.Dataset:
    """Three curves of one, two and one runs, in two domains."""
    values = {name: [1.0, 2.0, 4.0, 5.0] for name in NAMES - {"log_score_batch"}}
    values |= {"squared_log_error": [0.01, 0.04, 0.0, 0.09], "covered_90": [1.0, 1.0, 0.0, 1.0]}
    batch = 1 + np.array([[0.1, 0.2, 0.4, 0.3], [-0.1, -0.2, -0.4, -0.3]])
    return xr.Dataset(
        {**{name: ("run", value) for name, value in values.items()},
         "log_score_batch": (("batch", "run"), batch)},
        {"task": ("run", ["c4", "code", "code", "c4"]),
         "dataset": ("run", ["web", "web", "web", "news"]),
         "held_out": ("run", [True, False, True, True])},
        {"groups": ["task", "dataset"]},
    )  # fmt: skip


def test_table_averages_curves() -> None:
    table = score_table(scores_of_curves())
    assert list(table.index) == ["all"]
    names = ["rmsle", "log_score", "crps"]
    names += [f"{kind}_{percent}" for kind in ("coverage", "width") for percent in PERCENTS]
    assert set(table) == {f"{name}{end}" for name in names for end in ("", "_se")} | {
        "log_score_mcse"
    }
    row, three = table.loc["all"], np.sqrt(3)
    assert row["log_score"] == pytest.approx((1 + 3 + 5) / 3)
    assert row["log_score_se"] == pytest.approx(2 / three)
    rmsle = np.array([0.1, np.sqrt(0.02), 0.3])
    assert row["rmsle"] == pytest.approx(rmsle.mean())
    assert row["rmsle_se"] == pytest.approx(rmsle.std(ddof=1) / three)
    assert row["coverage_90"] == pytest.approx(2.5 / 3)
    assert row["coverage_90_se"] == pytest.approx(np.std([1, 0.5, 1], ddof=1) / three)
    assert row["width_80"] == pytest.approx(3)


def test_table_by_group() -> None:
    table = score_table(scores_of_curves(), by="task")
    assert table.index.name == "task"
    assert table["log_score"].to_dict() == {"c4": 3.0, "code": 3.0}
    assert table.loc["c4", "log_score_se"] == pytest.approx(2.0)
    alone = table.loc["code"]
    assert alone["rmsle"] == pytest.approx(np.sqrt(0.02))
    assert alone[[name for name in table if name.endswith("_se")]].isna().all()
    assert np.isfinite(alone["log_score_mcse"])


def test_table_by_a_coordinate_that_cuts_curves() -> None:
    table = score_table(scores_of_curves(), by="held_out")
    assert table.loc[True, "crps"] == pytest.approx((1 + 4 + 5) / 3)
    assert table.loc[False, "crps"] == 2


def test_monte_carlo_errors_of_runs_add_up_or_cancel() -> None:
    """Runs share the draws: what moves all of them alike does not average out."""
    scores = scores_of_curves()
    assert score_table(scores).loc["all", "log_score_mcse"] == pytest.approx(0.7 / 3)
    opposed = scores.assign(log_score_batch=scores["log_score_batch"].copy())
    opposed["log_score_batch"][:, 3] = [0.6, 1.4]
    assert score_table(opposed).loc["all", "log_score_mcse"] == pytest.approx(0)


def test_infinite_scores_stay_infinite() -> None:
    scores = scores_of_curves()
    failed = [-np.inf, 0.0, 0.0, 0.0]
    row = score_table(scores.assign(log_score=("run", failed))).loc["all"]
    assert row["log_score"] == -np.inf
    assert np.isnan(row["log_score_se"])
    assert row["caveats"] == "infinite: no density at what was observed (log_score) at 1 of 4 runs"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("squared_log_error", "median curve not above zero (rmsle)"),
        ("crps", "infinite draws (crps)"),
        ("width_95", "band of a new run down to zero or without an upper end (widths)"),
    ],
)
def test_caveats_say_why_a_score_is_infinite(name: str, reason: str) -> None:
    scores = scores_of_curves().assign({name: ("run", [0.1, np.inf, np.inf, 0.1])})
    caveats = score_table(scores, by="task")["caveats"]
    assert caveats.to_dict() == {"c4": "", "code": f"infinite: {reason} at 2 of 2 runs"}
    assert "caveats" not in score_table(scores.isel(run=[0, 3]))


def test_by_must_be_a_coordinate() -> None:
    sentence = (
        "by must be a coordinate of the runs, one of ['task', 'dataset', 'held_out'], got 'N'"
    )
    with pytest.raises(ValueError, match=re.escape(sentence)):
        score_table(scores_of_curves(), by="N")


def test_means_of_curves_keep_labels_and_other_dims() -> None:
    means = curve_means(scores_of_curves())
    assert means["curve"].values.tolist() == ["c4 / web", "code / web", "c4 / news"]
    assert means["task"].values.tolist() == ["c4", "code", "c4"]
    assert means["crps"].values.tolist() == [1.0, 3.0, 5.0]
    np.testing.assert_allclose(means["log_score_batch"].sel(batch=0), [1.1, 1.3, 1.3])


def test_missing_values_are_not_skipped() -> None:
    means = curve_means(scores_of_curves().assign(crps=("run", [1.0, np.nan, 4.0, 5.0])))
    np.testing.assert_array_equal(means["crps"], [1.0, np.nan, 5.0])


def test_runs_without_groups_are_one_curve() -> None:
    scores = scores_of_curves().assign_attrs(groups=[])
    assert curve_means(scores)["crps"].values.tolist() == [3.0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1.0, 0.0], [3.0, 0.0]], [1.0, 0.0]),
        ([[1.0, 2.0]], [np.nan, np.nan]),
        ([[1.0, np.inf], [3.0, 1.0]], [1.0, np.nan]),
    ],
)
def test_standard_error(values: list[list[float]], expected: list[float]) -> None:
    np.testing.assert_allclose(standard_error(np.array(values)), expected)


def test_coordinates_with_the_name_of_a_score_are_refused() -> None:
    observed = runs_of(OBSERVED, ["c4", "books", "code"]).assign_coords(crps=("run", [*"abc"]))
    with pytest.raises(ValueError, match=r"^the runs have 'crps' already, which is the name of a"):
        score(forecast_of(draws()), observed)
