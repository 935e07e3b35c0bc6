"""Laplace approximation of each curve, given the curves that it is pooled with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayeslaw._inference.coordinates import Coordinates
from bayeslaw._inference.hierarchy import groupings, hierarchy_layout, is_pooled
from bayeslaw._inference.laplace.curve_modes import CurveModes, NamedArrays, curve_modes
from bayeslaw._inference.laplace.local_expansion import LocalExpansion
from bayeslaw._inference.laplace.pooling import likelihood_only, population_mean
from bayeslaw._inference.map_mode.multistart import find_modes
from bayeslaw._inference.map_mode.problem import MapProblem
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw.model.model import Model

__all__ = ["LaplaceApproximation", "distinct_modes", "laplace_approximation"]

POOLING_ROUNDS = 3  # of modes given the population, and the population given the modes


@dataclass(frozen=True)
class LaplaceApproximation:
    """Mode and information (curves,) of each parameter, in pivot and in reference coordinates."""

    pivot_mode: NamedArrays
    pivot_information: NamedArrays
    mode: NamedArrays
    information: NamedArrays
    expansion: LocalExpansion

    @property
    def n_curves(self) -> int:
        """Number of curves."""
        return next(iter(self.mode.values())).size


def laplace_approximation(
    model: Model, coordinates: Coordinates, run_arrays: RunArrays
) -> LaplaceApproximation:
    """Mode and information of each curve by damped Gauss-Newton steps, all curves at once.

    The prior is wide, and residuals have the weights of Student-t noise. Of several modes it is
    the one with the largest posterior mass. A discrepancy enters after the search with
    independent noise. Pooled curves get their prior from the modes of the others, by iteration.
    """
    problem = MapProblem.of(model, coordinates, run_arrays)
    modes = curve_modes(problem, find_modes(problem)[0])
    if is_pooled(model, run_arrays.curves):
        layout = hierarchy_layout(groupings(model, run_arrays.curves), list(modes.information))
        for _ in range(POOLING_ROUNDS):
            problem = problem.with_expected(population_mean(problem, modes, layout))
            modes = curve_modes(problem, modes.eta, modes.log_scales)
    return _approximation(problem, modes)


def _approximation(problem: MapProblem, modes: CurveModes) -> LaplaceApproximation:
    pivot, reference = likelihood_only(problem, modes)
    mode, information = (
        [{name: pair[i] for name, pair in pairs.items()} for pairs in (pivot, reference)]
        for i in (0, 1)
    )
    return LaplaceApproximation(mode[0], information[0], mode[1], information[1], modes.expansion)


def distinct_modes(
    model: Model, coordinates: Coordinates, run_arrays: RunArrays
) -> list[dict[str, np.ndarray]]:
    """Distinct modes of each curve with comparable posterior mass, the best first.

    Reference coordinates (curves,) by name. There are as many as the curve with most modes has;
    other curves repeat theirs.
    """
    problem = MapProblem.of(model, coordinates, run_arrays)
    return [dict(curve_modes(problem, eta).mode) for eta in find_modes(problem)]
