"""Coordinates in which curves are near standard normal a posteriori, whatever their population is.

What a curve says of its law is taken to be normal around its own mode (see `bayeslaw.pilot`). Where
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
from typing import Any, NamedTuple

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from bayeslaw.coordinates import Coordinates, Frame, SumOfTerms

__all__ = ["Placing", "PlacingPopulation", "given_noise"]


class _Place(NamedTuple):
    """Where a block of coordinates is put: its middle and scale, and how much the data say.

    Parameters
    ----------
    middle, scale : array or tensor (parameters, curves)
        Of the coordinates.
    weight : array or tensor (parameters, curves)
        How far they are those at the pivot.
    """

    middle: Any
    scale: Any
    weight: Any

    @classmethod
    def of(cls, expected: Any, mode: Any, spread: Any, information: Any) -> _Place:
        """From what is expected towards the mode, as far as the data say more than the spread."""
        told = 1 + spread**2 * information
        weight = 1 - 1 / told
        return cls(expected + weight * (mode - expected), spread / np.sqrt(told), weight)


@dataclass(frozen=True)
class Placing:
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
        The numbers of `bayeslaw.pilot.Pilot`.
    frame : Frame
        Where the curves were observed.
    """

    system: Coordinates
    mean: Any
    spread: Any
    pilot: Mapping[str, Any]
    frame: Frame

    def theta(self, value: Any) -> Any:
        """Reference coordinates from standard ones."""
        place = self._noise
        noise = place.middle + place.scale * value[self._n_law :]
        place, frame = self._law(noise)
        eta = place.middle + place.scale * value[: self._n_law]
        law = self._mapped(self.system.from_pivot, eta, frame, place.weight)
        return _joined([law, noise])

    def value(self, theta: Any) -> Any:
        """Standard coordinates from reference ones."""
        law, noise = theta[: self._n_law], theta[self._n_law :]
        place, frame = self._law(noise)
        eta = self._mapped(self.system.to_pivot, law, frame, place.weight)
        beside = (noise - self._noise.middle) / self._noise.scale
        return _joined([(eta - place.middle) / place.scale, beside])

    def log_jacobian(self, value: Any) -> Any:
        """Log determinant of `theta`."""
        beside = self._noise
        noise = beside.middle + beside.scale * value[self._n_law :]
        place, frame = self._law(noise)
        eta = place.middle + place.scale * value[: self._n_law]
        bent = self.system.log_jacobian(self._rows(eta), frame, self._rows(place.weight))
        return np.log(place.scale).sum() + np.log(beside.scale).sum() + _summed(bent)

    @property
    def _n_law(self) -> int:
        return len(self.system.roles)

    @cached_property
    def _noise(self) -> _Place:
        numbers = self.mean, self.pilot["pivot_mode"], self.spread, self.pilot["pivot_information"]
        return _Place.of(*(each[self._n_law :] for each in numbers))

    def _law(self, noise: Any) -> tuple[_Place, Frame]:
        """The place of the law's coordinates given the noise, and what curves may be there."""
        n, pilot = self._n_law, self.pilot
        mean, spread = self.mean[:n], self.spread[:n]
        louder, moved = given_noise(
            pilot["noise_alone"], pilot["noise_share"], noise - pilot["pivot_mode"][n:]
        )
        told = pilot["pivot_information"][:n] * louder
        mode = pilot["pivot_mode"][:n] + moved * pilot["noise_shift"]
        # What the population holds of one parameter tells of the others, by what the curve says
        # of the coordinate that both are part of.
        held, bend = (told / (1 + spread**2 * told))[:, None], pilot["bend"]
        through = told + (bend**2 * held).sum(axis=0)
        pull = (bend * held * (mean - pilot["mode"][:n])[:, None]).sum(axis=0)
        weight = 1 - 1 / (1 + spread**2 * through)
        near = mean + weight * (pilot["mode"][:n] - mean)
        frame = replace(self.frame, near=self._rows(near))
        nowhere = dict.fromkeys(self.system.roles, 0.0)
        expected = self.system.to_pivot(self._rows(mean), frame, nowhere)
        return _Place.of(_stacked(expected), mode + pull / through, spread, through), frame

    def _mapped(self, change: Any, values: Any, frame: Frame, weight: Any) -> Any:
        return _stacked(change(self._rows(values), frame, self._rows(weight)))

    def _rows(self, values: Any) -> dict[str, Any]:
        return {name: values[row] for row, name in enumerate(self.system.roles)}


