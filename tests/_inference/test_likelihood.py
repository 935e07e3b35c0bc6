"""The response of a PyMC model: its density, and draws with the joint covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
from bound_models import model_data
from scipy import stats

from bayeslaw import laws
from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.likelihood import add_likelihood
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw.data.runs import read_runs
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.priors import Fixed
from bayeslaw.response_scales import LogitScale, LogScale, RawScale

SIGMA, TAU = np.array([0.03, 0.05]), np.array([[0.04, 0.02], [0.03, 0.05]])
LAWS = {
    "power": {"L0": [0.3, 0.4], "k": [0.2, 0.1], "alpha": [0.2, 0.3]},
    "chinchilla": {
        "E": [0.3, 0.2], "A": [0.1, 0.1], "alpha": [0.2, 0.3], "B": [0.1, 0.2], "beta": [0.1, 0.2]
    },
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A model on nine runs of two curves, and its parameters at the reference."""

    model: Model
    error: bool = False

    @cached_property
    def bound(self) -> BoundModel:
        rng, predictors = np.random.default_rng(1), list(self.model.law.predictors)
        sizes = np.exp(rng.uniform(-3.0, 3.0, (2, 9)))
        sizes[:, 2] = sizes[:, 0]
        frame = pd.DataFrame({"N": sizes[0], "D": sizes[1], "task": list("ababababa")})
        frame["loss"], frame["error"] = 0.3 + 0.4 * rng.random(9), 0.01 * (1 + rng.random(9))
        runs = read_runs(
            frame,
            response="loss",
            predictors=predictors,
            groups=["task"],
            stderr="error" if self.error else None,
            reference=dict.fromkeys(predictors, 1.0),
        )
        return bind(self.model, runs)

    @property
    def run_arrays(self) -> RunArrays:
        return self.bound.run_arrays

    @property
    def parameters(self) -> dict[str, Any]:
        tau = dict(zip(["tau"] if self.one else ["tau_N", "tau_D"], TAU, strict=False))
        values = {**LAWS[self.model.law.name], "sigma": SIGMA, "excess": np.array([0.1, 0.2])}
        values |= {**tau, "sigma_slope": np.array([0.1, -0.2])}
        return {n: np.asarray(values[n]) for n in self.model.roles}

    @property
    def one(self) -> bool:
        return len(self.model.law.predictors) == 1

    @property
    def latent(self) -> np.ndarray | None:
        return np.linspace(0.3, 2.0, 9) if self.model.is_augmented else None

    def graph(self, parameters: Mapping[str, Any]) -> pm.Model:
        """A PyMC model of the response alone."""
        coords = {"run": range(9), "curve": ["a", "b"]}
        with pm.Model(coords=coords, check_bounds=False) as graph:
            arrays = model_data(self.model, self.bound.runs).arrays
            data = {name: pm.Data(name, values) for name, (values, _) in arrays.items()}
            tensors = {name: pt.as_tensor(value) for name, value in parameters.items()}
            add_likelihood(self.bound, data, tensors, self.latent)
        return graph

    @property
    def center(self) -> np.ndarray:
        """The law on the scale of the noise, and the excess of runs."""
        at = {name: values[self.run_arrays.curve] for name, values in self.parameters.items()}
        law = self.model.law(
            *self.run_arrays.predictors, **{n: at[n] for n in self.model.law.parameters}
        )
        center = self.model.noise.scale.forward(law, np.median(self.run_arrays.response))
        return center + at["excess"] * self.latent if "excess" in at else center

    @property
    def variance(self) -> np.ndarray:
        """Of the noise, given the latent variables."""
        variance = SIGMA[self.run_arrays.curve] ** 2
        if self.model.noise.varies_with:
            slope = self.parameters["sigma_slope"][self.run_arrays.curve]
            variance = variance * self.run_arrays.predictors[0] ** (2 * slope)
        if isinstance(self.model.noise, StudentT) and self.latent is not None:
            variance = variance / self.latent
        return variance + self.run_arrays.known_error**2

    @property
    def covariance(self) -> np.ndarray:
        """Joint covariance of responses on the scale of the noise."""
        out, curve = np.diag(self.variance), self.run_arrays.curve
        if self.model.discrepancy is None:
            return out
        for u, tau in zip(self.run_arrays.position, TAU, strict=False):
            same_side = (curve[:, None] == curve) & (np.sign(u)[:, None] == np.sign(u))
            out = out + same_side * tau[curve] ** 2 * np.minimum(np.abs(u)[:, None], np.abs(u))
        return out

    def log_slope(self) -> float:
        """Log Jacobian of the response scale at all responses."""
        y = self.run_arrays.response
        match self.model.noise.scale:
            case LogScale():
                return -np.sum(np.log(y))
            case RawScale():
                return -y.size * np.log(np.median(y))
            case _:
                return -np.sum(np.log(y) + np.log1p(-y))


