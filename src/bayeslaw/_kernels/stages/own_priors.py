"""Priors without kernels of their own: printed functions of one unknown each.

A printed prior gives, for each of its rows, the value of an unknown, its log density with the
Jacobian, and the derivatives of both by the unknown.
"""

from __future__ import annotations

import numpy as np

from bayeslaw._kernels.call import apply
from bayeslaw._kernels.jit import inner_kernel
from bayeslaw._kernels.stage import Indices, Matrix, Vector, stage

__all__ = [
    "independent_curves",
    "latent_variables",
    "latent_variables_adjoint",
    "own_center",
    "own_center_adjoint",
    "own_curve_priors",
    "own_curve_priors_adjoint",
    "own_spreads",
    "own_spreads_adjoint",
]


@inner_kernel
def _vector(of_priors, z, value, log_prior):
    """Values of a vector, some of them constant, from its unknowns; adds to the log density."""
    state = z.reshape((z.shape[0], 1))
    out = np.empty((value.shape[0] + 3 * z.shape[0], 1))
    apply(of_priors[0], state, state, out)
    for i in range(value.shape[0]):
        value[i] = out[i, 0]
    for i in range(z.shape[0]):
        log_prior[0] += out[value.shape[0] + i, 0]


@inner_kernel
def _vector_adjoint(of_priors, z, value_bar, z_bar):
    """Adjoint of `_vector`; the index of each unknown's value follows the address."""
    state, size = z.reshape((z.shape[0], 1)), z.shape[0]
    out = np.empty((value_bar.shape[0] + 3 * size, 1))
    apply(of_priors[0], state, state, out)
    for i in range(size):
        row = value_bar.shape[0] + size + i
        z_bar[i] = value_bar[of_priors[1 + i]] * out[row, 0] + out[row + size, 0]


@stage
def own_spreads(z_spread: Vector, of_spread: Indices, spread: Vector, log_prior: Vector) -> None:
    """Standard deviations with the user's priors."""
    _vector(of_spread, z_spread, spread, log_prior)


@stage
def own_spreads_adjoint(
    z_spread: Vector, of_spread: Indices, spread_bar: Vector, z_spread_bar: Vector
) -> None:
    """Adjoint of `own_spreads`."""
    _vector_adjoint(of_spread, z_spread, spread_bar, z_spread_bar)


@stage
def own_center(z_center: Vector, of_center: Indices, center: Vector, log_prior: Vector) -> None:
    """Center of the population with the user's priors."""
    _vector(of_center, z_center, center, log_prior)


@stage
def own_center_adjoint(
    z_center: Vector, of_center: Indices, center_bar: Vector, z_center_bar: Vector
) -> None:
    """Adjoint of `own_center`."""
    _vector_adjoint(of_center, z_center, center_bar, z_center_bar)


@stage
def independent_curves(prior_mean: Matrix, prior_sd: Vector, mean: Matrix, spread: Vector) -> None:
    """Means and standard deviations of curves that share nothing."""
    mean[:], spread[:] = prior_mean, prior_sd


@stage
def own_curve_priors(theta: Matrix, of_curves: Indices, own: Matrix, log_prior: Vector) -> None:
    """Priors of curves that are not normal, one row per such parameter in each half of `own`.

    The halves are log densities and their derivatives.
    """
    apply(of_curves[0], theta, theta, own)
    log_prior[0] += own[: own.shape[0] // 2].sum()


@stage
def own_curve_priors_adjoint(of_curves: Indices, own: Matrix, theta_bar: Matrix) -> None:
    """Adjoint of `own_curve_priors`; the rows of theta follow the address of the function."""
    half = own.shape[0] // 2
    for i in range(half):
        for g in range(own.shape[1]):
            theta_bar[of_curves[1 + i], g] += own[half + i, g]


@stage
def latent_variables(
    z_latent: Vector, of_latent: Indices, latent_rows: Matrix, latent: Vector, log_prior: Vector
) -> None:
    """Latent variable of every run; `latent_rows` keeps the derivatives."""
    apply(of_latent[0], latent_rows, z_latent.reshape((1, z_latent.shape[0])), latent_rows)
    for i in range(latent.shape[0]):
        latent[i] = latent_rows[0, i]
    log_prior[0] += latent_rows[1].sum()


@stage
def latent_variables_adjoint(latent_rows: Matrix, latent_bar: Vector, z_latent_bar: Vector) -> None:
    """Adjoint of `latent_variables`."""
    for i in range(latent_bar.shape[0]):
        z_latent_bar[i] = latent_bar[i] * latent_rows[2, i] + latent_rows[3, i]
