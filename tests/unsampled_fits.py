"""Fits with draws that were not sampled, and laws that are not in the catalogue."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw import laws
from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.posterior import posterior_dataset, unconstrained_dataset
from bayeslaw._law.law import Law, law
from bayeslaw._law.roles import Amplitude, Exponent, Floor, Scale
from bayeslaw._sampling.gate import Gate
from bayeslaw.data.runs import read_runs
from bayeslaw.fitting.result import Fit
from bayeslaw.model.model import Model


@law
def shifted(N: Any, *, L0: Floor, k: Amplitude, c: Scale, alpha: Exponent) -> Any:
    """Power law with a shifted origin."""
    return L0 + k * (1 + N / c) ** -alpha


@law
def twice_shifted(N: Any, *, k: Amplitude, c: Scale, delta: Scale, alpha: Exponent) -> Any:
    """Power law with an origin that is shifted twice."""
    return k * (1 + N / c + N / delta) ** -alpha


def changed_formula() -> Law:
    """The law above, edited."""

    @law
    def shifted(N: Any, *, L0: Floor, k: Amplitude, c: Scale, alpha: Exponent) -> Any:
        return L0 + k * (2 + N / c) ** -alpha

    return shifted


def changed_role() -> Law:
    """The law above with another role."""
    parameters = {**shifted.parameters, "k": laws.log_linear.parameters["b"]}
    return dataclasses.replace(shifted, parameters=parameters)


def two_curves(group: str = "task") -> xr.Dataset:
    """Two exact curves of four runs, with labels that a path would split."""
    size = np.tile([1e6, 1e7, 1e8, 1e9], 2)
    labels = np.repeat(["a/b", "c d"], 4)
    loss = 2 + 3 * (size / 1e6) ** -0.3 * np.where(labels == "a/b", 1.0, 1.2)
    frame = pd.DataFrame({"params": size, "loss": loss, group: labels})
    return read_runs(frame, predictors={"N": "params"}, groups=[group])


def unsampled(model: Model | None = None, group: str = "task") -> Fit:
    """A fit with draws that nobody sampled, on two curves in all predictors of its law."""
    model, rng = model or Model(laws.power), np.random.default_rng(1)
    runs = with_predictors(two_curves(group), model.law)
    bound = bind(model, runs)
    unconstrained = unconstrained_dataset(bound, random_draws(bound, rng))
    sampled = ["chain", "draw"]
    axes = {name: unconstrained[name].values for name in sampled}
    log_likelihood = rng.normal(size=(2, 3, 8))
    log_likelihood[0, 0, :2] = -np.inf, np.nan
    tree = {
        "/posterior": posterior_dataset(bound, unconstrained),
        "/unconstrained_posterior": unconstrained,
        "/sample_stats": xr.Dataset({"diverging": (sampled, rng.random((2, 3)) < 0.5)}, axes),
        "/log_likelihood": xr.Dataset(
            {"loss": ([*sampled, "run"], log_likelihood)}, {**axes, "run": runs["run"].values}
        ),
        "/constant_data": runs.drop_vars("loss").drop_attrs(deep=False),
    }
    result = xr.DataTree.from_dict(tree)
    result.attrs.update(gate=Gate(np.inf, 0.0, 0.0, "alpha", 3, 1.0, 6).to_json(), law="power")
    return Fit(model, runs, result)


def with_predictors(runs: xr.Dataset, law: Law) -> xr.Dataset:
    """The same runs with the predictors of a law, each as N is."""
    columns = {name: runs["N"] for name in law.predictors if name != "N"}
    predictors = list(dict.fromkeys([*runs.attrs["predictors"], *law.predictors]))
    return runs.assign(columns).assign_attrs(predictors=predictors)


def random_draws(bound: BoundModel, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Two chains of three draws of the sampler's variables."""
    layout, curves = bound.hierarchy, bound.run_arrays.curves.sizes["curve"]
    sizes: dict[str, tuple[int, ...]] = {"theta": (len(bound.roles), curves)}
    if layout is not None:
        sizes |= {"center": (len(bound.roles),), "spread": (len(layout.spreads),)}
        sizes |= {"effects": (len(layout.levels),)} if layout.levels else {}
    return {name: 0.1 * rng.random((2, 3, *size)) for name, size in sizes.items()}


def assert_same(loaded: Fit, original: Fit) -> None:
    xr.testing.assert_identical(loaded.runs, original.runs)
    xr.testing.assert_identical(loaded.tree, original.tree)
    assert loaded.runs.attrs == original.runs.attrs
    for node in original.tree.subtree:
        data, expected = loaded.tree[node.path].to_dataset(), node.to_dataset()
        assert data.dtypes == expected.dtypes
        assert list(data.indexes) == list(expected.indexes)
