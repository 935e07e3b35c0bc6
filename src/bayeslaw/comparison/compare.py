"""Which law family to believe."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._sampling.gate import NOT_CONVERGED, Gate
from bayeslaw.comparison.baselines import LAST_VALUE, LEAST_SQUARES, baselines, require_names
from bayeslaw.comparison.leave_one_out import leave_one_curve_out
from bayeslaw.comparison.paired_differences import (
    few_curves,
    few_runs,
    influential,
    joined,
    paired_differences,
    unclear,
)
from bayeslaw.data.curves import curves_in
from bayeslaw.data.runs import check_runs
from bayeslaw.diagnostics.diagnose import leave_one_out
from bayeslaw.diagnostics.region_probabilities import region_probabilities
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.forecasting.scores import curve_means, score, score_table, why_infinite

__all__ = ["compare"]

WHY = "infinite"  # column of what makes scores infinite, until it is a caveat
SCORES = ("log_score", "log_score_se", "rmsle", "crps", "coverage_90")


def compare(
    fits: Mapping[str, Fit],
    later: xr.Dataset | None = None,
    *,
    loo: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Compare fits of several laws to the same runs, in and out of their range.

    In the range: expected log predictive density by Pareto-smoothed leave-one-out, of runs and of
    whole curves. It rewards interpolation; a law that wins there can lose where it extrapolates.
    Out of the range: scores at runs that were held out, best law first, beside two predictors
    that need no law: the last value of the curve, and the first law by least squares (both
    missing where a held-out curve has no training run).

    Parameters
    ----------
    fits : mapping of str to Fit
        Fits by name; all of the same runs.
    later : xarray.Dataset, optional
        Held-out runs, at larger scales.
    loo : mapping of str to arviz_stats.ELPDData, optional
        Leave-one-out by fit where it is known better, as of
        `bayeslaw.leave_one_out_exactly`.

    Returns
    -------
    pandas.DataFrame
        A row per fit and baseline, indexed by ``law``. ``verdict``, by the scores and, for a law
        that says what its parameters mean, by their posterior (see `verdict`); ``elpd_loo``,
        ``elpd_loo_se``, ``loo_weight`` (stacking) and ``bad_pareto_k`` (runs too influential for
        the approximation); ``elpd_curve``, ``elpd_curve_se`` and ``bad_curve_k``, the same of
        whole curves, missing without pooling (see `bayeslaw.leave_one_curve_out`);
        with `later` also ``log_score`` (mean log density of a held-out response),
        ``log_score_se`` (between curves), ``log_score_diff`` to the best and
        ``log_score_diff_se`` (paired by curve; the largest of the errors between curves and
        between levels of each group), ``rmsle``, ``crps``, ``coverage_90``. Last ``caveats``: few
        curves or runs, what makes a score infinite, runs too influential, a fit that did not
        converge, a difference within its error.

    Raises
    ------
    ValueError
        If there is no fit, one is called like a baseline or has no pointwise likelihood, `loo` is
        of other fits or runs, or the fits are of different outcomes: other runs, another order,
        other responses or other standard errors.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> bl.compare({"power": power, "log-linear": log_linear}, later)  # doctest: +SKIP
    """
    _require_same_outcome(fits)
    require_names(fits)
    inside = _inside(fits, _leave_one_out(fits, loo or {})).join(_by_curve(fits))
    if later is None:
        return _judged(fits, inside, "elpd_loo_diff", next(iter(fits.values())).runs)
    both = _outside(fits, later).join(inside.drop(columns=["elpd_loo_diff", "elpd_loo_diff_se"]))
    judged = _judged(fits, both, "log_score_diff", later)
    return judged.sort_values("log_score", ascending=False, na_position="last")


def _require_same_outcome(fits: Mapping[str, Fit]) -> None:
    if not fits:
        raise ValueError("there is nothing to compare: no fits were given")
    digests = {name: _digest(fit.runs) for name, fit in fits.items()}
    first, *others = digests
    for name in others:
        if digests[name] != digests[first]:
            raise ValueError(
                f"fits {first!r} and {name!r} are of different outcomes: the runs, their order, "
                "their responses or their standard errors differ "
                f"({fits[first].runs.sizes['run']} and {fits[name].runs.sizes['run']} runs); "
                "fit all laws to the same runs"
            )


def _digest(runs: xr.Dataset) -> str:
    response = runs.attrs["response"]
    rows = repr([str(run) for run in runs["run"].values])
    error = runs["stderr"].values.tobytes() if "stderr" in runs else b"none"
    told = [rows.encode(), response.encode(), runs[response].values.tobytes(), error]
    return hashlib.sha256(b"/".join(told)).hexdigest()


def _leave_one_out(fits: Mapping[str, Fit], given: Mapping[str, Any]) -> dict[str, Any]:
    for name, loo in given.items():
        if name not in fits:
            raise ValueError(f"loo has {name!r}, which is no fit; the fits are {list(fits)}")
        if loo.n_data_points != fits[name].runs.sizes["run"]:
            raise ValueError(
                f"loo of {name!r} is of {loo.n_data_points} runs, and the fit is of "
                f"{fits[name].runs.sizes['run']}; give that of the same fit"
            )
    for name, fit in fits.items():
        if name not in given and "log_likelihood" not in fit.tree:
            raise ValueError(
                f"fit {name!r} has no pointwise likelihood, as fits of refit have none; make it "
                "with fit, or give loo"
            )
    return {n: given[n] if n in given else leave_one_out(fit) for n, fit in fits.items()}


