"""Whitening of the population: the adjoint, and the map against dense linear algebra."""

from __future__ import annotations

import numpy as np
from finite_differences import adjoints
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw._kernels import population_whitening

LAW, NOISE, CURVES, SPREADS = 3, 2, 4, 7


def population(seed: int) -> list[np.ndarray]:
    """Some arguments of `transform_population`; the first two have gradients."""
    rng = np.random.default_rng(seed)
    size, jacobian = LAW + NOISE, np.eye(LAW + NOISE)
    jacobian[:LAW, :LAW] += rng.normal(0, 0.3, (LAW, LAW))
    return [
        rng.normal(size=size),
        np.exp(rng.normal(-1, 0.5, SPREADS)),
        rng.normal(-1, 0.5, size),
        np.exp(rng.normal(0, 0.5, size)),
        rng.normal(-1, 0.5, (size, CURVES)),
        np.exp(rng.normal(2, 1, (size, CURVES))),
        jacobian + rng.normal(0, 0.1, (CURVES, size, size)) * (jacobian != 0),
        jacobian,
        rng.uniform(0, 0.5, (size, SPREADS)),
        np.array([[0, LAW], [LAW, size]]),
    ]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_gradient_of_populations_is_that_of_finite_differences(seed: int) -> None:
    arguments, rng = population(seed), np.random.default_rng(seed + 1)
    bars = [rng.normal(size=LAW + NOISE), np.asarray(rng.normal())]
    bars_of_inputs = population_whitening.transform_population_adjoint(*arguments, *bars)
    expected = adjoints(
        population_whitening.transform_population, arguments, bars, len(bars_of_inputs)
    )
    for bar, gradient in zip(bars_of_inputs, expected, strict=True):
        np.testing.assert_allclose(bar, gradient, rtol=1e-5, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_standard_coordinates_have_the_posterior_of_a_linear_model(seed: int) -> None:
    # Gaussian modes about the population, and a Gaussian prior: the posterior is known.
    _, spread, prior, sd, mode, information, curve_jacobian, jacobian, share, blocks = population(
        seed
    )
    size = prior.size

    def forward(z: np.ndarray) -> np.ndarray:
        rest = prior, sd, mode, information, curve_jacobian, jacobian, share, blocks
        return population_whitening.transform_population(z, spread, *rest)[0]

    own, groups = np.diag(spread[:size] ** 2), np.diag(share @ spread**2)
    information_of_curves = [
        np.linalg.inv(np.diag(1 / information[:, g]) + m @ own @ m.T)
        for g, m in enumerate(curve_jacobian)
    ]
    curves_covariance = np.linalg.inv(sum(information_of_curves))
    estimate = curves_covariance @ sum(
        each @ mode[:, g] for g, each in enumerate(information_of_curves)
    )
    prior_precision = np.linalg.inv(jacobian @ np.diag(sd**2) @ jacobian.T)
    data_precision = np.linalg.inv(curves_covariance + jacobian @ groups @ jacobian.T)
    covariance = np.linalg.inv(prior_precision + data_precision)
    mean = forward(np.zeros(size))
    np.testing.assert_allclose(
        mean, covariance @ (prior_precision @ prior + data_precision @ estimate), rtol=1e-8
    )
    root = np.array([forward(unit) - mean for unit in np.eye(size)])
    np.testing.assert_allclose(root.T @ root, covariance, rtol=1e-8, atol=1e-10)
