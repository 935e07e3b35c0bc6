"""Groups that follow from the unconstrained draws: they come back as they were, or are refused."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from unsampled_fits import unsampled

import bayeslaw as bl
from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.posterior import posterior_dataset
from bayeslaw.diagnostics.psis_loo import leave_one_out
from bayeslaw.fitting import log_likelihood as module
from bayeslaw.fitting.derived_groups import derived_groups, with_derived_groups
from bayeslaw.fitting.fit_schema import _unconstrained
from bayeslaw.fitting.fit_tree import ATTRIBUTE, fit_from_tree, fit_to_tree
from bayeslaw.fitting.log_likelihood import log_likelihood_dataset

MODELS = {
    "default": bl.Model(bl.laws.power),
    "alone": bl.Model(bl.laws.power, pooling=None),
    "groups": bl.Model(bl.laws.power, pooling=["task"]),
    "no discrepancy": bl.Model(bl.laws.power, pooling=["task"], discrepancy=None),
    "latent": bl.Model(bl.laws.power, noise=bl.StudentT()),
    "undertuned": bl.Model(bl.laws.power, noise=bl.Undertuned(), discrepancy=None),
    "knots": bl.Model(bl.laws.chinchilla, discrepancy=bl.Brownian()),
}
PATHS = {"/posterior", "/prior", "/log_likelihood"}


def complete(model: bl.Model) -> bl.Fit:
    """A fit of draws that nobody sampled, with all groups that follow from them."""
    fit, rng = unsampled(model), np.random.default_rng(1)
    bound = bind(model, fit.runs)
    shape = _unconstrained(bound).isel(chain=[0, 0], draw=np.zeros(30, int))
    shape = shape.assign_coords(chain=np.arange(2), draw=np.arange(30))
    draws = shape.map(lambda values: values + np.abs(0.1 * rng.normal(size=values.shape)))
    posterior = posterior_dataset(bound, draws)
    groups = {
        "/unconstrained_posterior": draws,
        "/posterior": posterior,
        "/log_likelihood": log_likelihood_dataset(bound, posterior, draws),
        "/unconstrained_prior": draws.drop_vars(["latent", "run"], errors="ignore"),
        "/prior": posterior,
    }
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(fit.tree.attrs)
    return bl.Fit(model, fit.runs, tree)


def loaded(fit: bl.Fit) -> bl.Fit:
    return fit_from_tree(fit_to_tree(fit), Path("fit.nc"))


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_they_come_back_as_they_were(model: bl.Model) -> None:
    fit = complete(model)
    assert derived_groups(fit).keys() == PATHS
    assert not {path[1:] for path in PATHS} & set(fit_to_tree(fit).children)
    back = loaded(fit)
    assert list(back.tree) == list(fit.tree)
    xr.testing.assert_identical(back.tree, fit.tree)


def test_a_fit_without_draws_has_none() -> None:
    fit = complete(MODELS["default"])
    bare = bl.Fit(fit.model, fit.runs, xr.DataTree())
    assert derived_groups(bare) == {}
    assert with_derived_groups(bare, {}).keys() == {"/"}


@pytest.fixture
def computed_draws(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of draws for which the log likelihood was computed."""
    sizes: list[int] = []

    def counted(bound: Any, posterior: xr.Dataset, unconstrained: xr.Dataset) -> np.ndarray:
        sizes.append(posterior.sizes["draw"])
        return computed(bound, posterior, unconstrained)

    computed = module._computed
    monkeypatch.setattr(module, "_computed", counted)
    return sizes


def test_the_log_likelihood_is_computed_once_and_when_it_is_read(computed_draws: list[int]) -> None:
    fit = complete(MODELS["default"])
    back = loaded(fit)
    bl.forecast(back, bl.grid(N=[1e9], task="c d"))
    assert computed_draws == [20, 20, 1]  # to see if it may be left out, and a checksum
    computed_draws.clear()
    for _ in range(2):
        xr.testing.assert_identical(back.tree["log_likelihood"], fit.tree["log_likelihood"])
    assert computed_draws == [1, 30, 30]  # compared with the checksum; of both fits


