"""Compilation by Numba, with machine code on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numba

from bayeslaw._disk.compile_folder import compile_folder
from bayeslaw._disk.machine_code import N_KEY, set_cache_key

__all__ = ["SOURCE_HASH", "compiled_source", "inner_kernel", "is_on_disk", "kernel"]

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
    namespace = {"carray": numba.carray, "__name__": __name__, **names}
    exec(compile(source, f"<{what}>", "exec"), namespace)
    function = namespace[name]
    set_cache_key(function, _key(source, what))
    return numba.cfunc(signature, cache=True, **OPTIONS)(function)


def is_on_disk(source: str, name: str, what: str) -> bool:
    """Whether `compiled_source` finds machine code, unless it is damaged or of other versions."""
    return any(compile_folder().glob(f"*.{name}-{_key(source, what)[:N_KEY]}.*"))


def _key(source: str, what: str) -> str:
    """What machine code depends on, beside versions and processor."""
    return hashlib.sha256("\0".join([source, what, SOURCE_HASH]).encode()).hexdigest()
