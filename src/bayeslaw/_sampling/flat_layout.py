"""The flat layout of a draw: how the variables of a model follow each other in one vector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["FlatLayout"]

type Shape = tuple[int, ...]


@dataclass(frozen=True)
class FlatLayout:
    """Variables by name and shape, in order.

    Parameters
    ----------
    unknowns : mapping of str to tuple of int
        What is sampled: together, a point of the unconstrained space.
    variables : mapping of str to tuple of int
        What is recorded in a draw; longer than a point, as some variables may be fixed.
    """

    unknowns: Mapping[str, Shape]
    variables: Mapping[str, Shape]

    @property
    def n_unknowns(self) -> int:
        """Length of a point."""
        return sum(map(math.prod, self.unknowns.values()))

    @property
    def width(self) -> int:
        """Length of a draw."""
        return sum(map(math.prod, self.variables.values()))

    def split(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Variables of draws (..., width), each of its own shape."""
        ends = np.cumsum([math.prod(shape) for shape in self.variables.values()])[:-1]
        parts = np.split(rows, ends, axis=-1)
        return {
            name: part.reshape(*rows.shape[:-1], *shape)
            for (name, shape), part in zip(self.variables.items(), parts, strict=True)
        }
