"""Residuals, and their split into discrepancy and noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayeslaw import laws
from bayeslaw._sampling.gate import Gate
from bayeslaw.data.runs import read_runs
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.interval import interval
from bayeslaw.forecasting.residuals import residuals
from bayeslaw.model.noise import Gaussian
from bayeslaw.response_scales import RawScale

LAW = {"L0": 1.0, "k": 5.0, "alpha": 0.1}
HIGHER = np.array([1.0, 1.01, 1.02])  # the law of three draws, relative to that of the first


@pytest.fixture
def exact(known_fit: Callable[..., Fit]) -> Fit:
    """Three draws of a power law, on runs that are 1% above the first of them."""
    sizes = np.geomspace(1e6, 1e9, 5)
    runs = read_runs(
        pd.DataFrame({"N": sizes, "loss": 1.01 * laws.power(sizes, **LAW)}), predictors=["N"]
    )
    draws = {name: LAW[name] * HIGHER for name in ("L0", "k")} | {"alpha": np.full(3, 0.1)}
    return known_fit(laws.power, {n: draws[n][None, :, None] for n in laws.power.parameters}, runs)


def test_residual_is_the_log_of_response_over_law(exact: Fit) -> None:
    result = residuals(exact)
    expected = np.repeat(np.log(1.01 / HIGHER)[:, None], 5, axis=1)
    np.testing.assert_allclose(result["residual"][0], expected, atol=1e-9)
    assert result["residual"].attrs["long_name"] == "log of loss over law"
    assert not result["discrepancy"].any()
    np.testing.assert_array_equal(result["N"], exact.runs["N"])
    assert result.attrs == {
        "response": "loss", "predictors": ["N"], "groups": [], "law": "power", "caveats": [],
    }  # fmt: skip


def test_residual_on_another_scale_is_in_its_units(exact: Fit) -> None:
    model = replace(exact.model, noise=Gaussian(RawScale()))
    result = residuals(replace(exact, model=model))
    law = exact.runs["loss"].values / 1.01
    expected = 0.01 * law / np.median(1.01 * law)
    np.testing.assert_allclose(result["residual"][0, 0], expected, atol=1e-9)
    assert result["residual"].attrs["long_name"] == "loss less law, on RawScale()"


def test_values_of_the_law_outside_the_scale_are_missing(
    known_fit: Callable[..., Fit], exact: Fit
) -> None:
    draws = {"a": np.full((1, 2, 1), 10.0), "b": np.array([[[0.1], [0.5]]])}
    result = residuals(known_fit(laws.log_linear, draws, exact.runs))
    assert result["residual"][0, 0].notnull().all()
    assert result["residual"][0, 1].notnull().values.tolist() == [True, True, True, True, False]
    assert result["replicate"][0, 1, -1].isnull()


def test_runs_are_law_and_discrepancy_and_noise(discrepant_fit: Fit) -> None:
    """What is left of a run without discrepancy is noise; a replicate scatters by as much."""
    result = residuals(discrepant_fit)
    sigma = discrepant_fit.tree["posterior"]["sigma"].mean().item()
    noise = (result["residual"] - result["discrepancy"]).std(("chain", "draw", "run")).item()
    assert noise == pytest.approx(sigma, rel=0.5)
    bands = interval(result[["residual", "replicate"]], 0.9)
    middle = bands["residual"].sel(bound="median")
    low, high = (bands["replicate"].sel(bound=end) for end in ("lower", "upper"))
    share = ((low <= middle) & (middle <= high)).mean().item()
    assert share > 0.9  # these runs were fitted
    assert result["discrepancy"].std().item() > 0


def test_the_seed_and_the_number_of_draws_are_chosen(discrepant_fit: Fit) -> None:
    result = residuals(discrepant_fit, draws=100)
    assert result.sizes["chain"] * result.sizes["draw"] <= 100
    xr.testing.assert_identical(result, residuals(discrepant_fit, draws=100, random_seed=0))
    other = residuals(discrepant_fit, draws=100, random_seed=1)
    assert not np.allclose(result["replicate"], other["replicate"])


def test_a_failed_gate_is_a_caveat(exact: Fit) -> None:
    tree = exact.tree.copy()
    tree.attrs["gate"] = replace(Gate.of(tree), divergences=7).to_json()
    [sentence] = residuals(replace(exact, tree=tree)).attrs["caveats"]
    assert sentence.startswith("NOT CONVERGED")
