"""Coordinates of sums of positive terms: one level, stick-breaking shares, log-log slopes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayeslaw._inference.coordinates.base import Frame, Values, completed, free_roles
from bayeslaw._inference.coordinates.link_scale import LinkScale
from bayeslaw._inference.coordinates.stick_breaking import (
    from_sticks,
    log_sum,
    scale_sticks,
    to_sticks,
)
from bayeslaw._inference.coordinates.terms import Terms
from bayeslaw._law.law import Law
from bayeslaw._law.roles import LEVEL, SHARE, Role

__all__ = ["SumOfTerms"]


@dataclass(frozen=True)
class SumOfTerms:
    """A sum of positive terms, each with its coefficient: level, shares and slopes.

    `terms` are the coefficients, floors first; the coordinate of the last one is the level.
    `steepens` maps each exponent to the terms whose slope it sets. With `log_coefficients` the
    reference coordinates are logs of the coefficients instead of level and shares, because one of
    them has a prior or value of its own.
    """

    law: Law
    fixed: Values
    tie: Mapping[str, str]
    terms: tuple[str, ...]
    steepens: Mapping[str, tuple[str, ...]]
    log_coefficients: bool

    @property
    def roles(self) -> Mapping[str, Role]:
        """Level and shares for the coefficients, their own roles for the others."""
        free = free_roles(self.law, self.fixed, self.tie)
        if self.log_coefficients:
            return free
        return {**free, **dict.fromkeys(self.terms[:-1], SHARE), self.terms[-1]: LEVEL}

    @property
    def at_reference(self) -> LinkScale:
        """The same reference coordinates, without a pivot, if they are logs of coefficients."""
        assert self.log_coefficients
        return LinkScale(self.law, self.fixed, self.tie)

    @cached_property
    def _terms(self) -> Terms:
        return Terms(self.law, self.fixed, self.tie, self.terms)

    def parameters(self, theta: Values) -> dict[str, Any]:
        """All parameters of the law."""
        shape = self._terms.shape(theta)
        log_terms = self._log_terms_at_reference(theta, shape)
        factors = self._terms.log_factors_at_reference(shape)
        free = {name: np.exp(log_terms[name] - factors[name]) for name in self._terms.free}
        return completed(self.law, {**shape, **free}, self.fixed, self.tie)

    def to_pivot(self, theta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """Level, shares and slopes at the pivot."""
        if not self.log_coefficients and all(type(w) is float and w == 0 for w in weight.values()):
            return dict(theta)
        growth = self._terms.log_growth(self._terms.shape(theta), frame)
        coefficients = self._coefficients(theta, growth, weight, 1, theta)
        slopes = self._log_slopes({**theta, **coefficients}, frame, weight)
        exponents = {name: theta[name] + weight[name] * slope for name, slope in slopes.items()}
        return {**theta, **exponents, **coefficients}

    def from_pivot(self, eta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """Level and shares at the reference, exponents from slopes."""
        slopes = self._log_slopes(eta, frame, weight)
        exponents = {name: eta[name] - weight[name] * slope for name, slope in slopes.items()}
        theta = {**eta, **exponents}
        growth = self._terms.log_growth(self._terms.shape(theta), frame)
        return {**theta, **self._coefficients(eta, growth, weight, -1, theta)}

    def log_jacobian(self, eta: Values, frame: Frame, weight: Values) -> Any:
        """Zero: every step of `from_pivot` is a shear."""
        return 0.0

    def _log_terms_at_reference(self, theta: Values, shape: Values) -> dict[str, Any]:
        if not self.log_coefficients:
            return from_sticks(theta, self.terms)
        factors = self._terms.log_factors_at_reference(shape)
        logs = {**theta, **self._terms.log_fixed}
        return {name: logs[name] + factors[name] for name in self.terms}

    def _coefficients(
        self, values: Values, growth: Values, weight: Values, sign: int, theta: Values
    ) -> dict[str, Any]:
        """Coordinates of the coefficients, from the reference to the pivot (sign 1) or back."""
        if not self._terms.all_free:
            return {n: values[n] + sign * weight[n] * growth[n] for n in self._terms.free}
        if not self.log_coefficients:
            return scale_sticks(values, growth, weight, sign, self.terms)
        factors = self._terms.log_factors_at_reference(self._terms.shape(theta))
        if sign > 0:
            return to_sticks({n: values[n] + factors[n] + growth[n] for n in self.terms})
        logs = from_sticks(values, self.terms)
        return {n: logs[n] - factors[n] - growth[n] for n in self.terms}

    def _log_slopes(self, eta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """Logs of log-log slopes at the pivot per unit of their exponents.

        Where the shares went only part of the way to the pivot, the remainder uses the expected
        exponents `frame.near`, as the exponents themselves follow from the result.
        """
        if frame.near is None or self.log_coefficients:
            return self._log_shares(eta)
        remainder = {name: 1 - weight[name] for name in self.terms}
        growth = self._terms.log_growth(self._terms.shape(frame.near), frame)
        return self._log_shares({**eta, **self._coefficients(eta, growth, remainder, 1, eta)})

    def _log_shares(self, eta: Values) -> dict[str, Any]:
        """Log share of the terms that each exponent steepens, in pivot coordinates."""
        # If a fixed term is not a floor there are no slopes (see `coordinates`), so the size of
        # fixed terms at the pivot is not needed here.
        values = {**eta, **self._terms.log_fixed}
        logs = from_sticks(values, self.terms) if self._terms.all_free else values
        total = log_sum([logs[name] for name in self.terms])
        return {
            exponent: log_sum([logs[name] for name in steepened]) - total
            for exponent, steepened in self.steepens.items()
        }
