"""What decides a forecast: the data, the prior, or the law that was chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr

from bayeslaw import laws
from bayeslaw._inference.coordinates import coordinates
from bayeslaw._law.law import Law
from bayeslaw._law.roles import link_normal
from bayeslaw._sampling.gate import NOT_CONVERGED
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.diagnostics.power_scaling import sensitivity
from bayeslaw.fitting.fit import Fit
from bayeslaw.fitting.least_squares import least_squares, predict
from bayeslaw.forecasting.curve_lookup import with_groups
from bayeslaw.forecasting.forecast import interval
from bayeslaw.model.model import Model
from bayeslaw.priors import Fixed

__all__ = ["DATA", "LAW", "PRIOR", "forecast_drivers"]

DATA, PRIOR, LAW = "data-driven", "prior-driven", "law-driven"

RIVALS: dict[int, tuple[Law, ...]] = {  # by the number of predictors
    1: (laws.power, laws.pure_power, laws.log_linear, laws.double_power),
    2: (laws.chinchilla, laws.kaplan, laws.multiplicative),
}
BAND = 0.9
# Kallioinen et al. (2024): a normal quantity shifts by 0.24 of its standard deviation with a
# power of two. Less is not to be told from Monte Carlo error.
MOVES = 0.05
# A law whose AIC is worse by more than 4 has considerably less support (Burnham and Anderson).
# It is taken without a correction for few runs, which would leave out laws that have the fit's own
# as a special case: these describe the runs as well, whatever they say elsewhere.
AS_GOOD = 4.0
NIL = 1e-16  # mean squared log residual of an exact fit
# Laws that disagree by more than the half-width of a band put each other outside of it.
APART = 1.0
# Runs that agree with the law leave tau where its prior has it, or below.
MISFIT = 0.75


def forecast_drivers(
    fit: Fit, forecast: xr.Dataset, others: Mapping[str, xr.Dataset] | None = None
) -> pd.DataFrame:
    """Tell, for each place of a forecast, what decides it.

    - *law-driven*: laws that describe the runs as well say something else there, outside the 90%
      band of the curve. Without `others` these are simple laws, fitted by least squares to the
      same curves: those whose AIC is not worse by more than 4 than that of the fit's own law. Or
      the runs themselves depart from the law: the posterior median of the discrepancy is above
      the upper quartile of its prior.
    - *prior-driven*: the curve there moves with the strength of the prior, and more than with that
      of the likelihood (see `bayeslaw.power_scaling`).
    - *data-driven*: neither.

    A law that describes the runs and that nobody has thought of is not looked for: far beyond the
    data no verdict makes a band safe.

    Parameters
    ----------
    fit : Fit
        The fit.
    forecast : xarray.Dataset
        What `bayeslaw.forecast` made of it.
    others : mapping of str to xarray.Dataset, optional
        Forecasts of other laws at the same places, such as those that `bayeslaw.compare` cannot
        tell from this one. Those of fits that failed their gate are left out.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``run`` of the forecast: ``verdict``; ``decades`` beyond the curve's data, along
        the predictor where they are most; sensitivities to ``prior`` and ``likelihood``;
        ``misfit``, the prior probability of a discrepancy below its posterior median (missing
        without one); ``between_laws``, the largest difference to another law in half-widths of
        the band, and that ``rival``, or 0 and empty where none is as good (missing where none was
        compared, as on a curve without runs); and all of it as a ``sentence``.

    Raises
    ------
    ValueError
        If the forecast, or one of the others, cannot be of this fit and these places.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> forecast = bl.forecast(fit, bl.grid(N=[1e9, 1e12]))  # doctest: +SKIP
    >>> bl.forecast_drivers(fit, forecast)["sentence"].tolist()  # doctest: +SKIP
    """
    curve = _curves(fit, forecast)
    mean = forecast["mean"]
    log = xr.apply_ufunc(np.log, mean.where(mean > 0))
    moved = sensitivity(fit, log.fillna(log.min()), curve)
    apart = (
        _apart_by_least_squares(fit, forecast, curve)
        if others is None
        else _apart(forecast, others)
    )
    told = (_decades(fit, forecast, curve), moved["prior"].values, moved["likelihood"].values)
    places = [
        ForecastDriver(*numbers, *_farthest(apart.iloc[i]))
        for i, numbers in enumerate(zip(*told, _misfit(fit, curve), strict=True))
    ]
    told = pd.DataFrame([place.told() for place in places])
    return told.set_index(pd.Index(forecast["run"].values, name="run"))


class ForecastDriver(NamedTuple):
    """What is known of one place of a forecast; see `forecast_drivers`."""

    decades: float
    prior: float
    likelihood: float
    misfit: float
    between_laws: float
    rival: str

    @property
    def verdict(self) -> str:
        """What decides it."""
        if self.between_laws > APART or self.misfit > MISFIT:
            return LAW
        return PRIOR if self.prior > max(MOVES, self.likelihood) else DATA

    @property
    def sentence(self) -> str:
        """The verdict with its reasons."""
        where = f"{self.decades:.1f} decades beyond the data" if self.decades else "among the data"
        laws = f"{self.rival} differs by {self.between_laws:.1f} half-widths of the band"
        if not self.rival:
            tried = (
                "was compared" if math.isnan(self.between_laws) else "describes the runs as well"
            )
            laws = f"no other law {tried}"
        if self.misfit > MISFIT:
            laws += "; the runs depart from the law"
        return (
            f"{self.verdict.capitalize()}, {where}: sensitivity {self.prior:.2f} to the prior and "
            f"{self.likelihood:.2f} to the likelihood; {laws}."
        )

    def told(self) -> dict[str, Any]:
        """A row of the table."""
        return {"verdict": self.verdict, **self._asdict(), "sentence": self.sentence}


def _farthest(apart: pd.Series) -> tuple[float, str]:
    """How far the farthest law is, and which it is."""
    known = apart.dropna()
    return (float(known.max()), str(known.idxmax())) if len(known) else (math.nan, "")


def _curves(fit: Fit, forecast: xr.Dataset) -> np.ndarray:
    """Number of the curve of each place among those of the fit, -1 where it is none of them."""
    known = curves_in(fit.runs)["curve"].values.tolist()
    grouped = with_groups(fit, forecast)
    wanted = curves_in(grouped)
    label = wanted["curve"].values.tolist()
    number = np.array([known.index(each) if each in known else -1 for each in label])
    return number[curve_index(grouped, wanted)]


def _decades(fit: Fit, forecast: xr.Dataset, curve: np.ndarray) -> np.ndarray:
    """Beyond the sizes of a place's curve, or of all runs where it has none."""
    own = curve_index(fit.runs, curves_in(fit.runs))
    beyond = np.zeros(curve.size)
    for number in np.unique(curve):
        rows, runs = curve == number, (own == number) | (number < 0)
        for name in fit.model.law.predictors:
            at, seen = np.log10(forecast[name].values[rows]), np.log10(fit.runs[name].values[runs])
            outside = np.maximum(at - seen.max(), seen.min() - at)
            beyond[rows] = np.maximum(beyond[rows], outside)
    return beyond