VIEWS: dict[str, Callable[[xr.DataArray], Any]] = {
    "slice": lambda values: values[:, 3:9:2].values,
    "one": lambda values: values[1, 2, 3].values,
    "lists": lambda values: values[[1, 0], [5, 2], [7, 7, 0]].values,
    "points": lambda values: (
        values.isel(draw=xr.DataArray([1, 5], dims="p"), run=xr.DataArray([3, 0], dims="p")).values
    ),
    "mean": lambda values: values.mean(("chain", "draw")).values,
    "stacked": lambda values: values.stack(sample=("chain", "draw")).values,
    "transposed": lambda values: values.transpose("run", ...).values,
    "deep copy": lambda values: copy.deepcopy(values).values,
    "pickled": lambda values: pickle.loads(pickle.dumps(values)).values,
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_the_log_likelihood_is_an_array_like_any_other(
    view: Callable[[xr.DataArray], Any],
) -> None:
    fit = complete(MODELS["default"])
    back = loaded(fit).tree["log_likelihood"]["loss"]
    np.testing.assert_array_equal(view(back), view(fit.tree["log_likelihood"]["loss"]))


def test_the_log_likelihood_can_be_written_to() -> None:
    values = loaded(complete(MODELS["default"])).tree["log_likelihood"]["loss"]
    values[0, 0, 0] = 7.0
    assert values.values[0, 0, 0] == 7.0


def test_arviz_takes_it() -> None:
    fit = complete(MODELS["default"])
    assert leave_one_out(loaded(fit)).elpd == leave_one_out(fit).elpd


CHANGES: dict[str, tuple[str, Callable[[xr.Dataset], xr.Dataset]]] = {
    "posterior": ("/unconstrained_posterior", lambda draws: draws.assign(theta=draws["theta"] + 1)),
    "prior": ("/unconstrained_prior", lambda draws: draws.assign(theta=draws["theta"] + 1)),
}


@pytest.mark.parametrize("group", CHANGES)
def test_a_group_that_would_be_another_is_refused(group: str) -> None:
    path, change = CHANGES[group]
    tree = fit_to_tree(complete(MODELS["default"]))
    groups = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
    attrs = groups[path].attrs
    groups[path] = change(groups[path]).assign_attrs(attrs)
    sentence = f"'fit.nc' is damaged: the fit: group '{group}' was computed from the draws and is"
    with pytest.raises(bl.errors.StoreError, match=f"^{sentence} not as it was when it was saved"):
        fit_from_tree(xr.DataTree.from_dict(groups), Path("fit.nc"))


def test_other_runs_are_refused() -> None:
    tree = fit_to_tree(complete(MODELS["default"]))
    groups = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
    groups["/runs"] = groups["/runs"].assign(loss=1.01 * groups["/runs"]["loss"])
    with pytest.raises(bl.errors.StoreError, match="the runs are not as they were when"):
        fit_from_tree(xr.DataTree.from_dict(groups), Path("fit.nc"))


def test_a_log_likelihood_that_would_be_another_is_refused_when_it_is_read() -> None:
    tree = fit_to_tree(complete(MODELS["default"]))
    record = json.loads(tree.attrs[ATTRIBUTE])
    record["derived"]["/log_likelihood"] += 1
    tree.attrs[ATTRIBUTE] = json.dumps(record)
    back = fit_from_tree(tree, Path("fit.nc"))
    sentence = "'fit.nc' is damaged: the fit: group 'log_likelihood' was computed from the draws"
    with pytest.raises(bl.errors.StoreError, match=sentence):
        back.tree["log_likelihood"]["loss"].values  # noqa: B018 (reads)
