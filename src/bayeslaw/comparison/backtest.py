"""Which law would have been right: fits up to a size, judged beyond it, at one size after another.

Each model is fitted anew at every origin, so that nothing is approximated.
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

from bayeslaw._sampling.gate import NOT_CONVERGED, Gate
from bayeslaw.comparison.baselines import baselines, require_names
from bayeslaw.comparison.paired_differences import few_curves, joined, paired_differences, unclear
from bayeslaw.data.checks import require, require_valid, why_not_positive
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import check_runs, group_names, predictor_names, response_values
from bayeslaw.decisions.allocation import training_flops
from bayeslaw.errors import RunsError
from bayeslaw.fitting.refit import refit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.forecasting.scores import curve_means, score, score_table, why_infinite
from bayeslaw.model.model import Model

__all__ = ["backtest", "backtest_table"]

ORIGINS = 3  # unless they are given
ROUNDING = 1 + 1e-9  # of sizes that are multiples of an origin
LABELS = ("model", "origin", "horizon", "size", "passed")
SCORES = ("log_score", "crps", "rmsle", "coverage_90")


def backtest(
    models: Mapping[str, Model],
    runs: xr.Dataset,
    *,
    along: str = "N",
    origins: Sequence[float] | None = None,
    horizons: Sequence[float] = (2, 5, 10),
    random_seed: int,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    target_accept: float | None = None,
    importance: bool = False,
    executor: Executor | None = None,
    store: str | PathLike[str] | None = None,
    progressbar: bool = True,
) -> xr.Dataset:
    """Fit models up to each of several sizes, and score them on the runs beyond it.

    At an origin, a size, all runs up to it are fitted, and later runs of the same curves are
    scored; curves without a run up to it are left out there. Beside the models stand two
    predictors without a posterior: the last value of a curve, and the first model's law by least
    squares.

    Parameters
    ----------
    models : mapping of str to Model
        What to fit, by name.
    runs : xarray.Dataset
        Runs of all sizes.
    along : str
        What grows: a predictor; ``"C"``, the training compute 6 N D of runs that have N and D; or
        a coordinate of the runs that is a number above 0.
    origins : sequence of float, optional
        Sizes to fit up to. Unless given, up to three, evenly spaced in logarithms from the
        smallest that leaves half of the curves one distinct size more than the law with the most
        parameters has parameters, to the largest run, which is none of them.
    horizons : sequence of float
        Multiples of the origin, each above 1: a later run counts at the smallest that it does not
        exceed, and at an infinite one if there is none.
    random_seed : int
        Seed of each model's first fit; its next fits take the numbers after it.
    draws, tune, chains : int
        Draws kept per chain, draws that adapt the sampler, chains.
    target_accept : float, optional
        As for `bayeslaw.fit`.
    importance : bool
        Whether to try importance sampling first, as for `bayeslaw.refit`.
    executor : concurrent.futures.Executor, optional
        Where the fits are made, as for `bayeslaw.refit`.
    store : path, optional
        Where finished fits are kept, as for `bayeslaw.refit`.
    progressbar : bool
        Whether to show progress.

    Returns
    -------
    xarray.Dataset
        Scores as of `bayeslaw.score` on dim run, one entry for each model, origin and later run,
        with the coordinates of the runs and ``model``, ``origin``, ``horizon``, ``size`` and
        ``passed``, whether the fit passed its gate. The baselines have a ``squared_log_error``
        and no other score. Attributes tell the origins, how many curves are ``left_out`` at each,
        and how many ``refits`` there were and how many of them ``failed``.

    Raises
    ------
    ValueError
        If there is no model, or one is called like a baseline; or as of `bayeslaw.refit`.
    RunsError
        If runs cannot be ordered along that, or an origin leaves nothing to fit or to score.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> models = {"power": bl.Model(bl.laws.power), "log-linear": bl.Model(bl.laws.log_linear)}
    >>> scores = bl.backtest(models, runs, along="N", random_seed=1)  # doctest: +SKIP
    >>> bl.backtest_table(scores)  # doctest: +SKIP
    >>> bl.score_table(scores, by="model")  # doctest: +SKIP
    """
    _require_models(models, runs)
    sizes, multiples = _sizes(runs, along), _multiples(horizons)
    limits = _origins(models, runs, sizes, along) if origins is None else sorted({*origins})
    splits = [_split(runs, sizes, float(limit), along, multiples) for limit in limits]
    require(bool(splits), "there is no origin: give at least one size, or leave origins out")
    sampler = {
        "random_seed": random_seed, "draws": draws, "tune": tune, "chains": chains,
        "target_accept": target_accept, "importance": importance, "executor": executor,
        "store": store, "progressbar": progressbar,
    }  # fmt: skip
    parts = [_scored(name, model, splits, sampler) for name, model in models.items()]
    parts += [_by_baselines(next(iter(models.values())), split) for split in splits]
    scores = _together([*itertools.chain(*parts)])
    return scores.assign_attrs(
        groups=group_names(runs), response=runs.attrs["response"], along=along,
        origins=[split.origin for split in splits], left_out=[split.left_out for split in splits],
        refits=len(models) * len(splits), failed=_failed(scores),
    )  # fmt: skip


def backtest_table(scores: xr.Dataset) -> pd.DataFrame:
    """Average the scores of a backtest over curves, for each horizon and model.

    Origins are averaged within each curve first. Differences are taken curve by curve, and their
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
        ``log_score_diff_se``; ``n_curves``; ``n_failed``, fits that did not pass; and ``caveats``.

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
    """Runs up to an origin, later ones of the same curves, and how many curves have none."""

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
    """What grows from run to run."""
    if along == "C" and "C" not in runs and {"N", "D"} <= {*predictor_names(runs)}:
        return training_flops(runs["N"].values, runs["D"].values)
    kept = [*predictor_names(runs), *runs.coords]
    numbers = [name for name in kept if runs[name].dtype.kind in "iuf" and name != "run"]
    if along not in numbers:
        raise RunsError(f"along={along!r} is no number of the runs; those are {numbers}")
    values = runs[along].values.astype(float)
    require_valid(f"{along!r}, position", values.tolist(), why_not_positive)
    return values


