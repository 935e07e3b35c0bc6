"""Parameters of law, noise and discrepancy per curve, at the reference, from coordinates."""

from __future__ import annotations

import numpy as np

from bayeslaw._kernels.call import apply
from bayeslaw._kernels.stage import Indices, Matrix, stage

__all__ = ["parameters", "parameters_adjoint"]


@stage
def parameters(theta: Matrix, of_parameters: Indices, parameters: Matrix) -> None:
    """Parameters (all parameters, curves), fixed ones included."""
    apply(of_parameters[0], theta, theta, parameters)


@stage
def parameters_adjoint(
    theta: Matrix, of_parameters: Indices, parameters_bar: Matrix, theta_bar: Matrix
) -> None:
    """Adjoint of `parameters`, added to that of the coordinates."""
    rows = theta.shape[0]
    state, out = np.empty((rows + parameters_bar.shape[0], theta.shape[1])), np.empty(theta.shape)
    state[:rows], state[rows:] = theta, parameters_bar
    apply(of_parameters[1], theta, state, out)
    for p in range(rows):
        for g in range(theta.shape[1]):
            theta_bar[p, g] += out[p, g]
