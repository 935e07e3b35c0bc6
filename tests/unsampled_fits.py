"""Fits with draws that were not sampled, and laws that are not in the catalogue."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw import laws
from bayeslaw._law.law import Law, law
from bayeslaw._law.roles import Amplitude, Exponent, Floor, Scale
from bayeslaw.data.runs import read_runs
from bayeslaw.fitting.fit import Fit
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
    """A fit with draws that nobody sampled."""
    runs, rng = two_curves(group), np.random.default_rng(1)
    labels = {"curve": ["a/b", "c d"], f"{group}_of_curve": ("curve", ["a/b", "c d"])}
    axes = {"chain": [0, 1], "draw": np.arange(3)}
    alpha = (["chain", "draw", "curve"], rng.normal(size=(2, 3, 2)))
    tree = {
        "/posterior": xr.Dataset({"alpha": alpha}, {**axes, **labels}),
        "/sample_stats": xr.Dataset(
            {"diverging": (["chain", "draw"], rng.random((2, 3)) < 0.5)}, axes
        ),
        "/log_likelihood": xr.Dataset({"loss": ("run", [-np.inf, np.nan])}),
        "/constant_data": runs.drop_vars("loss").drop_attrs(deep=False),
    }
    result = xr.DataTree.from_dict(tree)
    result.attrs.update(gate=json.dumps({"r_hat": np.inf}), law="power")
    return Fit(model or Model(laws.power), runs, result)


def assert_same(loaded: Fit, original: Fit) -> None:
    xr.testing.assert_identical(loaded.runs, original.runs)
    xr.testing.assert_identical(loaded.tree, original.tree)
    assert loaded.runs.attrs == original.runs.attrs
    for node in original.tree.subtree:
        data, expected = loaded.tree[node.path].to_dataset(), node.to_dataset()
        assert data.dtypes == expected.dtypes
        assert list(data.indexes) == list(expected.indexes)
