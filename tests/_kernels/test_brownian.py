"""Kalman filter and smoother of the Brownian discrepancy against dense linear algebra."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from discrepancy_gradients import value_and_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from bayeslaw._kernels import brownian


@dataclass(frozen=True)
class Problem:
    """Runs of several curves, with the variances of noise and discrepancy."""

    position: np.ndarray
    curve: np.ndarray
    residual: np.ndarray
    variance: np.ndarray
    tau2: np.ndarray

    @property
    def arguments(self) -> tuple[np.ndarray, ...]:
        """Arguments of `brownian.log_density`."""
        order = brownian.filter_order(self.position, self.curve)
        return (self.residual, self.variance, self.tau2, *order)

    @property
    def delta(self) -> np.ndarray:
        """Prior covariance of delta."""
        u, distance = self.position, np.abs(self.position)
        together = (self.curve[:, None] == self.curve) & (np.sign(u)[:, None] == np.sign(u))
        return together * self.tau2[self.curve] * np.minimum(distance[:, None], distance)

    @property
    def covariance(self) -> np.ndarray:
        """Joint covariance of the residuals."""
        return self.delta + np.diag(self.variance)

    def subset(self, runs: Any) -> Problem:
        """The problem of some of the runs."""
        names = ("position", "curve", "residual", "variance")
        return replace(self, **{name: getattr(self, name)[runs] for name in names})


def problem(position: Any, curve: Any, seed: int = 0) -> Problem:
    """Random residuals and variances; the last curve has no runs."""
    rng = np.random.default_rng(seed)
    position, curve = np.asarray(position, dtype=float), np.asarray(curve)
    return Problem(
        position,
        curve,
        rng.normal(size=curve.size),
        np.exp(rng.normal(size=curve.size)),
        np.exp(rng.normal(size=curve.max() + 2)),
    )


def random_problem(seed: int, runs: int = 17, curves: int = 3) -> Problem:
    """Interleaved curves, with duplicates and runs at the pivot."""
    rng = np.random.default_rng(seed)
    return problem(rng.integers(-4, 5, runs) / 2, rng.integers(0, curves, runs), seed)


PROBLEMS = {
    "one run": problem([1.5], [0]),
    "one run at the pivot": problem([0.0], [0]),
    "right side only": problem([0.5, 2.0, 1.0], [0, 0, 0]),
    "left side only": problem([-0.5, -2.0, -1.0], [0, 0, 0]),
    "duplicates": problem([1.0, 1.0, -2.0, 1.0, -2.0], [0] * 5),
    "all at the pivot": problem([0.0, -0.0, 0.0], [0, 0, 0]),
    "curves interleaved": random_problem(3),
    "a curve without runs": problem([1.0, -1.0, 2.0], [2, 0, 2]),
    "no discrepancy": replace(random_problem(4), tau2=np.zeros(4)),
    "nearly no discrepancy": replace(random_problem(5), tau2=np.full(4, 1e-12)),
    "nearly no noise": replace(
        problem([1.0, 2.0, 3.0, -1.0], [0] * 4, 6), variance=np.full(4, 1e-12)
    ),
}
every_problem = pytest.mark.parametrize("p", PROBLEMS.values(), ids=PROBLEMS)
random_problems = st.builds(
    random_problem, st.integers(0, 10_000), st.integers(1, 25), st.integers(1, 5)
)


def dense_gradient(p: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Derivatives of the density by the formulas of matrix calculus."""
    inverse = np.linalg.inv(p.covariance)
    a = inverse @ p.residual
    matrix = (np.outer(a, a) - inverse) / 2
    slopes = [replace(p, tau2=unit).delta for unit in np.eye(p.tau2.size)]
    return -a, np.diag(matrix).copy(), np.array([np.sum(matrix * slope) for slope in slopes])


