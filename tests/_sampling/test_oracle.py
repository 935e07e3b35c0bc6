"""The stages' log density beside PyMC's of the same model, with its gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hand_written import HAND, RUNS
from model_table import MODELS
from pymc_oracle import Oracle

from bayeslaw._inference.bound_model import bind
from bayeslaw._sampling.prepare import prepared_density

CASES = {name: (hand.model, hand.runs) for name, hand in HAND.items()}
CASES |= {name: (model, RUNS) for name, model in MODELS.items()}
STEP, ORDER = 1e-4, ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))


def slopes(function: Callable[[np.ndarray], np.ndarray], point: np.ndarray) -> np.ndarray:
    """Derivatives (unknowns, ...) by central differences of fourth order."""
    steps = STEP * np.eye(point.size)
    return sum(weight * function(point + k * steps) for k, weight in ORDER) / STEP


@pytest.mark.parametrize("case", CASES)
def test_log_density_is_that_of_pymc_and_the_jacobian(case: str) -> None:
    model, runs = CASES[case]
    oracle, compiled = Oracle(model, runs), prepared_density(bind(model, runs))
    rng, densities = np.random.default_rng(3), []
    start = compiled.initial_point
    for point in start + rng.normal(scale=0.3, size=(6, start.size)):
        density, gradient = compiled.log_density_and_gradient(point)
        if not np.isfinite(density):
            continue
        jacobian = slopes(compiled.flat_variables, point)
        jacobian = jacobian[:, np.abs(jacobian).max(axis=0) > 1e-9]  # some spreads are fixed
        variables = compiled.variables(point)
        expected = oracle.log_density_at(variables).total + np.linalg.slogdet(jacobian)[1]
        densities.append((density, expected))
        differences = slopes(compiled.log_density, point)
        assert np.abs(gradient - differences).max() <= 1e-8 * np.linalg.norm(gradient)
    ours, theirs = np.array(densities).T
    assert ours.size >= 2
    # PyMC keeps constants of half-normal densities in single precision: they cancel in differences.
    np.testing.assert_allclose(ours, theirs, atol=2e-5)
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-8, atol=1e-8)
