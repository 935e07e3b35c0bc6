"""Responses given draws of the parameters, against dense linear algebra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from dense import brownian
from scipy import stats

from bayeslaw import laws
from bayeslaw._inference import pointwise
from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.pointwise import (
    DrawsAtRuns,
    PredictionPoints,
    ResponseDistribution,
    response_distribution,
    tau_by_predictor,
)
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw._law.law import Law
from bayeslaw.data.runs import read_runs
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.model.noise_kind import Noise
from bayeslaw.response_scales import LogitScale, LogScale, RawScale

CHAINS, DRAWS = 2, 3
REFERENCE = {"N": 1e7, "D": 1e9}


def runs_of(law: Law, *, error: bool = False, n: int = 6) -> xr.Dataset:
    """Runs of two curves, interleaved, two of them at the same sizes."""
    rng = np.random.default_rng(2)
    sizes = np.exp(rng.uniform(13.0, 20.0, (2, 2 * n)))
    sizes[:, 0] = sizes[:, 2]
    frame = pd.DataFrame({"N": sizes[0], "D": 100 * sizes[1], "task": ["a", "b"] * n})
    frame["loss"] = 0.5 + 0.4 * rng.random(2 * n)
    frame["error"] = 0.01 * (1 + rng.random(2 * n))
    options: dict[str, Any] = {"stderr": "error"} if error else {}
    reference = {name: REFERENCE[name] for name in law.predictors}
    return read_runs(
        frame,
        response="loss",
        predictors=list(law.predictors),
        groups=["task"],
        reference=reference,
        **options,
    )


def drawn(model: Model, shape: tuple[int, ...] = (CHAINS, DRAWS, 2)) -> dict[str, np.ndarray]:
    """Parameters of two curves in the user's units; amplitudes are at the reference."""
    rng = np.random.default_rng(3)
    middle = {"L0": 0.4, "E": 0.3, "k": 0.2, "A": 0.1, "B": 0.1, "alpha": 0.2, "beta": 0.3}
    middle |= {"sigma": 0.05, "tau": 0.03, "tau_N": 0.03, "tau_D": 0.02, "excess": 0.1}
    out = {n: middle[n] * np.exp(0.3 * rng.normal(size=shape)) for n in model.roles}
    for coefficient, exponent, predictor in (
        ("k", "alpha", "N"),
        ("A", "alpha", "N"),
        ("B", "beta", "D"),
    ):
        if coefficient in out:
            out[coefficient] = out[coefficient] * REFERENCE[predictor] ** out[exponent]
    return out


