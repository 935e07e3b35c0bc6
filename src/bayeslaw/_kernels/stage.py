"""Stages of the log density: functions of named arrays, each called by its address.

The log density is a chain of stages, forward, and of their adjoints, in reverse: a tape written by
hand. A stage says what it reads and writes by the names of its arguments. Their addresses and
shapes come in a table of integers, a row of four per argument, so that a stage is compiled once for
all models and runs. Data are the same for all chains; what a stage computes is in scratch memory,
which belongs to one evaluation, and of which the table has offsets.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, NamedTuple, get_type_hints

import numba
import numpy as np

from bayeslaw._kernels.call import integers_at, reals_at
from bayeslaw._kernels.jit import compiled_source, kernel

__all__ = ["ROW", "Cube", "IndexMatrix", "Indices", "Matrix", "Stage", "Vector", "stage"]

ROW = 4  # integers per argument: address or offset, and up to three lengths
STAGE = numba.types.void(numba.types.int64, numba.types.int64)


class ArrayType(NamedTuple):
    """Type of the elements and number of dimensions of an argument."""

    dtype: str
    ndim: int


Vector = Annotated[np.ndarray, ArrayType("float64", 1)]
Matrix = Annotated[np.ndarray, ArrayType("float64", 2)]
Cube = Annotated[np.ndarray, ArrayType("float64", 3)]
Indices = Annotated[np.ndarray, ArrayType("int64", 1)]
IndexMatrix = Annotated[np.ndarray, ArrayType("int64", 2)]


@dataclass(frozen=True)
class Stage:
    """A kernel that writes to some of its arguments, and the types of its arguments by name."""

    kernel: Any
    arguments: dict[str, ArrayType]

    def __call__(self, *arguments: np.ndarray) -> None:
        """Run the kernel on arrays."""
        self.kernel(*arguments)

    @property
    def name(self) -> str:
        """Its name, for messages and for the key of its machine code."""
        return f"{self.kernel.__module__}.{self.kernel.__name__}"

    @cached_property
    def compiled(self) -> Any:
        """A C function of the addresses of the stage's table and of the scratch memory."""
        names = {"kernel": self.kernel, "reals_at": reals_at, "integers_at": integers_at}
        return compiled_source(_source(self.arguments), "entry", names, STAGE, self.name)


def stage(function: Callable[..., None]) -> Stage:
    """A stage from a function whose annotations are types of arrays."""
    hints = get_type_hints(function, include_extras=True)
    names = inspect.signature(function).parameters
    return Stage(kernel(function), {name: hints[name].__metadata__[0] for name in names})


def _source(arguments: dict[str, ArrayType]) -> str:
    lines = []
    for i, (name, (dtype, ndim)) in enumerate(arguments.items()):
        row = [f"table[{ROW * i + j}]" for j in range(ndim + 1)]
        pointer = "reals_at" if dtype == "float64" else "integers_at"
        # Offsets are negative: -1 is the first byte of the scratch memory.
        lines += [
            f"    at = {row[0]} if {row[0]} >= 0 else scratch - 1 - {row[0]}",
            f"    {name} = carray({pointer}(at), ({', '.join(row[1:])},))",
        ]
    body = "\n".join(lines)
    return f"""
def entry(table_address, scratch):
    table = carray(integers_at(table_address), ({ROW * len(arguments)},))
{body}
    kernel({", ".join(arguments)})
"""