def _by_curve(fits: Mapping[str, Fit]) -> pd.DataFrame:
    told = {}
    for name, loo in ((name, leave_one_curve_out(fit)) for name, fit in fits.items()):
        told[name] = (np.nan,) * 3 if loo is None else (loo.elpd, loo.se, _bad(loo))
    columns = ["elpd_curve", "elpd_curve_se", "bad_curve_k"]
    return pd.DataFrame.from_dict(told, "index", columns=columns)


def _bad(loo: Any) -> int:
    return int(np.sum(loo.pareto_k.values > loo.good_k))


def _inside(fits: Mapping[str, Fit], loo: Mapping[str, Any]) -> pd.DataFrame:
    told = pd.DataFrame(
        {
            "elpd_loo": {name: each.elpd for name, each in loo.items()},
            "elpd_loo_se": {name: each.se for name, each in loo.items()},
            "bad_pareto_k": {name: _bad(each) for name, each in loo.items()},
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
    check_runs(later)
    scored = {name: score(forecast(fit, later), later) for name, fit in fits.items()}
    rows = {name: score_table(each)[list(SCORES)].loc["all"] for name, each in scored.items()}
    told = pd.DataFrame.from_dict({**rows, **_baselines(next(iter(fits.values())), later)}, "index")
    shown = ("squared_log_error", "log_score", "crps")
    told[WHY] = pd.Series({name: why_infinite(each, shown) for name, each in scored.items()})
    return told.join(paired_differences(scored, _trusted(fits)))


def _baselines(first: Fit, later: xr.Dataset) -> dict[str, dict[str, float]]:
    if set(curves_in(later)["curve"].values) <= set(curves_in(first.runs)["curve"].values):
        errors = baselines(first.model, first.runs, later)
        return {name: {"rmsle": _rmsle(each)} for name, each in errors.items()}
    return {name: {"rmsle": float("nan")} for name in (LAST_VALUE, LEAST_SQUARES)}


def _rmsle(errors: xr.Dataset) -> float:
    return float(np.sqrt(curve_means(errors)["squared_log_error"]).mean())


def _judged(
    fits: Mapping[str, Fit], rows: pd.DataFrame, difference: str, judges: xr.Dataset
) -> pd.DataFrame:
    """The rows with a verdict in front and caveats behind."""
    best = str(rows.loc[_trusted(fits), difference].abs().fillna(np.inf).idxmin())
    curves = curves_in(judges).sizes["curve"]
    units = judges.sizes["run"] if difference == "elpd_loo_diff" else curves
    apart = [(str(n), *of, units) for n, *of in rows[[difference, f"{difference}_se"]].itertuples()]
    verdicts = [
        _verdict(name, fits, best, *values) + _by_parameter(fits.get(name))
        for name, *values in apart
    ]
    count = few_curves(curves)
    known = rows[WHY].dropna() if WHY in rows else pd.Series(dtype=str)
    why = {str(name): str(reason) for name, reason in known.items()}
    caveats = [
        joined(
            *_of_fit(name, fits, rows),
            count,
            why.get(name, ""),
            "" if name == best else unclear(*values),
        )
        for name, *values in apart
    ]
    told = rows.drop(columns=WHY, errors="ignore").assign(caveats=caveats)
    told.insert(0, "verdict", verdicts)
    return told.rename_axis("law")


def _of_fit(name: str, fits: Mapping[str, Fit], rows: pd.DataFrame) -> list[str]:
    """What to hold against the fit in itself; nothing against a baseline."""
    if name not in fits:
        return []
    runs, bad = fits[name].runs, rows.loc[name, ["bad_pareto_k", "bad_curve_k"]].fillna(0)
    count, of_runs, of_curves = runs.sizes["run"], *bad.astype(int)
    return [
        "" if Gate.of(fits[name].tree).passed else NOT_CONVERGED,
        few_runs(count),
        influential(of_runs, f"{count} runs"),
        influential(of_curves, f"{curves_in(runs).sizes['curve']} curves"),
    ]


def _by_parameter(fit: Fit | None) -> str:
    """What a law's own parameter tells of the kind of law, such as kappa of `laws.curvature`."""
    if fit is None or not fit.model.law.regions or not Gate.of(fit.tree).passed:
        return ""
    told = region_probabilities(fit)
    if told.index[0] != "population" and len(told) > 1:  # curves that share nothing
        return ""
    return f"; {told.iloc[0].idxmax()} with probability {told.iloc[0].max():.2f}"


def _trusted(fits: Mapping[str, Fit]) -> list[str]:
    """The fits that passed their gate; all of them where none did."""
    return [name for name, fit in fits.items() if Gate.of(fit.tree).passed] or list(fits)


def _verdict(
    name: str, fits: Mapping[str, Fit], best: str, difference: float, error: float, units: int
) -> str:
    if name not in fits:
        return "baseline"
    if not Gate.of(fits[name].tree).passed:
        return NOT_CONVERGED
    if not np.isfinite(difference):
        return "not positive at a held-out run"
    if name == best:
        return "best"
    if unclear(difference, error, units):  # an unknown error (a single curve) tells nothing apart
        return f"not distinguishable from {best}"
    return "worse"
