"""Multi-start search of the modes of each curve, with independent noise."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.special import ndtri

from bayeslaw._inference.coordinates import Coordinates, SumOfTerms
from bayeslaw._inference.map_mode.problem import MapProblem
from bayeslaw._inference.map_mode.ranking import rank_modes
from bayeslaw._inference.map_mode.solver import levenberg_marquardt, newton_decrement
from bayeslaw._inference.map_mode.student_t import approximate
from bayeslaw._law.roles import LEVEL

__all__ = ["find_mode", "find_modes", "is_additive_power_law", "prior_mean_start"]

MAX_STEPS = 60
TOLERANCE = 1e-4  # standard deviations: steps that are not worth another
STATIONARY = 0.1  # standard deviations: a search with a shorter next step has converged
MAX_RUNS = 20_000  # runs times starts, beyond which there are fewer starts
MIN_STARTS, MAX_STARTS = 4, 16  # beside the prior mean
SEED = 5  # of the starts


def is_additive_power_law(coordinates: Coordinates) -> bool:
    """Whether a law is a sum of power terms, at most one per predictor.

    The log posterior of such a law has one mode in practice. Breaks, plateaus and terms that
    compete for the same predictor give others.
    """
    if not isinstance(coordinates, SumOfTerms):
        return False
    known = {*coordinates.terms, *coordinates.steepens}
    return known >= set(coordinates.roles) and len(coordinates.steepens) <= len(
        coordinates.law.predictors
    )


def find_modes(problem: MapProblem) -> np.ndarray:
    """Distinct modes (modes, parameters, curves), the best of a curve first.

    Curves with fewer modes than others repeat theirs.
    """
    first = find_mode(problem, prior_mean_start(problem))
    curves = np.arange(problem.run_arrays.n_curves)
    if is_additive_power_law(problem.law.coordinates):
        curves = curves[~(newton_decrement(approximate(problem, first)) < STATIONARY)]
    if not curves.size:
        return first[None]
    candidates, selected = _from_random_starts(problem, first, curves)
    modes = np.repeat(first[None], max(map(len, selected)), axis=0)
    for column, (curve, order) in enumerate(zip(curves, selected, strict=True)):
        modes[:, :, curve] = candidates[:, np.resize(order, len(modes)), column].T
    return modes


def find_mode(problem: MapProblem, start: np.ndarray) -> np.ndarray:
    """The local mode from a start (parameters, curves)."""
    return levenberg_marquardt(
        partial(approximate, problem), start, max_steps=MAX_STEPS, tolerance=TOLERANCE
    )


def prior_mean_start(problem: MapProblem) -> np.ndarray:
    """The prior mean, with the level of each curve's own runs."""
    theta = problem.prior.center.copy()
    theta[_levels(problem)] = _mean_log_response(problem)
    return problem.law.eta(theta)


def _from_random_starts(
    problem: MapProblem, first: np.ndarray, curves: np.ndarray
) -> tuple[np.ndarray, list[list[int]]]:
    """Modes (parameters, starts, curves) of some curves from all starts, and which to keep."""
    n = int(np.clip(MAX_RUNS // problem.run_arrays.response.size, MIN_STARTS, MAX_STARTS))
    repeated = problem.select_curves(np.tile(curves, n))
    with np.errstate(all="ignore"):  # some of the starts are absurd
        modes = find_mode(repeated, _random_starts(repeated, n)).reshape(len(first), n, curves.size)
        candidates = np.concatenate([first[:, None, curves], modes], axis=1)
        return candidates, rank_modes(problem.select_curves(np.tile(curves, n + 1)), candidates)


def _random_starts(problem: MapProblem, n: int) -> np.ndarray:
    """Points spread over the prior, the same n for all curves, with the curves' own levels."""
    z = _standard_normals(n, len(problem.law.names)) / np.sqrt(problem.prior.precision)
    theta = problem.prior.center + np.repeat(z, problem.run_arrays.n_curves // n, axis=1)
    eta = problem.law.eta(theta)
    eta[_levels(problem)] = _mean_log_response(problem)
    return eta


def _standard_normals(n: int, size: int) -> np.ndarray:
    """Quasi-random standard normals (size, n), for n up to `MAX_STARTS`."""
    # Sobol points are even in powers of two, so the whole set is drawn.
    from scipy.stats import qmc  # slow to import

    uniform = qmc.Sobol(size, rng=np.random.default_rng(SEED)).random(MAX_STARTS)
    return ndtri(uniform[:n]).T


def _levels(problem: MapProblem) -> list[int]:
    return [i for i, role in enumerate(problem.law.coordinates.roles.values()) if role is LEVEL]


def _mean_log_response(problem: MapProblem) -> np.ndarray:
    sums, response = problem.run_arrays.sums, problem.run_arrays.response
    return sums(np.log(response)) / sums(np.ones(response.size))
