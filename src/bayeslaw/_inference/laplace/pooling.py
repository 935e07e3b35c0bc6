"""What pooled curves say about each other: prior means by ridge regression of their modes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.laplace.curve_modes import CurveModes
from bayeslaw._inference.map_mode.information import MIN_INFORMATION
from bayeslaw._inference.map_mode.problem import MapProblem, single_curve_prior, typical_spread
from bayeslaw._law.roles import link_normal

__all__ = ["LawLikelihood", "law_likelihood", "likelihood_only", "population_mean"]

MAX_SHIFT = 2.0  # spreads from a mode to the mode without the prior


class LawLikelihood(NamedTuple):
    """Likelihood of each curve, approximately normal in the law's reference coordinates.

    mode : array (law parameters, curves)
    covariance : array (curves, law parameters, law parameters)
    """

    mode: np.ndarray
    covariance: np.ndarray


def population_mean(
    bound: BoundModel, problem: MapProblem, modes: CurveModes
) -> dict[str, np.ndarray]:
    """Mean of each curve given the others: population and group effects by ridge regression.

    Modes have the weight of their information; spreads are the typical ones.
    """
    assert bound.hierarchy is not None
    means, layout = {}, bound.hierarchy
    likelihood_modes = likelihood_only(bound, problem, modes)[1]
    for row, (name, role) in enumerate(bound.roles.items()):
        first, last, low, high, _ = layout.bounds[row]
        indicators = np.zeros((problem.run_arrays.n_curves, high - low))
        for codes in layout.codes[first:last]:
            indicators[np.arange(len(indicators)), codes - low] = 1
        design = np.column_stack([np.ones(len(indicators)), indicators])
        prior = link_normal(bound.priors[name], role.link)
        prior = prior or single_curve_prior(role.prior, role)
        spread = typical_spread(role)
        mode, information = likelihood_modes[name]
        weight = 1 / (spread**2 + 1 / information)
        ridge = np.diag([prior.sd**-2.0, *[spread**-2.0] * indicators.shape[1]])
        target = design.T @ (weight * (mode - prior.mean))
        effects = np.linalg.solve(design.T @ (weight[:, None] * design) + ridge, target)
        means[name] = prior.mean + design @ effects
    return means


def _without_prior(
    mode: Any, center: Any, precision: Any, information: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Mode and information of the likelihood alone, the normal prior taken out.

    Data that only bound a parameter have a gradient and no curvature. The mode is then moved at
    most `MAX_SHIFT`, and the information is what gives the same gradient from there.
    """
    gradient = precision * (mode - center)
    information = np.maximum(information, np.abs(gradient) * np.sqrt(precision) / MAX_SHIFT)
    return mode + gradient / information, information


def likelihood_only(
    bound: BoundModel, problem: MapProblem, modes: CurveModes
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pairs of mode and information without the prior, in pivot and in reference coordinates."""
    law = problem.law.names
    reference = {n: (mode, modes.information[n]) for n, mode in modes.mode.items()}
    pivot = {
        n: (eta, modes.pivot_information[n]) for n, eta in problem.law.by_name(modes.eta).items()
    }
    pivot = {n: pivot.get(n, pair) for n, pair in reference.items()}
    if problem.expected is None:  # the prior is too wide to matter
        return pivot, reference
    prior = problem.prior_of(bound.roles)
    center, precision = (
        dict(zip(bound.roles, rows, strict=True)) for rows in (prior.center, prior.precision)
    )
    at_pivot = problem.law.coordinates.to_pivot(
        {n: center[n] for n in law}, problem.law.frame, problem.law.full_weight
    )
    reference = {
        n: _without_prior(m, center[n], precision[n], i) for n, (m, i) in reference.items()
    }
    on_law = {
        n: _without_prior(m, at_pivot[n], precision[n], i)
        for n, (m, i) in pivot.items()
        if n in law
    }
    return reference | on_law, reference


def law_likelihood(problem: MapProblem, modes: CurveModes) -> LawLikelihood:
    """The law's part of `likelihood_only`, with its covariances.

    In the coordinates that have the prior's spread as their unit, along the eigenvectors of the
    information.
    """
    sd = problem.prior.precision[:, 0] ** -0.5
    theta = np.array([modes.mode[name] for name in problem.law.names])
    inverse = np.linalg.inv(np.moveaxis(problem.coordinate_jacobian(modes.eta), -1, 0)) * sd
    information = np.einsum("gqp,gqr,grs->gps", inverse, modes.expansion.fisher, inverse)
    values, vectors = np.linalg.eigh(information)
    pull = (theta - problem.prior.center).T / sd
    along = np.einsum("gpk,gp->gk", vectors, pull)
    values = np.maximum(np.maximum(values, MIN_INFORMATION), np.abs(along) / MAX_SHIFT)
    vectors = sd[:, None] * vectors
    shift = np.einsum("gpk,gk->pg", vectors, along / values)
    covariance = np.einsum("gpk,gk,gqk->gpq", vectors, 1 / values, vectors)
    return LawLikelihood(theta + shift, covariance)
