"""Stages of the log density: functions of named arrays, each called by its address.

The log density is a chain of stages, forward, and of their adjoints, in reverse: a tape written by
hand. A stage says what it reads and writes by the names of its arguments. Their addresses and
shapes come in a table of integers, a row of four per argument, so that a stage is compiled once for
all models and runs. Data are the same for all chains; what a stage computes is in scratch memory,
which belongs to one evaluation, and of which the table has offsets.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, NamedTuple, get_type_hints

import numpy as np
from numba import types

from bayeslaw._kernels.call import ROW, arrays_in
from bayeslaw._kernels.jit import compiled_source, inner_kernel, is_on_disk

__all__ = [
    "Cube", "IndexMatrix", "Indices", "Matrix", "Place", "Stage", "Vector", "stage",
]  # fmt: skip

STAGE = types.void(types.int64, types.int64)
ENTRY = """
def entry(table, scratch):
    kernel(*arrays_in(table, scratch))
"""


class ArrayType(NamedTuple):
    """Type of the elements and number of dimensions of an argument."""

    dtype: str
    ndim: int


Vector = Annotated[np.ndarray, ArrayType("float64", 1)]
Matrix = Annotated[np.ndarray, ArrayType("float64", 2)]
Cube = Annotated[np.ndarray, ArrayType("float64", 3)]
Indices = Annotated[np.ndarray, ArrayType("int64", 1)]
IndexMatrix = Annotated[np.ndarray, ArrayType("int64", 2)]


class Place(NamedTuple):
    """Where an array is, as an address or -1 - offset in scratch memory, and its shape."""

    at: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Stage:
    """A kernel that writes to some of its arguments, and the types of its arguments by name."""

    kernel: Any
    arguments: dict[str, ArrayType]

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Run the kernel on contiguous arrays by name."""
        for name, kind in self.arguments.items():
            if arrays[name].dtype != kind.dtype or not arrays[name].flags.c_contiguous:
                raise ValueError(f"{self.name}: {name} is not contiguous {kind.dtype}")
        places = {name: Place(values.ctypes.data, values.shape) for name, values in arrays.items()}
        table = self.table(places)  # in a variable, so that it lives as long as the call
        self.compiled.ctypes(table.ctypes.data, 0)

    def table(self, places: Mapping[str, Place]) -> np.ndarray:
        """Table of its arguments: place and shape of each."""
        rows = np.zeros((len(self.arguments), ROW), dtype=np.int64)
        for row, (name, kind) in zip(rows, self.arguments.items(), strict=True):
            at, shape = places[name]
            if len(shape) != kind.ndim:
                raise ValueError(
                    f"{self.name}: {name} has shape {shape}, not {kind.ndim} dimensions"
                )
            row[: kind.ndim + 1] = at, *shape
        return rows

    @property
    def name(self) -> str:
        """Its name, for messages and for the key of its machine code."""
        return f"{self.kernel.__module__}.{self.kernel.__name__}"

    @property
    def is_on_disk(self) -> bool:
        """Whether its machine code is on disk."""
        return is_on_disk(ENTRY, "entry", self.name)

    @property
    def is_compiled(self) -> bool:
        """Whether its machine code is in this process or on disk, which takes longer to find."""
        return "compiled" in vars(self) or self.is_on_disk

    @cached_property
    def compiled(self) -> Any:
        """A C function of the addresses of the stage's table and of the scratch memory."""
        kinds = [types.Array(getattr(types, a.dtype), a.ndim, "C") for a in self.arguments.values()]
        names = {"kernel": self.kernel, "arrays_in": arrays_in(kinds)}
        return compiled_source(ENTRY, "entry", names, STAGE, self.name)


def stage(function: Callable[..., None]) -> Stage:
    """A stage from a function whose annotations are types of arrays."""
    hints = get_type_hints(function, include_extras=True)
    names = inspect.signature(function).parameters
    return Stage(inner_kernel(function), {name: hints[name].__metadata__[0] for name in names})