def _multiples(horizons: Sequence[float]) -> np.ndarray:
    multiples = np.array(sorted({*horizons}), dtype=float)
    if not (multiples > 1).all():
        raise ValueError(f"horizons are multiples of the origin, above 1, got {list(horizons)}")
    return np.append(multiples[np.isfinite(multiples)], np.inf)


def _origins(
    models: Mapping[str, Model], runs: xr.Dataset, sizes: np.ndarray, along: str
) -> list[float]:
    """Observed sizes, evenly spaced in logarithms, of which the first suffices for every law."""
    needed = 1 + max(len(model.law.parameters) for model in models.values())
    curve = curve_index(runs, curves_in(runs))
    known, largest = np.unique(sizes), sizes.max()
    enough = sorted(_nth(np.unique(sizes[curve == i]), needed) for i in range(curve.max() + 1))
    first = enough[(len(enough) - 1) // 2]
    if first >= largest:
        raise RunsError(
            f"no origin leaves half of the curves {needed} distinct sizes along {along!r}, for a "
            f"law of {needed - 1} parameters, and a larger run; give origins=[...]"
        )
    wanted = np.geomspace(first, largest, ORIGINS + 1)[:-1] * ROUNDING
    return np.unique(known[np.searchsorted(known, wanted, side="right") - 1]).tolist()


def _nth(sizes: np.ndarray, n: int) -> float:
    return float(sizes[n - 1]) if sizes.size >= n else np.inf


def _split(
    runs: xr.Dataset, sizes: np.ndarray, origin: float, along: str, multiples: np.ndarray
) -> _Split:
    curve = curve_index(runs, curves_in(runs))
    known = sizes <= origin
    judged = ~known & np.isin(curve, curve[known])
    require(
        judged.any(),
        f"origin {origin:g} leaves no curve with runs up to it and beyond: {along} in the data is "
        f"{sizes.min():g} to {sizes.max():g}",
    )
    size = sizes[judged]
    labels = {
        "origin": np.full(size.size, origin),
        "horizon": multiples[np.searchsorted(multiples * ROUNDING, size / origin)],
        "size": size,
    }
    later = runs.isel(run=judged)
    later = later.assign_coords({name: ("run", values) for name, values in labels.items()})
    left_out = np.setdiff1d(curve, curve[known]).size
    return _Split(origin, runs.isel(run=known), later, left_out)


def _scored(
    name: str, model: Model, splits: Sequence[_Split], sampler: Mapping[str, Any]
) -> list[xr.Dataset]:
    fits = refit(model, [split.train for split in splits], **sampler)
    return [
        _labelled(score(forecast(fit, split.later), split.later), name, Gate.of(fit.tree).passed)
        for fit, split in zip(fits, splits, strict=True)
    ]


def _by_baselines(model: Model, split: _Split) -> list[xr.Dataset]:
    found = baselines(model, split.train, split.later)
    return [_labelled(errors, name, True) for name, errors in found.items()]


def _labelled(scores: xr.Dataset, name: str, passed: bool) -> xr.Dataset:
    size = scores.sizes["run"]
    labels = {"model": np.full(size, name), "passed": np.full(size, passed)}
    batch = {"batch": np.arange(scores.sizes["batch"])} if "batch" in scores.dims else {}
    return scores.assign_coords(
        batch | {label: ("run", values) for label, values in labels.items()}
    )


def _together(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """One data set; a score that a part does not have is missing there."""
    return xr.concat(
        parts, "run", data_vars="all", coords="minimal", compat="override", join="outer",
        combine_attrs="drop",
    )  # fmt: skip


def _failed(scores: xr.Dataset) -> int:
    """Fits that did not pass their gate."""
    labels = (scores[name].values.tolist() for name in ("model", "origin", "passed"))
    return sum(not passed for *_, passed in {*zip(*labels, strict=True)})


def _ranked(scores: xr.Dataset) -> pd.DataFrame:
    """The models at one horizon, the best first."""
    model = scores["model"].values
    by_model = {name: scores.isel(run=model == name) for name in dict.fromkeys(model.tolist())}
    fitted = {n: each for n, each in by_model.items() if not np.isnan(each["log_score"]).all()}
    sound = [name for name, each in fitted.items() if each["passed"].all()]
    columns = [column for name in SCORES for column in (name, f"{name}_se")]
    told = score_table(scores, by="model")[columns].join(
        paired_differences(fitted, sound or list(fitted))
    )
    told["n_curves"] = curve_means(scores[["squared_log_error"]]).sizes["curve"]
    told["n_failed"] = [_failed(by_model[str(name)]) for name in told.index]
    rows = told.to_dict("index").items()
    told["caveats"] = [_caveats(by_model[str(name)], row, scores.attrs) for name, row in rows]
    return told.sort_values("log_score", ascending=False, na_position="last")


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
