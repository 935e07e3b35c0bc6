"""Laplace approximation of all curves at the pivot of a typical curve."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayeslaw._inference.coordinates import Coordinates, Frame, SumOfTerms
from bayeslaw._inference.laplace.approximation import LaplaceApproximation
from bayeslaw._inference.map_mode.law_residuals import central_differences

__all__ = ["TypicalCurve"]


class TypicalCurve(NamedTuple):
    """Modes and information of all curves at the pivot of a typical curve.

    mode, information : array (parameters, curves)
        Of the law, then of the noise. Only sums of terms have a pivot of their own.
    jacobian : array (curves, parameters, parameters)
        Derivatives of the coordinates there with respect to reference coordinates.
    """

    mode: np.ndarray
    information: np.ndarray
    jacobian: np.ndarray

    @classmethod
    def of(
        cls,
        system: Coordinates,
        frame: Frame,
        laplace: LaplaceApproximation,
        names: tuple[str, ...],
    ) -> TypicalCurve:
        """From the Laplace approximation of the named parameters."""
        modes, pivot_information, information = (
            np.array([values[name] for name in names])
            for values in (laplace.mode, laplace.pivot_information, laplace.information)
        )
        jacobian = np.tile(np.eye(len(modes)), (laplace.n_curves, 1, 1))
        if not isinstance(system, SumOfTerms):
            return cls(modes, information, jacobian)
        whole = dict.fromkeys(system.roles, 1.0)

        def at_pivot(theta: np.ndarray) -> np.ndarray:
            eta = system.to_pivot(dict(zip(system.roles, theta, strict=True)), frame, whole)
            return np.array([eta[name] for name in system.roles])

        n = len(system.roles)
        jacobian[:, :n, :n] = np.moveaxis(central_differences(at_pivot, modes[:n]), -1, 0)
        return cls(np.concatenate([at_pivot(modes[:n]), modes[n:]]), pivot_information, jacobian)
