"""Modes and information with a discrepancy, against a dense log posterior."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pytest
from dense import brownian
from scipy.stats import multivariate_normal

from bayeslaw import laws
from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.map_mode.gls import GlsMode, gls_mode
from bayeslaw._inference.map_mode.multistart import find_mode, prior_mean_start
from bayeslaw._inference.map_mode.problem import MapProblem
from bayeslaw._inference.map_mode.variance_components import Linearization, VarianceComponents
from bayeslaw._inference.marginal_discrepancy import marginal_discrepancy
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw._law.law import Law
from bayeslaw.data.runs import read_runs
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model

REFERENCE = {"N": 1e7, "D": 1e9}
# Standard deviations of a single curve: population and spread between curves, in quadrature.
LEVEL_SD, SHARE_SD, ALPHA_SD = np.hypot(1, 1), np.hypot(1.5, 0.5), np.hypot(np.log(2.2255), 0.3)
LOG_SCALES_MEAN, LOG_SCALES_SD = np.log(0.01), np.hypot(1, 0.5)


def brownian_covariance(position: np.ndarray, tau2: np.ndarray) -> np.ndarray:
    """Covariance of the discrepancy of one curve."""
    return brownian(position, np.zeros(position.shape[1], dtype=int), tau2[:, None])


def jacobian(function: Callable[[np.ndarray], np.ndarray], at: np.ndarray) -> np.ndarray:
    """Derivatives by finite differences, with the argument in the last dimension."""
    steps = 1e-5 * np.eye(at.size)
    return np.stack([(function(at + s) - function(at - s)) / 2e-5 for s in steps], axis=-1)


def second_derivatives(function: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """Second derivatives by each argument, with steps large enough for rounding."""
    steps = 1e-3 * np.eye(at.size)
    return np.array(
        [(function(at + s) - 2 * function(at) + function(at - s)) / 1e-6 for s in steps]
    )


@dataclass(frozen=True)
class Case:
    """A law and runs of two curves; with `alone`, of a third one with a single run.

    `smooth` runs have a smooth discrepancy and no noise; `noisy` ones have noise and no
    discrepancy.
    """

    law: Law
    error: bool = False
    alone: bool = False
    smooth: bool = False
    noisy: bool = False

    @cached_property
    def bound(self) -> BoundModel:
        rng, rows = np.random.default_rng(7), []
        for curve, n in enumerate([60, 80] if self.noisy else [12, 15, 1][: 2 + self.alone]):
            sizes = np.exp(rng.uniform(13.0, 20.0, n)), np.exp(rng.uniform(18.0, 25.0, n))
            frame = pd.DataFrame({"N": sizes[0], "D": sizes[1], "task": "abc"[curve]})
            at = {name: frame[name].values / REFERENCE[name] for name in self.law.predictors}
            position = np.array([np.log(x) for x in at.values()])
            reducible = sum(x**-0.25 for x in at.values())
            covariance = brownian_covariance(position, np.full(len(at), 0.03**2))
            factor = np.linalg.cholesky(covariance + 1e-4 * np.eye(n))
            if self.smooth:
                error = 0.03 * np.sin(position[0])
            elif self.noisy:
                error = 0.05 * rng.normal(size=n)
            else:
                error = factor @ rng.normal(size=n)
            frame["loss"] = (1 + curve + reducible) * np.exp(error)
            rows.append(frame)
        whole = pd.concat(rows)
        whole["error"] = 0.01 + 0.02 * rng.random(len(whole))
        runs = read_runs(
            whole,
            response="loss",
            predictors=list(self.law.predictors),
            groups=["task"],
            stderr="error" if self.error else None,
            reference={name: REFERENCE[name] for name in self.law.predictors},
        )
        return bind(self.model, runs)

    @property
    def run_arrays(self) -> RunArrays:
        return self.bound.run_arrays

    @property
    def model(self) -> Model:
        """With a knot at every run, where the discrepancy is exact."""
        return Model(self.law, discrepancy=Brownian(knots=15))

    @cached_property
    def problem(self) -> MapProblem:
        return MapProblem.of(self.bound)

    @cached_property
    def mode(self) -> GlsMode:
        discrepancy = marginal_discrepancy(self.model, self.run_arrays)
        assert discrepancy is not None
        return gls_mode(
            self.problem, discrepancy, find_mode(self.problem, prior_mean_start(self.problem))
        )

    def covariance(self, log_scales: np.ndarray, curve: int) -> np.ndarray:
        """Of the residuals of a curve."""
        own = self.run_arrays.curve == curve
        noise = np.exp(2 * log_scales[0]) + self.run_arrays.known_error[own] ** 2
        return brownian_covariance(
            self.run_arrays.position[:, own], np.exp(2 * log_scales[1:])
        ) + np.diag(noise)


CASES = {
    "one predictor": Case(laws.power),
    "known errors": Case(laws.power, error=True),
    "a curve of one run": Case(laws.power, alone=True),
    "no noise": Case(laws.power, smooth=True),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def residual(case: Case, eta: np.ndarray, curve: int) -> np.ndarray:
    """Log responses of a curve minus the power law, from share, level and slope at its pivot."""
    own = case.run_arrays.curve == curve
    share = 1 / (1 + np.exp(-eta[0]))
    alpha = np.exp(eta[2]) / (1 - share)
    reducible = np.exp(-alpha * case.run_arrays.position[0, own])
    return np.log(case.run_arrays.response[own]) - eta[1] - np.log(share + (1 - share) * reducible)


def theta(case: Case, eta: np.ndarray, curve: int) -> np.ndarray:
    """Logit of the share, level and log exponent at the reference."""
    sizes = case.run_arrays.predictors[0][case.run_arrays.curve == curve]
    share = 1 / (1 + np.exp(-eta[0]))
    alpha = np.exp(eta[2]) / (1 - share)
    floor = share * np.exp(eta[1])
    amplitude = (1 - share) * np.exp(eta[1]) * (sizes.min() * sizes.max()) ** (alpha / 2)
    return np.array([np.log(floor / amplitude), np.log(floor + amplitude), np.log(alpha)])


def prior_z(case: Case, eta: np.ndarray, curve: int) -> np.ndarray:
    """Standard deviations from the mean of the single-curve prior."""
    mean = np.array([0.0, np.log(np.median(case.run_arrays.response)), np.log(0.2)])
    return (theta(case, eta, curve) - mean) / [SHARE_SD, LEVEL_SD, ALPHA_SD]


def log_posterior(case: Case, eta: np.ndarray, log_scales: np.ndarray, curve: int) -> float:
    """Dense log posterior of a curve, up to a constant."""
    likelihood = multivariate_normal(cov=case.covariance(log_scales, curve))
    scales_z = (log_scales - LOG_SCALES_MEAN) / LOG_SCALES_SD
    prior = np.sum(prior_z(case, eta, curve) ** 2) + np.sum(scales_z**2)
    return float(likelihood.logpdf(residual(case, eta, curve)) - prior / 2)


def dense_hessian(case: Case, eta: np.ndarray, log_scales: np.ndarray, curve: int) -> np.ndarray:
    """Fisher information of the law's parameters and the curvature of their prior."""
    law = jacobian(lambda x: residual(case, x, curve), eta)
    prior = jacobian(lambda x: prior_z(case, x, curve), eta)
    return law.T @ np.linalg.solve(case.covariance(log_scales, curve), law) + prior.T @ prior


