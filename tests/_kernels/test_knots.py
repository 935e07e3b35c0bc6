"""Discrepancy on knots along several predictors against dense linear algebra."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from discrepancy_gradients import value_and_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from bayeslaw._kernels import brownian, knot_layout, knots


@dataclass(frozen=True)
class Problem:
    """Runs of several curves and prediction points, with the variances of noise and discrepancy."""

    position: np.ndarray
    curve: np.ndarray
    target: np.ndarray
    target_curve: np.ndarray
    residual: np.ndarray
    variance: np.ndarray
    tau2: np.ndarray
    max_per_side: int

    @property
    def knots(self) -> knot_layout.Knots:
        return knot_layout.knots_of(self.position, self.curve, self.max_per_side)

    @property
    def neighbours(self) -> knot_layout.KnotNeighbours:
        return knot_layout.knot_neighbours(self.knots, self.target, self.target_curve)

    @property
    def arguments(self) -> tuple[np.ndarray, ...]:
        """Arguments of `knots.log_density`."""
        return (self.residual, self.variance, self.tau2, *self.knots)

    def delta(self) -> np.ndarray:
        """Prior covariance of the sum of deltas at runs and points, up to the outermost knots."""
        position = np.hstack([self.position, self.target])
        curve = np.concatenate([self.curve, self.target_curve])
        out = np.zeros((curve.size, curve.size))
        for c in range(self.tau2.shape[1]):
            for p, u in enumerate(position):
                for sign in (-1, 1):
                    runs = sign * self.position[p, self.curve == c]
                    ends = dense_knots(runs[runs > 0], self.max_per_side)
                    if ends.size:
                        design = hats(np.where(curve == c, sign * u, 0), ends)
                        covariance = self.tau2[p, c] * np.minimum(ends[:, None], ends)
                        out += design @ covariance @ design.T
        return out

    @property
    def covariance(self) -> np.ndarray:
        """Joint covariance of the residuals."""
        size = self.curve.size
        return self.delta()[:size, :size] + np.diag(self.variance)


def dense_knots(distance: np.ndarray, max_per_side: int) -> np.ndarray:
    """Knots of one side."""
    distinct = np.unique(distance)
    if distinct.size <= max_per_side:
        return distinct
    return distinct[-1] * np.arange(1, max_per_side + 1) / max_per_side


def hats(distance: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Weights of knots at distances along one side."""
    grid = np.concatenate([[0.0], ends])
    units = np.eye(ends.size + 1)[1:]
    return np.stack([np.interp(distance, grid, unit) for unit in units], axis=1)


def problem(position: Any, curve: Any, max_per_side: int = 8, seed: int = 0) -> Problem:
    """Random residuals, variances and points; the last curve has no runs."""
    rng = np.random.default_rng(seed)
    position, curve = np.asarray(position, dtype=float), np.asarray(curve)
    curves, size = curve.max() + 2, curve.size
    return Problem(
        position,
        curve,
        rng.integers(-12, 13, (position.shape[0], 9)) / 2,
        rng.integers(0, curves, 9),
        rng.normal(size=size),
        np.exp(rng.normal(size=size)),
        np.exp(rng.normal(size=(position.shape[0], curves))),
        max_per_side,
    )


def random_problem(
    seed: int, runs: int = 23, curves: int = 2, predictors: int = 2, max_per_side: int = 3
) -> Problem:
    """Interleaved curves, with duplicates and runs at the pivot."""
    rng = np.random.default_rng(seed)
    position = rng.integers(-8, 9, (predictors, runs)) / 2
    return problem(position, rng.integers(0, curves, runs), max_per_side, seed)


def drawn_problem(seed: int, noise: float) -> Problem:
    """Residuals as the model makes them, of little noise."""
    p = random_problem(seed)
    p = replace(p, variance=p.variance * noise)
    return replace(p, residual=np.linalg.cholesky(p.covariance) @ p.residual)


