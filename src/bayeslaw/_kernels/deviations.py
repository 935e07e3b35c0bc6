"""Deviations of curves from where data and population put them, from whitened coordinates."""

from __future__ import annotations

import math

from bayeslaw._kernels.jit import inner_kernel
from bayeslaw._kernels.linear_algebra import (
    add_cholesky_adjoint,
    cholesky,
    solve_lower,
    solve_lower_transposed,
    write_inverse_of_lower,
)

__all__ = ["add_deviations", "deviations_adjoint"]


@inner_kernel
def add_deviations(
    z, spread, information, pivot_information, fisher, jacobian, factors, work, state
):
    """Add deviations to pivot coordinates as their posterior has them; return log determinant.

    The precision of a curve's coordinates has parts from its data, from the population, and from
    the population's constraints of reference coordinates that depend on several pivot coordinates.
    """
    size, log_det, zero = information.shape[0], 0.0, 0
    for g in range(information.shape[1]):
        factor = factors[g]
        for i in range(size):
            work[i] = math.sqrt(information[i, g] / pivot_information[i, g])
            for j in range(i + 1):
                factor[i, j] = work[i] * work[j] * fisher[g, i, j]
                for k in range(size):
                    marginal = information[k, g] / (1 + spread[k] ** 2 * information[k, g])
                    factor[i, j] += jacobian[k, i, g] * marginal * jacobian[k, j, g]
            factor[i, i] += 1 / spread[i] ** 2
        cholesky(factor, zero, size, zero)
        for i in range(size):
            work[i] = z[i, g]
            log_det -= math.log(factor[i, i])
        solve_lower_transposed(factor, zero, size, zero, work)
        for i in range(size):
            state[i, g] += work[i]
    return log_det


@inner_kernel
def deviations_adjoint(z, bar, factors, inverse, vectors, z_bar, precision_bars):
    """Write adjoints of whitened coordinates and of precisions (curves, size, size)."""
    size, zero = bar.shape[0], 0
    left, right, below = vectors[0], vectors[1], vectors[2]
    for g in range(bar.shape[1]):
        factor, precision_bar = factors[g], precision_bars[g]
        for i in range(size):
            left[i], right[i] = -z[i, g], bar[i, g]
            for j in range(size):
                precision_bar[i, j] = 0.0
        solve_lower(factor, zero, size, zero, right)
        for i in range(size):
            z_bar[i, g] = right[i]
        write_inverse_of_lower(factor, zero, size, zero, inverse)
        add_cholesky_adjoint(inverse, zero, size, zero, left, right, -1.0, below, precision_bar)
