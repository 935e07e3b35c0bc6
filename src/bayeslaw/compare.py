"""Which law family to believe."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw import runs as table
from bayeslaw.diagnose import leave_one_out
from bayeslaw.fit import Fit
from bayeslaw.forecast import forecast
from bayeslaw.gate import NOT_CONVERGED, Gate
from bayeslaw.least_squares import least_squares, predict
from bayeslaw.scores import curve_means, score, score_table, standard_error
from bayeslaw.verdict import verdict

__all__ = ["compare"]

LAST_VALUE, LEAST_SQUARES = "last value", "least squares"
SCORES = ("log_score", "log_score_se", "rmsle", "crps", "coverage_90")


def compare(fits: Mapping[str, Fit], later: xr.Dataset | None = None) -> pd.DataFrame:
    """Compare fits of several laws to the same runs, in and out of their range.

    In the range: expected log predictive density by Pareto-smoothed leave-one-out. It rewards
    interpolation; a law that wins there can lose where it extrapolates. Out of the range: scores
    at runs that were held out, best law first, beside two predictors that need no law: the last
    value of the curve, and the first law by least squares (both missing where a held-out curve
    has no training run).

    Parameters
    ----------
    fits : mapping of str to Fit
        Fits by name; all of the same runs.
    later : xarray.Dataset, optional
        Held-out runs, at larger scales.

    Returns
    -------
    pandas.DataFrame
        A row per fit and baseline, indexed by ``law``. ``verdict``, by the scores and, for a law
        that says what its parameters mean, by their posterior (see `verdict`); ``elpd_loo``,
        ``elpd_loo_se``, ``loo_weight`` (stacking) and ``bad_pareto_k`` (runs too influential for
        the approximation); with `later` also ``log_score`` (mean log density of a held-out
        response), ``log_score_se`` (between curves), ``log_score_diff`` to the best and
        ``log_score_diff_se`` (paired by curve), ``rmsle``, ``crps``, ``coverage_90``.

    Raises
    ------
    ValueError
        If there is no fit, or the fits are not of the same runs.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> bl.compare({"power": power, "log-linear": log_linear}, later)  # doctest: +SKIP
    """
    _require_same_outcome(fits)
    inside = _inside(fits)
    if later is None:
        inside.insert(0, "verdict", _verdicts(fits, inside, "elpd_loo_diff", "elpd_loo_diff_se"))
        return inside.rename_axis("law")
    outside = _outside(fits, later)
    joined = outside.join(inside.drop(columns=["elpd_loo_diff", "elpd_loo_diff_se"]))
    verdicts = _verdicts(fits, joined, "log_score_diff", "log_score_diff_se")
    joined.insert(0, "verdict", verdicts)
    ranked = joined.sort_values("log_score", ascending=False, na_position="last")
    return ranked.rename_axis("law")


def _require_same_outcome(fits: Mapping[str, Fit]) -> None:
    if not fits:
        raise ValueError("there is nothing to compare: no fits were given")
    digests = {name: _digest(fit.runs) for name, fit in fits.items()}
    first, *others = digests
    for name in others:
        if digests[name] != digests[first]:
            raise ValueError(
                f"fits {first!r} and {name!r} are of different outcomes: the runs, their order or "
                f"their responses differ ({fits[first].runs.sizes['run']} and "
                f"{fits[name].runs.sizes['run']} runs); fit all laws to the same runs"
            )


def _digest(runs: xr.Dataset) -> str:
    response = runs.attrs["response"]
    rows = repr([str(run) for run in runs["run"].values])
    told = rows.encode() + response.encode() + runs[response].values.tobytes()
    return hashlib.sha256(told).hexdigest()


def _inside(fits: Mapping[str, Fit]) -> pd.DataFrame:
    loo: dict[str, Any] = {name: leave_one_out(fit) for name, fit in fits.items()}
    told = pd.DataFrame(
        {
            "elpd_loo": {name: each.elpd for name, each in loo.items()},
            "elpd_loo_se": {name: each.se for name, each in loo.items()},
            "bad_pareto_k": {
                name: int(np.sum(each.pareto_k.values > each.good_k)) for name, each in loo.items()
            },
        }
    )
    if len(fits) == 1:
        return told.assign(loo_weight=1.0, elpd_loo_diff=0.0, elpd_loo_diff_se=0.0)
    best = max(_trusted(fits), key=lambda name: loo[name].elpd)
    # ArviZ rounds numbers unless told not to.
    compared = az.compare(loo, reference=best, round_to="none")
    return told.assign(
        loo_weight=compared["weight"],
        elpd_loo_diff=compared["elpd_diff"],
        elpd_loo_diff_se=compared["dse"],
    )


def _outside(fits: Mapping[str, Fit], later: xr.Dataset) -> pd.DataFrame:
    table.check_runs(later)
    scored = {name: score(forecast(fit, later), later) for name, fit in fits.items()}
    rows = {name: score_table(scores).loc["all", list(SCORES)] for name, scores in scored.items()}
    told = pd.DataFrame.from_dict({**rows, **_baselines(next(iter(fits.values())), later)}, "index")
    return told.assign(**_differences(scored, _trusted(fits), told.index))


def _baselines(first: Fit, later: xr.Dataset) -> dict[str, dict[str, float]]:
    if set(table.curves(later)["curve"].values) <= set(table.curves(first.runs)["curve"].values):
        points = {
            LAST_VALUE: _last_values(first.runs, later),
            LEAST_SQUARES: predict(first.model.law, least_squares(first.model, first.runs), later),
        }
        return {name: {"rmsle": _rmsle(predicted, later)} for name, predicted in points.items()}
    return {name: {"rmsle": float("nan")} for name in (LAST_VALUE, LEAST_SQUARES)}


def _rmsle(predicted: np.ndarray, later: xr.Dataset) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        squared = np.log(predicted / table.response(later).values) ** 2
    values = {"squared_log_error": ("run", np.where(np.isnan(squared), np.inf, squared))}
    errors = xr.Dataset(values, later.coords, later.attrs)
    return float(np.sqrt(curve_means(errors)["squared_log_error"]).mean())


def _differences(
    scored: Mapping[str, xr.Dataset], trusted: list[str], index: pd.Index
) -> dict[str, pd.Series]:
    density = {
        name: curve_means(scores[["log_score"]])["log_score"].values
        for name, scores in scored.items()
    }
    best = max(trusted, key=lambda name: density[name].mean())
    with np.errstate(invalid="ignore"):
        apart = {name: values - density[best] for name, values in density.items()}
    error = {name: float(standard_error(values)) for name, values in apart.items()}
    return {
        "log_score_diff": pd.Series({n: v.mean() for n, v in apart.items()}).reindex(index),
        "log_score_diff_se": pd.Series(error).reindex(index),
    }


def _last_values(train: xr.Dataset, later: xr.Dataset) -> np.ndarray:
    """Geometric mean of each curve's responses at its largest scale, for each later run."""
    curves = table.curves(train)
    of_train, of_later = table.curve_index(train, curves), table.curve_index(later, curves)
    scale = np.sum([np.log(train[name].values) for name in table.predictors(train)], axis=0)
    response = np.log(table.response(train).values)
    last = np.empty(curves.sizes["curve"])
    for i in range(last.size):
        own = of_train == i
        last[i] = response[own][np.isclose(scale[own], scale[own].max())].mean()
    return np.exp(last)[of_later]


