"""The demonstration, on a part of its data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw import cli, demo

QUICK = {"draws": 50, "tune": 150, "chains": 2, "target_accept": 0.9, "progressbar": False}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> xr.Dataset:
    """Two tasks, two laws, few draws."""
    runs = bl.datasets.load("learners")
    tasks = list(dict.fromkeys(runs["task"].values.tolist()))[:2]
    learners = list(dict.fromkeys(runs["learner"].values.tolist()))[:2]
    kept = (runs["task"].isin(tasks) & runs["learner"].isin(learners)).values
    part, fit = runs.isel(run=kept), bl.fit

    def quick(model: bl.Model, train: xr.Dataset, *, random_seed: int, **_: Any) -> bl.Fit:
        return fit(model, train, random_seed=random_seed, **QUICK)

    monkeypatch.setattr(demo, "LAWS", ("power", "pure_power"))
    monkeypatch.setattr(bl.datasets, "load", lambda name: part)
    monkeypatch.setattr(bl, "fit", quick)
    return part


def test_demo(small: xr.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "made" / "here"
    code = cli.run(["demo", "--out", str(out), "--seed", "2", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == (0 if told["converged"] else 1)
    assert (out / "forecast.png").read_bytes().startswith(b"\x89PNG")

    kept = bl.load(out / "fit.nc")
    train, later = bl.split_held_out(small)
    xr.testing.assert_identical(kept.runs["loss"], train["loss"])
    assert kept.model.law.digest == bl.laws.power.digest
    assert kept.model.law.predictors == ("D",)
    assert kept.model.pooling == ["task", "learner"]

    rows = {(row["of"], row["label"], row["parameter"]): row for row in told["parameters"]}
    expected = bl.summary(kept).drop(index="curve", level="of")
    assert set(rows) == set(expected.index)
    for key, row in rows.items():
        assert row["median"] == pytest.approx(expected.loc[key, "median"], rel=1e-9)

    assert {row["law"] for row in told["comparison"]} == {
        "power", "pure_power", "last value", "least squares"
    }  # fmt: skip
    check_held_out(told, kept, later)
    assert told["sentences"][-1].startswith(f"Figure: {out / 'forecast.png'}   Fit: ")


def check_held_out(told: dict[str, Any], kept: bl.Fit, later: xr.Dataset) -> None:
    """The numbers again, from the fit that was kept and the same seed."""
    found = bl.forecast(kept, later, random_seed=2)
    loss, counts = later["loss"].values, {}
    for prob in (0.5, 0.9):
        low, _, high = bl.interval(found, prob)["new_run"].transpose("bound", "run").values
        counts[prob] = int(((low <= loss) & (loss <= high)).sum())
    assert told["sentences"][0] == (
        f"Of {loss.size} held-out runs, at up to four times the largest size fitted: "
        f"{counts[0.5]} in the 50% band, {counts[0.9]} in the 90% band."
    )
    held_out = pd.DataFrame(told["held_out"])
    assert len(held_out) == kept.tree["posterior"].sizes["curve"]
    last = held_out.iloc[0]
    own = (later["task"] == last["task"]) & (later["learner"] == last["learner"])
    at = (own & (later["D"] == later["D"].values[own.values].max())).values
    assert last["held-out loss"] == pytest.approx(loss[at].mean())
    band = bl.interval(found.isel(run=at), 0.9)["new_run"]
    assert last["upper"] == pytest.approx(float(band.sel(bound="upper").mean()))
    inside = (band.sel(bound="lower") <= loss[at]) & (loss[at] <= band.sel(bound="upper"))
    assert last["inside 90%"] == f"{int(np.sum(inside))} of {int(at.sum())}"
