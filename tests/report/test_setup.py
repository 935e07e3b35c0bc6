"""Data, model and priors in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import preliz as pz
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.report.blocks import Section
from bayeslaw.report.setup import data_section, model_section, priors_section


def text_of(section: Section) -> str:
    texts = [getattr(block, "text", "") for block in section.blocks]
    lines = [line for block in section.blocks for line in getattr(block, "lines", ())]
    return " ".join([*texts, *lines])


def test_problems_of_the_data_are_reported(joint_fit: bl.Fit) -> None:
    runs = joint_fit.runs.isel(run=joint_fit.runs["task"].values == "c4")
    runs = runs.isel(run=[0, 0, 1]).assign_coords(run=[0, 1, 2])
    runs.attrs["notes"] = ["Two rows were dropped."]
    text = text_of(data_section(replace(joint_fit, runs=runs), None))
    assert "Two rows were dropped." in text
    assert "1 of 1 curves have fewer distinct values of N and D than the law has" in text
    assert "Group task has one level and pools nothing." in text
    assert "1 runs are exact copies of others" in text
    assert "No exact copies" not in text


def test_warnings_on_reading_are_reported_once(joint_fit: bl.Fit, tmp_path: Path) -> None:
    frame = joint_fit.runs.to_dataframe().assign(task="c4")
    with pytest.warns(bl.errors.RunsWarning):
        runs = bl.read_runs(
            pd.concat([frame, frame[:2]]), predictors=["N", "D"], groups=["task"], duplicates="keep"
        )
    unsampled = joint_fit.tree.copy()
    unsampled.children = {}
    bl.save(replace(joint_fit, runs=runs, tree=unsampled), tmp_path / "fit.nc")
    text = text_of(data_section(bl.load(tmp_path / "fit.nc"), None))
    assert "exact copies of earlier ones: kept, so they count as new evidence." in text
    assert "Group 'task' has one level, 'c4', in all 26 runs: dropped from the pooling." in text
    assert text.count("copies") == text.count("has one level") == 1


def test_many_levels_are_cut_short(joint_fit: bl.Fit) -> None:
    labels = [f"task {i}" for i in range(joint_fit.runs.sizes["run"])]
    runs = joint_fit.runs.assign_coords(task=("run", labels))
    text = text_of(data_section(replace(joint_fit, runs=runs), None))
    assert "task 11, and 12 more." in text


def test_laws_in_other_predictors_and_without_formula(joint_fit: bl.Fit) -> None:
    law = bl.laws.chinchilla.of("N", "S")
    assert "Its D is here S." in text_of(model_section(replace(joint_fit, model=bl.Model(law))))
    bare = bl.Model(replace(bl.laws.chinchilla, latex=None))
    text = text_of(model_section(replace(joint_fit, model=bare)))
    assert "Law chinchilla gives no formula" in text
    assert "Pooling: a curve's parameter is the population's, and a deviation" in text


def test_fixed_and_tied_parameters_are_held(joint_fit: bl.Fit) -> None:
    priors = {"E": bl.Fixed(1.7)}
    model = bl.Model(bl.laws.chinchilla, pooling=None, priors=priors, tie={"beta": "alpha"})
    [frame] = [
        b.frame for b in model_section(replace(joint_fit, model=model)).blocks if b.kind == "table"
    ]
    rows = frame.set_index("parameter")
    assert rows["held"].loc[["E", "A", "beta"]].tolist() == ["1.7", "free", "= alpha"]
    assert rows["varies over"].loc[["E", "A"]].tolist() == ["nothing", "each curve alone"]


def test_priors_of_other_packages_are_printed(joint_fit: bl.Fit) -> None:
    prior = pz.LogNormal(np.log(0.3), 0.2)
    model = replace(joint_fit.model, priors={**joint_fit.model.priors, "alpha": prior})
    [frame] = [
        b.frame for b in priors_section(replace(joint_fit, model=model)).blocks if b.kind == "table"
    ]
    described = frame.set_index("parameter")["prior"]
    assert described["alpha"] == str(prior)
    assert described["beta"] == "LogNormal, median 1, factor 2"


def test_runs_stay_as_they_are(joint_fit: bl.Fit) -> None:
    before = joint_fit.runs.copy(deep=True)
    data_section(joint_fit, joint_fit.runs)
    xr.testing.assert_identical(joint_fit.runs, before)
    assert isinstance(data_section(joint_fit, None).blocks[1].frame, pd.DataFrame)  # type: ignore[union-attr]