def log_mass(case: Case, eta: np.ndarray, log_scales: np.ndarray, curve: int) -> float:
    """Log posterior with the law's parameters integrated out around a point."""
    volume = np.linalg.slogdet(dense_hessian(case, eta, log_scales, curve))[1]
    return log_posterior(case, eta, log_scales, curve) - float(volume) / 2


@every_case
def test_the_gradient_at_the_mode_is_zero(case: Case) -> None:
    mode = case.mode
    for g in range(case.run_arrays.n_curves):
        eta, log_scales = mode.eta[:, g], mode.log_scales[:, g]
        law = jacobian(lambda x, g=g, y=log_scales: log_posterior(case, x, y, g), eta)
        scales = jacobian(lambda y, g=g, x=eta: log_mass(case, x, y, g), log_scales)
        # Law and scales alternate, the scales last; Newton steps are in standard deviations.
        assert law @ np.linalg.solve(mode.hessian[..., g], law) < 0.1**2
        assert np.all(scales**2 / (mode.information[:, g] + LOG_SCALES_SD**-2) < 0.02**2)


def test_a_smooth_discrepancy_is_distinguished_from_noise() -> None:
    smooth, noisy = CASES["no noise"].mode.log_scales, Case(laws.power, noisy=True).mode.log_scales
    assert np.all(smooth[0] < np.log(0.003))
    assert np.all(smooth[1] > np.log(0.01))
    np.testing.assert_allclose(noisy[0], np.log(0.05), atol=0.3)
    assert np.all(noisy[1] < np.log(0.03))


