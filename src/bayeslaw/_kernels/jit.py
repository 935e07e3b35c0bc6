"""Compilation by Numba, with machine code on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numba

from bayeslaw._disk.machine_code import set_cache_key

__all__ = ["SOURCE_HASH", "compiled_source", "inner_kernel", "kernel"]

_FILES = sorted(Path(__file__).parent.rglob("*.py"))
SOURCE_HASH = hashlib.sha256(b"".join(path.read_bytes() for path in _FILES)).hexdigest()
OPTIONS: Mapping[str, Any] = {"error_model": "numpy"}  # division by zero is infinite


def kernel(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function, cached on disk under the source of all kernels."""
    # Numba compares the function's own file only: it would go on running machine code that
    # contains a function of another file as it was before a change.
    function.__qualname__ += f"_{SOURCE_HASH[:12]}"
    return numba.njit(cache=True, **OPTIONS, **options)(function)


def inner_kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that kernels call, and Python does not: in five sixths of the time."""
    return kernel(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def compiled_source(
    source: str, name: str, names: Mapping[str, Any], signature: Any, what: str
) -> Any:
    """A C function from source text, cached on disk under the text and the source of all kernels.

    `names` are what the text refers to beside `carray` and `math`; `what` says which they are.
    """
    key = hashlib.sha256("\0".join([source, what, SOURCE_HASH]).encode()).hexdigest()
    namespace = {"carray": numba.carray, "__name__": __name__, **names}
    exec(compile(source, f"<{what}>", "exec"), namespace)
    function = namespace[name]
    set_cache_key(function, key)
    return numba.cfunc(signature, cache=True, **OPTIONS)(function)
