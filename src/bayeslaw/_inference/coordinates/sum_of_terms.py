"""Coordinates of sums of terms: one level, stick-breaking shares, slopes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayeslaw._inference.coordinates.base import Frame, Values, completed, free_roles
from bayeslaw._law.law import Law, maximum, minimum
from bayeslaw._law.roles import LEVEL, SHARE, TREND, Role
from bayeslaw._law.structure import reference_point

__all__ = ["LevelAndTrend", "SumOfTerms"]

SOME = 0.37  # a value of a shape parameter that is nothing special


@dataclass(frozen=True)
class SumOfTerms:
    """A sum of positive terms, each with its coefficient: level, shares and slopes.

    Parameters
    ----------
    law : Law
        The law.
    fixed, tie : mapping
        Parameters that are held or follow another.
    terms : tuple of str
        The coefficients, floors first. The last one's coordinate is the level.
    steepens : mapping of str to tuple of str
        For each exponent, the terms whose slope it sets.
    explicit : bool
        Whether the coefficients' own logarithms are the reference coordinates, because a prior
        or a value was given for one of them.
    """

    law: Law
    fixed: Values
    tie: Mapping[str, str]
    terms: tuple[str, ...]
    steepens: Mapping[str, tuple[str, ...]]
    explicit: bool

    @property
    def roles(self) -> Mapping[str, Role]:
        """Level and shares for the coefficients, their own roles for the others."""
        free = free_roles(self.law, self.fixed, self.tie)
        if self.explicit:
            return free
        return {**free, **dict.fromkeys(self.terms[:-1], SHARE), self.terms[-1]: LEVEL}

    @property
    def _free_terms(self) -> tuple[str, ...]:
        return tuple(name for name in self.terms if name not in self.fixed)

    @cached_property
    def _are_powers(self) -> bool:
        """Whether all terms are as large as their coefficients at the reference, as powers are."""
        shape = {name: SOME for name in self.law.parameters if name not in self.terms}
        sizes = self._log_sizes(reference_point(self.law), shape)
        return all(value == 0 for value in sizes.values())

    @property
    def _has_sticks(self) -> bool:
        return self._free_terms == self.terms

    def parameters(self, theta: Values) -> dict[str, Any]:
        """All parameters of the law."""
        shape = self._shape(theta)
        at_reference = self._reference_terms(theta, shape)
        sizes = self._log_sizes(reference_point(self.law), shape)
        free = {name: np.exp(at_reference[name] - sizes[name]) for name in self._free_terms}
        return completed(self.law, {**shape, **free}, self.fixed, self.tie)

    def to_pivot(self, theta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """Level, shares and slopes at the pivot."""
        if not self.explicit and all(type(by) is float and by == 0 for by in weight.values()):
            return dict(theta)
        growth = self._growth(self._shape(theta), frame)
        linear = self._moved(theta, growth, weight, 1, theta)
        slopes = self._log_slopes({**theta, **linear}, frame, weight)
        exponents = {name: theta[name] + weight[name] * slope for name, slope in slopes.items()}
        return {**theta, **exponents, **linear}

    def from_pivot(self, eta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """Level and shares at the reference, exponents from slopes."""
        slopes = self._log_slopes(eta, frame, weight)
        exponents = {name: eta[name] - weight[name] * slope for name, slope in slopes.items()}
        theta = {**eta, **exponents}
        growth = self._growth(self._shape(theta), frame)
        return {**theta, **self._moved(eta, growth, weight, -1, theta)}

    def log_jacobian(self, eta: Values, frame: Frame, weight: Values) -> Any:
        """Zero: every step of `from_pivot` is a shear."""
        return 0.0

    def _shape(self, theta: Values) -> dict[str, Any]:
        """The parameters that are not coefficients."""
        return {
            name: role.link.inverse(theta[name])
            for name, role in free_roles(self.law, self.fixed, self.tie).items()
            if name not in self.terms
        }

    def _log_sizes(self, at: tuple[Any, ...], shape: Values) -> dict[str, Any]:
        """Logarithm of each term per unit of its coefficient."""
        zeros = dict.fromkeys(self.terms, 0.0)

        def size(name: str) -> Any:
            one = {**zeros, name: 1.0, **shape}
            held = {key: value for key, value in self.fixed.items() if key not in self.terms}
            return np.log(self.law(*at, **completed(self.law, one, held, self.tie)))

        return {name: size(name) for name in self.terms}

    def _reference_terms(self, theta: Values, shape: Values) -> dict[str, Any]:
        if not self.explicit:
            return _from_sticks(theta, self.terms)
        sizes = self._log_sizes(reference_point(self.law), shape)
        held = {name: math.log(self.fixed[name]) for name in self.terms if name in self.fixed}
        return {name: {**theta, **held}[name] + sizes[name] for name in self.terms}

    def _growth(self, shape: Values, frame: Frame) -> dict[str, Any]:
        """Logarithm of how many times larger each term is at the pivot."""
        after = self._log_sizes(frame.pivot, shape)
        if self._are_powers:
            return after
        before = self._log_sizes(reference_point(self.law), shape)
        return {name: after[name] - before[name] for name in self.terms}

    def _moved(
        self, values: Values, growth: Values, weight: Values, sign: int, theta: Values
    ) -> dict[str, Any]:
        """Coordinates of the coefficients, from the reference to the pivot (sign 1) or back."""
        if not self._has_sticks:
            return {n: values[n] + sign * weight[n] * growth[n] for n in self._free_terms}
        if not self.explicit:
            return self._slid(values, growth, weight, sign)
        sizes = self._log_sizes(reference_point(self.law), self._shape(theta))
        if sign > 0:
            return _to_sticks({n: values[n] + sizes[n] + growth[n] for n in self.terms})
        terms = _from_sticks(values, self.terms)
        return {n: terms[n] - sizes[n] - growth[n] for n in self.terms}

    def _slid(self, values: Values, growth: Values, weight: Values, sign: int) -> dict[str, Any]:
        # The logit of a term depends on the terms after it, so they are taken from the last on;
        # `rest` is the logarithm of their sum relative to the last term, at both places.
        *shares, level = self.terms
        rest, rest_at_pivot, moved = 0.0, growth[level], {}
        for name in reversed(shares):
            shift = weight[name] * (growth[name] - (rest_at_pivot - rest))
            moved[name] = values[name] + sign * shift
            term = rest + (values[name] if sign > 0 else moved[name])
            rest = _log_sum([rest, term])
            rest_at_pivot = _log_sum([rest_at_pivot, term + growth[name]])
        moved[level] = values[level] + sign * weight[level] * (rest_at_pivot - rest)
        return moved

    def _log_slopes(self, eta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """Logarithms of slopes at the pivot per unit of their exponents.

        Where the shares went only part of the way, the rest of it is reckoned with the exponents
        that are expected: the exponents themselves are only known after this.
        """
        if frame.near is None or self.explicit:
            return self._log_shares(eta)
        rest = {name: 1 - weight[name] for name in self.terms}
        growth = self._growth(self._shape(frame.near), frame)
        return self._log_shares({**eta, **self._moved(eta, growth, rest, 1, eta)})

    def _log_shares(self, eta: Values) -> dict[str, Any]:
        """Logarithm of the share of the terms that each exponent steepens, in pivot coordinates."""
        # Fixed terms that are not floors have no slopes beside them (see `coordinates`), so
        # their size at the pivot is not needed here.
        held = {name: math.log(self.fixed[name]) for name in self.terms if name in self.fixed}
        values = {**eta, **held}
        terms = _from_sticks(values, self.terms) if self._has_sticks else values
        total = _log_sum([terms[name] for name in self.terms])
        return {
            exponent: _log_sum([terms[name] for name in steepened]) - total
            for exponent, steepened in self.steepens.items()
        }


@dataclass(frozen=True)
class LevelAndTrend:
    """A constant and a trend that may cross zero, such as ``a - b log N``.

    With ``f = a (1 - rho h(x))``, rho is bounded so that f is positive wherever the curve was
    observed; the pivot coordinate is the trend relative to the response where that is smallest.
    """

    law: Law
    constant: str
    trend: str

    @property
    def roles(self) -> Mapping[str, Role]:
        """The level for the constant; the trend relative to it."""
        return {self.constant: LEVEL, self.trend: TREND}

    def parameters(self, theta: Values) -> dict[str, Any]:
        """All parameters of the law."""
        constant = np.exp(theta[self.constant])
        return {self.constant: constant, self.trend: constant * np.exp(theta[self.trend])}

    def to_pivot(self, theta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """The level at the pivot and the trend at the end of the range."""
        rho = np.exp(theta[self.trend])
        pivot, end = (
            _below_one(rho * self._height(frame.pivot)),
            _below_one(rho * self._reach(frame)),
        )
        return {
            self.constant: theta[self.constant] + weight[self.constant] * np.log1p(-pivot),
            self.trend: theta[self.trend] - np.log1p(-end),
        }

    def from_pivot(self, eta: Values, frame: Frame, weight: Values) -> dict[str, Any]:
        """The level at the reference and the trend there."""
        trend = eta[self.trend] - np.log1p(self._reach(frame) * np.exp(eta[self.trend]))
        drop = np.log1p(-np.exp(trend) * self._height(frame.pivot))
        return {self.constant: eta[self.constant] - weight[self.constant] * drop, self.trend: trend}

    def log_jacobian(self, eta: Values, frame: Frame, weight: Values) -> Any:
        """How the bound on the trend stretches it."""
        return -np.log1p(self._reach(frame) * np.exp(eta[self.trend]))

    def _height(self, at: tuple[Any, ...]) -> Any:
        return -self.law(*at, **{self.constant: 0.0, self.trend: 1.0})

    def _reach(self, frame: Frame) -> Any:
        low, high = self._height(frame.smallest), self._height(frame.largest)
        return maximum(maximum(low, high), 0.0)


def _below_one(drop: Any) -> Any:
    # A population's trend may be too steep for a curve that reaches far; it then only has to be
    # near, as it is used to place the sampler.
    return minimum(drop, 0.999)


def _log_sum(logs: list[Any]) -> Any:
    total = logs[0]
    for other in logs[1:]:
        total = maximum(total, other) + np.log1p(np.exp(-abs(total - other)))
    return total


def _log_share(logit: Any) -> Any:
    return minimum(logit, 0.0) - np.log1p(np.exp(-abs(logit)))


def _to_sticks(terms: Values) -> dict[str, Any]:
    names = list(terms)
    logits = {
        name: terms[name] - _log_sum([terms[n] for n in names[i + 1 :]])
        for i, name in enumerate(names[:-1])
    }
    return {**logits, names[-1]: _log_sum([terms[name] for name in names])}


def _from_sticks(values: Values, names: tuple[str, ...]) -> dict[str, Any]:
    rest, terms = values[names[-1]], {}
    for name in names[:-1]:
        terms[name] = rest + _log_share(values[name])
        rest = rest + _log_share(-values[name])
    return {**terms, names[-1]: rest}
