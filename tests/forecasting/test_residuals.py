"""Residuals: what they are made of."""

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
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.forecast import interval
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
    found = residuals(exact)
    expected = np.repeat(np.log(1.01 / HIGHER)[:, None], 5, axis=1)
    np.testing.assert_allclose(found["residual"][0], expected, atol=1e-9)
    assert found["residual"].attrs["long_name"] == "log of loss over law"
    assert not found["discrepancy"].any()
    np.testing.assert_array_equal(found["N"], exact.runs["N"])
    assert found.attrs == {
        "response": "loss", "predictors": ["N"], "groups": [], "law": "power", "caveats": [],
    }  # fmt: skip


def test_residual_on_another_scale_is_in_its_units(exact: Fit) -> None:
    model = replace(exact.model, noise=Gaussian(RawScale()))
    found = residuals(replace(exact, model=model))
    law = exact.runs["loss"].values / 1.01
    expected = 0.01 * law / np.median(1.01 * law)
    np.testing.assert_allclose(found["residual"][0, 0], expected, atol=1e-9)
    assert found["residual"].attrs["long_name"] == "loss less law, on RawScale()"


def test_values_of_the_law_that_the_scale_cannot_hold_are_missing(
    known_fit: Callable[..., Fit], exact: Fit
) -> None:
    draws = {"a": np.full((1, 2, 1), 10.0), "b": np.array([[[0.1], [0.5]]])}
    found = residuals(known_fit(laws.log_linear, draws, exact.runs))
    assert found["residual"][0, 0].notnull().all()
    assert found["residual"][0, 1].notnull().values.tolist() == [True, True, True, True, False]
    assert found["replicate"][0, 1, -1].isnull()


def test_runs_are_law_and_discrepancy_and_noise(discrepant_fit: Fit) -> None:
    """What is left of a run without discrepancy is noise; a replicate scatters by as much."""
    found = residuals(discrepant_fit)
    sigma = discrepant_fit.tree["posterior"]["sigma"].mean().item()
    noise = (found["residual"] - found["discrepancy"]).std(("chain", "draw", "run")).item()
    assert noise == pytest.approx(sigma, rel=0.5)
    bands = interval(found[["residual", "replicate"]], 0.9)
    middle = bands["residual"].sel(bound="median")
    low, high = (bands["replicate"].sel(bound=end) for end in ("lower", "upper"))
    share = ((low <= middle) & (middle <= high)).mean().item()
    assert share > 0.9  # these runs were fitted
    assert found["discrepancy"].std().item() > 0


def test_the_seed_and_the_number_of_draws_are_chosen(discrepant_fit: Fit) -> None:
    found = residuals(discrepant_fit, draws=100)
    assert found.sizes["chain"] * found.sizes["draw"] <= 100
    xr.testing.assert_identical(found, residuals(discrepant_fit, draws=100, random_seed=0))
    other = residuals(discrepant_fit, draws=100, random_seed=1)
    assert not np.allclose(found["replicate"], other["replicate"])


def test_a_failed_gate_is_told(exact: Fit) -> None:
    tree = exact.tree.copy()
    tree.attrs["gate"] = replace(Gate.of(tree), divergences=7).to_json()
    [sentence] = residuals(replace(exact, tree=tree)).attrs["caveats"]
    assert sentence.startswith("NOT CONVERGED")