CASES = {
    "one predictor": Case(Model(laws.power)),
    "two predictors": Case(Model(laws.chinchilla, discrepancy=Brownian())),
    "known errors": Case(Model(laws.power), error=True),
    "raw scale": Case(Model(laws.power, noise=Gaussian(RawScale()))),
    "logit scale": Case(
        Model(laws.chinchilla, discrepancy=Brownian(), noise=Gaussian(LogitScale()))
    ),
    "noise that varies": Case(Model(laws.power, noise=Gaussian(varies_with="N"))),
    "weights of runs": Case(Model(laws.power, noise=StudentT())),
    "excess of runs": Case(Model(laws.chinchilla, discrepancy=Brownian(), noise=Undertuned())),
    "no discrepancy": Case(Model(laws.power, noise=Gaussian(), discrepancy=None), error=True),
    "excess alone": Case(Model(laws.power, noise=Undertuned(), discrepancy=None)),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def log_density(graph: pm.Model) -> float:
    """Log density of the observed responses."""
    return float(np.sum(graph.logp(sum=False)[0].eval(mode="FAST_COMPILE")))


@every_case
def test_density_is_the_dense_one_of_the_raw_responses(case: Case) -> None:
    dense = stats.multivariate_normal(case.center, case.covariance).logpdf(case.run_arrays.values)
    density = log_density(case.graph(case.parameters))
    np.testing.assert_allclose(density, dense + case.log_slope(), rtol=1e-6)


@every_case
def test_draws_have_the_joint_covariance(case: Case) -> None:
    size, graph = 4000, case.graph(case.parameters)
    drawn = pm.draw(graph["loss"], draws=size, random_seed=1, mode="FAST_COMPILE")
    values = case.model.noise.scale.forward(drawn, float(np.median(case.run_arrays.response)))
    covariance, deviation = case.covariance, values - case.center
    sd = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(deviation.mean(axis=0)) <= 4.5 * sd / np.sqrt(size))
    error = np.sqrt((np.outer(sd, sd) ** 2 + covariance**2) / size)
    assert np.all(np.abs(deviation.T @ deviation / size - covariance) <= 4.5 * error)


def test_noise_without_a_discrepancy_may_have_tails() -> None:
    case = Case(Model(laws.power, noise=StudentT(3.0), discrepancy=None))
    graph, sigma = case.graph(case.parameters), SIGMA[case.run_arrays.curve]
    z = (case.run_arrays.values - case.center) / sigma
    expected = np.sum(stats.t(3).logpdf(z) - np.log(sigma)) + case.log_slope()
    np.testing.assert_allclose(log_density(graph), expected, rtol=1e-6)
    drawn = pm.draw(graph["loss"], draws=1000, random_seed=1, mode="FAST_COMPILE")
    standardised = (np.log(drawn) - case.center) / sigma
    assert stats.kstest(standardised.ravel(), stats.t(3).cdf).pvalue > 1e-3


@pytest.mark.parametrize("name", ["one predictor", "two predictors", "no discrepancy"])
def test_fixed_parameters_may_be_scalars(name: str) -> None:
    model = CASES[name].model
    tau_names = [name for name in model.roles if name.startswith("tau")]
    fixed = dict.fromkeys(["sigma", "alpha", *tau_names], 0.3)
    priors = dict.fromkeys(fixed, Fixed(0.3))
    case = Case(Model(model.law, noise=model.noise, discrepancy=model.discrepancy, priors=priors))
    per_curve = {**case.parameters, **dict.fromkeys(fixed, np.full(2, 0.3))}
    one, other = (log_density(case.graph(p)) for p in ({**per_curve, **fixed}, per_curve))
    np.testing.assert_allclose(one, other, rtol=1e-9)
