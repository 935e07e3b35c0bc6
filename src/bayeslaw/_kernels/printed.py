"""Printed functions, compiled: one per law, coordinate system, kind of noise or prior."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numba
import numpy as np

from bayeslaw._kernels.call import integers_at, reals_at
from bayeslaw._kernels.jit import compiled_source, inner_kernel

__all__ = ["compiled_function"]

PRINTED = numba.types.void(*[numba.types.int64] * 7)


@inner_kernel
def _sign(x):
    return math.copysign(1.0, x) if abs(x) > 0 else x


@inner_kernel
def _softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@inner_kernel
def _log1mexp(x):
    """Log of 1 - exp(x), for negative x."""
    return math.log(-math.expm1(x)) if x > -0.6931471805599453 else math.log1p(-math.exp(x))


@inner_kernel
def _digamma(x):
    """Derivative of the log gamma function of a positive number: recurrence, asymptotic series."""
    if not x > 0:
        return math.nan
    total = 0.0
    while x < 10.0:
        total -= 1 / x
        x += 1.0
    square = 1 / (x * x)
    rest = 1 / 252 - square * (1 / 240 - square / 132)
    tail = square * (1 / 12 - square * (1 / 120 - square * rest))
    return total + math.log(x) - 1 / (2 * x) - tail


NAMES = {
    "math": math, "np": np, "integers_at": integers_at, "reals_at": reals_at, "sign": _sign,
    "softplus": _softplus, "log1mexp": _log1mexp, "digamma": _digamma,
}  # fmt: skip


@lru_cache(maxsize=256)
def compiled_function(source: str) -> Any:
    """The C function of a source text, as `bayeslaw._kernels.call.apply` calls it."""
    return compiled_source(source, "entry", NAMES, PRINTED, "printed")
