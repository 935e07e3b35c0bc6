"""Observation noise, from differences between neighbouring runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl

SIGMA = 0.02


def noisy(n_curves: int, n_runs: int, factor: float = 1.0, copies: int = 1) -> xr.Dataset:
    """Runs of smooth curves whose noise is 2% times a power of the factor."""
    rng = np.random.default_rng(1)
    sizes = np.repeat(np.geomspace(1e6, 1e9, n_runs // copies), copies)
    rows = []
    for i in range(n_curves):
        sigma = SIGMA * factor ** rng.standard_normal()
        loss = (1 + 50 * sizes**-0.3) * np.exp(sigma * rng.standard_normal(sizes.size))
        rows.append(pd.DataFrame({"N": sizes, "loss": loss, "task": f"t{i}"}))
    groups = ["task"] if n_curves > 1 else []
    return bl.read_runs(pd.concat(rows), predictors=["N"], groups=groups)


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_the_noise_is_recovered(copies: int) -> None:
    noise = bl.observation_noise(noisy(20, 300, copies=copies))
    # An estimate from n runs has a relative error of about 1 / sqrt(n), and 20 are averaged.
    assert np.log(noise.median / SIGMA) == pytest.approx(0, abs=4 / np.sqrt(20 * 300 / 3))
    assert noise.factor < 1.15


def test_curves_differ() -> None:
    noise = bl.observation_noise(noisy(60, 120, factor=2.0))
    error = np.log(2.0) / np.sqrt(60)
    assert np.log(noise.median / SIGMA) == pytest.approx(0, abs=4 * error)
    assert np.log(noise.factor) == pytest.approx(np.log(2.0), abs=4 * error / np.sqrt(2))


def test_a_straight_line_through_unequal_distances_has_no_noise() -> None:
    sizes = np.array([1e6, 1.5e6, 4e6, 2e7, 3e7])
    straight = pd.DataFrame({"N": sizes, "loss": 9 * sizes**-0.1, "task": "straight"})
    alone = bl.read_runs(straight.drop(columns="task"), predictors=["N"])
    with pytest.raises(ValueError, match=r"no curve has runs .* that differ"):
        bl.observation_noise(alone)
    others = noisy(3, 40)
    rows = pd.concat([others[["N", "loss", "task"]].to_dataframe(), straight])
    both = bl.read_runs(rows, predictors=["N"], groups=["task"])
    # What rounding leaves of the straight line is no noise: the others alone count.
    assert bl.observation_noise(both) == bl.observation_noise(others)


def test_the_factor_of_one_curve_is_the_smallest() -> None:
    assert bl.observation_noise(noisy(1, 50)).factor == pytest.approx(1.01)


def test_runs_without_information_are_refused() -> None:
    two = bl.grid(N=[1e6, 1e7]).assign(loss=("run", [2.0, 1.0])).assign_attrs(response="loss")
    with pytest.raises(ValueError, match=r"no curve has runs of one size, or one between two"):
        bl.observation_noise(two)
    both = bl.datasets.load("tiny_lm")
    with pytest.raises(ValueError, match=r"along one predictor, and these runs have \['N', 'D'\]"):
        bl.observation_noise(both)
