"""Observation noise: a density of the raw response, its draws and its PyMC variable."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from bayeslaw.noise import StudentT
from bayeslaw.parameters import SIGMA


def test_parameters() -> None:
    assert StudentT().parameters == {"sigma": SIGMA}


@pytest.mark.parametrize("nu", [2.0, 0.0, -1.0, float("nan")])
def test_degrees_of_freedom_give_a_variance(nu: float) -> None:
    with pytest.raises(ValueError, match=r"nu must be above 2, where the noise has a variance$"):
        StudentT(nu)


@given(
    response=st.floats(1e-3, 1e3),
    mean=st.floats(1e-3, 1e3),
    sigma=st.floats(1e-4, 10),
    nu=st.floats(2.1, 50),
)
def test_density_is_log_student_t(response: float, mean: float, sigma: float, nu: float) -> None:
    expected = stats.t(nu, np.log(mean), sigma).logpdf(np.log(response)) - np.log(response)
    np.testing.assert_allclose(
        StudentT(nu).log_density(response, mean, sigma), expected, rtol=1e-10
    )


@settings(max_examples=20, deadline=None)
@given(mean=st.floats(1e-2, 1e2), sigma=st.floats(1e-3, 0.2), nu=st.floats(3, 30))
def test_density_integrates_to_one_over_the_raw_response(
    mean: float, sigma: float, nu: float
) -> None:
    # Over y = mean exp(sigma sinh(s)), whose tails are short, with dy/ds.
    def integrand(s: float) -> float:
        y = mean * np.exp(sigma * np.sinh(s))
        slope = y * sigma * np.cosh(s)
        return float(np.exp(StudentT(nu).log_density(y, mean, sigma)) * slope)

    reach = np.arcsinh(600 / max(sigma, 1.0))
    total, _ = integrate.quad(integrand, -reach, reach, limit=500)
    missing = 2 * stats.t(nu).sf(np.sinh(reach))
    np.testing.assert_allclose(total, 1 - missing, atol=1e-7)


def test_a_law_that_is_not_positive_has_density_zero() -> None:
    density = StudentT().log_density(1.0, np.array([-1.0, 0.0, 1.0]), 0.1)
    np.testing.assert_array_equal(np.isneginf(density), [True, True, False])


def test_densities_broadcast() -> None:
    shape = StudentT().log_density(np.ones(5), np.ones((2, 3, 1)), np.full((2, 1, 5), 0.1)).shape
    assert shape == (2, 3, 5)


def test_draws_follow_the_density() -> None:
    noise, mean, sigma = StudentT(5.0), 3.0, 0.02
    drawn = noise.draw(np.random.default_rng(1), np.full(20_000, mean), sigma)
    standardised = np.log(drawn / mean) / sigma
    test = stats.kstest(standardised, stats.t(5.0).cdf)
    assert test.pvalue > 1e-3


def test_draws_broadcast_and_leave_impossible_values() -> None:
    rng = np.random.default_rng(1)
    drawn = StudentT().draw(rng, np.array([[1.0], [-1.0], [0.0]]), np.full(4, 0.1))
    assert drawn.shape == (3, 4)
    assert len(set(drawn[0])) == 4
    np.testing.assert_array_equal(drawn[1:], [[-1.0] * 4, [0.0] * 4])
    again = StudentT().draw(
        np.random.default_rng(1), np.array([[1.0], [-1.0], [0.0]]), np.full(4, 0.1)
    )
    np.testing.assert_array_equal(drawn, again)


def test_variable_has_the_density_of_the_raw_response() -> None:
    observed, mean, sigma = np.array([1.1, 2.0, 3.3]), np.array([1.0, 2.1, 3.0]), 0.05
    noise = StudentT(4.5)
    with pm.Model(coords={"run": range(3)}) as model:
        noise.variable("loss", np.log(mean), sigma, observed=observed, dims="run")
    (density,) = model.logp(sum=False)
    # PyMC keeps a constant of the density in single precision.
    np.testing.assert_allclose(
        density.eval(mode="FAST_COMPILE"), noise.log_density(observed, mean, sigma), atol=2e-8
    )
    assert model.observed_RVs[0].name == "loss"


def test_variable_draws_what_draw_draws() -> None:
    with pm.Model(coords={"run": range(2)}) as model:
        StudentT(5.0).variable("loss", np.zeros(2), 0.1, observed=np.ones(2), dims="run")
    drawn = pm.draw(model["loss"], draws=2000, random_seed=1, mode="FAST_COMPILE")
    assert drawn.shape == (2000, 2)
    assert stats.kstest(np.log(drawn.ravel()) / 0.1, stats.t(5.0).cdf).pvalue > 1e-3
