"""The structure of a law as a formula, derived by evaluating it at random points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayeslaw._law.law import Law

__all__ = ["Structure", "reference_point"]

LINEAR_ROLES = ("Floor", "Amplitude", "Rate")


class Structure:
    """Structure of a law: its terms, their signs, and which exponents steepen them."""

    def __init__(self, law: Law) -> None:
        rng = np.random.default_rng(7)
        self.law = law
        self.predictors = tuple(np.exp(rng.normal(size=32)) for _ in law.predictors)
        self.values = {name: rng.uniform(0.2, 0.8, size=32) for name in law.parameters}
        self.others = {name: rng.uniform(0.2, 0.8, size=32) for name in law.parameters}
        linear = [name for name, role in law.parameters.items() if role.name in LINEAR_ROLES]
        floors = [name for name in linear if law.parameters[name].name == "Floor"]
        self.terms = (*floors, *(name for name in linear if name not in floors))

    def _factor(self, name: str, **changed: Any) -> Any:
        """A term per unit of its coefficient."""
        one = {key: float(key == name) for key in self.terms}
        with np.errstate(all="ignore"):
            return self.law(*self.predictors, **{**self.values, **one, **changed})

    @property
    def is_linear(self) -> bool:
        """Whether the law is linear in its coefficients."""
        with np.errstate(all="ignore"):
            total = self.law(*self.predictors, **self.values)
        parts = sum(self.values[name] * self._factor(name) for name in self.terms)
        return bool(self.terms) and np.allclose(total, parts, 1e-10, 0)

    @property
    def is_positive(self) -> bool:
        """Whether all terms are positive."""
        return all(np.all(self._factor(name) > 0) for name in self.terms)

    @property
    def is_level_and_trend(self) -> bool:
        """Whether the law is a constant and a trend that is zero at the reference."""
        if len(self.terms) != 2 or set(self.terms) != set(self.law.parameters):
            return False
        trend_alone = dict(zip(self.terms, (0.0, 1.0), strict=True))
        is_zero_at_reference = self.law(*reference_point(self.law), **trend_alone) == 0
        return np.allclose(self._factor(self.terms[0]), 1) and is_zero_at_reference

    def is_constant(self, term: str) -> bool:
        """Whether a term is constant in predictors and other parameters."""
        return bool(np.ptp(self._factor(term) * np.ones(32)) == 0)

    def steepens(
        self, tie: Mapping[str, str], fixed: Mapping[str, Any]
    ) -> dict[str, tuple[str, ...]]:
        """For each free exponent, the terms whose slope it or an exponent tied to it sets."""
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
            if (terms := self._terms_of(followers[exponent]))
        }

    def _terms_of(self, names: list[str]) -> tuple[str, ...]:
        changed = {name: self.others[name] for name in names}
        return tuple(
            term
            for term in self.terms
            if not np.array_equal(self._factor(term), self._factor(term, **changed))
        )


def reference_point(law: Law) -> tuple[float, ...]:
    """The reference, in units of itself, for each predictor of a law."""
    return (1.0,) * len(law.predictors)
