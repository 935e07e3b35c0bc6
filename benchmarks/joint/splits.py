"""Training and test rows of the studies.

    BAYESLAW_DATA=... uv run python -m benchmarks.joint.splits

prints one line per split: curves, and how many were left out; training rows, with their distinct
cells (combinations of predictors) and trained models; test rows with their models; and the largest
horizon.

A rolling cut-off is a cost, a third, a tenth or a thirtieth of the study's largest: rows up to it
are for training, those beyond it for the test, whichever curve they are of. A curve is left out of
both if its training rows are too few to say anything. Rows that a publication holds out are in no
rolling cut-off. They are the test rows of the split ``official``, whose training rows are all
others; they are not always at a larger cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from benchmarks.joint.catalogue import STUDIES, read
from benchmarks.joint.study import MODEL, Study

DIVISORS = (3, 10, 30)  # of the largest cost
OFFICIAL = "official"
LEAST_ROWS = 10
LEAST_VALUES = 3
ALIKE = 2  # digits of log sizes: values within 1% count as one


@dataclass(frozen=True)
class Split:
    """A study in two parts.

    Parameters
    ----------
    study : Study
        The study.
    name : str
        ``C/3``, ``C/10``, ``C/30`` or ``official``.
    train, test : pandas.DataFrame
        Rows of the study.
    horizon : array, shape (test row,)
        Cost over the largest training cost of the curve.
    n_left_out : int
        Number of curves with too few training rows.
    """

    study: Study
    name: str
    train: pd.DataFrame = field(repr=False)
    test: pd.DataFrame = field(repr=False)
    horizon: np.ndarray = field(repr=False)
    n_left_out: int = 0


@dataclass(frozen=True)
class NoSplit:
    """A split without a test row, and the reason."""

    study: Study
    name: str
    reason: str


def splits_of(study: Study) -> list[Split | NoSplit]:
    """All splits of a study.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    list of Split or NoSplit
        Rolling cut-offs from the largest, then the official one if rows are held out.
    """
    rolling = [rolling_split(study, divisor) for divisor in DIVISORS]
    return [*rolling, official_split(study)] if study.runs[study.held_out].any() else rolling


def official_split(study: Study) -> Split:
    """The rows that the publication holds out, forecast from all others.

    Parameters
    ----------
    study : Study
        With rows that are held out.

    Returns
    -------
    Split
    """
    is_test = study.runs[study.held_out]
    return _split(study, OFFICIAL, study.runs[~is_test], study.runs[is_test])


def rolling_split(study: Study, divisor: float) -> Split | NoSplit:
    """Rows beyond a cost, forecast from those up to it.

    Parameters
    ----------
    study : Study
        The study.
    divisor : float
        Of the largest cost among rows that are not held out.

    Returns
    -------
    Split or NoSplit
    """
    name, rows = f"C/{divisor:g}", study.runs[~study.runs[study.held_out]]
    curve = study.curve(rows)
    is_train = rows[study.cost] <= rows[study.cost].max() / divisor
    enough = [
        each
        for each, members in rows[is_train].groupby(curve)
        if _is_enough(study, members, rows[curve == each])
    ]
    n_left_out = curve.nunique() - len(enough)
    belongs = curve.isin(enough)
    test = rows[~is_train & belongs]
    if test.empty:
        return NoSplit(study, name, _reason(curve.nunique(), n_left_out))
    return _split(study, name, rows[is_train & belongs], test, n_left_out)


def _is_enough(study: Study, train: pd.DataFrame, rows: pd.DataFrame) -> bool:
    """Whether training rows of a curve have all that varies in it at several values."""
    varying = [name for name in study.predictors if _n_values(rows[name]) > 1]
    values = [_n_values(train[name]) for name in varying]
    return len(train) >= LEAST_ROWS and min(values, default=0) >= LEAST_VALUES


def _n_values(sizes: pd.Series) -> int:
    return np.unique(np.round(np.log(sizes), ALIKE)).size


def _reason(n_curves: int, n_left_out: int) -> str:
    if n_left_out < n_curves:
        return "no curve with enough training rows goes beyond the cut-off"
    few = f"fewer than {LEAST_ROWS} training rows, or {LEAST_VALUES} values of a predictor"
    return f"all curves ({n_curves}) have {few}"


def _split(
    study: Study, name: str, train: pd.DataFrame, test: pd.DataFrame, n_left_out: int = 0
) -> Split:
    largest = train.groupby(study.curve(train))[study.cost].max()
    horizon = test[study.cost] / study.curve(test).map(largest)
    return Split(study, name, train, test, horizon.to_numpy(), n_left_out)


def _lines() -> Iterator[str]:
    counts = ("curves", "out", "train", "cells", "models", "test", "models", "horizon")
    yield _line("study", "split", *counts)
    for name in STUDIES:
        yield from map(described, splits_of(read(name)))


def described(split: Split | NoSplit) -> str:
    """One line of the table: counts of a split, or why there is none."""
    if isinstance(split, NoSplit):
        return f"{split.study.name:21}{split.name:9} left out: {split.reason}"
    train, test = split.train, split.test
    return _line(
        split.study.name,
        split.name,
        split.study.curve(train).nunique(),
        split.n_left_out,
        len(train),
        len(train.drop_duplicates([*split.study.predictors])),
        train[MODEL].nunique(),
        len(test),
        test[MODEL].nunique(),
        f"{split.horizon.max():.1f}",
    )


def _line(study: str, split: str, *counts: object) -> str:
    return f"{study:21}{split:9}" + "".join(f"{count:>8}" for count in counts)


def main() -> None:
    """Print the table."""
    for line in _lines():
        print(line, flush=True)


if __name__ == "__main__":
    main()
