"""Marginal likelihoods, compared with integrals in closed form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import gamma, multivariate_normal, norm

import bayeslaw as bl
from bayeslaw._inference.run_arrays import run_arrays_of
from bayeslaw._sampling.gate import Gate
from bayeslaw.fitting.marginal_likelihood import (
    PRIOR_DEPENDENCE,
    MarginalLikelihood,
    _bridge,
    _caveats,
    marginal_likelihood,
)

SAMPLING = {"draws": 500, "tune": 500, "chains": 2, "progressbar": False, "random_seed": 1}
SIGMA, TAU = 0.02, 0.03


@bl.law(unitless=("N",))
def line(N: Any, *, a: bl.Real, b: bl.Real) -> Any:
    """A response that is linear in its parameters."""
    return a + b * np.log(N)


@pytest.fixture(scope="module")
def runs() -> xr.Dataset:
    rng, sizes = np.random.default_rng(1), np.geomspace(1e3, 1e6, 12)
    loss = 4.0 - 0.1 * np.log(sizes) + 0.06 * rng.standard_normal(12)
    return bl.read_runs(pd.DataFrame({"N": sizes, "loss": loss}), predictors=["N"])


def fitted(runs: xr.Dataset, discrepancy: bl.Brownian | None) -> bl.Fit:
    priors: dict[str, bl.priors.Prior] = {"a": bl.Normal(3.0, 2.0), "b": bl.Normal(0.0, 0.5)}
    priors |= {"sigma": bl.Fixed(SIGMA)} | ({"tau": bl.Fixed(TAU)} if discrepancy else {})
    noise = bl.Gaussian(bl.response_scales.RawScale())
    model = bl.Model(line, None, noise, discrepancy=discrepancy, priors=priors)
    return bl.fit(model, runs, sampler=bl.Sampler(**SAMPLING))


@pytest.fixture(scope="module")
def linear(runs: xr.Dataset) -> bl.Fit:
    return fitted(runs, None)


def closed_form(fit: bl.Fit) -> float:
    """The density of the responses of a linear model with normal priors is normal."""
    run_arrays, noise = run_arrays_of(fit.model, fit.runs), SIGMA**2 * np.eye(12)
    if fit.model.discrepancy:
        [position] = run_arrays.position
        same = np.sign(position)[:, None] == np.sign(position)
        noise = noise + TAU**2 * same * np.minimum.outer(np.abs(position), np.abs(position))
    design = np.stack([np.ones(12), np.log(fit.runs["N"].values)], axis=1)
    covariance = design @ np.diag([4.0, 0.25]) @ design.T + run_arrays.unit**2 * noise
    return float(multivariate_normal(design @ [3.0, 0.0], covariance).logpdf(fit.runs["loss"]))


def test_a_linear_model_has_a_closed_form(linear: bl.Fit) -> None:
    first, second = (marginal_likelihood(linear, random_seed=seed) for seed in (0, 5))
    assert first.log != second.log
    assert first == marginal_likelihood(linear)
    for each in (first, second):
        assert 0 < each.error < 0.02
        assert abs(each.log - closed_form(linear)) < 4 * each.error
        assert each.caveats == (PRIOR_DEPENDENCE,)


def test_a_linear_model_with_a_discrepancy_has_a_closed_form(runs: xr.Dataset) -> None:
    fit = fitted(runs, bl.Brownian())
    result = marginal_likelihood(fit)
    assert 0 < result.error < 0.02
    assert abs(result.log - closed_form(fit)) < 4 * result.error


# The bridge alone


REPEATS = 20


@pytest.mark.parametrize(
    ("density", "size"),
    [(norm(3.0, 0.1), 1), (norm(-1.0, 5.0), 20), (gamma(4.0), 5), (gamma(1.5), 2)],
    ids=["narrow", "many", "skewed", "edge"],
)
def test_errors_are_calibrated_for_known_integrals(density: Any, size: int) -> None:
    """The error of the estimate is its standard error."""

    def scaled(points: np.ndarray) -> np.ndarray:
        return density.logpdf(points).sum(axis=-1) + 7.5

    rng = np.random.default_rng(3)
    estimates = [
        _bridge(scaled, density.rvs((2, 1000, size), random_state=rng), rng) for _ in range(REPEATS)
    ]
    logs, errors = np.array(estimates).T
    off = (logs - 7.5) / errors
    assert abs(off.mean()) < 4 / np.sqrt(REPEATS)
    assert 0.5 < off.std() < 1.6


def test_autocorrelated_draws_have_a_larger_error() -> None:
    independent = gamma(4.0).rvs((2, 2000, 3), random_state=np.random.default_rng(3))
    autocorrelated = np.repeat(independent[:, ::10], 10, axis=1)

    def log_density(points: np.ndarray) -> np.ndarray:
        return gamma(4.0).logpdf(points).sum(axis=-1)

    rng = np.random.default_rng(1)
    assert (
        _bridge(log_density, autocorrelated, rng)[1]
        > 1.5 * _bridge(log_density, independent, rng)[1]
    )


# Caveats


def test_caveats(linear: bl.Fit) -> None:
    tree = linear.tree.copy()
    tree.attrs["gate"] = replace(Gate.of(tree), divergences=7).to_json()
    gate, again, rough, prior = _caveats(replace(linear, tree=tree), 0.3, 2)
    assert gate.startswith("NOT CONVERGED, do not use: 7 divergences")
    assert again.startswith("Sampled again, 2 draws diverged: ")
    assert rough.startswith("The estimate is rough (error 0.3): ")
    assert prior == PRIOR_DEPENDENCE
    assert _caveats(linear, 0.2, 0) == [PRIOR_DEPENDENCE]


def test_str() -> None:
    lines = str(MarginalLikelihood(-12.345, 0.0123, (PRIOR_DEPENDENCE,))).splitlines()
    assert lines == ["log marginal likelihood -12.35, Monte Carlo error 0.012", PRIOR_DEPENDENCE]
