"""Backtesting with rolling origins: fit runs up to a size, score the forecast of larger ones.

Each model is refitted at every origin.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._arguments import ABOVE_ONE, POSITIVE
from bayeslaw._sampling.gate import NOT_CONVERGED, Gate
from bayeslaw._sampling.nuts import Sampler
from bayeslaw.comparison.baselines import baselines, require_names
from bayeslaw.comparison.caveats import few_curves, joined, unclear
from bayeslaw.comparison.paired_differences import paired_differences
from bayeslaw.data.checks import require, require_valid, why_not_positive
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import check_runs, group_names, predictor_names, response_values
from bayeslaw.decisions.allocation import training_flops
from bayeslaw.errors import RunsError
from bayeslaw.fitting.announce import announced_fits
from bayeslaw.fitting.refit import refit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.forecasting.scores import curve_means, score, score_table, why_infinite
from bayeslaw.model.model import Model

__all__ = ["backtest", "backtest_table"]

N_ORIGINS = 3  # by default
ROUNDING = 1 + 1e-9  # tolerance for sizes that are multiples of an origin
LABELS = ("model", "origin", "horizon", "size", "passed")
SCORES = ("log_score", "crps", "rmsle", "coverage_90")


def backtest(
    models: Mapping[str, Model],
    runs: xr.Dataset,
    *,
    along: str = "N",
    origins: Sequence[float] | None = None,
    horizons: Sequence[float] = (2, 5, 10),
    sampler: Sampler,
    executor: Executor | None = None,
    store: str | PathLike[str] | None = None,
) -> xr.Dataset:
    """Fit models to the runs up to each of several sizes, and score them on the runs beyond.

    At each origin, a size, all runs up to it are fitted and later runs of the same curves are
    scored; curves without a run up to it are left out. Two baselines are scored as well: the last
    value of a curve, and the first model's law by least squares.

    Parameters
    ----------
    models : mapping of str to Model
        Models by name.
    runs : xarray.Dataset
        Runs of all sizes.
    along : str
        The size that grows: a predictor; ``"C"``, the training compute 6 N D of runs that have N
        and D; or a coordinate of the runs with numbers above 0.
    origins : sequence of float, optional
        Sizes to fit up to. By default up to three, evenly spaced in logarithms below the largest
        run. The smallest leaves half of the curves with at least one distinct size more than the
        number of parameters of any law.
    horizons : sequence of float
        Multiples of the origin, each above 1: a later run counts at the smallest horizon that it
        does not exceed, and at an infinite one if there is none.
    sampler : Sampler
        Settings of the sampler; its seed is that of each model's first fit, and each later fit
        takes the next number.
    executor : concurrent.futures.Executor, optional
        Runs the fits in parallel, as for `bayeslaw.refit`.
    store : path, optional
        Where finished fits are saved, as for `bayeslaw.refit`.

    Returns
    -------
    xarray.Dataset
        Scores as of `bayeslaw.score` on dim run, one entry for each model, origin and later run,
        with the coordinates of the runs and ``model``, ``origin``, ``horizon``, ``size`` and
        ``passed``, whether the fit passed its gate. The baselines have a ``squared_log_error``
        and no other score. Attributes have the ``origins``, the number of curves ``left_out`` at
        each, the number of ``refits``, and how many of them ``failed``.

    Raises
    ------
    ValueError
        If there is no model, or one has the name of a baseline; or as of `bayeslaw.refit`.
    RunsError
        If `along` is no size of the runs, or an origin leaves nothing to fit or to score.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> models = {"power": bl.Model(bl.laws.power), "log-linear": bl.Model(bl.laws.log_linear)}
    >>> scores = bl.backtest(models, runs, along="N", sampler=bl.Sampler(1))  # doctest: +SKIP
    >>> bl.backtest_table(scores)  # doctest: +SKIP
    >>> bl.score_table(scores, by="model")  # doctest: +SKIP
    """
    _require_models(models, runs)
    sizes, multiples = _sizes(runs, along), _multiples(horizons)
    limits = _origins(models, runs, sizes, along) if origins is None else _given(origins)
    splits = [_split(runs, sizes, float(limit), along, multiples) for limit in limits]
    require(bool(splits), "there is no origin: give at least one size, or leave origins out")
    jobs = [(model, split.train) for model in models.values() for split in splits]
    with announced_fits("Backtest", jobs, sampler, executor):
        parts = [
            _scored(name, model, splits, sampler, executor, store) for name, model in models.items()
        ]
    parts += [_scored_baselines(next(iter(models.values())), split) for split in splits]
    scores = _concatenated([*itertools.chain(*parts)])
    return scores.assign_attrs(
        groups=group_names(runs), response=runs.attrs["response"], along=along,
        origins=[split.origin for split in splits], left_out=[split.left_out for split in splits],
        refits=len(models) * len(splits), failed=_count_failed(scores),
    )  # fmt: skip


def backtest_table(scores: xr.Dataset) -> pd.DataFrame:
    """Average the scores of a backtest over curves, for each horizon and model.

    Origins are averaged within each curve first. Differences are paired by curve, and their
    standard error is the largest of that between curves and those between the levels of each
    group, since curves of one task or data set err together.

    Parameters
    ----------
    scores : xarray.Dataset
        As of `backtest`.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``horizon`` and ``model``, the best model first: ``log_score`` (higher is
        better), ``crps``, ``rmsle`` and ``coverage_90``, each with ``_se``, its standard error
        between curves; ``log_score_diff`` from the best model whose fits passed their gates, with
        ``log_score_diff_se``; ``n_curves``; ``n_failed``, the number of fits that did not pass;
        and ``caveats``.

    Examples
    --------
    >>> bl.backtest_table(scores).loc[10]  # doctest: +SKIP
    """
    horizon = scores["horizon"].values
    parts = {
        each: _ranked(scores.isel(run=horizon == each)) for each in np.unique(horizon).tolist()
    }
    return pd.concat(parts, names=["horizon", "model"])


@dataclass(frozen=True)
class _Split:
    """Runs up to an origin, later runs of the same curves, and the number of curves left out."""

    origin: float
    train: xr.Dataset
    later: xr.Dataset
    left_out: int


def _require_models(models: Mapping[str, Model], runs: xr.Dataset) -> None:
    if not models:
        raise ValueError("there is nothing to backtest: no models were given")
    require_names(models)
    check_runs(runs)
    response_values(runs)
    taken = [name for name in LABELS if name in runs.variables]
    if taken:
        raise RunsError(
            f"the runs have {taken[0]!r} already, which the scores of a backtest use; rename it"
        )


def _sizes(runs: xr.Dataset, along: str) -> np.ndarray:
    """The size of each run along `along`; (run,)."""
    if along == "C" and "C" not in runs and {"N", "D"} <= {*predictor_names(runs)}:
        return training_flops(runs["N"].values, runs["D"].values)
    candidates = [*predictor_names(runs), *runs.coords]
    numeric = [name for name in candidates if runs[name].dtype.kind in "iuf" and name != "run"]
    if along not in numeric:
        raise RunsError(f"along={along!r} is no number of the runs; those are {numeric}")
    values = runs[along].values.astype(float)
    require_valid(f"{along!r}, position", values.tolist(), why_not_positive)
    return values


def _given(origins: Sequence[float]) -> list[float]:
    return sorted({POSITIVE.check("each of origins", origin) for origin in origins})


def _multiples(horizons: Sequence[float]) -> np.ndarray:
    """The horizons in increasing order, and infinity."""
    return np.array([*sorted({ABOVE_ONE.check("each of horizons", h) for h in horizons}), np.inf])


def _origins(
    models: Mapping[str, Model], runs: xr.Dataset, sizes: np.ndarray, along: str
) -> list[float]:
    """Observed sizes, evenly spaced in logarithms; the first leaves enough sizes for every law."""
    needed = 1 + max(len(model.law.parameters) for model in models.values())
    curve = curve_index(runs, curves_in(runs))
    observed, largest = np.unique(sizes), sizes.max()
    sufficient = sorted(_nth(np.unique(sizes[curve == i]), needed) for i in range(curve.max() + 1))
    first = sufficient[(len(sufficient) - 1) // 2]
    if first >= largest:
        raise RunsError(
            f"no origin leaves half of the curves {needed} distinct sizes along {along!r}, for a "
            f"law of {needed - 1} parameters, and a larger run; give origins=[...]"
        )
    spaced = np.geomspace(first, largest, N_ORIGINS + 1)[:-1] * ROUNDING
    return np.unique(observed[np.searchsorted(observed, spaced, side="right") - 1]).tolist()


def _nth(sizes: np.ndarray, n: int) -> float:
    """The n-th smallest size, infinite if there are fewer."""
    return float(sizes[n - 1]) if sizes.size >= n else np.inf


def _split(
    runs: xr.Dataset, sizes: np.ndarray, origin: float, along: str, multiples: np.ndarray
) -> _Split:
    curve = curve_index(runs, curves_in(runs))
    train = sizes <= origin
    held_out = ~train & np.isin(curve, curve[train])
    require(
        held_out.any(),
        f"origin {origin:g} leaves no curve with runs up to it and beyond: {along} in the data is "
        f"{sizes.min():g} to {sizes.max():g}",
    )
    size = sizes[held_out]
    labels = {
        "origin": np.full(size.size, origin),
        "horizon": multiples[np.searchsorted(multiples * ROUNDING, size / origin)],
        "size": size,
    }
    later = runs.isel(run=held_out)
    later = later.assign_coords({name: ("run", values) for name, values in labels.items()})
    left_out = np.setdiff1d(curve, curve[train]).size
    return _Split(origin, runs.isel(run=train), later, left_out)


def _scored(
    name: str,
    model: Model,
    splits: Sequence[_Split],
    sampler: Sampler,
    executor: Executor | None,
    store: str | PathLike[str] | None,
) -> list[xr.Dataset]:
    trains = [split.train for split in splits]
    fits = refit(model, trains, sampler=sampler, executor=executor, store=store)
    return [
        _labelled(score(forecast(fit, split.later), split.later), name, Gate.of(fit.tree).passed)
        for fit, split in zip(fits, splits, strict=True)
    ]


def _scored_baselines(model: Model, split: _Split) -> list[xr.Dataset]:
    errors = baselines(model, split.train, split.later)
    return [_labelled(own, name, True) for name, own in errors.items()]


def _labelled(scores: xr.Dataset, name: str, passed: bool) -> xr.Dataset:
    size = scores.sizes["run"]
    labels = {"model": np.full(size, name), "passed": np.full(size, passed)}
    batch = {"batch": np.arange(scores.sizes["batch"])} if "batch" in scores.dims else {}
    return scores.assign_coords(
        batch | {label: ("run", values) for label, values in labels.items()}
    )


def _concatenated(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """One data set; scores that a part does not have are missing there."""
    return xr.concat(
        parts, "run", data_vars="all", coords="minimal", compat="override", join="outer",
        combine_attrs="drop",
    )  # fmt: skip


def _count_failed(scores: xr.Dataset) -> int:
    """Number of fits that did not pass their gate."""
    labels = (scores[name].values.tolist() for name in ("model", "origin", "passed"))
    return sum(not passed for *_, passed in {*zip(*labels, strict=True)})


def _ranked(scores: xr.Dataset) -> pd.DataFrame:
    """The models at one horizon, the best first."""
    model = scores["model"].values
    by_model = {name: scores.isel(run=model == name) for name in dict.fromkeys(model.tolist())}
    fitted = {n: each for n, each in by_model.items() if not np.isnan(each["log_score"]).all()}
    passed = [name for name, each in fitted.items() if each["passed"].all()]
    columns = [column for name in SCORES for column in (name, f"{name}_se")]
    table = score_table(scores, by="model")[columns].join(
        paired_differences(fitted, passed or list(fitted))
    )
    table["n_curves"] = curve_means(scores[["squared_log_error"]]).sizes["curve"]
    table["n_failed"] = [_count_failed(by_model[str(name)]) for name in table.index]
    rows = table.to_dict("index").items()
    table["caveats"] = [_caveats(by_model[str(name)], row, scores.attrs) for name, row in rows]
    return table.sort_values("log_score", ascending=False, na_position="last")


def _caveats(own: xr.Dataset, row: Mapping[Any, Any], attrs: Mapping[str, Any]) -> str:
    origins = np.unique(own["origin"])
    left_out = dict(zip(attrs["origins"], attrs["left_out"], strict=True))
    failed, curves = int(row["n_failed"]), int(row["n_curves"])
    difference, error = row["log_score_diff"], row["log_score_diff_se"]
    return joined(
        f"{NOT_CONVERGED}: {failed} of {origins.size} fits" if failed else "",
        few_curves(curves),
        *(
            f"curves without runs up to {origin:.3g} left out: {left_out[origin]}"
            for origin in origins.tolist()
            if left_out[origin]
        ),
        why_infinite(own, ("squared_log_error", "log_score", "crps")),
        unclear(difference, error, curves) if difference != 0 else "",
    )
