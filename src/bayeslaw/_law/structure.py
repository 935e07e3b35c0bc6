"""What kind of formula a law is, found from the law itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayeslaw._law.law import Law

__all__ = ["Structure", "reference_point"]

LINEAR_ROLES = ("Floor", "Amplitude", "Rate")


class Structure:
    """What can be seen of a law by evaluating it at random points.

    Parameters
    ----------
    law : Law
        The law.
    """

    def __init__(self, law: Law) -> None:
        rng = np.random.default_rng(7)
        self.law = law
        self.predictors = tuple(np.exp(rng.normal(size=32)) for _ in law.predictors)
        self.values = {name: rng.uniform(0.2, 0.8, size=32) for name in law.parameters}
        self.others = {name: rng.uniform(0.2, 0.8, size=32) for name in law.parameters}
        linear = [name for name, role in law.parameters.items() if role.name in LINEAR_ROLES]
        floors = [name for name in linear if law.parameters[name].name == "Floor"]
        self.terms = (*floors, *(name for name in linear if name not in floors))

    def _size(self, name: str, **changed: Any) -> Any:
        """A term per unit of its coefficient."""
        one = {key: float(key == name) for key in self.terms}
        with np.errstate(all="ignore"):
            return self.law(*self.predictors, **{**self.values, **one, **changed})

    @property
    def is_linear(self) -> bool:
        """Whether the law is the sum of its coefficients times something each."""
        with np.errstate(all="ignore"):
            whole = self.law(*self.predictors, **self.values)
        parts = sum(self.values[name] * self._size(name) for name in self.terms)
        return bool(self.terms) and np.allclose(whole, parts, 1e-10, 0)

    @property
    def is_positive(self) -> bool:
        """Whether all terms are positive."""
        return all(np.all(self._size(name) > 0) for name in self.terms)

    @property
    def is_signed_pair(self) -> bool:
        """Whether the law is a constant and a trend that is zero at the reference."""
        if len(self.terms) != 2 or set(self.terms) != set(self.law.parameters):
            return False
        trend_alone = dict(zip(self.terms, (0.0, 1.0), strict=True))
        starts_at_zero = self.law(*reference_point(self.law), **trend_alone) == 0
        return np.allclose(self._size(self.terms[0]), 1) and starts_at_zero

    def is_constant(self, term: str) -> bool:
        """Whether a term does not move with the predictors or other parameters."""
        return bool(np.ptp(self._size(term) * np.ones(32)) == 0)

    def steepens(
        self, tie: Mapping[str, str], fixed: Mapping[str, Any]
    ) -> dict[str, tuple[str, ...]]:
        """The terms whose slope each free exponent sets, by itself or by those tied to it."""
        followers = {
            name: [name, *(a for a, b in tie.items() if b == name)] for name in self.values
        }
        exponents = [
            name
            for name, role in self.law.parameters.items()
            if role.name == "Exponent" and name not in tie and name not in fixed
        ]
        return {
            exponent: terms
            for exponent in exponents
            if (terms := self._moved_by(followers[exponent]))
        }

    def _moved_by(self, names: list[str]) -> tuple[str, ...]:
        changed = {name: self.others[name] for name in names}
        moved = [
            t for t in self.terms if not np.array_equal(self._size(t), self._size(t, **changed))
        ]
        return tuple(moved)


def reference_point(law: Law) -> tuple[float, ...]:
    """The reference scale, in units of itself, for each predictor of a law.

    Parameters
    ----------
    law : Law
        The law.

    Returns
    -------
    tuple of float
    """
    return (1.0,) * len(law.predictors)