def dense_conditional(p: Problem, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of delta at all runs given those that were observed."""
    across = p.delta[:, observed]
    gain = np.linalg.solve(p.covariance[np.ix_(observed, observed)], across.T).T
    return gain @ p.residual[observed], p.delta - gain @ across.T


def test_filter_order_leads_outwards() -> None:
    order = brownian.filter_order(
        np.array([-1.0, 3.0, 0.0, -4.0, 1.0, 3.0]), np.array([1, 0, 0, 1, 1, 0])
    )
    np.testing.assert_array_equal(order.order, [2, 1, 5, 4, 0, 3])
    np.testing.assert_array_equal(order.step, [0.0, 3.0, 0.0, 1.0, 1.0, 3.0])
    np.testing.assert_array_equal(order.is_first, [1, 0, 0, 1, 1, 0])
    np.testing.assert_array_equal(order.curve, [0, 0, 0, 1, 1, 1])
    assert [item.dtype for item in order] == [np.int64, np.float64, np.int64, np.int64]


def test_no_runs_have_an_empty_order() -> None:
    order = brownian.filter_order(np.empty(0), np.empty(0, dtype=int))
    assert [item.size for item in order] == [0, 0, 0, 0]
    assert brownian.log_density(np.empty(0), np.empty(0), np.ones(1), *order) == 0


@every_problem
def test_density_is_the_dense_one(p: Problem) -> None:
    expected = multivariate_normal(cov=p.covariance).logpdf(p.residual)
    np.testing.assert_allclose(brownian.log_density(*p.arguments), expected, rtol=1e-8)


@every_problem
def test_density_is_the_sum_over_curves(p: Problem) -> None:
    densities = brownian.log_density_by_curve(*p.arguments)
    parts = [p.subset(p.curve == c) for c in range(p.tau2.size)]
    np.testing.assert_allclose(densities, [brownian.log_density(*part.arguments) for part in parts])
    np.testing.assert_allclose(brownian.log_density(*p.arguments), densities.sum(), rtol=1e-12)


@every_problem
@pytest.mark.parametrize("bar", [1.0, -0.7])
def test_gradient_is_the_dense_one(p: Problem, bar: float) -> None:
    gradients = [bar * slope for slope in value_and_gradients(brownian, *p.arguments)[1:]]
    for gradient, expected in zip(gradients, dense_gradient(p), strict=True):
        scale = np.max(np.abs(expected))
        np.testing.assert_allclose(gradient, bar * expected, rtol=1e-8, atol=1e-11 * scale)


@pytest.mark.parametrize("name", ["residual", "variance", "tau2"])
def test_gradient_is_that_of_finite_differences(name: str) -> None:
    p = random_problem(11)
    value, expected = getattr(p, name), []
    for unit in np.eye(value.size):
        sides = [replace(p, **{name: value + step * unit}) for step in (1e-6, -1e-6)]
        up, down = (brownian.log_density(*side.arguments) for side in sides)
        expected.append((up - down) / 2e-6)
    gradients = dict(
        zip(
            ("residual", "variance", "tau2"),
            value_and_gradients(brownian, *p.arguments)[1:],
            strict=True,
        )
    )
    np.testing.assert_allclose(gradients[name], expected, rtol=1e-6, atol=1e-8)


@settings(max_examples=60, deadline=None)
@given(p=random_problems)
def test_density_and_gradient_of_random_problems(p: Problem) -> None:
    expected = multivariate_normal(cov=p.covariance).logpdf(p.residual)
    np.testing.assert_allclose(brownian.log_density(*p.arguments), expected, rtol=1e-8)
    for gradient, slope in zip(
        value_and_gradients(brownian, *p.arguments)[1:], dense_gradient(p), strict=True
    ):
        np.testing.assert_allclose(gradient, slope, rtol=1e-8, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(p=random_problems, shuffle=st.randoms(use_true_random=False))
def test_order_of_runs_does_not_matter(p: Problem, shuffle: Any) -> None:
    order = list(range(p.curve.size))
    shuffle.shuffle(order)
    shuffled = brownian.log_density(*p.subset(order).arguments)
    np.testing.assert_allclose(shuffled, brownian.log_density(*p.arguments), rtol=1e-10)


@every_problem
def test_one_step_prediction_is_the_conditional_of_those_before(p: Problem) -> None:
    mean, variance = brownian.one_step_prediction(*p.arguments)
    order, _, is_first, _ = brownian.filter_order(p.position, p.curve)
    begin = 0
    for k, i in enumerate(order):
        begin = k if is_first[k] else begin
        before = order[begin:k]
        gain = np.linalg.solve(p.covariance[np.ix_(before, before)], p.covariance[before, i])
        np.testing.assert_allclose(mean[i], gain @ p.residual[before], rtol=1e-8, atol=1e-10)
        expected = p.covariance[i, i] - gain @ p.covariance[before, i]
        np.testing.assert_allclose(variance[i], expected, rtol=1e-8, atol=1e-15)


@every_problem
def test_density_is_the_product_of_one_step_predictions(p: Problem) -> None:
    mean, variance = brownian.one_step_prediction(*p.arguments)
    total = norm.logpdf(p.residual, mean, np.sqrt(variance)).sum()
    np.testing.assert_allclose(brownian.log_density(*p.arguments), total, rtol=1e-10)


@settings(max_examples=40, deadline=None)
@given(p=random_problems, reach=st.floats(0, 2))
def test_one_step_predictions_do_not_depend_on_runs_further_out(p: Problem, reach: float) -> None:
    inside = np.abs(p.position) <= reach
    of_all, of_inside = (
        brownian.one_step_prediction(*p.arguments),
        brownian.one_step_prediction(*p.subset(inside).arguments),
    )
    for value, expected in zip(of_inside, of_all, strict=True):
        np.testing.assert_array_equal(value, expected[inside])


@every_problem
def test_leave_one_out_moments_are_the_conditional_of_all_others(p: Problem) -> None:
    residual_bar, variance_bar, _ = value_and_gradients(brownian, *p.arguments)[1:]
    mean, variance = brownian.leave_one_out_moments(
        p.residual, p.variance, residual_bar, variance_bar
    )
    for i in range(p.curve.size):
        others = np.arange(p.curve.size) != i
        gain = np.linalg.solve(p.covariance[np.ix_(others, others)], p.covariance[others, i])
        np.testing.assert_allclose(mean[i], gain @ p.residual[others], rtol=1e-8, atol=1e-9)
        expected = p.covariance[i, i] - gain @ p.covariance[others, i]
        np.testing.assert_allclose(variance[i], expected, rtol=1e-8)


def unobserved(p: Problem, observed: np.ndarray) -> Problem:
    """The same runs, some of them not observed."""
    return replace(
        p,
        residual=np.where(observed, p.residual, np.nan),
        variance=np.where(observed, p.variance, np.inf),
    )


def assert_conditional(p: Problem, observed: np.ndarray) -> None:
    """Moments of delta are those of dense conditioning."""
    q = unobserved(p, observed)
    posterior_mean, variance, draw = brownian.smoother(*q.arguments, np.zeros(observed.size))
    mean, covariance = dense_conditional(p, observed)
    np.testing.assert_allclose(posterior_mean, mean, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(variance, np.diag(covariance), rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(draw, mean, rtol=1e-8, atol=1e-11)
    assert np.all(variance >= 0)


@every_problem
def test_smoother_is_dense_conditioning(p: Problem) -> None:
    assert_conditional(p, np.ones(p.curve.size, dtype=bool))
    assert_conditional(p, np.arange(p.curve.size) % 2 == 0)
    assert_conditional(p, np.zeros(p.curve.size, dtype=bool))


@settings(max_examples=60, deadline=None)
@given(p=random_problems, data=st.data())
def test_smoother_of_random_problems(p: Problem, data: st.DataObject) -> None:
    size = p.curve.size
    assert_conditional(
        p, np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    )


@every_problem
def test_draws_have_the_conditional_covariance(p: Problem) -> None:
    # A draw is linear in its normal numbers, so units give the factor of its covariance.
    observed = np.arange(p.curve.size) % 3 != 1
    q = unobserved(p, observed)
    mean, covariance = dense_conditional(p, observed)
    factor = [brownian.smoother(*q.arguments, unit)[2] - mean for unit in np.eye(observed.size)]
    np.testing.assert_allclose(np.transpose(factor) @ factor, covariance, rtol=1e-8, atol=1e-10)


def test_draws_have_the_conditional_moments() -> None:
    p, size = random_problem(8), 20_000
    observed = np.arange(p.curve.size) % 2 == 0
    q = unobserved(p, observed)
    normal = np.random.default_rng(1).normal(size=(size, observed.size))
    draws = brownian.smoother_draws(
        *(np.tile(item, (size, 1)) for item in q.arguments[:3]), *q.arguments[3:], normal
    )[2]
    mean, covariance = dense_conditional(p, observed)
    sd = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(draws.mean(axis=0) - mean) <= 4.5 * sd / np.sqrt(size) + 1e-12)
    error = np.sqrt((np.outer(sd, sd) ** 2 + covariance**2) / size)
    empirical = (draws - mean).T @ (draws - mean) / size
    assert np.all(np.abs(empirical - covariance) <= 4.5 * error + 1e-12)


def test_points_at_the_same_distance_share_a_draw() -> None:
    p = replace(random_problem(9), variance=np.full(17, np.inf))
    _, _, draw = brownian.smoother(*p.arguments, np.random.default_rng(1).normal(size=17))
    keys = np.stack([p.position, p.curve])
    distinct, index = np.unique(keys, axis=1, return_inverse=True)
    assert distinct.shape[1] < 17
    for group in range(distinct.shape[1]):
        assert np.ptp(draw[index == group]) == 0
    np.testing.assert_array_equal(draw[p.position == 0], 0.0)


def test_no_discrepancy_is_zero_everywhere() -> None:
    p = replace(random_problem(4), tau2=np.zeros(4))
    moments = brownian.smoother(*p.arguments, np.ones(17))
    np.testing.assert_array_equal(moments, np.zeros((3, 17)))


def test_many_draws_equal_single_ones() -> None:
    problems = [
        replace(random_problem(2), tau2=np.full(4, t), residual=np.full(17, t)) for t in (0.1, 2)
    ]
    order = problems[0].arguments[3:]
    stacked = [np.stack(items) for items in zip(*(p.arguments[:3] for p in problems), strict=True)]
    normal = np.random.default_rng(1).normal(size=(2, 17))
    gradients = brownian.gradients(*stacked, *order)
    predictions = brownian.one_step_prediction_draws(*stacked, *order)
    draws = brownian.smoother_draws(*stacked, *order, normal)
    left_out = brownian.leave_one_out_moments(*stacked[:2], *gradients[:2])
    for s, p in enumerate(problems):
        gradient = value_and_gradients(brownian, *p.arguments)[1:]
        pairs = [
            (gradients, gradient),
            (predictions, brownian.one_step_prediction(*p.arguments)),
            (draws, brownian.smoother(*p.arguments, normal[s])),
            (left_out, brownian.leave_one_out_moments(p.residual, p.variance, *gradient[:2])),
        ]
        for many, one in pairs:
            for value, expected in zip(many, one, strict=True):
                np.testing.assert_array_equal(value[s], expected)