@dataclass(frozen=True)
class PlacingPopulation:
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
        The numbers of `bayeslaw.pilot.Typical`.
    frame : Frame
        Where a typical curve was observed.
    """

    system: Coordinates
    mean: Any
    sd: Any
    spread: Any
    typical: Mapping[str, Any]
    frame: Frame

    def center(self, value: Any) -> Any:
        """The population from standard coordinates."""
        middle, scale = self._place
        return self._moved(self.system.from_pivot, middle + scale * value)

    def value(self, center: Any) -> Any:
        """Standard coordinates of a population."""
        middle, scale = self._place
        return (self._moved(self.system.to_pivot, center) - middle) / scale

    def log_jacobian(self) -> Any:
        """Log determinant of `center`: all but the scale is shears."""
        return np.log(self._place[1]).sum()

    @cached_property
    def _place(self) -> tuple[Any, Any]:
        """Middle and scale given the spreads, each parameter by itself."""
        squares, mixed = self.spread**2, self.typical["typical_mixed"] ** 2
        own, groups = squares[: self._n_parameters], self.typical["level_share"] * squares
        each = 1 / ((mixed * own).sum(axis=1)[:, None] + 1 / self.typical["typical_information"])
        weight = each.sum(axis=1)
        found = (each * self.typical["typical_mode"]).sum(axis=1) / weight
        told = 1 / (1 / weight + (mixed * groups.sum(axis=1)).sum(axis=1))
        known = 1 / (mixed * self.sd**2).sum(axis=1)
        prior = self._moved(self.system.to_pivot, self.mean)
        return (known * prior + told * found) / (known + told), 1 / np.sqrt(known + told)

    @property
    def _n_parameters(self) -> Any:
        return self.mean.shape[0]

    def _moved(self, change: Any, values: Any) -> Any:
        # Other coordinates than sums of terms do not reach every population.
        if not isinstance(self.system, SumOfTerms):
            return values
        rows = {name: values[row] for row, name in enumerate(self.system.roles)}
        law = _stacked(change(rows, self.frame, dict.fromkeys(rows, 1.0)))
        return _joined([law, values[len(rows) :]])


def given_noise(alone: Any, share: Any, away: Any) -> tuple[Any, Any]:
    """What curves tell of the law where their noise is not what it is at the mode.

    A short curve hardly says how noisy it is, and the less noise the more it says of the law: a
    funnel, unless the sampler's coordinates know of it.

    Parameters
    ----------
    alone, share : array or tensor (parameters, noise parameters, curves)
        See `bayeslaw.pilot.Pilot`.
    away : array or tensor (noise parameters, curves)
        Logarithms of the parameters of the noise, relative to those at the mode.

    Returns
    -------
    tuple of array or tensor (parameters, curves)
        How many times more they tell than at the mode; and how far their mode has moved, in
        parts of ``noise_shift``.

    Examples
    --------
    >>> none, all = np.zeros((1, 1, 1)), np.ones((1, 1, 1))
    >>> louder, moved = given_noise(none, all, np.log([[2.0]]))
    >>> louder, moved
    (array([[0.25]]), array([[0.]]))
    """
    squares, part = np.exp(2 * away)[None], alone.sum(axis=1)
    first = (alone / squares).sum(axis=1)
    second = (1 - part) / (1 - share.sum(axis=1) + (share * squares).sum(axis=1))
    return first + second, (first / (first + second) - part) / (1 - part)


def _is_graph(values: Any) -> bool:
    return isinstance(values, Variable)


def _joined(parts: Sequence[Any]) -> Any:
    return pt.concatenate(parts) if _is_graph(parts[0]) else np.concatenate(parts)


def _stacked(rows: Mapping[str, Any]) -> Any:
    parts = list(rows.values())
    return pt.stack(parts) if _is_graph(parts[0]) else np.stack(parts)


def _summed(values: Any) -> Any:
    return values.sum() if _is_graph(values) else np.sum(values)
