"""Coordinates of a level and a trend that may cross zero, such as ``a - b log N``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslaw._inference.coordinates.base import Frame, Values
from bayeslaw._law.law import Law, maximum, minimum
from bayeslaw._law.roles import LEVEL, TREND, Role

__all__ = ["LevelAndTrend"]


@dataclass(frozen=True)
class LevelAndTrend:
    """A constant and a trend that may cross zero, such as ``a - b log N``.

    Write ``f = a (1 - rho h(x))``; rho is bounded such that f is positive wherever the curve was
    observed. The pivot coordinate is the trend relative to the response where that is smallest.
    """

    law: Law
    constant: str
    trend: str

    @property
    def roles(self) -> Mapping[str, Role]:
        """The level for the constant, and the trend relative to it."""
        return {self.constant: LEVEL, self.trend: TREND}

    def parameters(self, theta: Values) -> dict[str, Any]:
        """All parameters of the law."""
        constant = np.exp(theta[self.constant])
        return {self.constant: constant, self.trend: constant * np.exp(theta[self.trend])}

    def to_pivot(self, theta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """The level at the pivot and the trend at the end of the range."""
        rho = np.exp(theta[self.trend])
        pivot = _below_one(rho * self._height(frame.pivot))
        end = _below_one(rho * self._largest_height(frame))
        return {
            self.constant: theta[self.constant] + weight[self.constant] * np.log1p(-pivot),
            self.trend: theta[self.trend] - np.log1p(-end),
        }

    def from_pivot(self, eta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """The level at the reference and the trend there."""
        trend = eta[self.trend] - np.log1p(self._largest_height(frame) * np.exp(eta[self.trend]))
        drop = np.log1p(-np.exp(trend) * self._height(frame.pivot))
        return {self.constant: eta[self.constant] - weight[self.constant] * drop, self.trend: trend}

    def log_jacobian(self, eta: Values, frame: Frame, weight: Values) -> Any:
        """Log Jacobian of the bound on the trend."""
        return -np.log1p(self._largest_height(frame) * np.exp(eta[self.trend]))

    def _height(self, at: tuple[Any, ...]) -> Any:
        return -self.law(*at, **{self.constant: 0.0, self.trend: 1.0})

    def _largest_height(self, frame: Frame) -> Any:
        low, high = self._height(frame.smallest), self._height(frame.largest)
        return maximum(maximum(low, high), 0.0)


def _below_one(drop: Any) -> Any:
    # The population's mean trend may be too steep for a curve with a long range. A nearby value
    # will do, as it is used only for whitening.
    return minimum(drop, 0.999)
