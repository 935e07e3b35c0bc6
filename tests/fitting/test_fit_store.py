"""Stores of fits: complete or absent, under keys of model, runs and settings."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import xarray as xr
import zarr

import bayeslaw as bl
from bayeslaw._sampling.nuts import Sampler
from bayeslaw.fitting.fit_store import FitStore, store_key

SAMPLER = Sampler(1, 10, 10, 2, 1)


def key(fit: bl.Fit, **changes: object) -> str:
    return store_key(fit.model, changes.get("runs", fit.runs), changes.get("sampler", SAMPLER))  # type: ignore[arg-type]


def test_a_fit_comes_back_complete(lone_fit: bl.Fit, tmp_path: Path) -> None:
    store = FitStore(tmp_path / "store")
    name = key(lone_fit)
    assert name not in store
    store.put(name, lone_fit)
    assert name in store
    back = store.get(name, lone_fit.model)
    assert back.model == lone_fit.model
    xr.testing.assert_identical(back.runs, lone_fit.runs)
    assert set(back.tree) == set(lone_fit.tree)
    for group in lone_fit.tree:
        xr.testing.assert_equal(back.tree[group].to_dataset(), lone_fit.tree[group].to_dataset())
    assert back.tree.attrs == lone_fit.tree.attrs
    assert name in set(zarr.open_group(str(tmp_path / "store"), mode="r").group_keys())


def test_two_jobs_can_store_the_same_fit(lone_fit: bl.Fit, tmp_path: Path) -> None:
    store = FitStore(tmp_path)
    for _ in range(2):
        store.put("one", lone_fit)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["one"]


def test_two_jobs_can_create_the_store(
    lone_fit: bl.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(path: str, mode: str) -> None:
        zarr.open_group(path, mode=mode)  # type: ignore[arg-type]
        zarr.create_group(path, overwrite=False)  # which another job did in the meantime

    store = FitStore(tmp_path / "store")
    monkeypatch.setattr(store, "_open_group", late)
    store.put("one", lone_fit)
    assert "one" in store


def test_an_incomplete_fit_is_absent(lone_fit: bl.Fit, tmp_path: Path) -> None:
    store = FitStore(tmp_path)
    (tmp_path / ".one-abcd").mkdir()
    assert "one" not in store


def test_different_fits_have_different_keys(lone_fit: bl.Fit, crossed_fit: bl.Fit) -> None:
    runs = lone_fit.runs
    other = runs.copy(deep=True)
    other["loss"][3] *= 1 + 1e-12
    keys = {
        key(lone_fit),
        key(crossed_fit),
        key(lone_fit, runs=other),
        key(lone_fit, runs=runs.isel(run=slice(1, None))),
        key(lone_fit, runs=runs.assign_attrs(reference={"N": 2e6})),
        key(lone_fit, sampler=replace(SAMPLER, random_seed=2)),
        store_key(replace(lone_fit.model, noise=bl.StudentT(8.0)), runs, SAMPLER),
    }
    assert len(keys) == 7


def test_keys_do_not_depend_on_settings_that_change_no_draw(lone_fit: bl.Fit) -> None:
    same = replace(SAMPLER, cores=2, progressbar=False)
    assert key(lone_fit) == key(lone_fit, sampler=same)


def test_without_zarr_an_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r'needs zarr: pip install "bayeslaw\[zarr\]"'):
        FitStore(tmp_path)
