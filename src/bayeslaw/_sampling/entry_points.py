"""Entry points of compiled densities: cached C functions with stable names, which nutpie calls."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numba
import numpy as np
from numba.core.caching import CacheImpl
from nutpie.compile_pymc import address_as_void_pointer
from pytensor.link.numba.cache import (
    CACHED_SRC_FUNCTIONS,
    NumbaPyTensorCacheLocator,
    compile_numba_function_src,
)

from bayeslaw._disk.compile_folder import compile_folder

__all__ = ["ArrayType", "checked_code", "compile_entry_points"]


class ArrayType(NamedTuple):
    """Type and number of dimensions of an array."""

    dtype: str
    ndim: int


def compile_entry_points(
    inner: Any, types: Sequence[ArrayType], key: str | None = None
) -> tuple[Any, Any, Any]:
    """The C functions that nutpie calls, compiled or from the cache.

    `inner` is the compiled function of a point and the data, which returns log density, gradient
    and recorded variables; None takes what is cached under `key`, and raises LookupError if there
    is nothing. Returns ``(n, point, gradient, density, table) -> status``,
    ``(n, m, point, variables, table) -> status``, and the function that both call, which must
    live as long. The table holds addresses and shapes of the data, whose types are `types`.
    """
    inner_key = key or _cache_key(inner) or secrets.token_hex()  # random: not cached
    names = {"inner": _unwrapped(inner)}
    names |= {f"dtype_{i}": np.dtype(array_type.dtype) for i, array_type in enumerate(types)}
    with checked_code(), _light_optimisation():
        compiled = _entry_point(_source(types), "evaluate", names, EVALUATE, inner_key)
        symbol = f"bayeslaw_{inner_key}"
        llvm.add_symbol(symbol, compiled.address)
        names = {"evaluate": numba.types.ExternalFunction(symbol, EVALUATE)}
        return (
            _entry_point(DENSITY_SOURCE, "density", names, DENSITY, inner_key),
            _entry_point(VARIABLES_SOURCE, "variables", names, VARIABLES, inner_key),
            compiled,
        )


REALS, TABLE = numba.types.CPointer(numba.types.double), numba.types.CPointer(numba.types.int64)
SIZE, STATUS = numba.types.uint64, numba.types.int64
EVALUATE = STATUS(SIZE, SIZE, *[REALS] * 4, TABLE)
DENSITY = STATUS(SIZE, *[REALS] * 3, TABLE)
VARIABLES = STATUS(SIZE, SIZE, *[REALS] * 2, TABLE)
DENSITY_SOURCE = """
def density(n, point, gradient, value, table):
    return evaluate(n, 0, point, gradient, value, gradient, table)
"""
VARIABLES_SOURCE = """
def variables(n, m, point, out, table):
    return evaluate(n, m, point, out, out, out, table)
"""


def _source(types: Sequence[ArrayType]) -> str:
    """Source of the one function behind both entry points, as it contains all that PyTensor calls.

    It writes the variables or, if m is 0, density and gradient.
    """
    lines, slot = [], 0
    for i, array_type in enumerate(types):
        axes = range(array_type.ndim)
        shape = "".join(f"table[{slot + 1 + axis}], " for axis in axes)
        lines.append(f"    data_{i} = carray(pointer(table[{slot}]), ({shape}), dtype_{i})")
        slot += 1 + array_type.ndim
    data = "\n".join([f"    table = carray(table_, ({max(slot, 1)},))", *lines])
    arguments = "".join(f", data_{i}" for i in range(len(types)))
    return f"""
def evaluate(n, m, point_, gradient_, value_, out_, table_):
    point, gradient, value = carray(point_, (n,)), carray(gradient_, (n,)), carray(value_, (1,))
    out = carray(out_, (m,))
{data}
    log_density, slopes, variables = inner(point{arguments})
    if m > 0:
        for i in range(m):
            out[i] = variables[i]
        return 0
    value[0] = log_density.item()
    finite = isfinite(value[0])
    for i in range(n):
        gradient[i] = slopes[i]
        finite = finite and isfinite(slopes[i])
    return 0 if finite else 3
"""


class _CheckedLocator(NumbaPyTensorCacheLocator):
    """Locates what PyTensor generates for the package in its folder of compiled code."""

    def get_cache_path(self) -> Path:
        return compile_folder()

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> NumbaPyTensorCacheLocator | None:
        return super().from_function(py_func, py_file) if _is_checked.get() else None


_is_checked: ContextVar[bool] = ContextVar("_is_checked", default=False)
CacheImpl._locator_classes.insert(0, _CheckedLocator)


@contextmanager
def checked_code() -> Iterator[None]:
    """Compile with the package's folder of compiled code; other models have PyTensor's."""
    token = _is_checked.set(True)
    try:
        yield
    finally:
        _is_checked.reset(token)


@contextmanager
def _light_optimisation() -> Iterator[None]:
    """Compile at LLVM's level 1: a third faster than at level 3, for equally fast gradients.

    A gradient spends its time in logarithms, exponentials and the Kalman recursion, which no level
    speeds up.
    """
    config: Any = numba.config
    before = config.OPT
    config.OPT = min(before, type(before)(1))
    try:
        yield
    finally:
        config.OPT = before


def _entry_point(
    source: str, name: str, names: Mapping[str, Any], signature: Any, inner_key: str
) -> Any:
    # The cache key is a hash of the source of the entry point and of all that it calls.
    text = __name__ + source + repr(signature) + inner_key
    key = hashlib.sha256(text.encode()).hexdigest()
    carray, pointer = numba.carray, address_as_void_pointer
    namespace = {"carray": carray, "pointer": pointer, "isfinite": np.isfinite, **names}
    namespace["__name__"] = __name__  # cached code is loaded into a module
    function = compile_numba_function_src(source, name, namespace, cache_key=key)
    try:
        return numba.cfunc(signature, cache=True)(function)
    except numba.errors.TypingError:
        if names.get("inner", ...) is None:
            raise LookupError(f"{name} is not cached under {inner_key}") from None
        raise


def _unwrapped(inner: Any) -> Any:
    """The function inside PyTensor's wrapper, so that there is one less to compile."""
    return inner and inner.py_func.__globals__.get("jitable_func", inner)


def _cache_key(inner: Any) -> str | None:
    return None if inner is None else CACHED_SRC_FUNCTIONS.get(inner.py_func)
