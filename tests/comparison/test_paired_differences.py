"""Differences taken curve by curve, their errors, and caveats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import bayeslaw as bl
from bayeslaw.comparison.paired_differences import (
    crossed_error,
    few_curves,
    few_runs,
    influential,
    joined,
    paired_differences,
    unclear,
)
from bayeslaw.data.curves import curves_in

TASKS, DATASETS = [f"t{i}" for i in range(8)], [f"d{i}" for i in range(6)]
CROSSED = curves_in(bl.grid(N=1e8, task=TASKS, dataset=DATASETS))


def test_independent_curves_have_the_usual_error() -> None:
    values = np.random.default_rng(1).normal(size=7)
    alone = curves_in(bl.grid(N=1e8, task=TASKS[:7]))
    expected = values.std(ddof=1) / np.sqrt(7)
    assert crossed_error(values, alone) == pytest.approx(expected)
    one_level = alone.assign_coords(kind=("curve", ["a"] * 7)).assign_attrs(groups=["kind"])
    assert crossed_error(values, one_level) == pytest.approx(expected)


@given(st.lists(st.floats(-5, 5), min_size=8, max_size=8))
def test_curves_that_repeat_their_task_count_once(effects: list[float]) -> None:
    """What has one value per task has the error of that many values, however many data sets."""
    expected = np.std(effects, ddof=1) / np.sqrt(8)
    assert crossed_error(np.repeat(effects, 6), CROSSED) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("repeat", [lambda x: np.repeat(x, 6), lambda x: np.tile(x, 8)])
def test_the_error_is_right_for_effects_of_either_group(
    repeat: Callable[[np.ndarray], np.ndarray],
) -> None:
    """The mean of squared errors is the variance of the mean, within four standard errors."""
    rng, n = np.random.default_rng(2), 400
    size = 48 // repeat(np.zeros(1)).size
    drawn = [repeat(rng.normal(size=size)) + 0.2 * rng.normal(size=48) for _ in range(n)]
    squared = np.array([crossed_error(values, CROSSED) ** 2 for values in drawn])
    truth = 1 / size + 0.04 / 48
    assert abs(squared.mean() - truth) < 4 * squared.std() / np.sqrt(n)


@pytest.mark.parametrize("values", [[1.0], [1.0, -np.inf]])
def test_an_error_that_cannot_be_known(values: list[float]) -> None:
    alone = curves_in(bl.grid(N=1e8, task=TASKS[: len(values)]))
    assert np.isnan(crossed_error(np.array(values), alone))


def test_differences_are_of_curves_and_from_the_best_that_is_trusted() -> None:
    table = pd.DataFrame({"N": [1e8, 2e8, 1e8], "loss": 2.0, "task": ["a", "a", "b"]})
    later = bl.read_runs(table, predictors=["N"], groups=["task"])

    def scores(*values: float) -> xr.Dataset:
        return xr.Dataset({"log_score": ("run", list(values))}, later.coords, later.attrs)

    scored = {"first": scores(1, 3, 4), "second": scores(2, 2, 1), "failed": scores(9, 9, 9)}
    found = paired_differences(scored, ["first", "second"])
    assert found["log_score_diff"].to_dict() == {"first": 0, "second": -1.5, "failed": 6}
    assert found.loc["second", "log_score_diff_se"] == pytest.approx(1.5)
    assert found.loc["first", "log_score_diff_se"] == 0
    worst = paired_differences({**scored, "second": scores(2, 2, -np.inf)}, ["first", "second"])
    assert worst.loc["second", "log_score_diff"] == -np.inf
    assert np.isnan(worst.loc["second", "log_score_diff_se"])


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (few_curves(15), "15 curves (fewer than 16)"),
        (few_curves(16), ""),
        (few_runs(99), "99 runs (fewer than 100)"),
        (few_runs(100), ""),
        (influential(1, "12 curves"), "Pareto k too high at 1 of 12 curves"),
        (influential(0, "12 curves"), ""),
        (unclear(-1.0, 0.51, 1000), "difference within error"),
        (unclear(1.0, 0.5, 1000), ""),
        (unclear(-1.0, 0.32, 4), "difference within error"),
        (unclear(-1.0, 0.31, 4), ""),
        (unclear(-1.0, np.nan, 1), "difference of unknown error"),
        (unclear(-np.inf, np.nan, 3), ""),
        (unclear(np.nan, np.nan, 3), ""),
        (joined(), ""),
        (joined("", "one", "two"), "one; two"),
    ],
)
def test_caveats(found: str, told: str) -> None:
    assert found == told
