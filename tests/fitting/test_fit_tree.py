"""Fits as trees of netCDF groups: names, attributes and values come back; formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from unsampled_fits import (
    assert_same,
    unsampled,
)

import bayeslaw as bl
from bayeslaw import laws
from bayeslaw.errors import StoreError
from bayeslaw.fitting import fit_tree
from bayeslaw.fitting.result import Fit
from bayeslaw.fitting.save import load, save
from bayeslaw.model.model import Model

GROUPS = [
    "model",
    "plot",
    "Run",
    "data set",
    " ",
    "a\tb",
    "größe",
    "a.b",
    "coordinates",
    "f(x)",
    "1",
]


@pytest.mark.parametrize("group", GROUPS)
def test_unusual_names_of_groups_come_back(group: str, tmp_path: Path) -> None:
    original = unsampled(group=group)
    assert_same(load(save(original, tmp_path / "fit.nc")), original)


ATTRIBUTES = [
    True, False, None, 3, 10**30, 2.5, -np.inf, "", "json:", "zwölf", "two\nlines", "x" * 100_000,
    [], ["one"], ["one", "two"], [1, 2.5, None], {"web": [1, 2]}, {},
]  # fmt: skip


@pytest.mark.parametrize("value", ATTRIBUTES, ids=lambda value: repr(value)[:20])
def test_attributes_come_back(value: object, tmp_path: Path) -> None:
    original = unsampled()
    posterior = original.tree["posterior"]
    runs = (original.runs, original.runs["N"], original.runs["run"])
    for item in (*runs, original.tree, posterior, posterior["curve"]):
        item.attrs["note"] = value
    loaded = load(save(original, tmp_path / "fit.nc"))
    assert_same(loaded, original)
    note = loaded.runs["N"].attrs["note"]
    assert (note, type(note)) == (value, type(value))


@pytest.mark.parametrize("value", [np.float64(2.5), np.int64(3), np.bool_(True), np.arange(3)])
def test_numpy_attributes_come_back_as_plain_ones(value: Any, tmp_path: Path) -> None:
    original = unsampled()
    original.runs.attrs["note"] = value
    assert load(save(original, tmp_path / "fit.nc")).runs.attrs["note"] == value.tolist()


def test_values_of_other_types_come_back(tmp_path: Path) -> None:
    original = unsampled()
    columns: dict[str, Any] = {
        "held_out": np.arange(8) > 5,
        "note": np.array(["x", "", "zwölf", "a/b"] * 2, dtype=object),
        "start": pd.date_range("2024-01-01", periods=8, unit="ns"),
        "hours": ("run", np.arange(8.0), {"units": "hours"}),
    }
    columns = {name: c if isinstance(c, tuple) else ("run", c) for name, c in columns.items()}
    runs = original.runs.assign_coords({**columns, "run": list("abcdefgh")})
    at_runs = original.tree["log_likelihood"].to_dataset().assign_coords(run=list("abcdefgh"))
    original.tree["log_likelihood"] = xr.DataTree(at_runs)
    loaded = load(save(Fit(original.model, runs, original.tree), tmp_path / "fit.nc"))
    xr.testing.assert_identical(loaded.runs, runs)


@pytest.mark.parametrize("name", ["format_1.nc", "format_2.nc"])
def test_a_file_of_an_older_format_opens(name: str, tmp_path: Path) -> None:
    """Two curves, twelve draws; format 1 named groups otherwise, and both store all groups."""
    old = load(Path(__file__).parent / "files" / name)
    again = load(save(old, tmp_path / "fit.nc"))
    for group in ("posterior", "log_likelihood"):
        xr.testing.assert_identical(again.tree[group], old.tree[group])
    assert old.model == Model(laws.power, pooling=["task"])
    assert {"unconstrained_posterior", "unconstrained_prior"} <= set(old.tree.children)
    assert not {"link", "prior_link"} & set(old.tree.children)
    assert old.tree["posterior"]["alpha"].sizes == {"chain": 2, "draw": 12, "curve": 2}
    ahead = bl.forecast(old, bl.grid(N=[1e10], task="a"))
    assert np.isfinite(ahead["mean"]).all()


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as future:
        future.setattr(fit_tree, "FORMAT", 4)
        future.setattr(fit_tree, "version", lambda package: "9.0.0")
        save(unsampled(), "fit.nc")
    monkeypatch.setattr(fit_tree, "version", lambda package: "0.1.0")
    with pytest.raises(StoreError) as caught:
        load("fit.nc")
    assert str(caught.value) == (
        "'fit.nc' has format 4, of bayeslaw 9.0.0; this is bayeslaw 0.1.0, which reads format 3: "
        "upgrade it"
    )
