"""How information and MAP mode of a curve change with the noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bayeslaw._inference.map_mode.problem import MapProblem

__all__ = ["LOG_NO_NOISE", "LocalExpansion", "NoiseShares", "noise_shares"]

LOG_SCALE_STEPS = (-0.1, 0.1)  # in log sigma or log tau, for numerical derivatives
LOG_NO_NOISE = -8.0  # in log sigma, relative to the mode: next to no noise
TINY = 1e-6

type NoiseShares = tuple[np.ndarray, np.ndarray]  # (law parameters, noise parameters, curves)


@dataclass(frozen=True)
class LocalExpansion:
    """How information and mode change with the noise, to first order around the mode.

    noise_alone : array (law parameters, noise parameters, curves)
        Part of the information at the pivot that is proportional to the inverse square of one
        noise parameter.
    noise_share : array (law parameters, noise parameters, curves)
        Part of the remaining variance that is proportional to the square of each.
    noise_shift : array (law parameters, curves)
        Shift of the mode when only the first part of the information is left.
    jacobian : array (law parameters, law parameters, curves)
        Derivatives of each reference coordinate with respect to the other pivot coordinates.
    fisher : array (curves, law parameters, law parameters)
        Fisher information at the pivot.
    """

    noise_alone: np.ndarray
    noise_share: np.ndarray
    noise_shift: np.ndarray
    jacobian: np.ndarray
    fisher: np.ndarray


def noise_shares(
    problem: MapProblem,
    scales: tuple[str, ...],
    information: Callable[[np.ndarray], Mapping[str, np.ndarray]],
) -> NoiseShares:
    """See `LocalExpansion`; `information` is on the law, at log ratios (scales,) to the mode."""
    noise = [name for name in problem.model.nuisance_roles if name in problem.model.free]
    share = np.zeros((len(problem.law.names), len(noise), problem.run_arrays.n_curves))
    alone = np.zeros_like(share)

    def at(i: int, log_ratio: float) -> np.ndarray:
        values = information(log_ratio * np.eye(len(scales))[i])
        return np.array([values[name] for name in problem.law.names])

    at_mode = at(0, 0.0)
    first = np.clip(at(0, LOG_NO_NOISE) / at_mode * np.exp(2 * LOG_NO_NOISE), 0, 1 - TINY)
    for i, name in enumerate(scales):
        if name in noise:
            rest = [
                at(i, step) / at_mode - first * np.exp(-2 * step * (i == 0))
                for step in LOG_SCALE_STEPS
            ]
            less_noise, more_noise = np.maximum(rest, TINY)
            share[:, noise.index(name)] = np.log(less_noise / more_noise) / (
                2 * np.ptp(LOG_SCALE_STEPS)
            )
    if "sigma" in noise:
        alone[:, noise.index("sigma")] = first
    share = np.maximum(share, 0)
    return alone, share / np.maximum(share.sum(axis=1, keepdims=True), 1)
