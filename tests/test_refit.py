"""Many fits of one structure: the same as one by one."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import xarray as xr

import bayeslaw as bl

QUICK = {"draws": 25, "tune": 100, "chains": 2, "target_accept": 0.9, "progressbar": False}
MODEL = bl.Model(bl.laws.pure_power, pooling=["task", "dataset"])


@pytest.fixture(scope="module")
def fewer(crossed_split: tuple[xr.Dataset, xr.Dataset]) -> xr.Dataset:
    """Nine curves of three tasks and three data sets, one run missing."""
    train = crossed_split[0]
    return train.isel(run=(train["dataset"] != "news").values).isel(run=slice(1, None))


def test_refits_are_fits_bit_for_bit(
    crossed_split: tuple[xr.Dataset, xr.Dataset], fewer: xr.Dataset
) -> None:
    first, second = bl.refit(MODEL, [crossed_split[0], fewer], random_seed=5, **QUICK)
    assert first.tree["posterior"].sizes["curve"] == 12
    assert second.tree["posterior"].sizes["curve"] == 9
    assert second.runs.sizes["run"] == crossed_split[0].sizes["run"] - 3 * 6 - 1
    # Compiled for the first, used for the second, which has other runs, curves and levels.
    alone = bl.fit(MODEL, fewer, random_seed=6, **QUICK)
    for group in ("posterior", "link", "log_likelihood", "prior", "posterior_predictive"):
        xr.testing.assert_identical(second.tree[group].to_dataset(), alone.tree[group].to_dataset())
    assert not np.array_equal(first.tree["link"]["center"], second.tree["link"]["center"])


def test_nothing_to_refit() -> None:
    assert bl.refit(MODEL, [], random_seed=1) == []


def test_another_structure_is_told_before_anything_is_sampled(
    crossed_split: tuple[xr.Dataset, xr.Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = crossed_split[0]
    lone = train.isel(run=((train["task"] == "c4") & (train["dataset"] == "web")).values)
    module = importlib.import_module("bayeslaw.refit")
    monkeypatch.setattr(module, "sample", lambda *_: pytest.fail("sampled"))
    with pytest.raises(
        ValueError,
        match=r"^these runs need another compilation: their model has no '.*', so they differ in "
        "the groups that can be pooled$",
    ):
        bl.refit(MODEL, [train, lone], random_seed=1, **QUICK)