@dataclass(frozen=True)
class Case:
    """A model on runs, and draws of its parameters."""

    model: Model
    error: bool = False

    @property
    def runs(self) -> xr.Dataset:
        return runs_of(self.model.law, error=self.error)

    @property
    def run_arrays(self) -> RunArrays:
        return self.bound.run_arrays

    @property
    def bound(self) -> BoundModel:
        return bind(self.model, self.runs)

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        return drawn(self.model)

    @property
    def latent(self) -> np.ndarray | None:
        if not self.model.is_augmented:
            return None
        shape = (CHAINS, DRAWS, self.runs.sizes["run"])
        return np.random.default_rng(4).gamma(2.0, 0.5, shape)

    @property
    def fitted(self) -> DrawsAtRuns:
        return DrawsAtRuns.of(self.bound, self.parameters, self.latent)

    def law(self, s: tuple[int, int]) -> np.ndarray:
        """The law at the runs, from the raw sizes."""
        curve = np.array([0, 1] * 6)
        values = {n: self.parameters[n][s][curve] for n in self.model.law.parameters}
        return self.model.law(*(self.runs[n].values for n in self.model.law.predictors), **values)

    def residual(self, s: tuple[int, int]) -> np.ndarray:
        """Responses minus the law on the scale of the noise, and minus the excess, if any."""
        loss, law = self.runs["loss"].values, self.law(s)
        shift = 0.0
        if isinstance(self.model.noise, Undertuned):
            assert self.latent is not None
            shift = self.parameters["excess"][s][[0, 1] * 6] * self.latent[s]
        if isinstance(self.model.noise.scale, RawScale):
            return (loss - law) / np.median(loss) - shift
        return np.log(loss / law) - shift

    def variance(self, s: tuple[int, int]) -> np.ndarray:
        """Of the noise, known standard errors included."""
        loss = self.runs["loss"].values
        variance = self.parameters["sigma"][s][[0, 1] * 6] ** 2
        if isinstance(self.model.noise, StudentT):
            assert self.latent is not None
            variance = variance / self.latent[s]
        return variance + (self.runs["stderr"].values / loss) ** 2 if self.error else variance

    def tau2(self, s: tuple[int, int]) -> np.ndarray:
        """Squared tau (predictors, curves)."""
        names = [name for name in self.model.nuisance_roles if name.startswith("tau")]
        return np.array([self.parameters[name][s] ** 2 for name in names])

    def prior(self, s: tuple[int, int], position: np.ndarray, curve: np.ndarray) -> np.ndarray:
        return brownian(position, curve, self.tau2(s))

    def given(
        self, s: tuple[int, int], position: np.ndarray, curve: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of the discrepancy at prediction points."""
        run_arrays, size = self.run_arrays, self.runs.sizes["run"]
        every = np.hstack([run_arrays.position, position])
        prior = self.prior(s, every, np.concatenate([run_arrays.curve, curve]))
        joint = prior[:size, :size] + np.diag(self.variance(s))
        gain = np.linalg.solve(joint, prior[:size, size:]).T
        return gain @ self.residual(s), prior[size:, size:] - gain @ prior[:size, size:]


CASES = {
    "one predictor": Case(Model(laws.power)),
    "known errors": Case(Model(laws.power), error=True),
    "two predictors": Case(Model(laws.chinchilla, discrepancy=Brownian())),
    "raw scale": Case(Model(laws.power, noise=Gaussian(RawScale()))),
    "weights of runs": Case(Model(laws.power, noise=StudentT())),
    "excess of runs": Case(Model(laws.chinchilla, discrepancy=Brownian(), noise=Undertuned())),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@every_case
def test_log_likelihood_with_a_discrepancy_is_the_dense_leave_one_out(case: Case) -> None:
    density, loss = case.fitted.pointwise_log_likelihood(), case.runs["loss"].values
    raw = isinstance(case.model.noise.scale, RawScale)
    slope = np.full(loss.size, -np.log(np.median(loss))) if raw else -np.log(loss)
    for s in np.ndindex(CHAINS, DRAWS):
        residual = case.residual(s)
        joint = case.prior(s, case.run_arrays.position, case.run_arrays.curve) + np.diag(
            case.variance(s)
        )
        for i in range(loss.size):
            others = np.arange(loss.size) != i
            gain = np.linalg.solve(joint[np.ix_(others, others)], joint[others, i])
            sd = np.sqrt(joint[i, i] - gain @ joint[others, i])
            expected = stats.norm(gain @ residual[others], sd).logpdf(residual[i]) + slope[i]
            np.testing.assert_allclose(density[s][i], expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("noise", [Gaussian(), StudentT(3.0)])
def test_without_a_discrepancy_runs_are_independent(noise: Noise) -> None:
    case = Case(Model(laws.power, noise=noise, discrepancy=None))
    density, loss = case.fitted.pointwise_log_likelihood(), case.runs["loss"].values
    kind = stats.norm if isinstance(noise, Gaussian) else stats.t(3.0)
    for s in np.ndindex(CHAINS, DRAWS):
        sigma = case.parameters["sigma"][s][[0, 1] * 6]
        expected = kind.logpdf(np.log(loss / case.law(s)) / sigma) - np.log(sigma * loss)
        np.testing.assert_allclose(density[s], expected, rtol=1e-9)
    assert case.fitted.tau.shape == (CHAINS, DRAWS, 0, 2)
    assert case.fitted.discrepancy_at_runs(np.random.default_rng(1)) == 0.0


def prediction_points(case: Case, curve: list[int]) -> tuple[PredictionPoints, np.ndarray]:
    """Points at runs of their curve or beyond, and their positions in e-folds from the pivot."""
    run_arrays, rng = case.run_arrays, np.random.default_rng(5)
    predictors = np.array(run_arrays.predictors)
    there = np.array(curve)
    last = predictors.max(axis=1, keepdims=True)
    sizes = last * np.exp(rng.uniform(0.5, 3.0, (len(predictors), there.size)))
    for i, c in enumerate(curve):
        if c < 2 and i % 2:
            sizes[:, i] = predictors[:, np.flatnonzero(run_arrays.curve == c)[i]]
    new = max(0, there.max() - 1)
    tau = 0.04 * np.exp(rng.normal(size=(CHAINS, DRAWS, len(predictors), new)))
    middle = np.ones((len(predictors), 2 + new))
    for c in (0, 1):
        own = predictors[:, run_arrays.curve == c]
        middle[:, c] = np.sqrt(own.min(axis=1) * own.max(axis=1))
    return PredictionPoints(sizes, there, tau), np.log(sizes / middle[:, there])


@every_case
@pytest.mark.parametrize("curve", [[0, 0, 1, 1, 0], [1, 1, 1], [0]])
def test_discrepancy_at_points_of_fitted_curves_is_dense_conditioning(
    case: Case, curve: list[int]
) -> None:
    points, position = prediction_points(case, curve)
    mean, variance, draw = case.fitted.discrepancy_at(points, np.random.default_rng(1))
    assert mean.shape == variance.shape == draw.shape == (CHAINS, DRAWS, len(curve))
    for s in np.ndindex(CHAINS, DRAWS):
        expected, covariance = case.given(s, position, points.curve)
        np.testing.assert_allclose(mean[s], expected, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(variance[s], np.diag(covariance), rtol=1e-7, atol=1e-10)


@every_case
@pytest.mark.parametrize("curve", [[2, 3, 2], [1, 2, 0, 3]])
def test_discrepancy_of_new_curves_is_measured_from_the_reference(
    case: Case, curve: list[int]
) -> None:
    points, position = prediction_points(case, curve)
    mean, variance, _ = case.fitted.discrepancy_at(points, np.random.default_rng(1))
    new = points.curve > 1
    distance = np.abs(np.log(points.sizes))[:, new]
    np.testing.assert_array_equal(mean[..., new], 0.0)
    for s in np.ndindex(CHAINS, DRAWS):
        tau2 = points.tau[s][:, points.curve[new] - 2] ** 2
        np.testing.assert_allclose(variance[s][new], np.sum(tau2 * distance, axis=0), rtol=1e-9)
        expected, covariance = case.given(s, position[:, ~new], points.curve[~new])
        np.testing.assert_allclose(mean[s][~new], expected, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(variance[s][~new], np.diag(covariance), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("name", ["one predictor", "two predictors"])
def test_without_conditioning_the_discrepancy_has_its_prior(name: str) -> None:
    case = CASES[name]
    points, position = prediction_points(case, [0, 0, 1, 2])
    mean, variance, _ = case.fitted.discrepancy_at(
        points, np.random.default_rng(1), is_conditional=False
    )
    np.testing.assert_array_equal(mean, np.zeros(mean.shape))
    for s in np.ndindex(CHAINS, DRAWS):
        tau2 = np.hstack([case.tau2(s), points.tau[s] ** 2])
        prior = np.diag(brownian(position, points.curve, tau2))
        np.testing.assert_allclose(variance[s], prior, rtol=1e-9)


@pytest.mark.parametrize("is_conditional", [True, False])
@pytest.mark.parametrize("name", ["one predictor", "two predictors"])
def test_draws_at_the_runs_are_joint(name: str, is_conditional: bool) -> None:
    case, size = CASES[name], 5000
    one = {n: np.broadcast_to(v[:1, :1], (2, size, 2)) for n, v in case.parameters.items()}
    fitted = DrawsAtRuns.of(case.bound, one)
    draw = fitted.discrepancy_at_runs(
        np.random.default_rng(6), is_conditional=is_conditional
    ).reshape(2 * size, -1)
    position, curve = case.run_arrays.position, case.run_arrays.curve
    mean, covariance = np.zeros(curve.size), case.prior((0, 0), position, curve)
    if is_conditional:
        mean, covariance = case.given((0, 0), position, curve)
    sd, deviation = np.sqrt(np.maximum(np.diag(covariance), 0)), draw - mean
    assert np.all(np.abs(deviation.mean(axis=0)) <= 4.5 * sd / np.sqrt(2 * size) + 1e-9)
    error = np.sqrt((np.outer(sd, sd) ** 2 + covariance**2) / (2 * size))
    assert np.all(np.abs(deviation.T @ deviation / (2 * size) - covariance) <= 4.5 * error + 1e-9)


def test_draws_are_conditional_by_default() -> None:
    fitted = CASES["one predictor"].fitted
    default, conditional = (
        fitted.discrepancy_at_runs(np.random.default_rng(1), **more)
        for more in ({}, {"is_conditional": True})
    )
    np.testing.assert_array_equal(default, conditional)


@every_case
@pytest.mark.parametrize("batch_size", [1, 30, 100])
def test_batches_give_what_one_batch_gives(
    case: Case, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted, (points, _) = case.fitted, prediction_points(case, [0, 1, 2, 1])

    def evaluated() -> list[np.ndarray]:
        return [
            fitted.pointwise_log_likelihood(),
            *fitted.discrepancy_at(points, np.random.default_rng(1))[:2],
        ]

    whole = evaluated()
    monkeypatch.setattr(pointwise, "BATCH_SIZE", batch_size)
    for one, other in zip(evaluated(), whole, strict=True):
        np.testing.assert_array_equal(one, other)


# Distribution of responses


def test_noise_is_normal_given_the_latent_variables() -> None:
    model = Model(laws.power, noise=Undertuned(varies_with="N"), discrepancy=None)
    law, sizes = np.full((1, 1, 3), 2.0), {"N": np.array([1.0, 4.0, 9.0])}
    nuisance = {n: np.full((1, 1, 3), x) for n, x in (("sigma", 0.1), ("sigma_slope", -0.5))}
    nuisance["excess"] = np.full((1, 1, 3), 0.2)
    latent = np.array([[[0.0, 1.0, 5.0]]])
    about_law = response_distribution(model, law, 1.0, nuisance, sizes, latent)
    np.testing.assert_allclose(about_law.center[0, 0], np.log(2.0) + np.array([0.0, 0.2, 1.0]))
    np.testing.assert_allclose(about_law.sigma[0, 0], [0.1, 0.05, 0.1 / 3])
    assert about_law.noise == Gaussian()
    new = response_distribution(model, law, 1.0, nuisance, sizes)
    np.testing.assert_allclose(new.center, np.log(2.0))
    np.testing.assert_array_equal(new.sigma, about_law.sigma)
    assert new.noise == model.noise


@pytest.mark.parametrize(
    ("scale", "law", "lost"),
    [
        (LogScale(), [2.0, 0.0, -1.0, np.nan], [False, True, True, True]),
        (RawScale(), [2.0, 0.0, -1.0, np.inf], [False, False, False, True]),
        (LogitScale(0.0, 3.0), [2.0, 0.0, 3.0, 4.0], [False, True, True, True]),
    ],
)
def test_law_values_outside_the_scale(scale: Any, law: list[float], lost: list[bool]) -> None:
    model = Model(laws.power, noise=Gaussian(scale), discrepancy=None)
    values, nuisance = np.array([[law]]), {"sigma": np.full((1, 1, 4), 0.1)}
    about_law = response_distribution(model, values, 1.5, nuisance, {"N": np.ones(4)})
    np.testing.assert_array_equal(np.isnan(about_law.center[0, 0]), lost)
    np.testing.assert_array_equal(np.isneginf(about_law.log_density(np.full(4, 1.2))[0, 0]), lost)
    drawn, curve = about_law.draw(np.random.default_rng(1)), about_law.curve(0.3)
    for responses in (drawn, curve):
        np.testing.assert_array_equal(responses[..., lost], values[..., lost])
        assert np.all(responses[..., ~np.array(lost)] != values[..., ~np.array(lost)])


@pytest.mark.parametrize("scale", [LogScale(), RawScale(), LogitScale(0.0, 3.0)])
def test_densities_are_of_the_raw_response(scale: Any) -> None:
    model = Model(laws.power, noise=StudentT(5.0, scale), discrepancy=None)
    nuisance = {"sigma": np.full((1, 1, 5000), 0.2)}
    about_law = response_distribution(
        model, np.full((1, 1, 5000), 1.3), 1.5, nuisance, {"N": np.ones(5000)}
    )
    grid = np.linspace(1e-3, 2.999, 5000)
    cdf = np.cumsum(np.exp(about_law.log_density(grid)[0, 0])) * (grid[1] - grid[0])
    drawn = about_law.draw(np.random.default_rng(1)).ravel()
    assert stats.kstest(drawn, lambda y: np.interp(y, grid, cdf)).pvalue > 1e-3


def test_what_a_law_gets_wrong_is_added_on_the_scale() -> None:
    none = ResponseDistribution(
        np.full(2, 4.0), 2.0, np.full(2, 2.0), np.zeros(2), Gaussian(RawScale()), {}
    )
    np.testing.assert_array_equal(none.curve(), [4.0, 4.0])
    np.testing.assert_array_equal(none.curve(np.array([0.0, 0.5])), [4.0, 5.0])
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(none.draw(rng, np.array([0.0, 0.5])), [4.0, 5.0])
    np.testing.assert_array_equal(none.draw(rng), [4.0, 4.0])


def test_taus_come_in_the_order_of_the_predictors() -> None:
    parameters = drawn(Model(laws.chinchilla, discrepancy=Brownian()))
    about_law = tau_by_predictor(Model(laws.chinchilla, discrepancy=Brownian()), parameters)
    np.testing.assert_array_equal(about_law[:, :, 0], parameters["tau_N"])
    np.testing.assert_array_equal(about_law[:, :, 1], parameters["tau_D"])
    none = tau_by_predictor(Model(laws.chinchilla, discrepancy=None), parameters)
    assert none.shape == (CHAINS, DRAWS, 0, 2)
