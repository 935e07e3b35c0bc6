"""Small positive definite matrices, in place: rows and columns `low` to `high` of larger arrays.

Plain loops on purpose: they compile in a tenth of the time of array expressions and LAPACK
bindings, and compilation dominates a first fit.
"""

from __future__ import annotations

import math

from bayeslaw._kernels.jit import inner_kernel

__all__ = [
    "add_cholesky_adjoint",
    "cholesky",
    "invert",
    "multiply",
    "quadratic_form",
    "solve_lower",
    "solve_lower_transposed",
    "write_inverse_of_lower",
]


@inner_kernel
def cholesky(matrix, low, high, dense):
    """Overwrite the lower triangle with the Cholesky factor L.

    Rows before `dense` are diagonal in the factor, here and below.
    """
    for i in range(low, high):
        for j in range(low if i >= dense else i, i + 1):
            for k in range(low if j >= dense else j, j):
                matrix[i, j] -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = math.sqrt(matrix[i, i]) if i == j else matrix[i, j] / matrix[j, j]


@inner_kernel
def solve_lower(lower, low, high, dense, vector):
    """L^-1 vector."""
    for i in range(low, high):
        for k in range(low if i >= dense else i, i):
            vector[i] -= lower[i, k] * vector[k]
        vector[i] /= lower[i, i]


@inner_kernel
def solve_lower_transposed(lower, low, high, dense, vector):
    """L^-T vector."""
    for i in range(high - 1, low - 1, -1):
        vector[i] /= lower[i, i]
        for k in range(low if i >= dense else i, i):
            vector[k] -= lower[i, k] * vector[i]


@inner_kernel
def write_inverse_of_lower(lower, low, high, dense, out):
    """L^-1, in the lower triangle of `out`."""
    for i in range(low, high):
        start = low if i >= dense else i
        out[i, i] = 1 / lower[i, i]
        for j in range(start, i):
            out[i, j] = 0.0
        for k in range(start, i):
            factor = lower[i, k] * out[i, i]
            for j in range(low if k >= dense else k, k + 1):
                out[i, j] -= factor * out[k, j]


@inner_kernel
def add_cholesky_adjoint(inverse, low, high, dense, left, right, log_det_bar, below, out):
    """Add the symmetric adjoint of a matrix L L', from those of log det L and of a product with L.

    `inverse` is L^-1. For L^-T z, `left` is -z and `right` the adjoint of z; for L z, `left` is the
    adjoint of z and `right` is z. With rows l of L^-1, the adjoint is the symmetric part of a sum
    of the outer products of left_i l_i and right_j l_j, j up to i, with half of the diagonal;
    `below` is the running sum of right_j l_j.
    """
    for j in range(low, high):
        below[j] = 0.0
    for i in range(low, high):
        for j in range(low, i + 1):
            step = inverse[i, j] if i >= dense or i == j else 0.0
            half = (left[i] * (below[j] + right[i] * step / 2) + log_det_bar * step / 2) / 2
            below[j] += right[i] * step
            for k in range(low if i >= dense else i, i + 1):
                out[j, k] += half * inverse[i, k]
                out[k, j] += half * inverse[i, k]


@inner_kernel
def invert(matrix, low, high):
    """Invert by elimination."""
    for k in range(low, high):
        pivot = 1 / matrix[k, k]
        matrix[k, k] = 1.0
        for j in range(low, high):
            matrix[k, j] *= pivot
        for i in range(low, high):
            if i != k:
                factor = matrix[i, k]
                matrix[i, k] = 0.0
                for j in range(low, high):
                    matrix[i, j] -= factor * matrix[k, j]


@inner_kernel
def multiply(matrix, low, high, vector, out):
    """Write a matrix times a vector to another vector."""
    for i in range(low, high):
        out[i] = 0.0
        for j in range(low, high):
            out[i] += matrix[i, j] * vector[j]


@inner_kernel
def quadratic_form(matrix, low, high, vector):
    """Return vector' matrix vector."""
    total = 0.0
    for i in range(low, high):
        for j in range(low, high):
            total += vector[i] * matrix[i, j] * vector[j]
    return total
