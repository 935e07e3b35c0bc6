"""Draws from the prior by NumPy, beside those of the PyMC model that they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import preliz
import pymc as pm
import pytest
import xarray as xr
from pymc_oracle import values_of_variables
from scipy import stats

from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.prior_distribution import prior_draws, uncompiled
from bayeslaw._inference.pymc_model import build
from bayeslaw.data.runs import read_runs
from bayeslaw.laws import power
from bayeslaw.model.model import Model
from bayeslaw.priors import HalfNormal, LogNormal

DRAWS = 400
MODELS = {
    "unpooled": Model(power, pooling=None),
    "pooled over curves": Model(power, pooling=[]),
    "pooled over groups": Model(power, pooling=["task", "data"], discrepancy=None),
    "pooled, other families": Model(
        power,
        pooling=["task"],
        priors={"alpha": preliz.Gamma(2, 5), "sd_alpha": LogNormal(0.2, 2.0)},
    ),
}


@pytest.fixture(scope="module")
def runs() -> xr.Dataset:
    cells = [(task, data, n) for task in "ab" for data in "xyz" for n in (1e4, 1e5, 1e6)]
    frame = pd.DataFrame(cells, columns=["task", "data", "N"])
    return read_runs(
        frame.assign(loss=1 + 30 * frame["N"] ** -0.4), predictors=["N"], groups=["task", "data"]
    )


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_draws_have_the_distribution_of_the_pymc_model(model: Model, runs: xr.Dataset) -> None:
    bound, graph = bind(model, runs), build(model, runs)
    ours = prior_draws(bound, DRAWS, np.random.default_rng(1))
    rows = {name: np.moveaxis(values[0], 0, -1) for name, values in ours.items()}
    named = {n: v for n, v in values_of_variables(bound, rows) if n in graph.named_vars}
    variables = [graph[name] for name in named]
    theirs = pm.draw(variables, draws=DRAWS, mode=uncompiled(), random_seed=2)
    p_values = [
        stats.ks_2samp(a, b).pvalue
        for values, expected in zip(named.values(), theirs, strict=True)
        for a, b in zip(_columns(np.moveaxis(values, -1, 0)), _columns(expected), strict=True)
    ]
    assert min(p_values) > 1e-3 / len(p_values)


def test_priors_of_other_families_are_those_of_every_curve(runs: xr.Dataset) -> None:
    priors = {"alpha": HalfNormal(0.5), "L0": preliz.Beta(2, 5)}
    bound = bind(Model(power, pooling=None, priors=priors), runs)
    [theta] = prior_draws(bound, DRAWS, np.random.default_rng(3))["theta"]
    natural = {
        name: role.link.inverse(theta[:, row].ravel())
        for row, (name, role) in enumerate(bound.roles.items())
    }
    for name, expected in {"alpha": stats.halfnorm(scale=0.5), "L0": stats.beta(2, 5)}.items():
        assert stats.kstest(natural[name], expected.cdf).pvalue > 1e-3


def _columns(values: Any) -> np.ndarray:
    """Every variable, and differences between neighbours, which tell what they share."""
    flat = np.reshape(values, (DRAWS, -1))
    return np.concatenate([flat, np.diff(flat)], axis=1).T
