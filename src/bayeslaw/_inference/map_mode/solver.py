"""Levenberg-Marquardt: damped Gauss-Newton steps on many small problems at once.

It knows points (parameters, curves) and a quadratic approximation of each curve's log density.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["QuadraticApproximation", "levenberg_marquardt", "newton_decrement"]

LESS_DAMPING, MORE_DAMPING = 5, 10  # factors after a step that was accepted or rejected
DAMPING_RANGE = 1e-9, 1e9


class QuadraticApproximation(NamedTuple):
    """A log density of each curve around a point, and its value anywhere.

    gradient : array (parameters, curves)
        Of the log density.
    hessian : array (parameters, parameters, curves)
        Minus its second derivatives, or a positive definite approximation, such as Gauss-Newton's.
    objective : function of points (parameters, curves), to (curves,)
        Minus twice the log density, up to a constant. Parts of it, such as weights of runs, may be
        held at their values at the point.
    value : array (curves,)
        The objective at the point.
    """

    gradient: np.ndarray
    hessian: np.ndarray
    objective: Callable[[np.ndarray], np.ndarray]
    value: np.ndarray


def levenberg_marquardt(
    approximate: Callable[[np.ndarray], QuadraticApproximation],
    start: np.ndarray,
    *,
    max_steps: int,
    tolerance: float,
    max_move: float = 2.0,
    damping: float = 1e-2,
) -> np.ndarray:
    """The local mode from a starting point (parameters, curves).

    It stops once the steps of all curves are shorter than the tolerance, in standard deviations. A
    parameter changes by at most `max_move` in a step.
    """
    point, dampings = start, np.full(start.shape[-1], damping)
    for _ in range(max_steps):
        quadratic = approximate(point)
        move = _solve(_damped(quadratic.hessian, dampings), quadratic.gradient)
        has_converged = (_length(quadratic, move) < tolerance) & (dampings < 1)
        trial = point + np.clip(move, -max_move, max_move)
        is_better = quadratic.objective(trial) < quadratic.value
        point = np.where(is_better, trial, point)
        # Near the mode rounding may reject a step; that is no reason for more damping.
        harder = np.where(has_converged, dampings, dampings * MORE_DAMPING)
        dampings = np.clip(np.where(is_better, dampings / LESS_DAMPING, harder), *DAMPING_RANGE)
        if np.all(has_converged):
            break
    return point


def newton_decrement(quadratic: QuadraticApproximation) -> np.ndarray:
    """Length of the undamped step of each curve, in standard deviations."""
    return _length(quadratic, _solve(quadratic.hessian, quadratic.gradient))


def _length(quadratic: QuadraticApproximation, move: np.ndarray) -> np.ndarray:
    return np.sqrt(np.abs(np.sum(quadratic.gradient * move, axis=0)))


def _damped(hessian: np.ndarray, damping: np.ndarray) -> np.ndarray:
    diagonal = np.einsum("ppg->pg", hessian)
    return hessian + np.einsum("pq,qg,g->pqg", np.eye(len(hessian)), diagonal, damping)


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.linalg.solve(np.moveaxis(matrix, -1, 0), right.T[..., None])[..., 0].T
