"""PyMC transforms to whitened coordinates, near standard normal a posteriori.

PyMC hands a transform the random generator and the size, then the parameters of its distribution;
the distributions in `graph` therefore take what their transforms need as parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytensor.tensor as pt
from pymc.logprob.transforms import Transform

from bayeslaw._inference.coordinates import Coordinates, Frame
from bayeslaw._inference.kernel_operations import partially_centred_effects
from bayeslaw._inference.model_data import (
    CURVE_WHITENING_ARRAYS,
    FRAME_ENDS,
    POPULATION_WHITENING_ARRAYS,
)
from bayeslaw._inference.whitening import CurveWhitening, PopulationWhitening

__all__ = ["CenterTransform", "CurvesTransform", "EffectsTransform"]


class _WhiteningTransform(Transform):
    """Whitened coordinates of a variable."""

    name = "whitened"

    def forward(self, value: Any, *inputs: Any) -> Any:
        # PyMC asks for initial points only, and the origin is as good as any.
        return pt.zeros_like(value)


class EffectsTransform(_WhiteningTransform):
    """Standardised group effects from whitened coordinates."""

    ndim_supp = 1

    def _effects(self, value: Any, inputs: tuple[Any, ...]) -> Any:
        scale, center, spread, mode, information, codes, bounds = inputs[-7:]
        weight = information / (1 + spread**2 * information)
        return partially_centred_effects(value, weight, mode - center, scale, codes, bounds)

    def backward(self, value: Any, *inputs: Any) -> Any:
        return self._effects(value, inputs)[0]

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        return -self._effects(value, inputs)[1]


class CenterTransform(_WhiteningTransform):
    """The population's center from whitened coordinates."""

    ndim_supp = 1

    def __init__(self, system: Coordinates) -> None:
        self.system = system

    def _whitening(self, inputs: tuple[Any, ...]) -> PopulationWhitening:
        n_frame = len(FRAME_ENDS) * len(self.system.law.predictors)
        parameters, frame = inputs[:-n_frame], _frame([end[0] for end in inputs[-n_frame:]])
        mean, sd, spread, *values = parameters[-len(POPULATION_WHITENING_ARRAYS) - 3 :]
        arrays = dict(zip(POPULATION_WHITENING_ARRAYS, values, strict=True))
        return PopulationWhitening(self.system, mean, sd, spread, arrays, frame)

    def backward(self, value: Any, *inputs: Any) -> Any:
        return self._whitening(inputs).forward(value)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        return self._whitening(inputs).log_jacobian(value)


class CurvesTransform(_WhiteningTransform):
    """Reference coordinates of all curves from whitened coordinates."""

    ndim_supp = 2

    def __init__(self, system: Coordinates) -> None:
        self.system = system

    def _whitening(self, inputs: tuple[Any, ...]) -> CurveWhitening:
        n_frame = len(FRAME_ENDS) * len(self.system.law.predictors)
        parameters, frame = inputs[:-n_frame], _frame(inputs[-n_frame:])
        mean, spread, *values = parameters[-len(CURVE_WHITENING_ARRAYS) - 2 :]
        arrays = dict(zip(CURVE_WHITENING_ARRAYS, values, strict=True))
        return CurveWhitening(self.system, mean, spread, arrays, frame)

    def backward(self, value: Any, *inputs: Any) -> Any:
        return self._whitening(inputs).forward(value)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        return self._whitening(inputs).log_jacobian(value)


def _frame(ends: Sequence[Any]) -> Frame:
    n = len(ends) // len(FRAME_ENDS)
    return Frame(tuple(ends[:n]), tuple(ends[n : 2 * n]), tuple(ends[2 * n :]))
