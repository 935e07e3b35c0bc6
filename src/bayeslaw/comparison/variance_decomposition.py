"""Variance decomposition over discrete choices: first-order and total (Sobol) indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

__all__ = ["variance_shares"]


def variance_shares(values: np.ndarray, choices: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Shares of the variance of values (universe,) by choice, indexed by ``source``.

    `choices` maps each choice to the alternative that each universe took. The last row is ``all
    choices``. ``sd``: standard deviation of the means of the alternatives. ``first_order``: their
    variance as a share of that of all values. ``total``: mean variance among values that differ in
    this choice alone, as a share; it includes interactions. In a full cross the first orders sum
    to at most one, and equal the totals if the choices are additive. Shares of no variance are
    missing.
    """
    rows = {name: _variances(values, choices, name) for name in choices}
    variances = np.array([*rows.values(), 2 * [np.var(values)]])
    with np.errstate(invalid="ignore"):
        first_order, total = (variances / variances[-1]).T
    columns = {"sd": np.sqrt(variances[:, 0]), "first_order": first_order, "total": total}
    return pd.DataFrame(columns, index=pd.Index([*rows, "all choices"], name="source"))


def _variances(
    values: np.ndarray, choices: Mapping[str, Sequence[str]], name: str
) -> list[np.floating]:
    """First-order and total variance of a choice."""
    others = [choices[other] for other in choices if other != name]
    mean_given_others = _means(values, others) if others else values.mean()
    return [np.var(_means(values, [choices[name]])), np.mean((values - mean_given_others) ** 2)]


def _means(values: np.ndarray, labels: Sequence[Sequence[str]]) -> np.ndarray:
    """For each value the mean of those with the same labels."""
    numbers: dict[tuple[str, ...], int] = {}
    code = np.array([numbers.setdefault(key, len(numbers)) for key in zip(*labels, strict=True)])
    return (np.bincount(code, values) / np.bincount(code))[code]
