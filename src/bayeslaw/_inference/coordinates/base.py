"""Protocol of the coordinate systems, and what they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bayeslaw._law.law import Law
from bayeslaw._law.roles import Role

__all__ = ["Coordinates", "Frame", "Values", "completed", "free_roles"]

type Values = Mapping[str, Any]


@dataclass(frozen=True)
class Frame:
    """Observed range of curves: midpoint in logs and ends, one value per predictor each.

    `near` are reference coordinates that the curves are expected to be close to; they only improve
    coordinates that go part of the way to the pivot.
    """

    pivot: tuple[Any, ...]
    smallest: tuple[Any, ...]
    largest: tuple[Any, ...]
    near: Values | None = None

    @property
    def ends(self) -> tuple[tuple[Any, ...], ...]:
        """Pivot, smallest and largest."""
        return self.pivot, self.smallest, self.largest


class Coordinates(Protocol):
    """Reference and pivot coordinates of one law with its fixed and tied parameters."""

    @property
    def law(self) -> Law:
        """The law."""
        ...

    @property
    def roles(self) -> Mapping[str, Role]:
        """The role that each free parameter plays as a coordinate."""
        ...

    def parameters(self, theta: Values) -> dict[str, Any]:
        """All parameters of the law, at the reference scale, from reference coordinates."""
        ...

    def to_pivot(self, theta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """Pivot coordinates from reference coordinates.

        The weight of each parameter, between 0 and 1, says how far to go: 1 is the pivot, where
        the data are, 0 the reference, where the prior is.
        """
        ...

    def from_pivot(self, eta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """Reference coordinates from pivot coordinates of the same weights."""
        ...

    def log_jacobian(self, eta: Values, frame: Frame, weight: Values) -> Any:
        """Log determinant of `from_pivot`."""
        ...


def free_roles(law: Law, fixed: Values, tie: Mapping[str, str]) -> dict[str, Role]:
    """The roles of the parameters that are neither fixed nor tied."""
    return {n: role for n, role in law.parameters.items() if n not in fixed and n not in tie}


def completed(law: Law, free: Values, fixed: Values, tie: Mapping[str, str]) -> dict[str, Any]:
    """All parameters of a law, in its order, from those that are free."""
    values = {**free, **fixed}
    values |= {name: values[other] for name, other in tie.items()}
    return {name: values[name] for name in law.parameters}
