"""Posterior probabilities of what a parameter's value means."""

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
from bayeslaw.fitting.fit import Fit

B = np.array([[[0.5, 1.0], [0.9, 1.2], [1.0, 1.3], [1.5, 0.99]]])  # chain, draw, curve


@pytest.fixture
def fit(known_fit: Callable[..., Fit]) -> Fit:
    table = pd.DataFrame({"X": [1.0, 4.0] * 2, "loss": [1.0, 2.0] * 2, "task": list("ssuu")})
    runs = read_runs(table, predictors=["X"], groups=["task"])
    return known_fit(laws.proportional, {"a": np.ones_like(B), "b": B}, runs)


def test_probabilities_are_shares_of_the_draws(fit: Fit) -> None:
    told = region_probabilities(fit)
    assert told.index.tolist() == ["s", "u"]
    assert told.columns.tolist() == ["sublinear", "linear", "superlinear"]
    assert told.loc["s"].tolist() == [0.5, 0.25, 0.25]
    assert told.loc["u"].tolist() == [0.0, 0.5, 0.5]


def test_a_population_comes_first(fit: Fit) -> None:
    tree = fit.tree.copy()
    population = tree["posterior"].to_dataset().assign(b_population=(("chain", "draw"), B[..., 1]))
    tree["posterior"] = type(tree)(population)
    told = region_probabilities(dataclasses.replace(fit, tree=tree))
    assert told.index.tolist() == ["population", "s", "u"]
    assert told.loc["population"].tolist() == told.loc["u"].tolist()


def test_a_fit_that_did_not_converge_says_so_first(fit: Fit) -> None:
    tree = fit.tree.copy()
    tree.attrs["gate"] = dataclasses.replace(Gate.of(fit.tree), r_hat=2.0).to_json()
    told = region_probabilities(dataclasses.replace(fit, tree=tree))
    assert (told.pop("caveat") == NOT_CONVERGED).all()
    assert told.shape == (2, 3)


def test_laws_without_a_verdict_are_refused(known_fit: Callable[..., Fit], fit: Fit) -> None:
    law = dataclasses.replace(laws.proportional, regions={})
    other = dataclasses.replace(fit, model=dataclasses.replace(fit.model, law=law))
    with pytest.raises(ValueError, match="'proportional' has no parameter whose value is a verd"):
        region_probabilities(other)
