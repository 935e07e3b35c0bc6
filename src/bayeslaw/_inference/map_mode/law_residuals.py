"""Residuals of a law on the runs of each curve, and their Jacobian, in pivot coordinates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayeslaw._inference.coordinates import Coordinates, Frame
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw.response_scales import ResponseScale

__all__ = ["LawResiduals", "central_differences"]

INVALID_RESIDUAL = 1e3  # where the law has no value
DIFFERENCE_STEP = 1e-5


@dataclass(frozen=True)
class LawResiduals:
    """Values of the runs minus a law; points `eta` are arrays (parameters, ..., curves)."""

    coordinates: Coordinates
    run_arrays: RunArrays
    scale: ResponseScale

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The law's coordinates."""
        return tuple(self.coordinates.roles)

    @cached_property
    def frame(self) -> Frame:
        """Range of the runs of each curve."""
        return self.run_arrays.frame

    @cached_property
    def full_weight(self) -> dict[str, float]:
        """Weights of coordinates that go all the way to the pivot."""
        return dict.fromkeys(self.names, 1.0)

    def by_name(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Rows by the names of the law's coordinates."""
        return dict(zip(self.names, values, strict=True))

    def eta(self, theta: np.ndarray) -> np.ndarray:
        """Pivot coordinates from reference coordinates."""
        return self._stack(
            self.coordinates.to_pivot(self.by_name(theta), self.frame, self.full_weight)
        )

    def theta(self, eta: np.ndarray) -> np.ndarray:
        """Reference coordinates from pivot coordinates."""
        return self._stack(
            self.coordinates.from_pivot(self.by_name(eta), self.frame, self.full_weight)
        )

    def parameters(self, eta: np.ndarray) -> dict[str, Any]:
        """All parameters of the law by name, each (..., curves) or a scalar."""
        with np.errstate(all="ignore"):
            theta = self.coordinates.from_pivot(self.by_name(eta), self.frame, self.full_weight)
            return self.coordinates.parameters(theta)

    def residual(self, eta: np.ndarray) -> np.ndarray:
        """Residuals (..., runs) on the response scale."""
        shape = (*eta.shape[1:-1], self.run_arrays.n_curves)
        with np.errstate(all="ignore"):
            on_runs = {
                name: np.broadcast_to(value, shape)[..., self.run_arrays.curve]
                for name, value in self.parameters(eta).items()
            }
            mean = self.coordinates.law(*self.run_arrays.predictors, **on_runs)
            residual = self.run_arrays.values - self.scale.forward(mean, self.run_arrays.unit)
        return np.where(np.isfinite(residual), residual, INVALID_RESIDUAL)

    def jacobian(self, eta: np.ndarray) -> np.ndarray:
        """Derivatives of the law (parameters, runs) on the response scale."""
        return -central_differences(self.residual, eta)

    def fisher_information(
        self, jacobian: np.ndarray, weight: np.ndarray | float = 1.0
    ) -> np.ndarray:
        """Of each curve (parameters, parameters, curves), from runs with these weights."""
        return self.run_arrays.sums(jacobian[:, None] * jacobian[None] * weight)

    def _stack(self, values: Mapping[str, Any]) -> np.ndarray:
        rows = np.broadcast_arrays(*(values[name] for name in self.names))
        return np.array(
            [np.broadcast_to(row, (*row.shape[:-1], self.run_arrays.n_curves)) for row in rows]
        )


def central_differences(
    function: Callable[[np.ndarray], np.ndarray], eta: np.ndarray
) -> np.ndarray:
    """Derivatives of a function by each row of a point (parameters, curves), in a single call.

    The function maps (parameters, points, curves) to (..., points, any); the derivatives are
    (..., parameters, any).
    """
    steps = DIFFERENCE_STEP * np.eye(len(eta))[:, :, None]
    ahead, behind = np.split(
        function(np.concatenate([eta[:, None] + steps, eta[:, None] - steps], axis=1)), 2, axis=-2
    )
    return (ahead - behind) / (2 * DIFFERENCE_STEP)
