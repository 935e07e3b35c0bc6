"""Likelihood: law and noise at the runs, and the density of the responses.

One printed function gives what the noise makes of the law at each run, and its derivatives by the
parameters that it depends on. Rows of `response` are its outputs, then those derivatives;
`derivatives` has, for each of these, the row of the output and that of the parameter, or -1 for
the latent variable.
"""

from __future__ import annotations

from bayeslaw._kernels import brownian, knots
from bayeslaw._kernels.call import apply_by_curve
from bayeslaw._kernels.stage import IndexMatrix, Indices, Matrix, Vector, stage

__all__ = [
    "brownian_likelihood",
    "independent_likelihood",
    "knots_likelihood",
    "likelihood_adjoint",
]


@stage
def independent_likelihood(
    curve_of_run: Indices, run_values: Matrix, of_likelihood: Indices, constant: Vector,
    parameters: Matrix, latent: Vector, response: Matrix, outputs_bar: Matrix,
    log_likelihood: Vector,
) -> None:  # fmt: skip
    """Log density of independent residuals, which is the only output."""
    apply_by_curve(of_likelihood[0], curve_of_run, parameters, run_values, latent, response)
    total = constant[0]
    for i in range(response.shape[1]):
        total += response[0, i]
        outputs_bar[0, i] = 1.0
    log_likelihood[0] += total


@stage
def brownian_likelihood(
    curve_of_run: Indices, run_values: Matrix, of_likelihood: Indices, constant: Vector,
    discrepancy_order: Indices, discrepancy_step: Vector, discrepancy_is_first: Indices,
    discrepancy_curve: Indices, parameters: Matrix, latent: Vector, response: Matrix,
    outputs_bar: Matrix, tau2: Matrix, tau_bar: Matrix, log_likelihood: Vector,
) -> None:  # fmt: skip
    """Joint log density of residuals with a Brownian discrepancy, by a Kalman filter.

    The outputs are residuals and variances of the noise.
    """
    apply_by_curve(of_likelihood[0], curve_of_run, parameters, run_values, latent, response)
    tau = parameters[of_likelihood[1]]
    for g in range(tau.shape[0]):
        tau2[0, g], tau_bar[0, g] = tau[g] * tau[g], 0.0
    log_likelihood[0] += constant[0] + brownian.write_gradients(
        response[0], response[1], tau2[0],
        (discrepancy_order, discrepancy_step, discrepancy_is_first, discrepancy_curve),
        (outputs_bar[0], outputs_bar[1], tau_bar[0]),
    )  # fmt: skip
    for g in range(tau.shape[0]):
        tau_bar[0, g] *= 2 * tau[g]


@stage
def knots_likelihood(
    curve_of_run: Indices, run_values: Matrix, of_likelihood: Indices, constant: Vector,
    discrepancy_order: Indices, discrepancy_bounds: Indices, discrepancy_inner: IndexMatrix,
    discrepancy_outer: IndexMatrix, discrepancy_outer_weight: Matrix,
    discrepancy_first_knot: Indices, discrepancy_knot_position: Vector,
    discrepancy_inward: Indices, discrepancy_predictor: Indices, parameters: Matrix,
    latent: Vector, response: Matrix, outputs_bar: Matrix, tau2: Matrix, tau_bar: Matrix,
    log_likelihood: Vector,
) -> None:  # fmt: skip
    """Joint log density of residuals with a Brownian discrepancy on knots."""
    apply_by_curve(of_likelihood[0], curve_of_run, parameters, run_values, latent, response)
    first_tau = of_likelihood[1]
    for p in range(tau2.shape[0]):
        for g in range(tau2.shape[1]):
            tau2[p, g], tau_bar[p, g] = parameters[first_tau + p, g] ** 2, 0.0
    log_likelihood[0] += constant[0] + knots.write_gradients(
        response[0], response[1], tau2,
        (
            discrepancy_order, discrepancy_bounds, discrepancy_inner, discrepancy_outer,
            discrepancy_outer_weight, discrepancy_first_knot, discrepancy_knot_position,
            discrepancy_inward, discrepancy_predictor,
        ),
        (outputs_bar[0], outputs_bar[1], tau_bar),
    )  # fmt: skip
    for p in range(tau2.shape[0]):
        for g in range(tau2.shape[1]):
            tau_bar[p, g] *= 2 * parameters[first_tau + p, g]


@stage
def likelihood_adjoint(
    curve_of_run: Indices, of_likelihood: Indices, derivatives: IndexMatrix, response: Matrix,
    outputs_bar: Matrix, tau_bar: Matrix, parameters_bar: Matrix, latent_bar: Vector,
) -> None:  # fmt: skip
    """Adjoints of all parameters (parameters, curves) and latent variables (runs,)."""
    first_tau, outputs = of_likelihood[1], outputs_bar.shape[0]
    for p in range(parameters_bar.shape[0]):
        for g in range(parameters_bar.shape[1]):
            is_tau = first_tau <= p < first_tau + tau_bar.shape[0]
            parameters_bar[p, g] = tau_bar[p - first_tau, g] if is_tau else 0.0
    for k in range(derivatives.shape[1]):
        output, row = derivatives[0, k], derivatives[1, k]
        for i in range(curve_of_run.shape[0]):
            bar = outputs_bar[output, i] * response[outputs + k, i]
            if row >= 0:
                parameters_bar[row, curve_of_run[i]] += bar
            else:
                latent_bar[i] += bar
