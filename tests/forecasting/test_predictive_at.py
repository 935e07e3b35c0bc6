"""Discrepancy and responses at prediction points, against dense conditioning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from dense import brownian

from bayeslaw import laws
from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.posterior import posterior_dataset, unconstrained_dataset
from bayeslaw._law.law import Law
from bayeslaw._law.units import rescale
from bayeslaw.data.runs import grid, read_runs
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.curve_lookup import CurveParameters, curve_parameters
from bayeslaw.forecasting.predictive_at import discrepancy_at, response_distribution_at
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import StudentT
from bayeslaw.model.noise_kind import Noise
from bayeslaw.priors import LogNormal

REFERENCE = {"N": 1e7, "D": 1e9}
MIDDLE = {"L0": 0.4, "k": 0.3, "E": 0.4, "A": 0.2, "alpha": 0.2, "B": 0.2, "beta": 0.3}
MIDDLE |= {"sigma": 0.03, "tau": 0.04, "tau_N": 0.03, "tau_D": 0.05}


@dataclass(frozen=True)
class Case:
    """A fit of two curves whose draws are given."""

    law: Law
    draws: int = 3
    noise: Noise | None = None
    error: bool = False
    is_constant: bool = False  # every draw is the same

    @cached_property
    def runs(self) -> xr.Dataset:
        rng, names = np.random.default_rng(1), list(self.law.predictors)
        frame = pd.DataFrame(
            {name: REFERENCE[name] * np.exp(rng.uniform(-4, 4, 10)) for name in names}
        )
        frame["loss"], frame["task"] = 0.5 + 0.4 * rng.random(10), list("aabbababab")
        frame["error"] = 0.02
        return read_runs(
            frame,
            response="loss",
            predictors=names,
            groups=["task"],
            stderr="error" if self.error else None,
            reference={name: REFERENCE[name] for name in names},
        )

    @cached_property
    def model(self) -> Model:
        # With priors of their own the law's parameters are sampled in their roles' links.
        priors = dict.fromkeys(self.law.parameters, LogNormal(1.0, 2.0))
        return Model(
            self.law, pooling=None, discrepancy=Brownian(), noise=self.noise, priors=priors
        )  # type: ignore[arg-type]

    @cached_property
    def at_reference(self) -> dict[str, np.ndarray]:
        rng, shape = np.random.default_rng(2), (2, 1 if self.is_constant else self.draws, 2)
        drawn = {n: MIDDLE[n] * np.exp(0.2 * rng.normal(size=shape)) for n in self.model.roles}
        return {
            n: np.broadcast_to(x[:1] if self.is_constant else x, (2, self.draws, 2))
            for n, x in drawn.items()
        }

    @cached_property
    def parameters(self) -> dict[str, np.ndarray]:
        """In the user's units."""
        law = {name: self.at_reference[name] for name in self.law.parameters}
        return {**self.at_reference, **rescale(self.law, REFERENCE, law)}

    @cached_property
    def latent(self) -> np.ndarray:
        return np.random.default_rng(3).gamma(2.0, 0.5, (2, self.draws, 10))

    @cached_property
    def fit(self) -> Fit:
        model, runs = self.model, self.runs
        bound = bind(model, runs)
        theta = [role.link.forward(self.at_reference[name]) for name, role in bound.roles.items()]
        variables = {"theta": np.stack(theta, axis=2)}
        variables |= {"latent": self.latent} if model.is_augmented else {}
        unconstrained = unconstrained_dataset(bound, variables)
        posterior = posterior_dataset(bound, unconstrained)
        return Fit(
            model,
            runs,
            xr.DataTree.from_dict(
                {"/posterior": posterior, "/unconstrained_posterior": unconstrained}
            ),
        )

    @property
    def curve(self) -> np.ndarray:
        return (self.runs["task"].values == "b").astype(int)

    def position(self, sizes: dict[str, np.ndarray], curve: np.ndarray) -> np.ndarray:
        """E-folds from the middle of a curve's range, of new curves from the reference."""
        out = []
        for name, values in sizes.items():
            by_curve = [self.runs[name].values[self.curve == c] for c in (0, 1)]
            middle = [np.sqrt(x.min() * x.max()) for x in by_curve] + [REFERENCE[name]] * 2
            out.append(np.log(values / np.array(middle)[curve]))
        return np.array(out)

    def tau2(self, s: tuple[int, int], new: dict[str, np.ndarray]) -> np.ndarray:
        """Squared tau (predictors, curves), those of new curves last."""
        names = [name for name in self.model.roles if name.startswith("tau")]
        tau = [np.append(self.parameters[n][s], new[n][s] if new else []) for n in names]
        return np.array(tau) ** 2

    def given(
        self,
        s: tuple[int, int],
        sizes: dict[str, np.ndarray],
        curve: np.ndarray,
        new: dict[str, np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of the discrepancy at prediction points."""
        observed = {name: self.runs[name].values for name in self.law.predictors}
        position = np.hstack([self.position(observed, self.curve), self.position(sizes, curve)])
        prior = brownian(position, np.concatenate([self.curve, curve]), self.tau2(s, new))
        parameters = {name: values[s][self.curve] for name, values in self.parameters.items()}
        law = self.law(
            *observed.values(), **{name: parameters[name] for name in self.law.parameters}
        )
        loss = self.runs["loss"].values
        variance = parameters["sigma"] ** 2 / (self.latent[s] if self.model.is_augmented else 1)
        variance = variance + (0.02 / loss if self.error else 0) ** 2
        gain = np.linalg.solve(prior[:10, :10] + np.diag(variance), prior[:10, 10:]).T
        return gain @ np.log(loss / law), prior[10:, 10:] - gain @ prior[:10, 10:]


CASES = {
    "one predictor": Case(laws.power),
    "known errors": Case(laws.power, error=True),
    "weights of runs": Case(laws.power, noise=StudentT()),
    "two predictors": Case(laws.chinchilla),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def sizes_at(case: Case, log_folds: list[float]) -> dict[str, np.ndarray]:
    """Sizes so many e-folds beyond the largest run, or below the smallest."""
    folds = np.array(log_folds)
    ends = {n: (case.runs[n].values.min(), case.runs[n].values.max()) for n in case.law.predictors}
    return {n: np.where(folds > 0, high, low) * np.exp(folds) for n, (low, high) in ends.items()}


def assert_given(
    case: Case,
    curves: CurveParameters,
    sizes: dict[str, np.ndarray],
    curve: np.ndarray,
    new: dict[str, np.ndarray],
) -> None:
    """Mean and variance are those of dense conditioning."""
    discrepancy = discrepancy_at(case.fit, curves, sizes, np.random.default_rng(1))
    assert (
        discrepancy.mean.shape
        == discrepancy.variance.shape
        == discrepancy.draw.shape
        == (2, case.draws, curve.size)
    )
    for s in np.ndindex(2, case.draws):
        mean, covariance = case.given(s, sizes, curve, new)
        np.testing.assert_allclose(discrepancy.mean[s], mean, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(
            discrepancy.variance[s], np.diag(covariance), rtol=1e-7, atol=1e-10
        )


@every_case
def test_at_the_runs_of_the_fit(case: Case) -> None:
    sizes = {name: case.runs[name].values for name in case.law.predictors}
    assert_given(case, curve_parameters(case.fit, case.runs), sizes, case.curve, {})


@every_case
@pytest.mark.parametrize("task", ["a", "b"])
def test_beyond_the_runs_of_one_curve(case: Case, task: str) -> None:
    sizes = sizes_at(case, [0.5, 4.0, 4.0, -2.0])
    rows = grid(**{case.law.predictors[0]: sizes[case.law.predictors[0]]}, task=task)
    curve = np.full(4, "ab".index(task))
    assert_given(case, curve_parameters(case.fit, rows), sizes, curve, {})


@every_case
def test_at_new_curves(case: Case) -> None:
    sizes = sizes_at(case, [1.0, -1.0, 2.0, 3.0, 1.0])
    # Two new curves about a known one: the rows' curves are b, new, new, other new, new.
    rng = np.random.default_rng(4)
    parameters = {
        name: np.stack(
            [v[..., 1], *(v[..., 0] * rng.uniform(0.5, 2, v.shape[:2]) for _ in "12")], -1
        )
        for name, v in case.parameters.items()
    }
    curves = CurveParameters(parameters, np.array([1, -1, -1]), np.array([0, 1, 1, 2, 1]))
    new = {name: values[..., 1:] for name, values in parameters.items()}
    assert_given(case, curves, sizes, np.array([1, 2, 2, 3, 2]), new)


@pytest.mark.parametrize("law", [laws.power, laws.chinchilla])
def test_draws_are_joint(law: Law) -> None:
    case = Case(law, draws=5000, is_constant=True)
    sizes = sizes_at(case, [1.0, 3.0, 3.0, -1.0, 2.0, 4.0, 2.0])
    parameters = {n: np.concatenate([v, v[..., :1]], axis=-1) for n, v in case.parameters.items()}
    curve = np.array([0, 0, 0, 0, 1, 2, 2])
    curves = CurveParameters(parameters, np.array([0, 1, -1]), curve)
    discrepancy = discrepancy_at(case.fit, curves, sizes, np.random.default_rng(5))
    new = {name: values[..., 2:] for name, values in parameters.items()}
    mean, covariance = case.given((0, 0), sizes, curve, new)
    deviation, size = discrepancy.draw.reshape(-1, 7) - mean, 2 * case.draws
    sd = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(deviation.mean(axis=0)) <= 4.5 * sd / np.sqrt(size))
    error = np.sqrt((np.outer(sd, sd) ** 2 + covariance**2) / size)
    assert np.all(np.abs(deviation.T @ deviation / size - covariance) <= 4.5 * error)
    np.testing.assert_allclose(deviation[:, 1], deviation[:, 2], rtol=1e-9)


def test_without_a_discrepancy_it_is_zero() -> None:
    case = CASES["one predictor"]
    fit = Fit(Model(case.law, discrepancy=None), case.runs, case.fit.tree)
    sizes = {"N": case.runs["N"].values}
    discrepancy = discrepancy_at(
        fit, curve_parameters(case.fit, case.runs), sizes, np.random.default_rng(1)
    )
    for values in (discrepancy.mean, discrepancy.variance, discrepancy.draw):
        np.testing.assert_array_equal(values, np.zeros((2, case.draws, 10)))


@every_case
def test_scatter_is_about_the_law_without_known_errors(case: Case) -> None:
    sizes = {name: case.runs[name].values for name in case.law.predictors}
    response = response_distribution_at(case.fit, curve_parameters(case.fit, case.runs), sizes)
    parameters = {name: values[..., case.curve] for name, values in case.parameters.items()}
    law = case.law(*sizes.values(), **{name: parameters[name] for name in case.law.parameters})
    np.testing.assert_allclose(response.law, law, rtol=1e-9)
    np.testing.assert_allclose(response.center, np.log(law), rtol=1e-9)
    np.testing.assert_allclose(response.sigma, parameters["sigma"], rtol=1e-9)
    assert response.noise == case.model.noise
    assert response.unit == np.median(case.runs["loss"].values)


def test_scatter_at_sizes_that_differ_between_draws() -> None:
    case = CASES["one predictor"]
    sizes = REFERENCE["N"] * np.exp(np.random.default_rng(6).normal(size=(2, case.draws, 2)))
    response = response_distribution_at(
        case.fit, CurveParameters(case.parameters, np.arange(2), np.arange(2)), {"N": sizes}
    )
    law = case.law(sizes, **{name: case.parameters[name] for name in case.law.parameters})
    np.testing.assert_allclose(response.law, law, rtol=1e-12)


def test_noise_may_vary_with_a_predictor() -> None:
    case = CASES["one predictor"]
    model = Model(case.law, discrepancy=Brownian(), noise=StudentT(varies_with="N"))
    fit = Fit(model, case.runs, case.fit.tree)
    slope = {"sigma_slope": np.full((2, case.draws, 2), -0.5)}
    curves = CurveParameters({**case.parameters, **slope}, np.arange(2), np.array([0, 1, 1]))
    sizes = {"N": REFERENCE["N"] * np.array([1.0, 4.0, 0.25])}
    expected = case.parameters["sigma"][..., [0, 1, 1]] * [1.0, 0.5, 2.0]
    np.testing.assert_allclose(response_distribution_at(fit, curves, sizes).sigma, expected)
