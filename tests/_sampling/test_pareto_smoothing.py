"""Pareto smoothed importance weights, compared with ArviZ."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats

from bayeslaw._sampling.pareto_smoothing import smoothed_weights

RNG = np.random.default_rng(1)
CASES = {
    "light tail": RNG.normal(size=4000),
    "heavy tail": RNG.standard_t(2, size=4000),
    "variable weights": 5 * RNG.normal(size=4000),
    "bounded weights": -RNG.exponential(size=1000),
    "repeated draws": np.round(RNG.normal(size=4000), 2),
    "few draws": RNG.normal(size=60),
    "far from zero": RNG.normal(size=400) - 1e6,
}


@pytest.mark.parametrize("relative_ess", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("log_weights", CASES.values(), ids=CASES.keys())
def test_same_as_arviz(log_weights: np.ndarray, relative_ess: float) -> None:
    expected, pareto_k = array_stats.psislw(-log_weights, r_eff=relative_ess)
    result = smoothed_weights(log_weights, relative_ess)
    np.testing.assert_allclose(result.log_weights, expected, rtol=1e-12, atol=1e-10)
    assert result.pareto_k == pytest.approx(pareto_k, rel=1e-12)
    assert np.exp(result.log_weights).sum() == pytest.approx(1.0)


def test_the_largest_of_many_equal_weights_have_no_tail() -> None:
    """A fifth of the weights are the tail, and a quarter of those are one value."""
    weights = np.r_[np.zeros(80), np.ones(8), np.linspace(1.1, 2.0, 12)]
    result = smoothed_weights(weights, 1.0)
    assert np.isnan(result.pareto_k)
    np.testing.assert_allclose(np.diff(result.log_weights), np.diff(weights), atol=1e-12)


def test_weights_that_do_not_vary_are_refused() -> None:
    with pytest.raises(ValueError, match="All tail values are the same"):
        smoothed_weights(np.zeros(100), 1.0)
