"""MAP mode of each curve, noise and discrepancy included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bayeslaw._inference.laplace.local_expansion import (
    LOG_NO_NOISE,
    LocalExpansion,
    NoiseShares,
    noise_shares,
)
from bayeslaw._inference.map_mode.gls import GlsExpansion, gls_mode
from bayeslaw._inference.map_mode.information import fisher_information, marginal_information
from bayeslaw._inference.map_mode.multistart import find_mode
from bayeslaw._inference.map_mode.problem import MapProblem
from bayeslaw._inference.map_mode.student_t import (
    expected_hessian,
    information_on_sigma,
    sigma_mode,
)
from bayeslaw._inference.marginal_discrepancy import MarginalDiscrepancy

__all__ = ["CurveModes", "NamedArrays", "curve_modes"]

type NamedArrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class CurveModes:
    """A mode of each curve: pivot coordinates of the law, and all parameters by name.

    With a discrepancy, log_scales are the logarithms of sigma and tau.
    """

    eta: np.ndarray
    mode: NamedArrays
    pivot_information: NamedArrays
    information: NamedArrays
    expansion: LocalExpansion
    log_scales: np.ndarray | None


class _NoiseMode(NamedTuple):
    """Mode of the noise, information on law and noise, and how the first depends on the second."""

    mode: NamedArrays
    information: NamedArrays
    pivot_information: NamedArrays  # on the law
    reference_information: NamedArrays
    shares: NoiseShares
    shift: np.ndarray
    fisher: np.ndarray


def curve_modes(
    problem: MapProblem,
    discrepancy: MarginalDiscrepancy | None,
    eta: np.ndarray,
    log_scales: np.ndarray | None = None,
) -> CurveModes:
    """The mode near a point (parameters, curves), with the discrepancy if there is one."""
    if discrepancy is None:
        eta = find_mode(problem, eta)
        noise = _independent_noise(problem, eta)
    else:
        eta, log_scales, noise = _with_discrepancy(problem, discrepancy, eta, log_scales)
    modes, information = (
        _with_prior_values(problem, values, i)
        for i, values in enumerate((noise.mode, noise.information))
    )
    law = problem.law.by_name(problem.law.theta(eta))
    jacobian = problem.coordinate_jacobian(eta) * (1 - np.eye(len(eta)))[..., None]
    return CurveModes(
        eta,
        {**law, **modes},
        {**noise.pivot_information, **information},
        {**noise.reference_information, **information},
        LocalExpansion(*noise.shares, noise.shift, jacobian, noise.fisher),
        log_scales,
    )


def _independent_noise(problem: MapProblem, eta: np.ndarray) -> _NoiseMode:
    def information(log_ratios: np.ndarray) -> tuple[NamedArrays, NamedArrays]:
        return marginal_information(problem, eta, expected_hessian(problem, eta, log_ratios[0]))

    sigma = sigma_mode(problem, eta)
    shares = noise_shares(problem, ("sigma",), lambda log_ratios: information(log_ratios)[0])
    mode = {"sigma": np.log(sigma)}
    on_sigma = {"sigma": information_on_sigma(problem, eta, sigma)}
    fisher = fisher_information(problem, eta, expected_hessian(problem, eta))
    return _NoiseMode(mode, on_sigma, *information(np.zeros(1)), shares, np.zeros_like(eta), fisher)


def _with_discrepancy(
    problem: MapProblem,
    discrepancy: MarginalDiscrepancy,
    eta: np.ndarray,
    log_scales: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, _NoiseMode]:
    gls, names = gls_mode(problem, discrepancy, eta, log_scales), ("sigma", *discrepancy.names)
    pivot, reference = marginal_information(problem, gls.eta, gls.hessian)
    mode, information = (
        dict(zip(names, rows, strict=True)) for rows in (gls.log_scales, gls.information)
    )
    expansion = GlsExpansion(problem, discrepancy, gls.eta, gls.log_scales)
    shares = noise_shares(problem, names, expansion.information)
    shift = expansion.mode(LOG_NO_NOISE * np.eye(len(names))[0]) - gls.eta
    fisher = fisher_information(problem, gls.eta, gls.hessian)
    noise = _NoiseMode(mode, information, pivot, reference, shares, shift, fisher)
    return gls.eta, gls.log_scales, noise


def _with_prior_values(problem: MapProblem, known: NamedArrays, which: int) -> NamedArrays:
    """Modes (0) or information (1) of all noise parameters; the prior's where not known."""
    roles = {n: r for n, r in problem.model.nuisance_roles.items() if n in problem.model.free}
    if not roles:
        return {}
    prior = problem.prior_of(roles)
    unknown = (prior.center, 1e-3 * prior.precision * np.ones(problem.run_arrays.n_curves))[which]
    return {name: known.get(name, row) for name, row in zip(roles, unknown, strict=True)}
