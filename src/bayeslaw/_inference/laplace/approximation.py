"""Laplace approximation of each curve, given the curves that it is pooled with."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.laplace.curve_modes import CurveModes, NamedArrays, curve_modes
from bayeslaw._inference.laplace.local_expansion import LocalExpansion
from bayeslaw._inference.laplace.pooling import (
    LawLikelihood,
    law_likelihood,
    likelihood_only,
    population_mean,
)
from bayeslaw._inference.map_mode.multistart import find_modes, is_additive_power_law
from bayeslaw._inference.map_mode.problem import MapProblem

__all__ = ["LaplaceApproximation", "laplace_approximation"]

POOLING_ROUNDS = 3  # of modes given the population, and the population given the modes


@dataclass(frozen=True)
class LaplaceApproximation:
    """Mode and information (curves,) of each parameter, in pivot and in reference coordinates.

    `distinct_modes` are the modes of each curve with comparable posterior mass, the best first, in
    reference coordinates. There are as many as the curve with most modes has; other curves repeat
    theirs. `law` is the likelihood alone, of the law's parameters together. `residual_scale` is the
    root mean square of the residuals (curves,) of least squares near the best mode, and
    `is_determined` says which curves have more runs than parameters.
    """

    pivot_mode: NamedArrays
    pivot_information: NamedArrays
    mode: NamedArrays
    information: NamedArrays
    expansion: LocalExpansion
    law: LawLikelihood
    distinct_modes: tuple[NamedArrays, ...]
    residual_scale: np.ndarray
    is_determined: np.ndarray

    @property
    def n_curves(self) -> int:
        """Number of curves."""
        return next(iter(self.mode.values())).size


def laplace_approximation(bound: BoundModel) -> LaplaceApproximation:
    """Mode and information of each curve by damped Gauss-Newton steps, all curves at once.

    The prior is wide, and residuals have the weights of Student-t noise. Of several modes it is
    the one with the largest posterior mass. A discrepancy enters after the search with
    independent noise. Pooled curves get their prior from the modes of the others, by iteration.
    """
    problem, discrepancy = MapProblem.of(bound), bound.discrepancy
    best, *others = find_modes(problem)
    modes = curve_modes(problem, discrepancy, best)
    distinct = [modes.mode]
    if not is_additive_power_law(bound.coordinates):
        distinct += [curve_modes(problem, discrepancy, eta).mode for eta in others]
    if bound.hierarchy is not None:
        for _ in range(POOLING_ROUNDS):
            problem = problem.with_expected(population_mean(bound, problem, modes))
            modes = curve_modes(problem, discrepancy, modes.eta, modes.log_scales)
    if bound.curve_coordinates is not bound.coordinates:
        at, law = problem.law.theta(modes.eta), problem.law
        problem = replace(problem, law=replace(law, coordinates=bound.curve_coordinates))
        modes = curve_modes(problem, discrepancy, at, modes.log_scales)
    return _approximation(bound, problem, modes, tuple(distinct), best)


def _approximation(
    bound: BoundModel,
    problem: MapProblem,
    modes: CurveModes,
    distinct: tuple[NamedArrays, ...],
    best: np.ndarray,
) -> LaplaceApproximation:
    pivot, reference = likelihood_only(bound, problem, modes)
    mode, information = (
        [{name: pair[i] for name, pair in pairs.items()} for pairs in (pivot, reference)]
        for i in (0, 1)
    )
    residual = _least_squares_residual(problem, best)
    counts = problem.run_arrays.sums(np.ones_like(residual))
    residual_scale = np.sqrt(problem.run_arrays.sums(residual**2) / counts)
    return LaplaceApproximation(
        mode[0], information[0], mode[1], information[1], modes.expansion,
        law_likelihood(problem, modes), distinct, residual_scale, counts > len(best),
    )  # fmt: skip


def _least_squares_residual(problem: MapProblem, eta: np.ndarray) -> np.ndarray:
    """Residuals (runs,) of least squares, by one Gauss-Newton step from a mode."""
    law, sums, curve = problem.law, problem.run_arrays.sums, problem.run_arrays.curve
    residual, jacobian = law.residual(eta), law.jacobian(eta)
    normal = np.moveaxis(law.fisher_information(jacobian), -1, 0)
    step = np.linalg.pinv(normal, hermitian=True) @ sums(jacobian * residual).T[..., None]
    return residual - np.sum(jacobian * step[curve, :, 0].T, axis=0)
