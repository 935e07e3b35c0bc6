"""Compilation of the kernels by Numba, with machine code on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

__all__ = ["SOURCE_HASH", "kernel"]

_FILES = sorted(Path(__file__).parent.glob("*.py"))
SOURCE_HASH = hashlib.sha256(b"".join(path.read_bytes() for path in _FILES)).hexdigest()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function, cached on disk under the source of all kernels."""
    # Numba compares the function's own file only: it would go on running machine code that
    # contains a function of another file as it was before a change.
    function.__qualname__ += f"_{SOURCE_HASH[:12]}"
    return numba.njit(cache=True, error_model="numpy")(function)
