"""Entry points: programs of stages, their status, and their scratch memory."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from programs import table_of

from bayeslaw._kernels.entry_points import HEAD, density_entry_point, variables_entry_point
from bayeslaw._kernels.stage import Stage, Vector, stage

DOUBLES, INTEGERS = ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_int64)
pytestmark = pytest.mark.usefixtures("folder_of_own_stages")


@stage
def scaled(z: Vector, factor: Vector, work: Vector, variables: Vector, log_prior: Vector) -> None:
    """Variables are scaled unknowns; `work` is for the next stage."""
    for i in range(z.shape[0]):
        work[i] = factor[i] * z[i]
        variables[i] = work[i]
        log_prior[0] -= z[i]


@stage
def squared(factor: Vector, work: Vector, z_bar: Vector, log_likelihood: Vector) -> None:
    """A sum of squares and the gradient."""
    for i in range(z_bar.shape[0]):
        log_likelihood[0] -= work[i] ** 2
        z_bar[i] = -1 - 2 * factor[i] * work[i]


@stage
def spoils(variables: Vector, noise: Vector) -> None:
    """Overwrite the variables."""
    for i in range(variables.shape[0]):
        variables[i] = noise[0]


@dataclass
class Program:
    """A program of the stages above."""

    factor: np.ndarray

    def __post_init__(self) -> None:
        n = self.factor.size
        places: dict[str, tuple[int, Any]] = {
            "z": (0, (n,)),
            "z_bar": (n, (n,)),
            "log_prior": (2 * n, (1,)),
            "log_likelihood": (2 * n + 1, (1,)),
            "variables": (2 * n + 2, (n,)),
            "work": (3 * n + 2, (n,)),
        }
        self.data = {"factor": self.factor, "noise": np.array([np.nan])}
        stages: list[Stage] = [scaled, spoils, squared]
        self.tables = [table_of(stage, self.data, places) for stage in stages]
        head = [4 * n + 2, 3 * n + 2, 2, len(stages), 1]
        assert len(head) == HEAD
        pairs = [
            (s.compiled.address, t.ctypes.data) for s, t in zip(stages, self.tables, strict=True)
        ]
        self.table = np.array([*head, *np.ravel(pairs)], dtype=np.int64)

    def density(self, point: Any) -> tuple[int, float, np.ndarray]:
        """Status, value and gradient."""
        point, n = np.array(point, dtype=float), self.factor.size
        gradient, value = np.empty(n), np.empty(1)
        reals = (x.ctypes.data_as(DOUBLES) for x in (point, gradient, value))
        status = density_entry_point().ctypes(n, *reals, self.table.ctypes.data_as(INTEGERS))
        return status, value.item(), gradient

    def variables(self, point: Any) -> np.ndarray:
        point, n = np.array(point, dtype=float), self.factor.size
        out = np.empty(n)
        reals = (x.ctypes.data_as(DOUBLES) for x in (point, out))
        status = variables_entry_point().ctypes(n, n, *reals, self.table.ctypes.data_as(INTEGERS))
        assert status == 0
        return out


@pytest.fixture(scope="module")
def program() -> Program:
    return Program(np.array([2.0, 3.0]))


def test_density_is_the_sum_of_prior_and_likelihood(program: Program) -> None:
    for _ in range(2):  # totals start at zero in every call
        status, value, gradient = program.density([1.0, 2.0])
        assert (status, value) == (0, -3.0 - 4.0 - 36.0)
        np.testing.assert_array_equal(gradient, [-9.0, -37.0])


def test_variables_are_those_of_the_first_stages(program: Program) -> None:
    np.testing.assert_array_equal(program.variables([1.0, 2.0]), [2.0, 6.0])


def test_programs_share_the_entry_points(program: Program) -> None:
    other = Program(np.array([1.0, 1.0, 0.5]))
    assert other.density([1.0, 0.0, 4.0])[1] == -5.0 - 1.0 - 4.0
    assert program.density([0.0, 1.0])[1] == -1.0 - 9.0
    np.testing.assert_array_equal(other.variables([1.0, 0.0, 4.0]), [1.0, 0.0, 2.0])


@pytest.mark.parametrize(
    ("point", "factor"),
    [
        ([np.inf, 0.0], [2.0, 3.0]),
        ([np.nan, 0.0], [2.0, 3.0]),
        ([1e200, 0.0], [2.0, 3.0]),  # its square overflows
    ],
)
def test_a_density_that_is_not_finite_has_a_status(point: list[float], factor: list[float]) -> None:
    status, value, _ = Program(np.array(factor)).density(point)
    assert status == 3
    assert not np.isfinite(value)


def test_the_gradient_alone_may_overflow() -> None:
    status, value, gradient = Program(np.array([1e180, 3.0])).density([1e-40, 0.0])
    assert status == 3
    assert np.isfinite(value)
    assert gradient[0] == -np.inf


def test_threads_do_not_share_scratch_memory() -> None:
    program = Program(np.linspace(0.1, 2.0, 500))
    points = np.random.default_rng(1).normal(size=(200, 500))
    expected = [program.density(point) for point in points]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(program.density, points))
        variables = list(pool.map(program.variables, points))
    for (_, value, gradient), (_, same, same_gradient) in zip(results, expected, strict=True):
        assert value == same
        np.testing.assert_array_equal(gradient, same_gradient)
    np.testing.assert_array_equal(variables, points * program.factor)
