"""Differences paired by curve, and their clustered standard errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import bayeslaw as bl
from bayeslaw.comparison.paired_differences import clustered_standard_error, paired_differences
from bayeslaw.data.curves import curves_in

TASKS, DATASETS = [f"t{i}" for i in range(8)], [f"d{i}" for i in range(6)]
CROSSED = curves_in(bl.grid(N=1e8, task=TASKS, dataset=DATASETS))


def test_independent_curves_have_the_usual_error() -> None:
    values = np.random.default_rng(1).normal(size=7)
    alone = curves_in(bl.grid(N=1e8, task=TASKS[:7]))
    expected = values.std(ddof=1) / np.sqrt(7)
    assert clustered_standard_error(values, alone) == pytest.approx(expected)
    one_level = alone.assign_coords(kind=("curve", ["a"] * 7)).assign_attrs(groups=["kind"])
    assert clustered_standard_error(values, one_level) == pytest.approx(expected)


@given(st.lists(st.floats(-5, 5), min_size=8, max_size=8))
def test_curves_that_repeat_their_task_count_once(effects: list[float]) -> None:
    """What has one value per task has the error of that many values, however many data sets."""
    expected = np.std(effects, ddof=1) / np.sqrt(8)
    assert clustered_standard_error(np.repeat(effects, 6), CROSSED) == pytest.approx(
        expected, abs=1e-12
    )


@pytest.mark.parametrize("repeat", [lambda x: np.repeat(x, 6), lambda x: np.tile(x, 8)])
def test_the_error_is_right_for_effects_of_either_group(
    repeat: Callable[[np.ndarray], np.ndarray],
) -> None:
    """The mean of squared errors is the variance of the mean, within four standard errors."""
    rng, n = np.random.default_rng(2), 400
    size = 48 // repeat(np.zeros(1)).size
    drawn = [repeat(rng.normal(size=size)) + 0.2 * rng.normal(size=48) for _ in range(n)]
    squared = np.array([clustered_standard_error(values, CROSSED) ** 2 for values in drawn])
    truth = 1 / size + 0.04 / 48
    assert abs(squared.mean() - truth) < 4 * squared.std() / np.sqrt(n)


@pytest.mark.parametrize("values", [[1.0], [1.0, -np.inf]])
def test_an_error_that_is_not_defined(values: list[float]) -> None:
    alone = curves_in(bl.grid(N=1e8, task=TASKS[: len(values)]))
    assert np.isnan(clustered_standard_error(np.array(values), alone))


def test_differences_are_of_curves_and_from_the_best_candidate() -> None:
    frame = pd.DataFrame({"N": [1e8, 2e8, 1e8], "loss": 2.0, "task": ["a", "a", "b"]})
    later = bl.read_runs(frame, predictors=["N"], groups=["task"])

    def scores(*values: float) -> xr.Dataset:
        return xr.Dataset({"log_score": ("run", list(values))}, later.coords, later.attrs)

    scored = {"first": scores(1, 3, 4), "second": scores(2, 2, 1), "failed": scores(9, 9, 9)}
    table = paired_differences(scored, ["first", "second"])
    assert table["log_score_diff"].to_dict() == {"first": 0, "second": -1.5, "failed": 6}
    assert table.loc["second", "log_score_diff_se"] == pytest.approx(1.5)
    assert table.loc["first", "log_score_diff_se"] == 0
    worst = paired_differences({**scored, "second": scores(2, 2, -np.inf)}, ["first", "second"])
    assert worst.loc["second", "log_score_diff"] == -np.inf
    assert np.isnan(worst.loc["second", "log_score_diff_se"])


def test_curves_that_share_tasks_or_data_sets() -> None:
    """Two tasks by two data sets: half the error if the curves were independent."""
    four = curves_in(bl.grid(N=1e8, task=["a", "b"], dataset=["c", "d"]))
    assert clustered_standard_error(np.array([0.0, 0.0, 2.0, 2.0]), four) == 1.0
