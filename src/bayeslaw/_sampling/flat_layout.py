"""The flat layout of a draw: how the variables of a model follow each other in one vector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

__all__ = ["ArraySource", "FlatLayout"]


class ArraySource(Protocol):
    """Arrays and dimension lengths by name, such as `ModelData`."""

    @property
    def names(self) -> frozenset[str]:
        """All names."""
        ...

    def __getitem__(self, name: str) -> np.ndarray:
        """The array of a name."""
        ...


@dataclass(frozen=True)
class FlatLayout:
    """The order of the variables in flat vectors, by name and dimensions.

    Parameters
    ----------
    free_variables : tuple of (str, tuple of str)
        The variables that are sampled, which make up a point of the unconstrained space.
    variables : tuple of (str, tuple of str)
        The variables that are recorded in a draw.
    initial_values : tuple of array
        Initial values of the free variables in the model that was compiled.
    """

    free_variables: tuple[tuple[str, tuple[str, ...]], ...]
    variables: tuple[tuple[str, tuple[str, ...]], ...]
    initial_values: tuple[np.ndarray, ...]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> FlatLayout:
        """A layout from what `to_record` returned."""
        free_variables, variables = (
            tuple((name, tuple(dims)) for name, dims in record[part])
            for part in ("free_variables", "variables")
        )
        initial_values = tuple(np.array(value) for value in record["initial_values"])
        return cls(free_variables, variables, initial_values)

    def to_record(self) -> dict[str, Any]:
        """The layout as JSON types."""
        return {**vars(self), "initial_values": [value.tolist() for value in self.initial_values]}

    def initial_point(self, model_data: ArraySource) -> np.ndarray:
        """A point (unknowns,) to start near, for other data."""
        parts = zip(self.free_variables, self.initial_values, strict=True)
        return np.concatenate(
            [_initial_value(*variable, value, model_data) for variable, value in parts]
        )

    def width(self, model_data: ArraySource) -> int:
        """Length of a draw; it may be longer than a point, as some variables may be fixed."""
        return sum(math.prod(_shape(dims, model_data)) for _, dims in self.variables)

    def split(self, rows: np.ndarray, model_data: ArraySource) -> dict[str, np.ndarray]:
        """Variables of draws (..., width), each of its own shape."""
        shapes = [_shape(dims, model_data) for _, dims in self.variables]
        ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
        parts = np.split(rows, ends, axis=-1)
        return {
            name: part.reshape(*rows.shape[:-1], *shape)
            for (name, _), part, shape in zip(self.variables, parts, shapes, strict=True)
        }


def _shape(dims: tuple[str, ...], model_data: ArraySource) -> tuple[int, ...]:
    return tuple(int(model_data[dim]) for dim in dims)


def _initial_value(
    name: str, dims: tuple[str, ...], value: np.ndarray, model_data: ArraySource
) -> np.ndarray:
    if f"{name}_scale" in model_data.names:  # depends on the data, not on what was compiled
        return np.log(model_data[f"{name}_scale"])
    shape = _shape(dims, model_data)
    is_same = np.shape(value) == shape
    return np.ravel(value if is_same else np.full(shape, np.ravel(value)[0]))
