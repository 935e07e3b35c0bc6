"""Laplace approximation of each curve by itself: MAP mode and Fisher information.

Nothing here enters the posterior. It only decides, curve by curve and parameter by parameter,
how far the whitened coordinates follow the data (centred) or the population (non-centred).
"""

from __future__ import annotations

from bayeslaw._inference.laplace.approximation import (
    LaplaceApproximation,
    laplace_approximation,
)
from bayeslaw._inference.laplace.local_expansion import LocalExpansion
from bayeslaw._inference.laplace.typical_curve import TypicalCurve

__all__ = [
    "LaplaceApproximation",
    "LocalExpansion",
    "TypicalCurve",
    "laplace_approximation",
]
