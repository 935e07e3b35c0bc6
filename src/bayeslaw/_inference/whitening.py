"""Whitening: coordinates in which curves and population are near standard normal a posteriori.

The likelihood of a curve is approximated as normal around its mode (`bayeslaw._inference.laplace`).
Informative curves have centred coordinates, uninformative ones non-centred coordinates. How
informative a curve is depends on its noise and on the spread between curves. Noise and spread are
sampled, so the whitening is a function of them. The
formulas apply to tensors, for sampling, and to arrays, for initial points.
"""

# PyTensor's annotations do not know that its variables can be computed with.
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false, reportReturnType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from bayeslaw._inference.coordinates import Coordinates, Frame, SumOfTerms
from bayeslaw._inference.kernel_operations import transform_curves, transform_population
from bayeslaw._inference.model_data import CURVE_WHITENING_ARRAYS, POPULATION_WHITENING_ARRAYS

__all__ = ["CurveWhitening", "PopulationWhitening"]


@dataclass(frozen=True)
class CurveWhitening:
    """Whitening of all curves given their population; arrays or tensors.

    Rows of parameters are those of the law, then those of the noise.
    """

    coordinates: Coordinates
    mean: Any  # expectation of each curve under population and groups (parameters, curves)
    spread: Any  # standard deviation of curves about that (parameters, 1)
    laplace: Mapping[str, Any]  # `CURVE_WHITENING_ARRAYS` by name
    frame: Frame  # where the curves were observed

    def forward(self, value: Any) -> Any:
        """Reference coordinates from whitened ones."""
        noise = self._noise(value)
        eta, weight, near, _ = self._to_pivot(value, noise)
        law = self.coordinates.from_pivot(self._rows(eta), self._frame(near), self._rows(weight))
        return _concatenate([_stack(law), noise])

    def inverse(self, theta: Any) -> Any:
        """Whitened coordinates from reference ones."""
        zero, noise = 0 * theta, theta[self._n_law :]
        middle, weight, near, _ = self._to_pivot(zero, noise)
        scale = self._to_pivot(zero + 1, noise)[0] - middle
        eta = self.coordinates.to_pivot(self._rows(theta), self._frame(near), self._rows(weight))
        noise_middle, noise_scale = self._noise_moments
        return _concatenate([(_stack(eta) - middle) / scale, (noise - noise_middle) / noise_scale])

    def log_jacobian(self, value: Any) -> Any:
        """Log determinant of the Jacobian of `forward`."""
        eta, weight, near, log_determinant = self._to_pivot(value, self._noise(value))
        of_coordinates = self.coordinates.log_jacobian(
            self._rows(eta), self._frame(near), self._rows(weight)
        )
        return log_determinant + np.log(self._noise_moments[1]).sum() + _sum(of_coordinates)

    @property
    def _n_law(self) -> int:
        return len(self.coordinates.roles)

    def _noise(self, value: Any) -> Any:
        middle, scale = self._noise_moments
        return middle + scale * value[self._n_law :]

    @cached_property
    def _noise_moments(self) -> tuple[Any, Any]:
        """Mean and standard deviation of the noise parameters given population and data."""
        laplace = self.laplace
        mean, mode, spread, information = (
            each[self._n_law :]
            for each in (
                self.mean,
                laplace["pivot_mode"],
                self.spread,
                laplace["pivot_information"],
            )
        )
        precision = 1 + spread**2 * information  # relative to that of the population
        return mode + (mean - mode) / precision, spread / np.sqrt(precision)

    def _to_pivot(self, value: Any, noise: Any) -> Any:
        """Pivot coordinates from whitened ones, weights and log determinant: `transform_curves`."""
        laplace = self.laplace
        return transform_curves(
            value, noise - laplace["pivot_mode"][self._n_law :], self._pivot_mean, self.mean,
            self.spread, *(laplace[name] for name in CURVE_WHITENING_ARRAYS),
        )  # fmt: skip

    @cached_property
    def _pivot_mean(self) -> Any:
        """Expectation of each curve, in the coordinates that have zero weight on the data."""
        mean = self._rows(self.mean)
        pivot_mean = self.coordinates.to_pivot(mean, self.frame, dict.fromkeys(mean, 0.0))
        same = all(pivot_mean[name] is mean[name] for name in mean)
        return self.mean if same else _stack(pivot_mean)

    def _frame(self, near: Any) -> Frame:
        return replace(self.frame, near=self._rows(near))

    def _rows(self, values: Any) -> dict[str, Any]:
        return {name: values[row] for row, name in enumerate(self.coordinates.roles)}


@dataclass(frozen=True)
class PopulationWhitening:
    """Whitening of a population given its spreads between curves and groups; arrays or tensors.

    The less the curves differ, the better they determine their population, which creates a second
    funnel. The coordinates are those at the pivot of a typical curve, where the posterior is not a
    narrow ridge.
    """

    coordinates: Coordinates
    mean: Any  # of the prior (parameters,)
    sd: Any  # of the prior (parameters,)
    spread: Any  # of each parameter between curves, then between levels of groups (spreads,)
    typical: Mapping[str, Any]  # `POPULATION_WHITENING_ARRAYS` by name
    frame: Frame  # where a typical curve was observed

    def forward(self, value: Any) -> Any:
        """The population from whitened coordinates."""
        return self._change_coordinates(self.coordinates.from_pivot, self._to_pivot(value)[0])

    def log_jacobian(self, value: Any) -> Any:
        """Log determinant of the Jacobian of `forward`; all other steps are volume-preserving."""
        return self._to_pivot(value)[1]

    def _to_pivot(self, value: Any) -> Any:
        """Pivot coordinates from whitened ones, and log determinant: `transform_population`."""
        arrays = [self.typical[name] for name in POPULATION_WHITENING_ARRAYS]
        return transform_population(value, self.spread, self._pivot_mean, self.sd, *arrays)

    @cached_property
    def _pivot_mean(self) -> Any:
        return self._change_coordinates(self.coordinates.to_pivot, self.mean)

    def _change_coordinates(self, change: Any, values: Any) -> Any:
        # Coordinates other than sums of terms do not reach every population.
        if not isinstance(self.coordinates, SumOfTerms):
            return values
        rows = {name: values[row] for row, name in enumerate(self.coordinates.roles)}
        law = _stack(change(rows, self.frame, dict.fromkeys(rows, 1.0)))
        return _concatenate([law, values[len(rows) :]])


def _is_tensor(values: Any) -> bool:
    return isinstance(values, Variable)


def _concatenate(parts: Sequence[Any]) -> Any:
    return pt.concatenate(parts) if _is_tensor(parts[0]) else np.concatenate(parts)


def _stack(rows: Mapping[str, Any]) -> Any:
    parts = list(rows.values())
    return pt.stack(parts) if _is_tensor(parts[0]) else np.stack(parts)


def _sum(values: Any) -> Any:
    return values.sum() if _is_tensor(values) else np.sum(values)
