"""Posterior probabilities of regions of a parameter."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from bayeslaw import laws
from bayeslaw._sampling.gate import NOT_CONVERGED, Gate
from bayeslaw.data.runs import read_runs
from bayeslaw.diagnostics.region_probabilities import region_probabilities
from bayeslaw.fitting.result import Fit

B = np.array([[[0.5, 1.0], [0.9, 1.2], [1.0, 1.3], [1.5, 0.99]]])  # chain, draw, curve


@pytest.fixture
def fit(known_fit: Callable[..., Fit]) -> Fit:
    table = pd.DataFrame({"X": [1.0, 4.0] * 2, "loss": [1.0, 2.0] * 2, "task": list("ssuu")})
    runs = read_runs(table, predictors=["X"], groups=["task"])
    return known_fit(laws.proportional, {"a": np.ones_like(B), "b": B}, runs)


def test_probabilities_are_shares_of_the_draws(fit: Fit) -> None:
    probabilities = region_probabilities(fit)
    assert probabilities.index.tolist() == ["s", "u"]
    assert probabilities.columns.tolist() == ["sublinear", "linear", "superlinear"]
    assert probabilities.loc["s"].tolist() == [0.5, 0.25, 0.25]
    assert probabilities.loc["u"].tolist() == [0.0, 0.5, 0.5]


def test_a_population_comes_first(fit: Fit) -> None:
    tree = fit.tree.copy()
    population = tree["posterior"].to_dataset().assign(b_population=(("chain", "draw"), B[..., 1]))
    tree["posterior"] = type(tree)(population)
    probabilities = region_probabilities(dataclasses.replace(fit, tree=tree))
    assert probabilities.index.tolist() == ["population", "s", "u"]
    assert probabilities.loc["population"].tolist() == probabilities.loc["u"].tolist()


def test_a_fit_that_did_not_converge_says_so_first(fit: Fit) -> None:
    tree = fit.tree.copy()
    tree.attrs["gate"] = dataclasses.replace(Gate.of(fit.tree), r_hat=2.0).to_json()
    probabilities = region_probabilities(dataclasses.replace(fit, tree=tree))
    assert (probabilities.pop("caveat") == NOT_CONVERGED).all()
    assert probabilities.shape == (2, 3)


def test_laws_without_regions_are_refused(known_fit: Callable[..., Fit], fit: Fit) -> None:
    law = dataclasses.replace(laws.proportional, regions={})
    other = dataclasses.replace(fit, model=dataclasses.replace(fit.model, law=law))
    with pytest.raises(ValueError, match="law 'proportional' has no regions of its parameters"):
        region_probabilities(other)
