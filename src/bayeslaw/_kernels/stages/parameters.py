"""Parameters of law, noise and discrepancy per curve, at the reference, from coordinates."""

from __future__ import annotations

from bayeslaw._kernels.call import apply
from bayeslaw._kernels.stage import Indices, Matrix, stage

__all__ = ["parameters", "parameters_adjoint"]


@stage
def parameters(theta: Matrix, of_parameters: Indices, parameters: Matrix) -> None:
    """Parameters (all parameters, curves), fixed ones included."""
    apply(of_parameters[0], theta, theta, parameters)


@stage
def parameters_adjoint(
    theta: Matrix, of_parameters: Indices, parameters_bar: Matrix, parameter_state: Matrix,
    parameter_out: Matrix, theta_bar: Matrix,
) -> None:  # fmt: skip
    """Adjoint of `parameters`, added to that of the coordinates."""
    rows = theta.shape[0]
    for g in range(theta.shape[1]):
        for p in range(rows):
            parameter_state[p, g] = theta[p, g]
        for p in range(parameters_bar.shape[0]):
            parameter_state[rows + p, g] = parameters_bar[p, g]
    apply(of_parameters[1], theta, parameter_state, parameter_out)
    for p in range(rows):
        for g in range(theta.shape[1]):
            theta_bar[p, g] += parameter_out[p, g]
