"""The data sets that come with the package: rows, descriptions, errors."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayeslaw.data import datasets
from bayeslaw.data.runs import check_runs

CURVE = ["task", "learner"]
CELL = [*CURVE, "n_train"]


@pytest.fixture(scope="module")
def learners() -> pd.DataFrame:
    return datasets.table("learners")


@pytest.fixture(scope="module")
def runs() -> xr.Dataset:
    return datasets.load("learners")


@pytest.mark.parametrize("name", datasets.names())
def test_info_describes_the_file(name: str) -> None:
    about, rows = datasets.info(name), datasets.table(name)
    assert about.name == name
    assert list(about.columns) == list(rows.columns)
    assert about.rows == len(rows)
    assert {about.response, *about.predictors.values(), *about.groups} <= set(about.columns)
    assert about.title
    assert about.licence
    assert all(about.columns.values())


@pytest.mark.parametrize("name", datasets.names())
def test_info_tells_provenance(name: str) -> None:
    provenance = datasets.info(name).provenance
    assert set(provenance) >= {"script", "versions", "date", "machine"}


@pytest.mark.parametrize("name", datasets.names())
def test_load_gives_every_row_that_is_kept(name: str) -> None:
    about, rows, runs = datasets.info(name), datasets.table(name), datasets.load(name)
    assert len(rows) == about.rows
    for column, values in about.keep.items():
        rows = rows[rows[column].isin(values)]
    check_runs(runs)
    assert dict(runs.sizes) == {"run": len(rows)} == {"run": about.runs}
    np.testing.assert_array_equal(runs[about.response], rows[about.response])
    for predictor, column in about.predictors.items():
        np.testing.assert_array_equal(runs[predictor], rows[column])
    for group in about.groups:
        assert runs[group].values.tolist() == rows[group].astype(str).tolist()


def test_info_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        datasets.info("learners").rows = 0  # type: ignore[misc]


def test_learners_predict_loss_from_samples(runs: xr.Dataset) -> None:
    assert runs.attrs["response"] == "loss"
    assert runs.attrs["predictors"] == ["D"]
    assert runs.attrs["groups"] == CURVE


def test_learners_keep_held_out_marks(learners: pd.DataFrame, runs: xr.Dataset) -> None:
    np.testing.assert_array_equal(runs["held_out"], learners["held_out"])


def test_learners_and_tasks_are_crossed(learners: pd.DataFrame) -> None:
    sizes_of_curve = learners.groupby(CURVE)["n_train"].agg(lambda sizes: frozenset(sizes))
    crossed = sizes_of_curve.unstack("learner")
    assert crossed.shape[0] >= 4
    assert crossed.shape[1] >= 4
    assert crossed.notna().all(axis=None)
    assert (crossed.nunique(axis=1) == 1).all()


def test_learners_cover_sizes_and_seeds(learners: pd.DataFrame) -> None:
    assert learners.groupby(CURVE)["n_train"].nunique().min() >= 8
    assert learners.groupby(CELL)["seed"].nunique().min() >= 5


def test_learners_have_the_same_seeds_everywhere(learners: pd.DataFrame) -> None:
    seeds = learners.groupby(CELL)["seed"].agg(lambda values: tuple(sorted(values)))
    assert seeds.nunique() == 1


def test_learners_have_no_duplicates(learners: pd.DataFrame) -> None:
    assert not learners.duplicated([*CELL, "seed"]).any()
    assert not learners.duplicated([*CELL, "loss"]).any()


def test_losses_are_positive_and_finite(learners: pd.DataFrame) -> None:
    assert np.isfinite(learners["loss"]).all()
    assert (learners["loss"] > 0).all()


def test_metric_and_test_part_are_fixed_within_a_task(learners: pd.DataFrame) -> None:
    fixed = learners.groupby("task")[["metric", "test_size"]].nunique()
    assert (fixed == 1).all(axis=None)
    assert set(learners["metric"]) <= {"log_loss", "relative_squared_error"}


def test_held_out_runs_lie_beyond_training_runs(learners: pd.DataFrame) -> None:
    sizes = learners.groupby(["task", "held_out"])["n_train"]
    smallest, largest = sizes.min().unstack(), sizes.max().unstack()
    assert (smallest[True] >= 2 * largest[False]).all()
    assert (sizes.nunique().unstack()[True] == 2).all()


@pytest.mark.parametrize("rows", ["all", "training"])
def test_mean_loss_falls_along_every_curve(learners: pd.DataFrame, rows: str) -> None:
    selected = learners if rows == "all" else learners[~learners["held_out"]]
    mean = selected.groupby(CELL, as_index=False)["loss"].mean().sort_values("n_train")
    curves = mean.groupby(CURVE)["loss"]
    assert (curves.last() < curves.first()).all()


@pytest.mark.parametrize("function", [datasets.load, datasets.info, datasets.table])
def test_unknown_name_suggests_the_nearest(function: Callable[[str], object]) -> None:
    sentence = (
        "unknown data set 'learner' (did you mean 'learners'?); there are: learners, tiny_lm, "
        "tiny_lm_curves, tiny_lm_repeats, and "
        f"{len(datasets.names(public=True))} public ones, listed by names(public=True)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        function("learner")


def test_unknown_name_unlike_any_lists_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"^unknown data set 'chess'; there are: learners, tiny"):
        datasets.load("chess")
