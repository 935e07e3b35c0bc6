"""Entry points of compiled densities: C functions with stable names, which the disk remembers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from nutpie.compile_pymc import address_as_void_pointer
from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS, compile_numba_function_src

__all__ = ["Kind", "entries"]


class Kind(NamedTuple):
    """Type and number of dimensions of an array."""

    dtype: str
    ndim: int


def entries(inner: Any, kinds: Sequence[Kind], key: str | None = None) -> tuple[Any, Any]:
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
        ``(n, point, gradient, density, table) -> status`` and
        ``(n, m, point, variables, table) -> status``.

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
    density = f"""
def density(n, point_, gradient_, value_, table_):
    point, gradient, value = carray(point_, (n,)), carray(gradient_, (n,)), carray(value_, (1,))
{before}
    result, slope, variables = inner(point{arguments})
    value[0] = result.item()
    finite = isfinite(value[0])
    for i in range(n):
        gradient[i] = slope[i]
        finite = finite and isfinite(slope[i])
    return 0 if finite else 3
"""
    variables = f"""
def variables(n, m, point_, out_, table_):
    point, out = carray(point_, (n,)), carray(out_, (m,))
{before}
    result, slope, variables = inner(point{arguments})
    for i in range(m):
        out[i] = variables[i]
    return 0
"""
    names = {"inner": inner, **{f"dtype_{i}": np.dtype(x.dtype) for i, x in enumerate(kinds)}}
    double, integer = numba.types.CPointer(numba.types.double), numba.types.uint64
    table, status = numba.types.CPointer(numba.types.int64), numba.types.int64
    called = key or str(_cache_key(inner))
    return (
        _entry(density, "density", names, status(integer, double, double, double, table), called),
        _entry(
            variables, "variables", names, status(integer, integer, double, double, table), called
        ),
    )


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
        if names["inner"] is None:
            raise LookupError(f"{name} is not kept under {called}") from None
        raise


def _cache_key(inner: Any) -> str | None:
    return None if inner is None else CACHED_SRC_FUNCTIONS.get(inner.py_func)
