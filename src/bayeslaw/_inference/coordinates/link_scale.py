"""Coordinates of laws without a known structure: each parameter on the scale of its link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bayeslaw._inference.coordinates.base import Frame, Values, completed, free_roles
from bayeslaw._law.law import Law
from bayeslaw._law.roles import Role

__all__ = ["LinkScale"]


@dataclass(frozen=True)
class LinkScale:
    """Each parameter on the scale of its link."""

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
