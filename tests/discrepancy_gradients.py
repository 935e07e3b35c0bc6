"""The density of residuals with a discrepancy and its gradients, in arrays of their own."""

from __future__ import annotations

from typing import Any

import numpy as np


def value_and_gradients(
    kernels: Any, residual: np.ndarray, noise_variance: np.ndarray, tau2: np.ndarray, *layout: Any
) -> tuple[np.ndarray, ...]:
    """Log density by the kernels of a module; gradients by residual, noise variance and tau2."""
    out = np.zeros(residual.shape), np.zeros(residual.shape), np.zeros(tau2.shape)
    total = kernels.write_gradients(residual, noise_variance, tau2, layout, out)
    return np.asarray(total), *out