def _verdicts(
    fits: Mapping[str, Fit], rows: pd.DataFrame, difference: str, error: str
) -> list[str]:
    best = rows.loc[_trusted(fits), difference].abs().fillna(np.inf).idxmin()
    return [
        _verdict(str(name), fits, str(best), *values) + _by_parameter(fits.get(str(name)))
        for name, *values in rows[[difference, error]].itertuples(name=None)
    ]


def _by_parameter(fit: Fit | None) -> str:
    """What a law's own parameter tells of the kind of law, such as kappa of `laws.curvature`."""
    if fit is None or not fit.model.law.regions or not Gate.of(fit.tree).passed:
        return ""
    told = verdict(fit)
    if told.index[0] != "population" and len(told) > 1:  # curves that share nothing
        return ""
    return f"; {told.iloc[0].idxmax()} with probability {told.iloc[0].max():.2f}"


def _trusted(fits: Mapping[str, Fit]) -> list[str]:
    """The fits that passed their gate; all of them where none did."""
    return [name for name, fit in fits.items() if Gate.of(fit.tree).passed] or list(fits)


def _verdict(name: str, fits: Mapping[str, Fit], best: str, difference: float, error: float) -> str:
    if name not in fits:
        return "baseline"
    if not Gate.of(fits[name].tree).passed:
        return NOT_CONVERGED
    if not np.isfinite(difference):
        return "not positive at a held-out run"
    if name == best:
        return "best"
    if not abs(difference) > 2 * error:  # an unknown error (a single curve) tells nothing apart
        return f"not distinguishable from {best}"
    return "worse"
