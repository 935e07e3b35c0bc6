"""Dense covariances, written apart from the code that several test files check with them."""

from __future__ import annotations

import numpy as np


def brownian(position: np.ndarray, curve: np.ndarray, tau2: np.ndarray) -> np.ndarray:
    """Covariance of a sum of two-sided Brownian motions, one per row of the positions.

    Positions (predictors, places) of places in curves (places,), with tau squared (predictors,
    curves).
    """
    out = np.zeros((curve.size, curve.size))
    for u, scale in zip(position, tau2, strict=True):
        together = (curve[:, None] == curve) & (np.sign(u)[:, None] == np.sign(u))
        out += together * scale[curve] * np.minimum(np.abs(u)[:, None], np.abs(u))
    return out
