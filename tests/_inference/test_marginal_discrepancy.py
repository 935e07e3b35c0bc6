"""The discrepancy on runs: densities, gradients and conditionals against dense linear algebra."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dense import brownian
from scipy.stats import multivariate_normal

from bayeslaw import laws
from bayeslaw._inference.marginal_discrepancy import (
    BrownianDiscrepancy,
    KnotDiscrepancy,
    MarginalDiscrepancy,
    marginal_discrepancy,
)
from bayeslaw._inference.run_arrays import RunArrays, run_arrays_of
from bayeslaw._law.law import Law
from bayeslaw._law.roles import TAU, Role
from bayeslaw.data.runs import read_runs
from bayeslaw.model.discrepancy import Brownian, Discrepancy
from bayeslaw.model.model import Model

RUNS, CURVES, DRAWS = 11, 2, 3


@dataclass(frozen=True)
class Problem:
    """Runs, and points at runs, beyond them, in a new curve, and in one case between runs."""

    discrepancy: MarginalDiscrepancy
    position: np.ndarray
    curve: np.ndarray
    target: np.ndarray
    target_curve: np.ndarray
    residual: np.ndarray
    variance: np.ndarray
    tau2: np.ndarray

    @property
    def fitted_tau2(self) -> np.ndarray:
        """Squared tau of the curves that have runs."""
        return self.tau2[..., :CURVES]

    def covariance(self, s: int) -> np.ndarray:
        """Joint covariance of the residuals of a draw."""
        return brownian(self.position, self.curve, self.tau2[s]) + np.diag(self.variance[s])

    def dense_conditional(self, s: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance at the points given the residuals of a draw."""
        position = np.hstack([self.position, self.target])
        curve = np.concatenate([self.curve, self.target_curve])
        prior = brownian(position, curve, self.tau2[s])
        gain = np.linalg.solve(self.covariance(s), prior[:RUNS, RUNS:]).T
        return gain @ self.residual[s], prior[RUNS:, RUNS:] - gain @ prior[:RUNS, RUNS:]


def problem(predictors: int, between: bool) -> Problem:
    """Random residuals and variances; `between` adds points between runs."""
    rng = np.random.default_rng(predictors)
    position = rng.integers(-4, 5, (predictors, RUNS)) / 2
    curve = np.arange(RUNS) % CURVES
    names = tuple(f"tau_{p}" for p in range(predictors))
    along = BrownianDiscrepancy(names, position, curve)
    discrepancy = along if between else KnotDiscrepancy(names, position, curve, 8)
    inside = [position[:, :4], position[:, :4] + 0.2] if between else [position[:, :4]]
    outside = [
        rng.choice([-4.5, -3.0, 3.0, 7.0], (predictors, 3)),
        rng.normal(size=(predictors, 3)),
    ]
    target = np.hstack([*inside, *outside])
    target_curve = np.concatenate([curve[:4]] * len(inside) + [[0, 1, 1], [CURVES] * 3])
    return Problem(
        discrepancy,
        position,
        curve,
        target,
        target_curve,
        rng.normal(size=(DRAWS, RUNS)),
        np.exp(rng.normal(size=(DRAWS, RUNS))),
        np.exp(rng.normal(size=(DRAWS, predictors, CURVES + 1))),
    )


PROBLEMS = {
    "brownian": problem(1, True),
    "one on knots": problem(1, False),
    "two on knots": problem(2, False),
}
every_problem = pytest.mark.parametrize("p", PROBLEMS.values(), ids=PROBLEMS)


@every_problem
def test_log_density_by_curve_is_dense(p: Problem) -> None:
    densities = p.discrepancy.log_density_by_curve(p.residual[0], p.variance[0], p.fitted_tau2[0])
    assert densities.shape == (CURVES,)
    for c, value in enumerate(densities):
        own = p.curve == c
        dense = multivariate_normal(cov=p.covariance(0)[np.ix_(own, own)])
        np.testing.assert_allclose(value, dense.logpdf(p.residual[0, own]), rtol=1e-9)


