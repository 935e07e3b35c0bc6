"""Entry points of the log density, which run its stages: C functions, the same for every model.

The program is a table of integers: the length of scratch memory, how much of it starts at zero, the
numbers of forward stages, of all stages and of those that give the recorded variables; then for
each stage its address and that of the table of its arguments. Scratch memory begins with the
point, its gradient, log prior, log likelihood and the recorded variables. It belongs to one call,
so that chains can share the program.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np

from bayeslaw._kernels.call import call_stage
from bayeslaw._kernels.jit import compiled_source, inner_kernel

__all__ = ["HEAD", "density_entry_point", "variables_entry_point"]

HEAD = 5  # integers before the stages
REALS, TABLE = numba.types.CPointer(numba.types.double), numba.types.CPointer(numba.types.int64)
SIZE, STATUS = numba.types.uint64, numba.types.int64
NOT_FINITE = 3  # status that nutpie takes for a divergence


@inner_kernel
def _run(program, first, last, scratch):
    """Run some of the stages."""
    for k in range(first, last):
        call_stage(program[HEAD + 2 * k], (program[HEAD + 2 * k + 1], scratch.ctypes.data))


@inner_kernel
def _scratch(program, point):
    """Scratch memory that begins with a point."""
    scratch = np.empty(program[0])
    for i in range(program[1]):
        scratch[i] = 0.0
    for i in range(point.shape[0]):
        scratch[i] = point[i]
    return scratch


@inner_kernel
def run_density(n, point, gradient, value, program):
    """Write log density and gradient; the status is not zero where they are not finite."""
    scratch = _scratch(program, point)
    _run(program, 0, program[3], scratch)
    value[0] = scratch[2 * n] + scratch[2 * n + 1]
    finite = np.isfinite(value[0])
    for i in range(n):
        gradient[i] = scratch[n + i]
        finite = finite and np.isfinite(gradient[i])
    return 0 if finite else NOT_FINITE


@inner_kernel
def run_variables(n, point, out, program):
    """Write the recorded variables."""
    scratch = _scratch(program, point)
    _run(program, 0, program[4], scratch)
    for i in range(out.shape[0]):
        out[i] = scratch[2 * n + 2 + i]
    return 0


DENSITY = """
def entry(n, point, gradient, value, table):
    program = carray(table, (HEAD + 2 * carray(table, (HEAD,))[3],))
    return run(n, carray(point, (n,)), carray(gradient, (n,)), carray(value, (1,)), program)
"""
VARIABLES = """
def entry(n, m, point, out, table):
    program = carray(table, (HEAD + 2 * carray(table, (HEAD,))[3],))
    return run(n, carray(point, (n,)), carray(out, (m,)), program)
"""


@cache
def density_entry_point() -> Any:
    """``(n, point, gradient, value, program) -> status``."""
    names = {"run": run_density, "HEAD": HEAD}
    return compiled_source(DENSITY, "entry", names, STATUS(SIZE, *[REALS] * 3, TABLE), "density")


@cache
def variables_entry_point() -> Any:
    """``(n, m, point, variables, program) -> status``."""
    names = {"run": run_variables, "HEAD": HEAD}
    return compiled_source(
        VARIABLES, "entry", names, STATUS(SIZE, SIZE, *[REALS] * 2, TABLE), "variables"
    )
