"""Kernels that settle populations: the gradient by hand, and the formula by linear algebra."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from slopes import slopes

from bayeslaw._kernels import population_transform as settling_population

LAW, NOISE, CURVES, SPREADS = 3, 2, 4, 7


def population(seed: int) -> list[np.ndarray]:
    """Some arguments of `transform_population`; the first two have gradients."""
    rng = np.random.default_rng(seed)
    size, mixed = LAW + NOISE, np.eye(LAW + NOISE)
    mixed[:LAW, :LAW] += rng.normal(0, 0.3, (LAW, LAW))
    return [
        rng.normal(size=size),
        np.exp(rng.normal(-1, 0.5, SPREADS)),
        rng.normal(-1, 0.5, size),
        np.exp(rng.normal(0, 0.5, size)),
        rng.normal(-1, 0.5, (size, CURVES)),
        np.exp(rng.normal(2, 1, (size, CURVES))),
        mixed + rng.normal(0, 0.1, (CURVES, size, size)) * (mixed != 0),
        mixed,
        rng.uniform(0, 0.5, (size, SPREADS)),
        np.array([[0, LAW], [LAW, size]]),
    ]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_gradient_of_populations_is_that_of_finite_differences(seed: int) -> None:
    arguments, rng = population(seed), np.random.default_rng(seed + 1)
    bars = [rng.normal(size=LAW + NOISE), np.asarray(rng.normal())]
    found = settling_population.transform_population_adjoint(*arguments, *bars)
    expected = slopes(settling_population.transform_population, arguments, bars, len(found))
    for bar, slope in zip(found, expected, strict=True):
        np.testing.assert_allclose(bar, slope, rtol=1e-5, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_standard_coordinates_have_the_posterior_of_a_linear_model(seed: int) -> None:
    # Modes about the population with these variances, a prior: normal with a known posterior.
    _, spread, prior, sd, mode, information, curve_mixed, mixed, share, blocks = population(seed)
    size = prior.size

    def settled(z: np.ndarray) -> np.ndarray:
        rest = prior, sd, mode, information, curve_mixed, mixed, share, blocks
        return settling_population.transform_population(z, spread, *rest)[0]

    own, groups = np.diag(spread[:size] ** 2), np.diag(share @ spread**2)
    told = [
        np.linalg.inv(np.diag(1 / information[:, g]) + m @ own @ m.T)
        for g, m in enumerate(curve_mixed)
    ]
    by_curves = np.linalg.inv(sum(told))
    found = by_curves @ sum(each @ mode[:, g] for g, each in enumerate(told))
    known = np.linalg.inv(mixed @ np.diag(sd**2) @ mixed.T)
    together = np.linalg.inv(by_curves + mixed @ groups @ mixed.T)
    covariance = np.linalg.inv(known + together)
    middle = settled(np.zeros(size))
    np.testing.assert_allclose(middle, covariance @ (known @ prior + together @ found), rtol=1e-8)
    ways = np.array([settled(unit) - middle for unit in np.eye(size)])
    np.testing.assert_allclose(ways.T @ ways, covariance, rtol=1e-8, atol=1e-10)
