"""Terms of laws that are sums of coefficients times functions of everything else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayeslaw._inference.coordinates.base import Frame, Values, completed, free_roles
from bayeslaw._law.law import Law
from bayeslaw._law.structure import reference_point

__all__ = ["Terms"]

GENERIC = 0.37  # a value of shape parameters at which no term simplifies


@dataclass(frozen=True)
class Terms:
    """The terms of a law, named after their coefficients."""

    law: Law
    fixed: Values
    tie: Mapping[str, str]
    names: tuple[str, ...]

    @property
    def free(self) -> tuple[str, ...]:
        """Terms whose coefficient is not fixed."""
        return tuple(name for name in self.names if name not in self.fixed)

    @property
    def all_free(self) -> bool:
        """Whether no coefficient is fixed."""
        return self.free == self.names

    @property
    def log_fixed(self) -> dict[str, float]:
        """Logs of the fixed coefficients."""
        return {name: math.log(self.fixed[name]) for name in self.names if name in self.fixed}

    @cached_property
    def are_powers(self) -> bool:
        """Whether every term equals its coefficient at the reference, as power laws do."""
        shape = {name: GENERIC for name in self.law.parameters if name not in self.names}
        return all(value == 0 for value in self.log_factors_at_reference(shape).values())

    def shape(self, theta: Values) -> dict[str, Any]:
        """The free parameters that are not coefficients."""
        return {
            name: role.link.inverse(theta[name])
            for name, role in free_roles(self.law, self.fixed, self.tie).items()
            if name not in self.names
        }

    def log_factors(self, at: tuple[Any, ...], shape: Values) -> dict[str, Any]:
        """Log of each term per unit of its coefficient."""
        zeros = dict.fromkeys(self.names, 0.0)

        def log_factor(name: str) -> Any:
            one = {**zeros, name: 1.0, **shape}
            fixed = {key: value for key, value in self.fixed.items() if key not in self.names}
            return np.log(self.law(*at, **completed(self.law, one, fixed, self.tie)))

        return {name: log_factor(name) for name in self.names}

    def log_factors_at_reference(self, shape: Values) -> dict[str, Any]:
        """As `log_factors`, at the reference."""
        return self.log_factors(reference_point(self.law), shape)

    def log_growth(self, shape: Values, frame: Frame) -> dict[str, Any]:
        """Log of the ratio of each term at the pivot to that at the reference."""
        after = self.log_factors(frame.pivot, shape)
        if self.are_powers:
            return after
        before = self.log_factors_at_reference(shape)
        return {name: after[name] - before[name] for name in self.names}
