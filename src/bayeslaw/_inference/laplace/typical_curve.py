"""Laplace approximation of all curves at the pivot of a typical curve."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayeslaw._inference.coordinates import Coordinates, Frame, SumOfTerms
from bayeslaw._inference.laplace.approximation import LaplaceApproximation
from bayeslaw._inference.map_mode.law_residuals import central_differences

__all__ = ["TypicalCurve"]


class TypicalCurve(NamedTuple):
    """Likelihood of all curves, approximately normal at the pivot of a typical curve.

    Of the law, then of the noise. Only sums of terms have a pivot of their own.

    mode : array (parameters, curves)
    covariance : array (curves, parameters, parameters)
    jacobian : array (curves, parameters, parameters)
        Derivatives of the coordinates there with respect to reference coordinates.
    """

    mode: np.ndarray
    covariance: np.ndarray
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
        (law, covariance), noise = laplace.law, names[len(system.roles) :]
        slopes = np.tile(np.eye(len(law)), (laplace.n_curves, 1, 1))
        if isinstance(system, SumOfTerms):
            whole = dict.fromkeys(system.roles, 1.0)

            def at_pivot(theta: np.ndarray) -> np.ndarray:
                eta = system.to_pivot(dict(zip(system.roles, theta, strict=True)), frame, whole)
                return np.array([eta[name] for name in system.roles])

            slopes = np.moveaxis(central_differences(at_pivot, law), -1, 0)
            law = at_pivot(law)
        variance = [1 / laplace.information[name] for name in noise]
        return cls(
            np.array([*law, *(laplace.mode[name] for name in noise)]),
            _with_diagonal(slopes @ covariance @ np.swapaxes(slopes, 1, 2), variance),
            _with_diagonal(slopes, [np.ones(laplace.n_curves)] * len(noise)),
        )


def _with_diagonal(matrices: np.ndarray, rows: list[np.ndarray]) -> np.ndarray:
    """Matrices (curves, n, n) with more rows and columns, whose diagonals are (curves,) each."""
    n, more = matrices.shape[-1], len(rows)
    out = np.pad(matrices, ((0, 0), (0, more), (0, more)))
    for i, row in enumerate(rows, n):
        out[:, i, i] = row
    return out
