"""Kinds of noise: densities against SciPy, draws, mixtures and the protocol."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from bayeslaw._law.roles import SIGMA, SLOPE
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.model.noise_kind import Noise, has_latent, sigma_at
from bayeslaw.response_scales import LogScale, RawScale

KINDS = {
    "Gaussian": (Gaussian(), {}, stats.norm()),
    "StudentT": (StudentT(), {}, stats.t(4)),
    "StudentT, nu 2.5": (StudentT(2.5), {}, stats.t(2.5)),
    "Undertuned, little": (Undertuned(), {"excess": 0.2}, stats.exponnorm(0.2)),
    "Undertuned, much": (Undertuned(), {"excess": 5.0}, stats.exponnorm(5.0)),
}
every_kind = pytest.mark.parametrize(("noise", "parameters", "known"), KINDS.values(), ids=KINDS)
MIXTURES = {name: KINDS[name] for name in list(KINDS)[1:]}
sigmas = st.floats(1e-4, 10.0)
residuals = st.floats(-20.0, 20.0)


def latent_draws(noise: Noise, size: int) -> np.ndarray:
    """Latent variables of runs, as the PyMC model draws them."""
    with pm.Model(coords={"run": range(size)}):
        return pm.draw(noise.latent("latent", "run"), random_seed=1, mode="FAST_COMPILE")


@given(residual=residuals, sigma=sigmas)
def test_gaussian_density(residual: float, sigma: float) -> None:
    density = Gaussian().log_density(residual, sigma, {})
    np.testing.assert_allclose(density, stats.norm(0, sigma).logpdf(residual), rtol=1e-12)


@given(residual=residuals, sigma=sigmas, nu=st.floats(2.1, 50.0))
def test_student_t_density(residual: float, sigma: float, nu: float) -> None:
    density = StudentT(nu).log_density(residual, sigma, {})
    expected = stats.t(nu, 0, sigma).logpdf(residual)
    np.testing.assert_allclose(density, expected, rtol=1e-9, atol=1e-9)


@given(z=residuals, sigma=sigmas, ratio=st.floats(0.1, 1e6))
def test_undertuned_density(z: float, sigma: float, ratio: float) -> None:
    density = Undertuned().log_density(z * sigma, sigma, {"excess": ratio * sigma})
    expected = stats.exponnorm(ratio).logpdf(z) - np.log(sigma)
    np.testing.assert_allclose(density, expected, rtol=1e-8, atol=1e-8)


@given(z=st.floats(-5.0, 5.0), sigma=sigmas, ratio=st.floats(1e-12, 1e-3))
def test_undertuned_density_of_little_excess(z: float, sigma: float, ratio: float) -> None:
    # SciPy's formula cancels there; the density is a series in the ratio with Hermite polynomials.
    density = Undertuned().log_density(z * sigma, sigma, {"excess": ratio * sigma})
    series = np.log1p(ratio * z + ratio**2 * (z**2 - 1) + ratio**3 * (z**3 - 3 * z))
    np.testing.assert_allclose(density, stats.norm(0, sigma).logpdf(z * sigma) + series, atol=1e-8)


@pytest.mark.parametrize("ratio", [1e-8, 1e-3, 0.1, 1.0, 10.0, 1e3])
def test_undertuned_density_integrates_to_one(ratio: float) -> None:
    def density(z: float) -> float:
        return float(np.exp(Undertuned().log_density(z, 1.0, {"excess": ratio})))

    ends = [-10.0, 0.0, 10.0, 10.0 + 10 * ratio, 10.0 + 50 * ratio]
    parts = [integrate.quad(density, *ends[i : i + 2], limit=200)[0] for i in range(4)]
    np.testing.assert_allclose(sum(parts), 1.0, atol=1e-7)


def test_an_undertuned_run_far_below_the_law_is_as_unlikely_as_a_normal_one() -> None:
    density = Undertuned().log_density(np.array([-40.0, -1e3, 1e3]), 1.0, {"excess": 1.0})
    expected = [-800.0 - np.log(41.0), -5e5 - np.log(1001.0), 0.5 - 1e3]
    expected = np.array(expected) - np.array([1, 1, 0]) * np.log(2 * np.pi) / 2
    np.testing.assert_allclose(density, expected, atol=1e-3)


@every_kind
def test_densities_broadcast(noise: Noise, parameters: dict[str, float], known: Any) -> None:
    residual, sigma = np.linspace(-1, 1, 5), np.full((2, 3, 1), 0.1)
    assert noise.log_density(residual, sigma, parameters).shape == (2, 3, 5)


@pytest.mark.parametrize("noise", [Gaussian(), StudentT()])
def test_densities_of_tensors_are_those_of_arrays(noise: Noise) -> None:
    residual, sigma = np.linspace(-0.3, 0.4, 5), np.full(5, 0.1)
    tensor = noise.log_density(pt.constant(residual), pt.constant(sigma), {})
    expected = noise.log_density(residual, sigma, {})
    np.testing.assert_allclose(tensor.eval(mode="FAST_COMPILE"), expected, rtol=1e-12)


@every_kind
def test_draws_follow_the_density(noise: Noise, parameters: dict[str, float], known: Any) -> None:
    sigma = np.full((2, 10_000), 0.3)
    scaled = {name: value * 0.3 for name, value in parameters.items()}
    drawn = noise.draw(np.random.default_rng(1), sigma, scaled)
    assert drawn.shape == sigma.shape
    assert stats.kstest(drawn.ravel() / 0.3, known.cdf).pvalue > 1e-3


@every_kind
def test_draws_follow_from_the_generator(
    noise: Noise, parameters: dict[str, float], known: Any
) -> None:
    sigma = np.array([1.0, 2.0])
    one, same, other = (
        noise.draw(np.random.default_rng(seed), sigma, parameters) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.all(one != other)


@pytest.mark.parametrize(("noise", "parameters", "known"), MIXTURES.values(), ids=MIXTURES)
def test_the_density_is_a_mixture_over_the_latent_variables(
    noise: Noise, parameters: dict[str, float], known: Any
) -> None:
    latent, sigma, size = latent_draws(noise, 40_000), 0.3, 40_000
    shift, width = noise.given(latent, sigma, parameters)
    residual = np.array([-0.6, -0.1, 0.0, 0.2, 1.0])
    each = stats.norm(shift, width).pdf(residual[:, None])
    error = each.std(axis=1) / np.sqrt(size)
    expected = np.exp(noise.log_density(residual, sigma, parameters))
    assert np.all(error < 0.05 * expected)
    assert np.all(np.abs(each.mean(axis=1) - expected) <= 4.5 * error)


def test_gaussian_noise_has_no_latent_variable() -> None:
    assert not has_latent(Gaussian())
    with pytest.raises(NotImplementedError, match="Gaussian has no latent variable"):
        Gaussian().latent("latent", "run")
    with pytest.raises(NotImplementedError, match="Gaussian has no latent variable"):
        Gaussian().given(None, 0.3, {})


@pytest.mark.parametrize(
    ("noise", "alone", "with_discrepancy"),
    [(Gaussian(), False, False), (StudentT(), False, True), (Undertuned(), True, True)],
)
def test_latent_variables_of_runs(noise: Noise, alone: bool, with_discrepancy: bool) -> None:
    assert noise.is_augmented(False) is alone
    assert noise.is_augmented(True) is with_discrepancy


@pytest.mark.parametrize(
    ("noise", "absorbs", "tail"),
    [(Gaussian(), True, 1e6), (StudentT(7.0), False, 7.0), (Undertuned(), True, 4.0)],
)
def test_tails_and_absorbed_variance(noise: Noise, absorbs: bool, tail: float) -> None:
    assert noise.absorbs is absorbs
    assert noise.tail == tail


@pytest.mark.parametrize(
    ("noise", "parameters", "absorbed"),
    [(Gaussian(), {}, stats.norm(0, 0.5)), (Undertuned(), {"excess": 1.0}, None)],
)
def test_noise_absorbs_the_variance_of_a_normal_term(
    noise: Noise, parameters: dict[str, float], absorbed: Any
) -> None:
    # 0.3 and 0.4 in quadrature are 0.5, by convolution.
    def both(x: float, y: float) -> float:
        return float(np.exp(noise.log_density(x - y, 0.3, parameters))) * stats.norm.pdf(y, 0, 0.4)

    for x in (-0.5, 0.2, 1.5):
        total, _ = integrate.quad(lambda y, x=x: both(x, y), -4, 4, epsabs=1e-12)
        np.testing.assert_allclose(np.log(total), noise.log_density(x, 0.5, parameters), rtol=1e-8)
        if absorbed is not None:
            np.testing.assert_allclose(np.log(total), absorbed.logpdf(x), rtol=1e-8)


@pytest.mark.parametrize("kind", [Gaussian, StudentT, Undertuned])
def test_kinds_of_noise_implement_the_protocol(kind: Any) -> None:
    assert isinstance(kind(), Noise)
    assert kind().scale == LogScale()
    assert kind().varies_with is None
    assert kind(scale=RawScale(), varies_with="N").scale == RawScale()


def test_other_objects_are_not_noise() -> None:
    assert not isinstance(LogScale(), Noise)


@pytest.mark.parametrize(
    ("kind", "more"), [(Gaussian, {}), (StudentT, {}), (Undertuned, {"excess": SIGMA})]
)
def test_parameters(kind: Any, more: dict[str, Any]) -> None:
    assert list(kind().parameters.items()) == [("sigma", SIGMA), *more.items()]
    varying = kind(varies_with="D").parameters
    assert list(varying.items()) == [("sigma", SIGMA), ("sigma_slope", SLOPE), *more.items()]


@pytest.mark.parametrize("nu", [2.0, 0.0, -1.0, float("nan")])
def test_degrees_of_freedom_give_a_variance(nu: float) -> None:
    with pytest.raises(
        ValueError, match=r"nu must be a finite number above 2, where the noise has a variance, got"
    ):
        StudentT(nu)


def test_scale_is_sigma() -> None:
    assert sigma_at(StudentT(), {"sigma": 0.02}, {"N": np.ones(3)}) == 0.02


def test_scale_is_a_power_of_the_predictor_it_varies_with() -> None:
    sizes = {"N": np.array([0.25, 1.0, 4.0]), "D": np.full(3, np.nan)}
    parameters = {"sigma": np.array([0.1, 0.2, 0.3]), "sigma_slope": np.array([0.5, 1.0, -0.5])}
    sigma = sigma_at(Gaussian(varies_with="N"), parameters, sizes)
    np.testing.assert_allclose(sigma, [0.05, 0.2, 0.15])
