"""Levenberg-Marquardt on problems with a known solution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayeslaw._inference.map_mode.solver import (
    QuadraticApproximation,
    levenberg_marquardt,
    newton_decrement,
)

type Function = Callable[[np.ndarray], np.ndarray]


def gauss_newton(residual: Function, jacobian: Function) -> Callable:
    """Least squares: residuals (residuals, curves), Jacobian (residuals, parameters, curves)."""

    def objective(x: np.ndarray) -> np.ndarray:
        return np.sum(residual(x) ** 2, axis=0)

    def approximate(x: np.ndarray) -> QuadraticApproximation:
        r, j = residual(x), jacobian(x)
        gradient, hessian = -np.einsum("rpg,rg->pg", j, r), np.einsum("rpg,rqg->pqg", j, j)
        return QuadraticApproximation(gradient, hessian, objective, objective(x))

    return approximate


def rosenbrock(x: np.ndarray) -> np.ndarray:
    return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def rosenbrock_jacobian(x: np.ndarray) -> np.ndarray:
    one, zero = np.ones_like(x[0]), np.zeros_like(x[0])
    return np.array([[-20 * x[0], 10 * one], [-one, zero]])


ROSENBROCK = gauss_newton(rosenbrock, rosenbrock_jacobian)


def test_all_curves_reach_the_minimum_of_rosenbrock() -> None:
    start = np.array([[-1.2, 3.0, 1.0, 0.0], [1.0, -4.0, 1.0, 0.0]])
    end = levenberg_marquardt(ROSENBROCK, start, max_steps=100, tolerance=1e-9)
    np.testing.assert_allclose(end, 1, atol=1e-8)


def test_curves_that_have_converged_do_not_hold_up_the_others() -> None:
    """Near the minimum rounding rejects steps."""
    counts = []

    def counted(x: np.ndarray) -> QuadraticApproximation:
        counts.append(x)
        return ROSENBROCK(x)

    start = np.array([[1.0, -20.0], [1.0, 30.0]])
    end = levenberg_marquardt(counted, start, max_steps=500, tolerance=1e-6)
    np.testing.assert_allclose(end, 1, atol=1e-5)
    assert len(counts) < 100


def test_a_step_to_where_there_is_no_value_is_shortened() -> None:
    def residual(x: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.log(x) + 3

    approximate = gauss_newton(residual, lambda x: (1 / x)[None])
    end = levenberg_marquardt(approximate, np.array([[5.0]]), max_steps=100, tolerance=1e-8)
    np.testing.assert_allclose(end, np.exp(-3), rtol=1e-6)


def test_a_step_is_at_most_so_long() -> None:
    approximate = gauss_newton(lambda x: x - 10, lambda x: np.ones((1, *x.shape)))
    options = {"max_steps": 1, "tolerance": 1e-8}
    start = np.zeros((1, 2))
    np.testing.assert_allclose(levenberg_marquardt(approximate, start, **options), 2)
    end = levenberg_marquardt(approximate, start, max_move=0.5, **options)
    np.testing.assert_allclose(end, 0.5)


def test_newton_decrement_is_the_distance_in_standard_deviations() -> None:
    approximate = gauss_newton(lambda x: (x - 1) / 0.1, lambda x: np.full((1, *x.shape), 10.0))
    np.testing.assert_allclose(newton_decrement(approximate(np.array([[1.3, 1.0]]))), [3, 0])
