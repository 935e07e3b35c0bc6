"""The curvature law: power laws, with or without a floor, and the log-linear law in one family."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from bayeslaw._law.law import law
from bayeslaw._law.roles import IDENTITY, Amplitude, Rate, Reference, Role
from bayeslaw.priors import HalfNormal, Normal

__all__ = ["curvature"]

Curvature = Annotated[
    Any,
    Role("Curvature", IDENTITY, Normal(1.0, 2.0), HalfNormal(0.5), "how the fall slows down"),
]
TINY = 1e-16  # changes the ratio by a sixth of this; keeps its slope at zero finite


def _relative_growth(z: Any) -> Any:
    """``(exp(z) - 1) / z``, smooth at zero, for arrays and tensors."""
    half = np.sqrt(z**2 / 4 + TINY)
    return np.exp(z / 2) * (np.expm1(half) - np.expm1(-half)) / (2 * half)


def _recentre(log_ratio: Any, *, m: Any, s: Any, kappa: Any) -> dict[str, Any]:
    exponent = kappa * s / m
    response = m - s * log_ratio * _relative_growth(-exponent * log_ratio)
    slope = s * np.exp(-exponent * log_ratio)
    return {"m": response, "s": slope, "kappa": exponent * response / slope}


@law(
    latex=r"m - s \frac{1 - e^{-a u}}{a}, \quad a = \kappa s / m, \quad u = \log(N / N_0)",
    recentring=("m", "s", _recentre),
    regions={
        "kappa": {
            "faster than log-linear": (-math.inf, -0.25),
            "log-linear": (-0.25, 0.25),
            "between log-linear and power law": (0.25, 1.0),
            "power law with a floor": (1.0, math.inf),
        }
    },
)
def curvature(N: Any, *, m: Amplitude, s: Rate, kappa: Curvature, N_0: Reference) -> Any:
    """Power law and log-linear law in one family, by curvature (after Hoffmann et al. 2022).

    The response at N_0 is m, its decrease per e-fold of N there is s, and kappa is the curvature:
    0 is the log-linear law, 1 the power law that falls to zero, and above 1 a power law with a
    positive floor ``m (1 - 1 / kappa)``; the exponent is ``kappa s / m``. kappa refers to N_0, the
    reference scale of the runs unless it is given.
    """
    u = np.log(N / N_0)
    return m - s * u * _relative_growth(-kappa * s / m * u)
