"""A law in some of its predictors, the others held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._law.law import Law
from bayeslaw.data.runs import predictor_names

__all__ = ["Known", "LawSlice", "law_slice"]

type Known = tuple[Any, ...]  # budgets, targets or thresholds; what is held; the law's parameters


@dataclass(frozen=True)
class LawSlice:
    """A law in some of its predictors, the others held row by row.

    Arrays have the dims chain, draw, row and one of budgets, targets or thresholds.

    Parameters
    ----------
    law : Law
        The law.
    free : tuple of str
        Predictors that move.
    held : tuple of str
        What is held: predictors, or other arguments of a cost.
    """

    law: Law
    free: tuple[str, ...]
    held: tuple[str, ...]

    @property
    def sense(self) -> int:
        """1 if the lowest response is the best, -1 if the highest is."""
        return -1 if self.law.higher_is_better else 1

    @property
    def falls(self) -> int:
        """1 if the response falls as all free predictors grow, -1 if it rises."""
        return -1 if all(self.law.direction.get(name) == 1 for name in self.free) else 1

    def known(
        self, asked: np.ndarray, rows: xr.Dataset, parameters: Mapping[str, np.ndarray]
    ) -> Known:
        """What is asked for, what is held and the law's parameters, as arrays that broadcast."""
        held = [rows[name].values[:, None] for name in self.held]
        return (asked, *held, *(parameters[name][..., None] for name in self.law.parameters))

    def sizes(self, moving: Mapping[str, Any], known: Known) -> dict[str, Any]:
        """All predictors: those that move and those that are held."""
        return {**moving, **dict(zip(self.held, known[1:], strict=False))}

    def response(self, sizes: Mapping[str, Any], known: Known) -> Any:
        """The law."""
        values = known[1 + len(self.held) :]
        parameters = dict(zip(self.law.parameters, values, strict=True))
        return self.law(*(sizes[name] for name in self.law.predictors), **parameters)


def law_slice(law: Law, along: str | None, rows: xr.Dataset) -> LawSlice:
    """A law along one predictor, given rows of the others.

    Parameters
    ----------
    law : Law
        The law.
    along : str or None
        The predictor; None for the only one that is not held.
    rows : xarray.Dataset
        As of `bayeslaw.forecasting.curve_lookup.prediction_grid`.

    Returns
    -------
    Slice

    Raises
    ------
    ValueError
        If other predictors are not held, or what is held is not another predictor.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> law_slice(bl.laws.chinchilla, "N", bl.grid(D=1e12)).free
    ('N',)
    """
    held = tuple(predictor_names(rows))
    left = [name for name in law.predictors if name not in held]
    if along is None and len(left) == 1:
        along = left[0]
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
