"""The catalogue of scaling laws: one function each, with its formula and its source."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeslaw.law import law
from bayeslaw.parameters import Amplitude, Exponent, Floor, Rate, Scale

__all__ = ["log_linear", "power", "pure_power"]


@law
def power(N: Any, *, L0: Floor, k: Amplitude, alpha: Exponent) -> Any:
    """Power law above an irreducible loss (Hestness et al. 2017; Henighan et al. 2020)."""
    return L0 + k * N**-alpha


@law(level=("N_c", lambda value, N, *, alpha: N * value ** (1 / alpha)))
def pure_power(N: Any, *, N_c: Scale, alpha: Exponent) -> Any:
    """Power law without a floor (Kaplan et al. 2020, eq. 1.1)."""
    return (N_c / N) ** alpha


@law(
    latex=r"a - b \log N",
    rescaling=lambda scale, *, a, b: {"a": a + b * np.log(scale)},
)
def log_linear(N: Any, *, a: Amplitude, b: Rate) -> Any:
    """Loss that falls by b with every e-fold of size (Domhan et al. 2015, ``logx_linear``)."""
    return a - b * np.log(N)