def _misfit(fit: Fit, curve: np.ndarray) -> np.ndarray:
    """Prior probability that the discrepancy is below its posterior median, at each place."""
    model, link = fit.model, fit.tree["unconstrained_posterior"].to_dataset()
    told = np.full(curve.size, np.nan)
    for name, role in (
        model.discrepancy.parameters(model.law) if model.discrepancy else {}
    ).items():
        prior = link_normal(model.priors.get(name, role.prior), role.link)
        if prior and name in link["parameter"]:
            of_curve = link["theta"].sel(parameter=name).median(("chain", "draw")).values
            known = np.append(of_curve, _population(link, name))[curve]  # -1 is the last
            told = np.fmax(told, ndtr((known - prior.mean) / prior.sd))
    return told


def _population(link: xr.Dataset, name: str) -> float:
    if "center" not in link:
        return math.nan
    return float(link["center"].sel(parameter=name).median())


def _half_width(forecast: xr.Dataset) -> np.ndarray:
    """Of the band of the logarithm of the curve; infinite where the band reaches zero."""
    band = interval(forecast[["mean"]], BAND)["mean"]
    lower, upper = (band.sel(bound=bound).values for bound in ("lower", "upper"))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(lower > 0, np.log(upper / lower) / 2, np.inf)


def _apart(forecast: xr.Dataset, others: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """The other forecast that is farthest from this one, in half-widths of the band."""
    here, half, told = _median(forecast), _half_width(forecast), {}
    for name, other in others.items():
        if other.sizes["run"] != here.size:
            raise ValueError(
                f"the forecast of {name!r} is of {other.sizes['run']} places, not of {here.size}: "
                "forecast the same grid"
            )
        if not any(caveat.startswith(NOT_CONVERGED) for caveat in other.attrs["caveats"]):
            told[name] = _log_ratio(_median(other), here) / half
    return pd.DataFrame(told, index=range(here.size))


def _median(forecast: xr.Dataset) -> np.ndarray:
    return forecast["mean"].median(("chain", "draw")).values


def _log_ratio(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Size of the logarithm of a ratio; infinite where only one of both has a logarithm."""
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.abs(np.log(one / other))
    return np.where((one > 0) == (other > 0), np.nan_to_num(size, posinf=np.inf), np.inf)


def _apart_by_least_squares(fit: Fit, forecast: xr.Dataset, curve: np.ndarray) -> pd.DataFrame:
    """Simple laws that describe a curve as well as the fit's own, by place and rival."""
    model, half = fit.model, _half_width(forecast)
    rows = np.flatnonzero(curve >= 0)
    every = curve_index(fit.runs, curves_in(fit.runs))
    runs = fit.runs.isel(run=np.isin(every, curve))
    if not rows.size:
        return pd.DataFrame(index=range(curve.size))
    grid = with_groups(fit, forecast.isel(run=rows))
    own = _by_least_squares(model, runs, grid)
    told = {"": np.zeros(rows.size)}  # where no other law is as good
    for law in RIVALS.get(len(model.law.predictors), ()):
        if law.name != model.law.name:
            rival = _by_least_squares(Model(law.of(*model.law.predictors)), runs, grid)
            apart = _log_ratio(rival.predicted, own.predicted) / half[rows]
            told[law.name] = np.where(rival.aic - own.aic > AS_GOOD, np.nan, apart)
    return pd.DataFrame(told, index=rows).reindex(range(curve.size))


class _Point(NamedTuple):
    """A law by least squares, at places: AIC of their curves, and its values."""

    aic: np.ndarray
    predicted: np.ndarray


def _by_least_squares(model: Model, runs: xr.Dataset, grid: xr.Dataset) -> _Point:
    held = {n: Fixed(x) for n, x in model.fixed.items() if n in model.law.parameters}
    bare = Model(model.law, priors=held, tie=model.tie)
    fitted = least_squares(bare, runs)
    known, wanted = curves_in(runs), curves_in(grid)
    count = np.bincount(curve_index(runs, known))
    free = len(coordinates(bare).roles)
    aic = count * np.log(fitted["objective"].to_numpy() / count + NIL) + 2 * free
    label = wanted["curve"].values[curve_index(grid, wanted)]
    at = [known["curve"].values.tolist().index(each) for each in label]
    return _Point(aic[at], predict(model.law, fitted, grid))
