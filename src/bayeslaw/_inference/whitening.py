"""Coordinates in which curves are near standard normal a posteriori, whatever their population is.

What a curve says of its law is taken to be normal around its own mode (see `bayeslaw.laplace`). Where
it says much, a coordinate follows the data; where it says little, the population. How much
it says depends on how noisy the curve is and on how far its parameters are held by the population,
which are sampled too; so the coordinates are functions of those. The formulas serve tensors, to
sample, and arrays, to start.
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
    """Standard coordinates of all curves, given their population.

    Parameters
    ----------
    system : Coordinates
        Of the law.
    mean : array or tensor (parameters, curves)
        What the population and its groups expect of each curve; the law's parameters, then those
        of the noise.
    spread : array or tensor (parameters, 1)
        How far curves are from that.
    pilot : mapping of str to array or tensor
        The numbers of `bayeslaw._inference.laplace.LaplaceApproximation`.
    frame : Frame
        Where the curves were observed.
    """

    system: Coordinates
    mean: Any
    spread: Any
    laplace: Mapping[str, Any]
    frame: Frame

    def forward(self, value: Any) -> Any:
        """Reference coordinates from standard ones."""
        noise = self._noise(value)
        eta, weight, near, _ = self._settled(value, noise)
        law = self.system.from_pivot(self._rows(eta), self._frame(near), self._rows(weight))
        return _joined([_stacked(law), noise])

    def inverse(self, theta: Any) -> Any:
        """Standard coordinates from reference ones."""
        nothing, noise = 0 * theta, theta[self._n_law :]
        middle, weight, near, _ = self._settled(nothing, noise)
        scale = self._settled(nothing + 1, noise)[0] - middle
        eta = self.system.to_pivot(self._rows(theta), self._frame(near), self._rows(weight))
        beside, apart = self._noise_place
        return _joined([(_stacked(eta) - middle) / scale, (noise - beside) / apart])

    def log_jacobian(self, value: Any) -> Any:
        """Log determinant of `forward`."""
        eta, weight, near, log_determinant = self._settled(value, self._noise(value))
        bent = self.system.log_jacobian(self._rows(eta), self._frame(near), self._rows(weight))
        return log_determinant + np.log(self._noise_place[1]).sum() + _summed(bent)

    @property
    def _n_law(self) -> int:
        return len(self.system.roles)

    def _noise(self, value: Any) -> Any:
        middle, scale = self._noise_place
        return middle + scale * value[self._n_law :]

    @cached_property
    def _noise_place(self) -> tuple[Any, Any]:
        """Middle and scale of the noise's coordinates: towards the data as far as they tell."""
        mean, mode, spread, information = (
            each[self._n_law :]
            for each in (
                self.mean, self.laplace["pivot_mode"], self.spread, self.laplace["pivot_information"]
            )
        )  # fmt: skip
        apart = 1 + spread**2 * information
        return mode + (mean - mode) / apart, spread / np.sqrt(apart)

    def _settled(self, value: Any, noise: Any) -> Any:
        """As `bayeslaw._kernels.curve_transform.transform_curves`."""
        laplace = self.laplace
        return transform_curves(
            value, noise - laplace["pivot_mode"][self._n_law :], self._expected, self.mean,
            self.spread, *(laplace[name] for name in CURVE_WHITENING_ARRAYS),
        )  # fmt: skip

    @cached_property
    def _expected(self) -> Any:
        """What is expected of each curve, in the coordinates in which all is expected of it."""
        mean = self._rows(self.mean)
        there = self.system.to_pivot(mean, self.frame, dict.fromkeys(mean, 0.0))
        same = all(there[name] is mean[name] for name in mean)
        return self.mean if same else _stacked(there)

    def _frame(self, near: Any) -> Frame:
        return replace(self.frame, near=self._rows(near))

    def _rows(self, values: Any) -> dict[str, Any]:
        return {name: values[row] for row, name in enumerate(self.system.roles)}


@dataclass(frozen=True)
class PopulationWhitening:
    """Standard coordinates of a population, given how far its curves and groups are apart.

    The less they differ, the better the curves tell their population: a funnel again. Its
    coordinates are those at the pivot of a typical curve, where it is no narrow ridge.

    Parameters
    ----------
    system : Coordinates
        Of the law.
    mean, sd : array or tensor (parameters,)
        Prior.
    spread : array or tensor (spreads,)
        Of each parameter between curves, then those between the levels of groups.
    typical : mapping of str to array or tensor
        The numbers of `bayeslaw._inference.laplace.TypicalCurve`.
    frame : Frame
        Where a typical curve was observed.
    """

    system: Coordinates
    mean: Any
    sd: Any
    spread: Any
    typical: Mapping[str, Any]
    frame: Frame

    def forward(self, value: Any) -> Any:
        """The population from standard coordinates."""
        return self._moved(self.system.from_pivot, self._settled(value)[0])

    def log_jacobian(self, value: Any) -> Any:
        """Log determinant of `forward`: all but the settling is shears."""
        return self._settled(value)[1]

    def _settled(self, value: Any) -> Any:
        """As `bayeslaw._kernels.population_transform.transform_population`."""
        model_data = [self.typical[name] for name in POPULATION_WHITENING_ARRAYS]
        return transform_population(value, self.spread, self._prior, self.sd, *model_data)

    @cached_property
    def _prior(self) -> Any:
        return self._moved(self.system.to_pivot, self.mean)

    def _moved(self, change: Any, values: Any) -> Any:
        # Other coordinates than sums of terms do not reach every population.
        if not isinstance(self.system, SumOfTerms):
            return values
        rows = {name: values[row] for row, name in enumerate(self.system.roles)}
        law = _stacked(change(rows, self.frame, dict.fromkeys(rows, 1.0)))
        return _joined([law, values[len(rows) :]])


def _is_graph(values: Any) -> bool:
    return isinstance(values, Variable)


def _joined(parts: Sequence[Any]) -> Any:
    return pt.concatenate(parts) if _is_graph(parts[0]) else np.concatenate(parts)


def _stacked(rows: Mapping[str, Any]) -> Any:
    parts = list(rows.values())
    return pt.stack(parts) if _is_graph(parts[0]) else np.stack(parts)


def _summed(values: Any) -> Any:
    return values.sum() if _is_graph(values) else np.sum(values)
