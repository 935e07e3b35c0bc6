"""Dense covariances, independent of the package, to test it against."""

from __future__ import annotations

import numpy as np


def brownian(position: np.ndarray, curve: np.ndarray, tau2: np.ndarray) -> np.ndarray:
    """Covariance of a sum of two-sided Brownian motions, one per predictor, at points of curves.

    Positions (predictors, points), curves (points,), tau squared (predictors, curves).
    """
    out = np.zeros((curve.size, curve.size))
    for u, variance in zip(position, tau2, strict=True):
        same_side = (curve[:, None] == curve) & (np.sign(u)[:, None] == np.sign(u))
        out += same_side * variance[curve] * np.minimum(np.abs(u)[:, None], np.abs(u))
    return out
