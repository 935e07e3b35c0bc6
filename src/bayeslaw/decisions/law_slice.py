"""A law as a function of some of its predictors, the others held constant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._law.law import Law
from bayeslaw.data.runs import predictor_names

__all__ = ["Arguments", "LawSlice", "slice_along"]

# Budgets, targets or thresholds; values that are held constant; the law's parameters.
type Arguments = tuple[Any, ...]


@dataclass(frozen=True)
class LawSlice:
    """A law of its free predictors; `held` names predictors, or arguments of a cost, held constant.

    Arrays have the dims chain, draw, row and one of budgets, targets or thresholds.
    """

    law: Law
    free: tuple[str, ...]
    held: tuple[str, ...]

    @property
    def sense(self) -> int:
        """Sense of the optimisation: 1 if a low response is good, -1 if a high one is."""
        return -1 if self.law.higher_is_better else 1

    @property
    def decrease_sign(self) -> int:
        """1 if the response falls as all free predictors grow, -1 if it rises."""
        return -1 if all(self.law.direction.get(name) == 1 for name in self.free) else 1

    def arguments(
        self, amounts: np.ndarray, rows: xr.Dataset, parameters: Mapping[str, np.ndarray]
    ) -> Arguments:
        """Amounts (amount,), held values (row, 1) and parameters (chain, draw, row, 1)."""
        held = [rows[name].values[:, None] for name in self.held]
        return (amounts, *held, *(parameters[name][..., None] for name in self.law.parameters))

    def sizes(self, free: Mapping[str, Any], arguments: Arguments) -> dict[str, Any]:
        """All predictors, free and held."""
        return {**free, **dict(zip(self.held, arguments[1:], strict=False))}

    def response(self, sizes: Mapping[str, Any], arguments: Arguments) -> Any:
        """Value of the law."""
        values = arguments[1 + len(self.held) :]
        parameters = dict(zip(self.law.parameters, values, strict=True))
        return self.law(*(sizes[name] for name in self.law.predictors), **parameters)


def slice_along(law: Law, along: str | None, rows: xr.Dataset) -> LawSlice:
    """A law along one predictor (None: the only one that is not held), given rows of the others."""
    held = tuple(predictor_names(rows))
    free = [name for name in law.predictors if name not in held]
    if along is None and len(free) == 1:
        along = free[0]
    if along not in law.predictors:
        more = f", and hold the others: at={{{law.predictors[-1]!r}: ...}}"
        raise ValueError(
            f"along={along!r} is no predictor of law {law.name!r}; say which of "
            f"{list(law.predictors)}{more if len(law.predictors) > 1 else ''}"
        )
    others = [name for name in law.predictors if name != along]
    for name in held:
        if name not in others:
            raise ValueError(
                f"at holds {name!r}; along {along!r} law {law.name!r} takes {others or 'nothing'}"
            )
    for name in others:
        if name not in held:
            raise ValueError(
                f"law {law.name!r} needs {name!r} too; hold it at a value: at={{{name!r}: ...}}"
            )
    return LawSlice(law, (along,), held)