PROBLEMS = {
    "one run": problem([[1.5], [-0.5]], [0]),
    "one run at the pivot": problem([[0.0], [0.0]], [0]),
    "one side of each": problem([[0.5, 2.0, 1.0], [-0.5, -1.0, -3.0]], [0, 0, 0]),
    "duplicates": problem([[1.0, 1.0, -2.0, 1.0], [0.5, 0.5, 1.0, 0.5]], [0] * 4),
    "a predictor at the pivot": problem([[1.0, 2.0, -1.0], [0.0, 0.0, 0.0]], [0, 0, 0]),
    "one knot a side": random_problem(2, max_per_side=1),
    "few knots": random_problem(3),
    "a knot at every position": random_problem(4, max_per_side=8),
    "one predictor": random_problem(5, predictors=1),
    "three predictors": random_problem(6, predictors=3, max_per_side=2),
    "a curve without runs": problem([[1.0, -1.0, 2.0]] * 2, [2, 0, 2]),
    "no discrepancy": replace(random_problem(7), tau2=np.zeros((2, 3))),
    "nearly no discrepancy": replace(random_problem(8), tau2=np.full((2, 3), 1e-12)),
    "none along one predictor": replace(
        random_problem(9), tau2=np.array([[0.0, 1.0, 1.0], [2.0, 0.0, 0.0]])
    ),
    "little noise": drawn_problem(10, 1e-4),
}
every_problem = pytest.mark.parametrize("p", PROBLEMS.values(), ids=PROBLEMS)
random_problems = st.builds(
    random_problem,
    st.integers(0, 10_000),
    st.integers(1, 25),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 9),
)


def dense_gradient(p: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Derivatives of the density by the formulas of matrix calculus."""
    inverse, size = np.linalg.inv(p.covariance), p.curve.size
    a = inverse @ p.residual
    matrix, slope = (np.outer(a, a) - inverse) / 2, np.zeros(p.tau2.shape)
    for index in np.ndindex(*slope.shape):
        unit = np.zeros(slope.shape)
        unit[index] = 1
        slope[index] = np.sum(matrix * replace(p, tau2=unit).delta()[:size, :size])
    return -a, np.diag(matrix).copy(), slope


def dense_conditional(p: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance at the points, up to the outermost knots."""
    size, delta = p.curve.size, p.delta()
    gain = np.linalg.solve(p.covariance, delta[:size, size:]).T
    return gain @ p.residual, delta[size:, size:] - gain @ delta[:size, size:]


def conditional_of(p: Problem, normal: np.ndarray) -> tuple[np.ndarray, ...]:
    """`knots.conditional_draws` of many normal numbers and one draw of everything else."""
    draws = len(normal)
    many = (np.repeat(item[None], draws, axis=0) for item in (p.residual, p.variance, p.tau2))
    return knots.conditional_draws(*many, *p.knots, *p.neighbours[:-1], normal)


def assert_density_and_gradient(p: Problem, bar: float) -> None:
    """Both are those of the dense formulas."""
    expected = multivariate_normal(cov=p.covariance).logpdf(p.residual)
    np.testing.assert_allclose(knots.log_density(*p.arguments), expected, rtol=1e-8)
    gradients = [bar * gradient for gradient in value_and_gradients(knots, *p.arguments)[1:]]
    for gradient, slope in zip(gradients, dense_gradient(p), strict=True):
        scale = np.max(np.abs(slope))
        np.testing.assert_allclose(gradient, bar * slope, rtol=1e-8, atol=1e-9 * scale)


@every_problem
@pytest.mark.parametrize("bar", [1.0, -0.7])
def test_density_and_gradient_are_the_dense_ones(p: Problem, bar: float) -> None:
    assert_density_and_gradient(p, bar)


@settings(max_examples=60, deadline=None)
@given(p=random_problems)
def test_density_and_gradient_of_random_problems(p: Problem) -> None:
    assert_density_and_gradient(p, 1.0)


@every_problem
def test_density_is_the_sum_over_curves(p: Problem) -> None:
    densities = knots.log_density_by_curve(*p.arguments)
    np.testing.assert_allclose(knots.log_density(*p.arguments), densities.sum(), rtol=1e-12)
    for c, value in enumerate(densities):
        own = p.curve == c
        covariance = p.covariance[np.ix_(own, own)]
        expected = multivariate_normal(cov=covariance).logpdf(p.residual[own]) if own.any() else 0
        np.testing.assert_allclose(value, expected, rtol=1e-8)


@pytest.mark.parametrize("name", ["residual", "variance", "tau2"])
def test_gradient_is_that_of_finite_differences(name: str) -> None:
    p = random_problem(11)
    value = getattr(p, name)
    expected = np.zeros(value.shape)
    for index in np.ndindex(*value.shape):
        step = np.zeros(value.shape)
        step[index] = 1e-6
        up, down = (
            knots.log_density(*replace(p, **{name: value + s}).arguments) for s in (step, -step)
        )
        expected[index] = (up - down) / 2e-6
    names = ("residual", "variance", "tau2")
    gradients = dict(zip(names, value_and_gradients(knots, *p.arguments)[1:], strict=True))
    np.testing.assert_allclose(gradients[name], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("noise", [1e-12, 1e-4, 1.0, 1e8])
def test_gradient_holds_whatever_the_noise(noise: float) -> None:
    # With one run the density is that of a single normal: total variance tau2 * 2 + noise.
    p = replace(problem([[2.0]], [0]), variance=np.array([noise]))
    total, r = 2 * p.tau2[0, 0] + noise, p.residual[0]
    _, _, tau2_bar = value_and_gradients(knots, *p.arguments)[1:]
    np.testing.assert_allclose(tau2_bar, [[r**2 / total**2 - 1 / total, 0.0]], rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), runs=st.integers(1, 25), curves=st.integers(1, 4))
def test_a_knot_at_every_position_is_the_exact_brownian_motion(
    seed: int, runs: int, curves: int
) -> None:
    p = random_problem(seed, runs, curves, predictors=1, max_per_side=8)
    other = (p.residual, p.variance, p.tau2[0], *brownian.filter_order(p.position[0], p.curve))
    np.testing.assert_allclose(
        knots.log_density(*p.arguments), brownian.log_density(*other), rtol=1e-9
    )
    pairs = zip(
        value_and_gradients(knots, *p.arguments)[1:],
        value_and_gradients(brownian, *other)[1:],
        strict=True,
    )
    for gradient, expected in pairs:
        np.testing.assert_allclose(
            gradient.reshape(expected.shape), expected, rtol=1e-8, atol=1e-10
        )


@every_problem
def test_leave_one_out_moments_are_the_conditional_of_all_others(p: Problem) -> None:
    residual_bar, variance_bar, _ = value_and_gradients(knots, *p.arguments)[1:]
    mean, variance = brownian.leave_one_out_moments(
        p.residual, p.variance, residual_bar, variance_bar
    )
    covariance = p.covariance
    for i in range(p.curve.size):
        others = np.arange(p.curve.size) != i
        gain = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, i])
        np.testing.assert_allclose(mean[i], gain @ p.residual[others], rtol=1e-7, atol=1e-8)
        expected = covariance[i, i] - gain @ covariance[others, i]
        np.testing.assert_allclose(variance[i], expected, rtol=1e-7)


