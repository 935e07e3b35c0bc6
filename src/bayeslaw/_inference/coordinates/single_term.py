"""Coordinates of laws without amplitudes, whose level is set by one parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslaw._inference.coordinates.base import Frame, Values, completed, free_roles
from bayeslaw._law.law import Law
from bayeslaw._law.roles import LEVEL, Role
from bayeslaw._law.structure import reference_point

__all__ = ["SingleTerm"]


@dataclass(frozen=True)
class SingleTerm:
    """A law whose level is set by the parameter `name`, which `solve` gives from the level."""

    law: Law
    name: str
    solve: Any
    fixed: Values
    tie: Mapping[str, str]

    @property
    def roles(self) -> Mapping[str, Role]:
        """The level in place of the parameter that sets it."""
        return {**free_roles(self.law, self.fixed, self.tie), self.name: LEVEL}

    def parameters(self, theta: Values) -> dict[str, Any]:
        """All parameters of the law."""
        return self._parameters_at(theta[self.name], reference_point(self.law), theta)

    def to_pivot(self, theta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """The level at the pivot."""
        log_ratio = weight[self.name] * self._log_ratio(theta, frame)
        return {**theta, self.name: theta[self.name] + log_ratio}

    def from_pivot(self, eta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """The level at the reference."""
        log_ratio = weight[self.name] * self._log_ratio(eta, frame)
        return {**eta, self.name: eta[self.name] - log_ratio}

    def log_jacobian(self, eta: Values, frame: Frame, weight: Values) -> Any:
        """Zero: the level shifts by a function of the other parameters."""
        return 0.0

    def _log_ratio(self, values: Values, frame: Frame) -> Any:
        """Log ratio of the response at the pivot to that at the reference; free of the level."""
        parameters = self._parameters_at(0.0, reference_point(self.law), values)
        return np.log(self.law(*frame.pivot, **parameters))

    def _parameters_at(self, level: Any, at: tuple[Any, ...], values: Values) -> dict[str, Any]:
        roles = free_roles(self.law, self.fixed, self.tie)
        free = {n: role.link.inverse(values[n]) for n, role in roles.items() if n != self.name}
        others = {**free, **self.fixed, **{a: free[b] for a, b in self.tie.items()}}
        solved = {self.name: self.solve(np.exp(level), *at, **others)}
        return completed(self.law, {**free, **solved}, self.fixed, self.tie)
