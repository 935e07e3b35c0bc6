"""Coordinates of laws that are no sum of terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslaw._inference.coordinates.base import Frame, Values, completed, free_roles
from bayeslaw._law.law import Law, maximum
from bayeslaw._law.roles import LEVEL, TREND, Role
from bayeslaw._law.structure import reference_point

__all__ = ["LinkScale", "Recentred", "SingleTerm"]


@dataclass(frozen=True)
class LinkScale:
    """Each parameter on the scale of its role's link: for laws without a known structure."""

    law: Law
    fixed: Values
    tie: Mapping[str, str]

    @property
    def roles(self) -> Mapping[str, Role]:
        """The roles of the free parameters."""
        return free_roles(self.law, self.fixed, self.tie)

    def parameters(self, theta: Values) -> dict[str, Any]:
        """All parameters of the law."""
        free = {name: role.link.inverse(theta[name]) for name, role in self.roles.items()}
        return completed(self.law, free, self.fixed, self.tie)

    def to_pivot(self, theta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """The same coordinates."""
        return dict(theta)

    def from_pivot(self, eta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """The same coordinates."""
        return dict(eta)

    def log_jacobian(self, eta: Values, frame: Frame, weight: Values) -> Any:
        """Zero."""
        return 0.0


@dataclass(frozen=True)
class SingleTerm:
    """A law without amplitudes whose level one parameter sets: level and links of the others."""

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
        return self._solved(theta[self.name], reference_point(self.law), theta)

    def to_pivot(self, theta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """The level at the pivot."""
        rise = weight[self.name] * self._rise(theta, frame)
        return {**theta, self.name: theta[self.name] + rise}

    def from_pivot(self, eta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """The level at the reference."""
        rise = weight[self.name] * self._rise(eta, frame)
        return {**eta, self.name: eta[self.name] - rise}

    def log_jacobian(self, eta: Values, frame: Frame, weight: Values) -> Any:
        """Zero where the level moves by the other parameters alone."""
        return 0.0

    def _rise(self, values: Values, frame: Frame) -> Any:
        """Change of the level from the reference to the pivot, by the other parameters alone."""
        parameters = self._solved(0.0, reference_point(self.law), values)
        return np.log(self.law(*frame.pivot, **parameters))

    def _solved(self, level: Any, at: tuple[Any, ...], values: Values) -> dict[str, Any]:
        roles = free_roles(self.law, self.fixed, self.tie)
        free = {n: role.link.inverse(values[n]) for n, role in roles.items() if n != self.name}
        others = {**free, **self.fixed, **{a: free[b] for a, b in self.tie.items()}}
        solved = {self.name: self.solve(np.exp(level), *at, **others)}
        return completed(self.law, {**free, **solved}, self.fixed, self.tie)


@dataclass(frozen=True)
class Recentred:
    """A law that keeps its form when the size that its parameters refer to moves.

    Parameters
    ----------
    law : Law
        The law; it says how to recentre it.
    fixed : mapping
        Parameters that are held: its reference.
    """

    law: Law
    fixed: Values

    @property
    def roles(self) -> Mapping[str, Role]:
        """The level, the slope relative to it, and the other parameters as they are."""
        level, slope = self._named
        return {**free_roles(self.law, self.fixed, {}), level: LEVEL, slope: TREND}

    def parameters(self, theta: Values) -> dict[str, Any]:
        """All parameters of the law."""
        level, slope = self._named
        value = np.exp(theta[level])
        own = {level: value, slope: value * np.exp(theta[slope])}
        return completed(self.law, {**theta, **own}, self.fixed, {})

    def to_pivot(self, theta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """Level, slope and the others at the pivot."""
        return self._moved(theta, frame, weight, 1)

    def from_pivot(self, eta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """Level, slope and the others at the reference."""
        return self._moved(eta, frame, weight, -1)

    def log_jacobian(self, eta: Values, frame: Frame, weight: Values) -> Any:
        """How much slower the law falls at the pivot than at the reference."""
        # In (response, log slope, exponent) recentring is a chain of shears; the exponent is
        # kappa * slope / response, which leaves the ratio of the slopes.
        _, slope = self._named
        before, after = self.parameters(eta), self._moved(eta, frame, weight, -1)
        return np.log(before[slope]) - np.log(self.parameters(after)[slope])

    @property
    def _named(self) -> tuple[str, str]:
        assert self.law.recentring is not None
        return self.law.recentring[:2]

    def _moved(self, values: Values, frame: Frame, weight: Values, sign: int) -> dict[str, Any]:
        assert self.law.recentring is not None
        level, slope, recentre = self.law.recentring
        [pivot] = frame.pivot
        free = {name: self.parameters(values)[name] for name in self.roles}
        moved = recentre(sign * weight[level] * np.log(pivot), **free)
        # A population's curve may cross zero before another curve's range; it then only has to
        # be near, as it is used to place the sampler.
        response = maximum(moved[level], 1e-3 * free[level])
        logs = {level: np.log(response), slope: np.log(moved[slope] / response)}
        return {**moved, **logs}
