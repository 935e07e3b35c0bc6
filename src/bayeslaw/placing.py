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

from bayeslaw.coordinates import Coordinates, Frame

__all__ = ["Placing", "given_noise"]


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
