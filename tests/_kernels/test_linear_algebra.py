"""Small matrices in place, against NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bayeslaw._kernels import linear_algebra

# Rows and columns before and after those that are meant, which must stay as they are.
MARGIN = 2
sizes = st.integers(1, 5)
seeds = st.integers(0, 10_000)


class Case:
    """A positive definite matrix whose Cholesky factor is diagonal in its first rows."""

    def __init__(self, size: int, diagonal: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        factor = np.tril(rng.normal(0, 0.5, (size, size)), -1) + np.diag(rng.uniform(0.5, 2, size))
        factor[:diagonal] = np.diag(np.diag(factor))[:diagonal]
        self.factor, self.matrix = factor, factor @ factor.T
        self.low, self.high = MARGIN, MARGIN + size
        self.dense = MARGIN + diagonal
        self.vector, self.other = rng.normal(size=(2, size))

    def embedded(self, values: np.ndarray) -> np.ndarray:
        """Within a larger array of ones."""
        out = np.ones([length + 2 * MARGIN for length in values.shape])
        out[(slice(self.low, self.high),) * values.ndim] = values
        return out

    def inner(self, values: np.ndarray) -> np.ndarray:
        """What is meant of a larger array; raises where the rest has changed."""
        rest = values.copy()
        where = (slice(self.low, self.high),) * values.ndim
        rest[where] = 1.0
        np.testing.assert_array_equal(rest, 1.0)
        return values[where]


cases = st.builds(
    lambda size, share, seed: Case(size, int(share * size), seed), sizes, st.floats(0, 1), seeds
)


@given(case=cases)
def test_cholesky(case: Case) -> None:
    matrix = case.embedded(case.matrix)
    linear_algebra.cholesky.py_func(matrix, case.low, case.high, case.dense)
    np.testing.assert_allclose(np.tril(case.inner(matrix)), case.factor, atol=1e-12)


@given(case=cases)
def test_triangular_solutions(case: Case) -> None:
    lower, where = case.embedded(case.factor), (case.low, case.high, case.dense)
    solved, transposed = case.embedded(case.vector), case.embedded(case.vector)
    linear_algebra.solve_lower.py_func(lower, *where, solved)
    linear_algebra.solve_lower_transposed.py_func(lower, *where, transposed)
    np.testing.assert_allclose(case.factor @ case.inner(solved), case.vector, atol=1e-10)
    np.testing.assert_allclose(case.factor.T @ case.inner(transposed), case.vector, atol=1e-10)


@given(case=cases)
def test_inverses(case: Case) -> None:
    matrix, lower = case.embedded(case.matrix), case.embedded(np.full_like(case.factor, np.nan))
    linear_algebra.invert.py_func(matrix, case.low, case.high)
    np.testing.assert_allclose(
        case.inner(matrix) @ case.matrix, np.eye(len(case.matrix)), atol=1e-8
    )
    linear_algebra.write_inverse_of_lower.py_func(
        case.embedded(case.factor), case.low, case.high, case.dense, lower
    )
    inverse = np.nan_to_num(np.tril(case.inner(lower)))
    np.testing.assert_allclose(inverse @ case.factor, np.eye(len(inverse)), atol=1e-10)


@given(case=cases)
def test_products(case: Case) -> None:
    matrix, vector = case.embedded(case.matrix), case.embedded(case.vector)
    out = case.embedded(case.other)
    linear_algebra.multiply.py_func(matrix, case.low, case.high, vector, out)
    np.testing.assert_allclose(case.inner(out), case.matrix @ case.vector, atol=1e-12)
    form = linear_algebra.quadratic_form.py_func(matrix, case.low, case.high, vector)
    np.testing.assert_allclose(form, case.vector @ case.matrix @ case.vector, atol=1e-12)


@given(case=cases, of_inverse=st.booleans(), log_det_bar=st.sampled_from([-1.0, 1.0]))
def test_adjoint_of_a_matrix_through_its_factor(
    case: Case, of_inverse: bool, log_det_bar: float
) -> None:
    size = len(case.matrix)

    def value(matrix: np.ndarray) -> float:
        lower = np.linalg.cholesky(matrix)
        product = np.linalg.solve(lower.T, case.vector) if of_inverse else lower @ case.vector
        return case.other @ product + log_det_bar * np.log(np.diag(lower)).sum()

    inverse, out = np.linalg.inv(case.factor), case.embedded(np.zeros((size, size)))
    if of_inverse:
        left, right = case.embedded(-case.vector), case.embedded(inverse @ case.other)
    else:
        left, right = case.embedded(case.factor.T @ case.other), case.embedded(case.vector)
    linear_algebra.add_cholesky_adjoint.py_func(
        case.embedded(inverse), case.low, case.high, case.dense, left, right, log_det_bar,
        np.empty_like(left), out,
    )  # fmt: skip
    for i, j in np.ndindex(size, size):
        if i != j and max(i, j) < case.dense - MARGIN:
            continue  # the factor is diagonal there, whatever the matrix is
        step = np.zeros((size, size))
        step[i, j] += 5e-6
        step[j, i] += 5e-6
        slope = (value(case.matrix + step) - value(case.matrix - step)) / 2e-5
        np.testing.assert_allclose(case.inner(out)[i, j], slope, rtol=1e-5, atol=1e-6)
