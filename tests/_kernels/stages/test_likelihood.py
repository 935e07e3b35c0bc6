"""Stages of the likelihood: their adjoints, and the density against a dense normal one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
from dense import brownian as brownian_covariance
from scipy import stats
from stage_adjoints import addresses, assert_adjoint

from bayeslaw import laws
from bayeslaw._inference.printed_functions import response_function
from bayeslaw._kernels.brownian import filter_order
from bayeslaw._kernels.knot_layout import knots_of
from bayeslaw._kernels.stage import Stage
from bayeslaw._kernels.stages import likelihood
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.model.noise_kind import Noise
from bayeslaw.response_scales import LogitScale, RawScale

RUNS, CURVES, UNIT = 9, 2, 0.5
CURVE = np.arange(RUNS) % CURVES
VALUES = {
    "L0": [0.3, 0.4], "k": [0.2, 0.1], "alpha": [0.2, 0.3],
    "E": [0.3, 0.2], "A": [0.1, 0.1], "B": [0.1, 0.2], "beta": [0.1, 0.2],
    "sigma": [0.3, 0.5], "excess": [0.1, 0.2], "sigma_slope": [0.1, -0.2],
    "tau": [0.4, 0.2], "tau_N": [0.4, 0.2], "tau_D": [0.3, 0.5],
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A model on nine runs of two curves, and its parameters."""

    model: Model
    error: float = 0.0

    @property
    def stage(self) -> Stage:
        if self.model.discrepancy is None:
            return likelihood.independent_likelihood
        alone = len(self.model.law.predictors) == 1
        return likelihood.brownian_likelihood if alone else likelihood.knots_likelihood

    @cached_property
    def sizes(self) -> np.ndarray:
        """Predictors (predictors, runs)."""
        sizes = np.exp(np.random.default_rng(1).uniform(-2, 2, (2, RUNS)))
        sizes[:, 2] = sizes[:, 0]  # twice the same runs of a curve
        return sizes[: len(self.model.law.predictors)]

    @property
    def response(self) -> np.ndarray:
        return 0.3 + 0.4 * np.random.default_rng(2).random(RUNS)

    @property
    def known_error(self) -> np.ndarray:
        return self.error * (1 + np.random.default_rng(3).random(RUNS))

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        return {name: np.array(VALUES[name]) for name in self.model.roles}

    @property
    def latent(self) -> np.ndarray:
        return np.linspace(0.3, 2.0, RUNS) if self.model.is_augmented else np.empty(0)

    @property
    def tau(self) -> np.ndarray:
        values = [values for name, values in self.parameters.items() if name.startswith("tau")]
        return np.array(values).reshape(-1, CURVES)

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """Arguments of the stages."""
        n_law, n_noise = len(self.model.law.parameters), len(self.model.noise.parameters)
        with_discrepancy = self.model.discrepancy is not None
        outputs = 2 if with_discrepancy else 1
        source, derivatives = response_function(self.model, with_discrepancy)
        values = self.model.noise.scale.forward(self.response, UNIT)
        rows = [*self.sizes, *np.log(self.sizes), values, self.known_error, np.full(RUNS, UNIT)]
        return {
            "curve_of_run": CURVE,
            "run_values": np.array(rows),
            "of_likelihood": np.array([*addresses(source), n_law + n_noise]),
            "derivatives": derivatives,
            "parameters": np.array(list(self.parameters.values())),
            "latent": self.latent,
            "constant": np.array([0.7]),
            "response": np.empty((outputs + derivatives.shape[1], RUNS)),
            "tau2": np.empty(self.tau.shape),
            "outputs_bar": np.empty((outputs, RUNS)),
            "tau_bar": np.empty(self.tau.shape),
            **self._discrepancy,
        }

    @property
    def _discrepancy(self) -> dict[str, np.ndarray]:
        position = np.log(self.sizes)
        if len(position) == 1:
            layout = filter_order(position[0], CURVE)._asdict()
        else:
            layout = knots_of(position, CURVE, 10)._asdict()
        return {f"discrepancy_{name}": values for name, values in layout.items()}

    def log_likelihood(self) -> float:
        arrays = self.arrays | {"log_likelihood": np.array([5.0])}
        self.stage(arrays)
        return float(arrays["log_likelihood"][0]) - 5.0 - 0.7  # it adds, and the constant

    @property
    def center(self) -> np.ndarray:
        """The law on the scale of the noise, and the excess of runs."""
        at = {name: values[CURVE] for name, values in self.parameters.items()}
        law = self.model.law(*self.sizes, **{name: at[name] for name in self.model.law.parameters})
        center = self.model.noise.scale.forward(law, UNIT)
        return center + at["excess"] * self.latent if "excess" in at else center

    @property
    def covariance(self) -> np.ndarray:
        """Of the responses on the scale of the noise, given the latent variables."""
        sigma = self.parameters["sigma"][CURVE]
        if self.model.noise.varies_with:
            sigma = sigma * self.sizes[0] ** self.parameters["sigma_slope"][CURVE]
        if isinstance(self.model.noise, StudentT) and self.model.is_augmented:
            sigma = sigma / np.sqrt(self.latent)
        noise = np.diag(sigma**2 + self.known_error**2)
        if self.model.discrepancy is None:
            return noise
        return noise + brownian_covariance(np.log(self.sizes), CURVE, self.tau**2)