def test_no_runs_have_density_one() -> None:
    empty = knot_layout.knots_of(np.empty((2, 0)), np.empty(0, dtype=int))
    assert knots.log_density(np.empty(0), np.empty(0), np.ones((2, 1)), *empty) == 0


@every_problem
def test_conditional_is_dense_conditioning(p: Problem) -> None:
    posterior_mean, variance, draw = (
        item[0] for item in conditional_of(p, np.zeros((1, p.knots.knot_position.size)))
    )
    mean, covariance = dense_conditional(p)
    np.testing.assert_allclose(posterior_mean, mean, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(variance, np.diag(covariance), rtol=1e-8, atol=1e-9)
    np.testing.assert_array_equal(draw, posterior_mean)


@every_problem
def test_draws_have_the_conditional_covariance(p: Problem) -> None:
    # A draw is linear in its normal numbers, so units give the factor of its covariance.
    size = p.knots.knot_position.size
    mean, _, draw = conditional_of(p, np.eye(size))
    factor = draw - mean
    np.testing.assert_allclose(factor.T @ factor, dense_conditional(p)[1], rtol=1e-8, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(p=random_problems)
def test_conditional_of_random_problems(p: Problem) -> None:
    posterior_mean, variance, _ = (
        item[0] for item in conditional_of(p, np.zeros((1, p.knots.knot_position.size)))
    )
    mean, covariance = dense_conditional(p)
    np.testing.assert_allclose(posterior_mean, mean, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(variance, np.diag(covariance), rtol=1e-8, atol=1e-9)


def test_many_draws_equal_single_ones() -> None:
    base = random_problem(2)
    problems = [replace(base, tau2=base.tau2 * t, residual=base.residual * t) for t in (0.1, 2.0)]
    stacked = [np.stack(items) for items in zip(*(p.arguments[:3] for p in problems), strict=True)]
    normal = np.random.default_rng(1).normal(size=(2, base.knots.knot_position.size))
    gradients = knots.gradients(*stacked, *base.knots)
    draws = knots.conditional_draws(*stacked, *base.knots, *base.neighbours[:-1], normal)
    for s, p in enumerate(problems):
        one = [item[0] for item in conditional_of(p, normal[s : s + 1])]
        for many, single in (
            (gradients, value_and_gradients(knots, *p.arguments)[1:]),
            (draws, one),
        ):
            for value, expected in zip(many, single, strict=True):
                np.testing.assert_array_equal(value[s], expected)