@every_case
def test_the_hessian_is_the_dense_fisher_information_plus_the_prior_precision(case: Case) -> None:
    mode = case.mode
    for g in range(case.run_arrays.n_curves):
        expected = dense_hessian(case, mode.eta[:, g], mode.log_scales[:, g], g)
        scale = np.max(np.abs(expected))
        np.testing.assert_allclose(mode.hessian[..., g], expected, rtol=1e-5, atol=1e-7 * scale)


@every_case
def test_information_on_the_scales_is_the_curvature_of_the_likelihood(case: Case) -> None:
    mode = case.mode
    for g in range(case.run_arrays.n_curves):
        eta, log_scales = mode.eta[:, g], mode.log_scales[:, g]
        curvature = -second_derivatives(lambda y, g=g, x=eta: log_mass(case, x, y, g), log_scales)
        expected = np.maximum(curvature - LOG_SCALES_SD**-2, 1e-3 * LOG_SCALES_SD**-2)
        np.testing.assert_allclose(mode.information[:, g], expected, rtol=1e-3, atol=1e-4)


def test_one_run_has_no_information_on_the_discrepancy() -> None:
    mode = CASES["a curve of one run"].mode
    np.testing.assert_allclose(mode.log_scales[1, 2], LOG_SCALES_MEAN, atol=1e-6)
    np.testing.assert_allclose(mode.information[1, 2], 1e-3 * LOG_SCALES_SD**-2, rtol=1e-4)


def test_several_predictors_have_a_mode_of_the_dense_log_posterior() -> None:
    case = Case(laws.chinchilla)
    problem, mode = case.problem, case.mode
    assert mode.log_scales.shape == mode.information.shape == (3, 2)
    assert mode.hessian.shape == (5, 5, 2)

    def posterior(eta: np.ndarray, g: int) -> float:
        all_eta = mode.eta.copy()
        all_eta[:, g] = eta
        z = np.sqrt(problem.prior.precision) * (problem.law.theta(all_eta) - problem.prior.center)
        likelihood = multivariate_normal(cov=case.covariance(mode.log_scales[:, g], g))
        own = problem.law.residual(all_eta)[case.run_arrays.curve == g]
        return float(likelihood.logpdf(own) - np.sum(z[:, g] ** 2) / 2)

    for g in range(2):
        gradient = jacobian(lambda x, g=g: posterior(x, g), mode.eta[:, g])
        assert gradient @ np.linalg.solve(mode.hessian[..., g], gradient) < 0.1**2


@pytest.mark.parametrize("law", [laws.power, laws.chinchilla], ids=["one", "several"])
def test_the_gradient_by_the_scales_is_that_of_their_log_posterior(law: Law) -> None:
    case = Case(law, error=True)
    discrepancy = marginal_discrepancy(case.model, case.run_arrays)
    assert discrepancy is not None
    components = VarianceComponents(case.problem, discrepancy)
    linearized = Linearization.of(case.problem, case.mode.eta)
    for log_scales in (case.mode.log_scales, case.mode.log_scales - 1.5):
        steps = 1e-4 * np.eye(len(log_scales))[:, :, None]
        expected = [
            components.log_posterior(linearized, log_scales + step)
            - components.log_posterior(linearized, log_scales - step)
            for step in steps
        ]
        gradient = components.gradient(linearized, log_scales)
        np.testing.assert_allclose(gradient, np.array(expected) / 2e-4, rtol=1e-5, atol=1e-5)
