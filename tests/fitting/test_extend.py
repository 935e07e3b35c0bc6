"""Extended fits: what they keep, what they add, and that all of it is judged together."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from typing import Any

import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.sample_posterior import SamplingInterrupted
from bayeslaw.errors import Interrupted

module = importlib.import_module("bayeslaw.fitting.extend")


@pytest.fixture(scope="module")
def extended(lone_fit: bl.Fit) -> bl.Fit:
    return bl.extend(lone_fit, draws=100, progressbar=False)


def test_the_first_draws_are_those_of_the_fit(lone_fit: bl.Fit, extended: bl.Fit) -> None:
    n = lone_fit.tree["posterior"].sizes["draw"]
    for group in ("posterior", "unconstrained_posterior", "sample_stats"):
        longer = extended.tree[group].to_dataset()
        assert longer.sizes["draw"] == n + 100
        xr.testing.assert_equal(
            longer.isel(draw=slice(n)), lone_fit.tree[group].to_dataset()[list(longer)]
        )
    assert extended.tree["log_likelihood"].sizes["draw"] == n + 100


def test_all_draws_are_judged_together(lone_fit: bl.Fit, extended: bl.Fit) -> None:
    gate, before = Gate.of(extended.tree), Gate.of(lone_fit.tree)
    assert gate.draws == before.draws + 200
    assert gate.ess_bulk > before.ess_bulk
    alpha = extended.tree["posterior"]["alpha"]
    n = lone_fit.tree["posterior"].sizes["draw"]
    old, new = alpha.isel(draw=slice(n)), alpha.isel(draw=slice(n, None))
    assert abs(float(old.mean() - new.mean())) < 5 * float(old.std()) / 200**0.5


def test_the_rest_of_the_fit_stays(lone_fit: bl.Fit, extended: bl.Fit) -> None:
    assert set(extended.tree.children) == set(lone_fit.tree.children)
    assert extended.model == lone_fit.model
    xr.testing.assert_identical(
        extended.tree["prior"].to_dataset(), lone_fit.tree["prior"].to_dataset()
    )
    first, then = (json.loads(each.tree.attrs["sampler"]) for each in (lone_fit, extended))
    assert {**first, "seconds": 0} == {**then, "seconds": 0}
    assert then["seconds"] > first["seconds"]
    [extension] = json.loads(extended.tree.attrs["extensions"])
    assert extension["draws"] == 100
    assert "extensions" not in lone_fit.tree.attrs


def test_a_fit_can_be_extended_twice_and_saved(extended: bl.Fit, tmp_path: Any) -> None:
    bl.save(extended, tmp_path / "fit.nc")
    again = bl.extend(bl.load(tmp_path / "fit.nc"), draws=20, random_seed=9, progressbar=False)
    seeds = [each["random_seed"] for each in json.loads(again.tree.attrs["extensions"])]
    assert len(set(seeds)) == 2
    assert seeds[-1] == 9
    new = again.tree["posterior"]["alpha"].values[:, -20:]
    assert not set(new.ravel()) & set(extended.tree["posterior"]["alpha"].values.ravel())


def test_settings_are_those_the_fit_ended_with(lone_fit: bl.Fit) -> None:
    tree = lone_fit.tree.copy()
    tree["sample_stats"].attrs["target_accept"] = 0.97
    sampler = bl.Sampler(1, draws=30, chains=4, importance=True)
    more = module._settings_of_more(replace(lone_fit, tree=tree), sampler, progressbar=False)
    assert more == bl.Sampler(
        1, draws=30, chains=2, target_accept=0.97, progressbar=False, max_draws_factor=1
    )


def test_an_interrupt_keeps_the_draws_so_far(
    lone_fit: bl.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = module.sample_posterior

    def interrupted(*arguments: Any) -> Any:
        raise SamplingInterrupted(sample(*arguments))

    monkeypatch.setattr(module, "sample_posterior", interrupted)
    with pytest.raises(Interrupted) as caught:
        bl.extend(lone_fit, draws=20, progressbar=False)
    n = lone_fit.tree["posterior"].sizes["draw"]
    assert caught.value.fit.tree["posterior"].sizes["draw"] == n + 20


def test_no_draws_are_refused(lone_fit: bl.Fit) -> None:
    with pytest.raises(ValueError, match="draws must be a whole number, 1 or more, got 0"):
        bl.extend(lone_fit, draws=0)
