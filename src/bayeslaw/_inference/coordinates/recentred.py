"""Coordinates of laws that keep their form when the reference size of their parameters moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslaw._inference.coordinates.base import Frame, Values, completed, free_roles
from bayeslaw._law.law import Law, maximum
from bayeslaw._law.roles import LEVEL, TREND, Role

__all__ = ["Recentred"]


@dataclass(frozen=True)
class Recentred:
    """A law that can be recentred at another reference size: level, relative slope, and the others.

    `fixed` are fixed parameters, the reference among them; the law says how to recentre it.
    """

    law: Law
    fixed: Values

    @property
    def roles(self) -> Mapping[str, Role]:
        """The level, the slope relative to it, and the other parameters as they are."""
        level, slope = self._level_and_slope
        return {**free_roles(self.law, self.fixed, {}), level: LEVEL, slope: TREND}

    def parameters(self, theta: Values) -> dict[str, Any]:
        """All parameters of the law."""
        level, slope = self._level_and_slope
        value = np.exp(theta[level])
        own = {level: value, slope: value * np.exp(theta[slope])}
        return completed(self.law, {**theta, **own}, self.fixed, {})

    def to_pivot(self, theta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """Level, slope and the others at the pivot."""
        return self._recentred(theta, frame, weight, 1)

    def from_pivot(self, eta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """Level, slope and the others at the reference."""
        return self._recentred(eta, frame, weight, -1)

    def log_jacobian(self, eta: Values, frame: Frame, weight: Values) -> Any:
        """Log ratio of the relative slopes at the pivot and at the reference."""
        # In (response, log slope, exponent) recentring is a chain of shears; the exponent is
        # kappa * slope / response, which leaves the ratio of the slopes.
        _, slope = self._level_and_slope
        before, after = self.parameters(eta), self._recentred(eta, frame, weight, -1)
        return np.log(before[slope]) - np.log(self.parameters(after)[slope])

    @property
    def _level_and_slope(self) -> tuple[str, str]:
        assert self.law.recentring is not None
        return self.law.recentring[:2]

    def _recentred(self, values: Values, frame: Frame, weight: Values, sign: int) -> dict[str, Any]:
        assert self.law.recentring is not None
        level, slope, recentre = self.law.recentring
        [pivot] = frame.pivot
        free = {name: self.parameters(values)[name] for name in self.roles}
        recentred = recentre(sign * weight[level] * np.log(pivot), **free)
        # The population's mean curve may cross zero before the range of another curve. A nearby
        # value will do, as it is used only for whitening.
        response = maximum(recentred[level], 1e-3 * free[level])
        logs = {level: np.log(response), slope: np.log(recentred[slope] / response)}
        return {**recentred, **logs}
