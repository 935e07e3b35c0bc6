"""Entry points of compiled densities: C functions with stable names, which the disk remembers."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numba
import numpy as np
from nutpie.compile_pymc import address_as_void_pointer
from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS, compile_numba_function_src

__all__ = ["ArrayType", "compile_entry_points"]


class ArrayType(NamedTuple):
    """Type and number of dimensions of an array."""

    dtype: str
    ndim: int


def compile_entry_points(
    inner: Any, kinds: Sequence[ArrayType], key: str | None = None
) -> tuple[Any, Any, Any]:
    """The C functions that nutpie calls; the table holds addresses and shapes of the data.

    Parameters
    ----------
    inner : compiled function, optional
        Of a point and the data; density, gradient and variables. None asks for what was kept.
    kinds : sequence of Kind
        Types of the data.
    key : str, optional
        Under which the disk remembers them; by the text of all that they call unless given.

    Returns
    -------
    tuple
        ``(n, point, gradient, density, table) -> status``,
        ``(n, m, point, variables, table) -> status``, and what both call, which must live as long.

    Raises
    ------
    LookupError
        If what was asked for is not kept.
    """
    lines, slot = [], 0
    for i, kind in enumerate(kinds):
        shape = "".join(f"table[{slot + 1 + axis}], " for axis in range(kind.ndim))
        lines.append(f"    data_{i} = carray(pointer(table[{slot}]), ({shape}), dtype_{i})")
        slot += 1 + kind.ndim
    before = "\n".join([f"    table = carray(table_, ({max(slot, 1)},))", *lines])
    arguments = "".join(f", data_{i}" for i in range(len(kinds)))
    # One function is compiled for both, as it holds all that PyTensor's calls: it writes the
    # variables, or if there is room for none density and gradient.
    both = f"""
def both(n, m, point_, gradient_, value_, out_, table_):
    point, gradient, value = carray(point_, (n,)), carray(gradient_, (n,)), carray(value_, (1,))
    out = carray(out_, (m,))
{before}
    result, slope, variables = inner(point{arguments})
    if m > 0:
        for i in range(m):
            out[i] = variables[i]
        return 0
    value[0] = result.item()
    finite = isfinite(value[0])
    for i in range(n):
        gradient[i] = slope[i]
        finite = finite and isfinite(slope[i])
    return 0 if finite else 3
"""
    called = key or _cache_key(inner) or secrets.token_hex()  # what has no key is not found again
    names = {"inner": _unwrapped(inner)}
    names |= {f"dtype_{i}": np.dtype(kind.dtype) for i, kind in enumerate(kinds)}
    with _little_optimised():
        entry = _entry(both, "both", names, BOTH, called)
        symbol = f"bayeslaw_{called}"
        llvm.add_symbol(symbol, entry.address)
        names = {"both": numba.types.ExternalFunction(symbol, BOTH)}
        return (
            _entry(DENSITY, "density", names, STATUS(SIZE, *[REALS] * 3, TABLE), called),
            _entry(VARIABLES, "variables", names, STATUS(SIZE, SIZE, *[REALS] * 2, TABLE), called),
            entry,
        )


REALS, TABLE = numba.types.CPointer(numba.types.double), numba.types.CPointer(numba.types.int64)
SIZE, STATUS = numba.types.uint64, numba.types.int64
BOTH = STATUS(SIZE, SIZE, *[REALS] * 4, TABLE)
DENSITY = """
def density(n, point, gradient, value, table):
    return both(n, 0, point, gradient, value, gradient, table)
"""
VARIABLES = """
def variables(n, m, point, out, table):
    return both(n, m, point, out, out, out, table)
"""


@contextmanager
def _little_optimised() -> Iterator[None]:
    """Compile at LLVM's first level: a third faster, and a gradient takes as long as at the third.

    What takes time in it are logarithms, exponentials and the recursion, which no level changes.
    """
    config: Any = numba.config
    before = config.OPT
    config.OPT = min(before, type(before)(1))
    try:
        yield
    finally:
        config.OPT = before


def _entry(source: str, name: str, names: Mapping[str, Any], signature: Any, called: str) -> Any:
    # The key under which the compiled entry is kept: its own text and that of what it calls.
    told = __name__ + source + repr(signature) + called
    key = hashlib.sha256(told.encode()).hexdigest()
    carray, pointer = numba.carray, address_as_void_pointer
    namespace = {"carray": carray, "pointer": pointer, "isfinite": np.isfinite, **names}
    namespace["__name__"] = __name__  # kept code is loaded back into a module
    function = compile_numba_function_src(source, name, namespace, cache_key=key)
    try:
        return numba.cfunc(signature, cache=True)(function)
    except numba.errors.TypingError:
        if names.get("inner", ...) is None:
            raise LookupError(f"{name} is not kept under {called}") from None
        raise


def _unwrapped(inner: Any) -> Any:
    """The compiled function that PyTensor's only hands its arguments to, to compile one less."""
    return inner and inner.py_func.__globals__.get("jitable_func", inner)


def _cache_key(inner: Any) -> str | None:
    return None if inner is None else CACHED_SRC_FUNCTIONS.get(inner.py_func)