def two(noise: Noise) -> Model:
    return Model(laws.chinchilla, discrepancy=Brownian(), noise=noise)


CASES = {
    "one predictor": Case(Model(laws.power)),
    "two predictors": Case(two(Gaussian())),
    "known errors": Case(Model(laws.power), error=0.1),
    "raw scale": Case(Model(laws.power, noise=Gaussian(RawScale()))),
    "logit scale": Case(two(Gaussian(LogitScale()))),
    "noise that varies": Case(Model(laws.power, noise=Gaussian(varies_with="N"))),
    "weights of runs": Case(Model(laws.power, noise=StudentT())),
    "excess of runs": Case(two(Undertuned())),
    "no discrepancy": Case(Model(laws.power, noise=Gaussian(), discrepancy=None), error=0.1),
    "excess alone": Case(Model(laws.power, noise=Undertuned(), discrepancy=None)),
}
STUDENT = {
    "Student-t": Case(Model(laws.power, noise=StudentT(), discrepancy=None)),
    "Student-t that varies": Case(
        Model(laws.power, noise=StudentT(varies_with="N"), discrepancy=None), error=0.2
    ),
}
every_normal_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_case = pytest.mark.parametrize(
    "case", {**CASES, **STUDENT}.values(), ids={**CASES, **STUDENT}
)


@every_case
def test_adjoint(case: Case) -> None:
    stages = (case.stage,)
    # The stage writes adjoints of latent variables that a model may not have.
    unused = {} if case.model.is_augmented else {"latent_bar": np.empty(RUNS)}
    arrays = {**case.arrays, **unused}
    assert_adjoint(stages, likelihood.likelihood_adjoint, arrays, added=["latent"])


@every_normal_case
def test_density_is_the_dense_one_of_the_responses(case: Case) -> None:
    values = case.model.noise.scale.forward(case.response, UNIT)
    dense = stats.multivariate_normal(case.center, case.covariance).logpdf(values)
    np.testing.assert_allclose(case.log_likelihood(), dense, rtol=1e-9)


def test_noise_without_a_discrepancy_may_have_tails() -> None:
    case = STUDENT["Student-t"]
    sigma = case.parameters["sigma"][CURVE]
    z = (np.log(case.response) - case.center) / sigma
    expected = np.sum(stats.t(4).logpdf(z) - np.log(sigma))
    np.testing.assert_allclose(case.log_likelihood(), expected, rtol=1e-12)
