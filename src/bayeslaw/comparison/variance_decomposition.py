"""How much of the variance of an answer is due to each of the choices behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

__all__ = ["variance_shares"]


def variance_shares(values: np.ndarray, choices: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Split the variance of values between choices.

    Parameters
    ----------
    values : array, shape (universe,)
        What came of each combination of choices.
    choices : mapping of str to sequence of str
        For each choice the name of the alternative that each combination took.

    Returns
    -------
    pandas.DataFrame
        A row per choice and one for ``all choices``, indexed by ``source``. ``sd``: standard
        deviation of the means of its alternatives. ``first_order``: their variance as a share of
        that of all values. ``total``: mean variance of values that differ in this choice alone,
        as a share; what it moves by itself and together with others. In a full cross the first
        orders sum to at most one, and equal the totals where choices only add up. Shares of no
        variance are missing.

    Examples
    --------
    >>> choices = {"law": ["a", "a", "b", "b"], "noise": ["x", "y", "x", "y"]}
    >>> variance_shares(np.array([0.0, 1.0, 2.0, 3.0]), choices)["total"].tolist()
    [0.8, 0.2, 1.0]
    """
    rows = {name: _variances(values, choices, name) for name in choices}
    moved = np.array([*rows.values(), 2 * [np.var(values)]])
    with np.errstate(invalid="ignore"):
        alone, in_all = (moved / moved[-1]).T
    told = {"sd": np.sqrt(moved[:, 0]), "first_order": alone, "total": in_all}
    return pd.DataFrame(told, index=pd.Index([*rows, "all choices"], name="source"))


def _variances(
    values: np.ndarray, choices: Mapping[str, Sequence[str]], name: str
) -> list[np.floating]:
    """Of the means of a choice's alternatives; and of values that agree in all other choices."""
    others = [choices[other] for other in choices if other != name]
    alike = _means(values, others) if others else values.mean()
    return [np.var(_means(values, [choices[name]])), np.mean((values - alike) ** 2)]


def _means(values: np.ndarray, labels: Sequence[Sequence[str]]) -> np.ndarray:
    """For each value the mean of those with the same labels."""
    numbers: dict[tuple[str, ...], int] = {}
    code = np.array([numbers.setdefault(key, len(numbers)) for key in zip(*labels, strict=True)])
    return (np.bincount(code, values) / np.bincount(code))[code]
