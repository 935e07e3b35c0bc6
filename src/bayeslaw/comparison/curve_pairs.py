"""Pairs of curves along one predictor: log ratio, multiplier and last crossing, by draw."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeslaw.decisions.law_slice import LawSlice
from bayeslaw.decisions.root_finding import crossing, first_crossing, scan

__all__ = ["CurvePairs", "log_positive"]

STEPS = 64  # of the grid that is searched for a crossing
SMALLEST = 1e-300  # in place of a response that is not positive


@dataclass(frozen=True)
class CurvePairs:
    """A law along one predictor, the others held, for the curves of two levels.

    Parameters are (chain, draw, curve): the first curves of all pairs, then the second ones.
    """

    law_slice: LawSlice
    held: Mapping[str, float]
    parameters: Mapping[str, np.ndarray]
    n_pairs: int

    @property
    def subsets(self) -> list[list[int]]:
        """Numbers of the pairs to compare: each alone and, if there are several, all together."""
        every = list(range(self.n_pairs))
        return [[pair] for pair in every] + [every] * (self.n_pairs > 1)

    def compare(
        self,
        pairs: Sequence[int],
        log_sizes: np.ndarray,
        reference: float,
        ends: tuple[float, float],
    ) -> dict[str, np.ndarray]:
        """Log ratio, multiplier and crossing of the mean log responses of some pairs.

        `log_sizes` (size,) are those to compare at, `reference` is the log size to search about for
        the multiplier, and `ends` are the log sizes between which to search for a crossing.
        """
        first, second = (
            self._arguments([side * self.n_pairs + i for i in pairs]) for side in (0, 1)
        )
        with np.errstate(all="ignore"):
            target = self._mean_log_response(log_sizes, first)
            ratio = target - self._mean_log_response(log_sizes, second)
            log_size = first_crossing(self._excess, scan(reference), (target, *second))
            multiplier = np.exp(log_size - log_sizes)
        points = np.linspace(ends[0], ends[1], STEPS + 1)
        return {
            "log_ratio": ratio,
            "multiplier": multiplier,
            **self._last_crossing((*first, *second), points),
        }

    def _arguments(self, curves: Sequence[int]) -> tuple[np.ndarray, ...]:
        """Parameters (chain, draw, 1) of curves, one curve after the other."""
        names = self.law_slice.law.parameters
        return tuple(self.parameters[name][..., [i]] for i in curves for name in names)

    def _mean_log_response(self, log_size: Any, arguments: Sequence[Any]) -> Any:
        """Mean of the log responses of curves, given the parameters of one after the other."""
        law = self.law_slice.law
        sizes = {**self.held, self.law_slice.free[0]: np.exp(log_size)}
        predictors = [sizes[name] for name in law.predictors]
        logs = [
            log_positive(law(*predictors, **dict(zip(law.parameters, own, strict=True))))
            for own in itertools.batched(arguments, len(law.parameters))
        ]
        return sum(logs) / len(logs)

    def _excess(self, log_size: Any, target: Any, *second: Any) -> Any:
        """How far the second is above a target that it has to come down to."""
        response = self._mean_log_response(log_size, second)
        return self.law_slice.decrease_sign * (response - target)

    def _lag(self, log_size: Any, *arguments: Any) -> Any:
        """How far the first is behind the second."""
        half = len(arguments) // 2
        first, second = (
            self._mean_log_response(log_size, own) for own in (arguments[:half], arguments[half:])
        )
        return self.law_slice.sense * (first - second)

    def _lead(self, log_size: Any, *arguments: Any) -> Any:
        return -self._lag(log_size, *arguments)

    def _last_crossing(
        self, arguments: tuple[Any, ...], points: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The last size at which the lead changes, and whether the first then takes it."""
        gained, lost = (
            crossing(function, points, arguments, lambda point, *_: -point)[..., 0]
            for function in (self._lag, self._lead)
        )
        overtakes = ~np.isnan(gained) & ~(lost > gained)
        return {"crossing": np.exp(np.fmax(gained, lost)), "overtakes": overtakes}


def log_positive(values: Any) -> Any:
    """Logarithm of values; very low for those that are not positive."""
    return np.log(np.maximum(values, SMALLEST))
