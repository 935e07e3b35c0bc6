"""Importance sampling: correct where it yields draws, and refused where weights are poor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest
from scipy import stats

from bayeslaw._sampling.importance import ImportanceDraws, importance_draws
from bayeslaw._sampling.time_limit import TimeLimit

DRAWS = 4000
ROOT = np.array([[2.0, 0.0, 0.0], [1.5, 0.5, 0.0], [-1.0, 0.2, 0.1]])


@dataclass(frozen=True)
class Target:
    """In place of a compiled density: independent standard variables times a matrix."""

    log_density_of_each: Callable[[np.ndarray], np.ndarray]  # of each variable
    gradient_of_each: Callable[[np.ndarray], np.ndarray]
    root: np.ndarray

    @property
    def initial_point(self) -> np.ndarray:
        """Away from the mode."""
        return self.root @ np.full(len(self.root), 0.5)

    def log_density(self, points: np.ndarray) -> np.ndarray:
        return self.log_density_and_gradient(points)[0]

    def log_density_and_gradient(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inverse = np.linalg.inv(self.root)
        standard = points @ inverse.T
        value = self.log_density_of_each(standard).sum(axis=-1)
        return value, self.gradient_of_each(standard) @ inverse


@dataclass(frozen=True)
class CountingTarget(Target):
    """A target that counts the points of each evaluation."""

    points: list[int] = field(default_factory=list)

    def log_density(self, points: np.ndarray) -> np.ndarray:
        self.points.append(len(points))
        return super().log_density(points)


def normal(root: np.ndarray = ROOT) -> Any:
    return Target(lambda x: -(x**2) / 2, lambda x: -x, root)


def skewed() -> Any:
    """Logarithms of exponential variables: a long tail to one side."""
    return Target(lambda x: x - np.exp(x), lambda x: 1 - np.exp(x), ROOT)


def drawn(target: Any, draws: int, seed: int = 1) -> ImportanceDraws | None:
    """The first draws that are good enough."""
    return next(importance_draws(target, draws, np.random.default_rng(seed), TimeLimit()), None)


@pytest.mark.parametrize(
    ("target", "law"),
    [(normal(), stats.norm()), (skewed(), stats.loggamma(1))],
    ids=["normal", "skewed"],
)
def test_moments_are_correct(target: Any, law: Any) -> None:
    result = drawn(target, DRAWS)
    assert result is not None
    assert result.points.shape == (DRAWS, 3)
    assert result.pareto_k < 0.67
    standard = result.points @ np.linalg.inv(ROOT).T
    # Half as many effective draws as draws at least, so errors are at most sqrt(2) larger.
    error = np.sqrt(2 / DRAWS) * law.std()
    np.testing.assert_array_less(np.abs(standard.mean(axis=0) - law.mean()), 4 * error)
    tails = (standard < law.ppf(0.05)).mean(axis=0)
    np.testing.assert_array_less(np.abs(tails - 0.05), 4 * np.sqrt(2 * 0.05 * 0.95 / DRAWS))
    np.testing.assert_allclose(result.log_density, target.log_density(result.points))


def test_draws_depend_on_the_seed() -> None:
    first, second, other = (drawn(normal(), 100, seed) for seed in (1, 1, 2))
    assert first is not None
    assert second is not None
    assert other is not None
    np.testing.assert_array_equal(first.points, second.points)
    assert not np.array_equal(first.points, other.points)


def test_few_draws_are_as_good_as_independent() -> None:
    result = drawn(skewed(), 500)
    assert result is not None
    # Of 2,000 effective draws and more, few are drawn twice.
    assert len(np.unique(result.points, axis=0)) > 350


def test_copies_are_adjacent() -> None:
    result = drawn(skewed(), 20_000)
    assert result is not None
    changes = 1 + np.any(np.diff(result.points, axis=0) != 0, axis=1).sum()
    assert changes == len(np.unique(result.points, axis=0)) < 20_000


def test_further_draws_come_from_more_proposals() -> None:
    target = CountingTarget(lambda x: x - np.exp(x), lambda x: 1 - np.exp(x), ROOT)
    rng = np.random.default_rng(1)
    attempts = importance_draws(cast("Any", target), DRAWS, rng, TimeLimit())
    copies, proposed = [], []
    for result in attempts:
        proposed.append(sum(target.points))
        copies.append(DRAWS - len(np.unique(result.points, axis=0)))
    assert len(copies) > 2
    assert proposed == sorted(set(proposed))
    assert proposed[-1] <= 16_000
    assert copies[-1] < copies[0] / 2


def test_heavy_tails_are_refused() -> None:
    # Student-t with a fifth of a degree of freedom.
    heavy: Any = Target(lambda x: -0.6 * np.log1p(x**2), lambda x: -1.2 * x / (1 + x**2), ROOT)
    assert drawn(heavy, DRAWS) is None


def test_high_dimensions_are_given_up_early() -> None:
    wide: Any = CountingTarget(lambda x: x - np.exp(x), lambda x: 1 - np.exp(x), np.eye(200))
    assert drawn(wide, DRAWS) is None
    assert sum(wide.points) == 4000


def test_a_density_without_a_hessian_yields_nothing() -> None:
    broken: Any = Target(lambda x: np.full(x.shape, -np.inf), lambda x: np.nan * x, ROOT)
    assert drawn(broken, DRAWS) is None


def test_the_time_limit_ends_the_search_for_the_mode_and_the_proposals() -> None:
    target = CountingTarget(lambda x: x - np.exp(x), lambda x: 1 - np.exp(x), ROOT)
    rng = np.random.default_rng(1)
    assert list(importance_draws(cast("Any", target), 10**6, rng, TimeLimit(1e-9))) == []
    assert target.points[-1] == sum(target.points[-1:])  # one round
    assert target.points.count(1000) == 1
