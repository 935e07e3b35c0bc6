"""A study: runs of one publication in one table, and how they are to be fitted."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import xarray as xr

import bayeslaw as bl

MODEL = "model_id"
COST = "cost"
HELD_OUT = "held_out"
TRUTH = "truth"


@dataclass(frozen=True)
class Study:
    """Runs of one publication.

    Parameters
    ----------
    name : str
        Unique.
    runs : pandas.DataFrame
        One row per run or evaluation: the predictors, ``loss``, the groups, ``model_id``, ``cost``
        and ``held_out``; of simulated studies also ``truth``, the loss without noise.
    predictors : tuple of str
        Predictors of the laws, in their order.
    groups : tuple of str
        Columns that are pooled over. Rows that agree in all of them are a curve.
    laws : tuple of str
        Names of the laws that apply: the base law first, then those that generalise it.
    source : str
        Where the runs come from. Studies of one source share runs.
    cost : str
        Column of the cost of training, in FLOP unless the reader of the study says otherwise.
    run_id : str, optional
        Column of the trained model, if several rows are evaluations of one.
    held_out : str
        Column of the marks of official hold-outs.
    """

    name: str
    runs: pd.DataFrame
    predictors: tuple[str, ...]
    groups: tuple[str, ...]
    laws: tuple[str, ...]
    source: str
    cost: str = COST
    run_id: str | None = None
    held_out: str = HELD_OUT

    def law(self, name: str) -> bl.Law:
        """One of the laws, in the predictors of the study.

        Parameters
        ----------
        name : str
            One of `laws`.

        Returns
        -------
        Law

        Raises
        ------
        ValueError
            If the law does not apply.
        """
        if name not in self.laws:
            known = ", ".join(self.laws)
            raise ValueError(f"law {name!r} does not apply to {self.name}; those that do: {known}")
        return bl.laws.find(name).of(*self.predictors)

    def curve(self, rows: pd.DataFrame) -> pd.Series:
        """Name of the curve of each row, (row,): the levels of its groups."""
        if not self.groups:
            return pd.Series("all", index=rows.index)
        return rows[list(self.groups)].agg(" / ".join, axis=1)


def study(
    name: str,
    rows: pd.DataFrame,
    *,
    predictors: Sequence[str],
    laws: Sequence[str],
    groups: Sequence[str] = (),
    source: str = "",
    is_evaluated_often: bool = False,
) -> Study:
    """Make a study of a table.

    Parameters
    ----------
    name : str
        Name of the study.
    rows : pandas.DataFrame
        With the predictors, the groups, ``loss`` and ``cost``; ``held_out`` where rows are. A
        column ``model_id`` is needed if models are evaluated often, and is else a row's number.
    predictors, laws, groups : sequence of str
        As of `Study`.
    source : str
        As of `Study`; by default the name.
    is_evaluated_often : bool
        Whether several rows may be of one trained model.

    Returns
    -------
    Study
        Its table has the columns of `Study` and no others.

    Raises
    ------
    ValueError
        If a value is missing or a number not positive, or rows are copies of others.
    """
    rows = rows.reset_index(drop=True)
    rows = rows.assign(**{HELD_OUT: rows[HELD_OUT].astype(bool) if HELD_OUT in rows else False})
    if not is_evaluated_often:
        rows[MODEL] = rows.index
    rows = rows.astype({**dict.fromkeys([*groups, MODEL], str), COST: float})
    truth = [TRUTH] if TRUTH in rows else []
    rows = rows[[*predictors, "loss", *truth, *groups, MODEL, COST, HELD_OUT]]
    _check(name, rows, [*predictors, "loss"], [*groups])
    return Study(
        name,
        rows,
        tuple(predictors),
        tuple(groups),
        tuple(laws),
        source or name,
        run_id=MODEL if is_evaluated_often else None,
    )


def training_flop(rows: pd.DataFrame) -> pd.Series:
    """6 N D of rows, (row,), in floats: products of whole numbers of this size overflow."""
    return 6.0 * rows["N"] * rows["D"]


def runs_of(
    study: Study, rows: pd.DataFrame, reference: Mapping[str, float] | None = None
) -> xr.Dataset:
    """Rows of a study as runs.

    Parameters
    ----------
    study : Study
        The study.
    rows : pandas.DataFrame
        Some of its rows.
    reference : mapping of str to float, optional
        Reference scale of each predictor; by default that of these rows.

    Returns
    -------
    xarray.Dataset
        Runs, with the trained model of each in the coordinate ``model_id``.
    """
    with warnings.catch_warnings():
        # The training rows of a split may have one level of a group.
        warnings.simplefilter("ignore", bl.errors.RunsWarning)
        runs = bl.read_runs(
            rows,
            predictors=list(study.predictors),
            groups=list(study.groups),
            reference=reference,
            duplicates="keep",  # a study has none
        )
    return runs.assign_coords({MODEL: ("run", rows[MODEL].to_numpy(str))})


def _check(name: str, rows: pd.DataFrame, sizes: list[str], groups: list[str]) -> None:
    missing = [str(column) for column, count in rows.isna().sum().items() if count]
    if missing:
        raise ValueError(f"study {name!r} misses values of: {', '.join(missing)}")
    not_positive = [column for column in (*sizes, COST) if not (rows[column] > 0).all()]
    if not_positive:
        raise ValueError(f"study {name!r}: not all are positive of: {', '.join(not_positive)}")
    copies = int(rows.duplicated([*sizes, *groups]).sum())
    if copies:
        raise ValueError(f"study {name!r} has {copies} copies of rows, which the reader must drop")