@every_problem
def test_gradients_are_the_dense_ones(p: Problem) -> None:
    gradients = p.discrepancy.gradients(p.residual, p.variance, p.fitted_tau2)
    for s in range(DRAWS):
        inverse = np.linalg.inv(p.covariance(s))
        a = inverse @ p.residual[s]
        matrix = (np.outer(a, a) - inverse) / 2
        units = np.eye(p.fitted_tau2[s].size).reshape(-1, *p.fitted_tau2[s].shape)
        tau2_bar = [np.sum(matrix * brownian(p.position, p.curve, unit)) for unit in units]
        np.testing.assert_allclose(gradients[0][s], -a, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(gradients[1][s], np.diag(matrix), rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(gradients[2][s].ravel(), tau2_bar, rtol=1e-8, atol=1e-10)


@every_problem
def test_conditional_is_dense_conditioning(p: Problem) -> None:
    rng = np.random.default_rng(1)
    moments = p.discrepancy.conditional(
        p.residual, p.variance, p.tau2, p.target, p.target_curve, rng
    )
    assert [item.shape for item in moments] == [(DRAWS, p.target_curve.size)] * 3
    for s in range(DRAWS):
        mean, covariance = p.dense_conditional(s)
        np.testing.assert_allclose(moments[0][s], mean, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(moments[1][s], np.diag(covariance), rtol=1e-8, atol=1e-9)


@every_problem
def test_draws_have_the_conditional_covariance(p: Problem) -> None:
    size, rng = 20_000, np.random.default_rng(2)
    many = (np.repeat(item[:1], size, axis=0) for item in (p.residual, p.variance, p.tau2))
    draw = p.discrepancy.conditional(*many, p.target, p.target_curve, rng)[2]
    mean, covariance = p.dense_conditional(0)
    sd, deviation = np.sqrt(np.maximum(np.diag(covariance), 0)), draw - mean
    assert np.all(np.abs(deviation.mean(axis=0)) <= 4.5 * sd / np.sqrt(size) + 1e-9)
    error = np.sqrt((np.outer(sd, sd) ** 2 + covariance**2) / size)
    assert np.all(np.abs(deviation.T @ deviation / size - covariance) <= 4.5 * error + 1e-9)


@every_problem
def test_unobserved_runs_carry_no_information(p: Problem) -> None:
    unobserved = np.zeros((1, RUNS)), np.full((1, RUNS), np.inf)
    rng = np.random.default_rng(1)
    mean, variance, _ = p.discrepancy.conditional(
        *unobserved, p.tau2[:1], p.target, p.target_curve, rng
    )
    prior = np.diag(brownian(p.target, p.target_curve, p.tau2[0]))
    np.testing.assert_array_equal(mean, np.zeros(mean.shape))
    np.testing.assert_allclose(variance[0], prior, rtol=1e-9, atol=1e-12)


@every_problem
def test_points_do_not_depend_on_their_order(p: Problem) -> None:
    order = np.random.default_rng(3).permutation(p.target_curve.size)
    shuffled = replace(p, target=p.target[:, order], target_curve=p.target_curve[order])
    one, other = (
        item.discrepancy.conditional(
            p.residual, p.variance, p.tau2, item.target, item.target_curve, np.random.default_rng(1)
        )
        for item in (p, shuffled)
    )
    for moments, expected in zip(other[:2], one[:2], strict=True):
        np.testing.assert_allclose(moments, expected[:, order], rtol=1e-12, atol=1e-12)


def arrays_of(model: Model) -> RunArrays:
    """Five runs of two curves."""
    columns = {"N": [1e6, 1e7, 1e8, 1e6, 1e7], "D": [1e9, 1e8, 1e10, 1e9, 1e9]}
    more = {"loss": [3.0, 2.5, 2.2, 3.1, 2.6], "task": ["a", "a", "a", "b", "b"]}
    runs = read_runs(
        pd.DataFrame({**columns, **more}), response="loss", predictors=["N", "D"], groups=["task"]
    )
    return run_arrays_of(model, runs)


def test_a_model_without_a_discrepancy_has_none() -> None:
    model = Model(laws.power, discrepancy=None)
    assert marginal_discrepancy(model, arrays_of(model)) is None


@pytest.mark.parametrize(
    ("law", "kind", "names"),
    [
        (laws.power, BrownianDiscrepancy, ("tau",)),
        (laws.chinchilla, KnotDiscrepancy, ("tau_N", "tau_D")),
    ],
)
def test_the_discrepancy_of_a_law(law: Any, kind: type, names: tuple[str, ...]) -> None:
    model = Model(law, discrepancy=Brownian(knots=2))
    run_arrays = arrays_of(model)
    discrepancy = marginal_discrepancy(model, run_arrays)
    assert isinstance(discrepancy, kind)
    assert discrepancy.names == names
    np.testing.assert_array_equal(discrepancy.position, run_arrays.position)
    np.testing.assert_array_equal(discrepancy.curve, [0, 0, 0, 1, 1])
    assert getattr(discrepancy, "max_knots", 2) == 2


def test_an_unknown_kind_is_refused() -> None:
    class Other(Discrepancy):
        def parameters(self, law: Law) -> dict[str, Role]:
            return {"tau": TAU}

        def describe(self) -> str:
            return "Something else."

    model = Model(laws.power, discrepancy=Other())
    runs = read_runs(pd.DataFrame({"N": [1.0, 2.0], "loss": [2.0, 1.0]}), predictors=["N"])
    with pytest.raises(TypeError, match="Other: no density is known for this discrepancy"):
        marginal_discrepancy(model, run_arrays_of(model, runs))
