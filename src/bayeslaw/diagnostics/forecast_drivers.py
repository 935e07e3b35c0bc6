"""What drives a forecast: the data, the prior, or the choice of the law."""

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
from bayeslaw._sampling.gate import NOT_CONVERGED, Gate
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.diagnostics.power_scaling import sensitivity
from bayeslaw.fitting.least_squares import least_squares, predict
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.curve_lookup import with_groups
from bayeslaw.forecasting.interval import interval
from bayeslaw.model.model import Model
from bayeslaw.priors import Fixed

__all__ = ["DATA", "LAW", "PRIOR", "forecast_drivers"]

DATA, PRIOR, LAW = "data-driven", "prior-driven", "law-driven"
NOT_EXAMINED = "not examined"  # of a fit that did not converge

RIVALS: dict[int, tuple[Law, ...]] = {  # by the number of predictors
    1: (laws.power, laws.pure_power, laws.log_linear, laws.double_power),
    2: (laws.chinchilla, laws.kaplan, laws.multiplicative),
}
BAND = 0.9
# Kallioinen et al. (2024): a normal quantity shifts by 0.24 of its standard deviation when the
# power is doubled. Less cannot be distinguished from Monte Carlo error.
SENSITIVE = 0.05
# A law whose AIC is worse by more than 4 has considerably less support (Burnham and Anderson).
# AIC is not corrected for few runs: the correction would exclude laws that have the fit's own law
# as a special case, which describe the runs as well but may extrapolate differently.
AIC_MARGIN = 4.0
EXACT_FIT = 1e-16  # mean squared log residual of an exact fit
# Laws that differ by more than the half-width of a band lie outside each other's band.
LAW_DIFFERENCE = 1.0
# Where the runs agree with the law, tau stays at its prior or goes below it.
LARGE_DISCREPANCY = 0.75


def forecast_drivers(
    fit: Fit, forecast: xr.Dataset, others: Mapping[str, xr.Dataset] | None = None
) -> pd.DataFrame:
    """Say for each point of a forecast what drives it: the data, the prior or the law.

    - *law-driven*: another law that describes the runs as well lies outside the 90% band of the
      curve there. Without `others` these are simple laws, fitted by least squares to the same
      curves, whose AIC is worse by at most 4 than that of the fit's own law. Or the runs
      themselves depart from the law: the posterior median of the discrepancy is above the upper
      quartile of its prior.
    - *prior-driven*: the curve there is sensitive to the prior, and more than to the likelihood,
      by power-scaling (Kallioinen et al. 2024).
    - *data-driven*: neither.

    A fit that did not pass its gate is *not examined*.

    Laws that are not among those compared are not considered: far beyond the data even a
    data-driven forecast may be wrong.

    Parameters
    ----------
    fit : Fit
        The fit.
    forecast : xarray.Dataset
        A forecast of this fit, by `bayeslaw.forecast`.
    others : mapping of str to xarray.Dataset, optional
        Forecasts of other laws at the same points, such as those that `bayeslaw.compare` cannot
        distinguish from this one. Forecasts of fits that failed their gate are left out.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``run`` of the forecast: ``verdict``, what drives the forecast; ``decades``
        beyond the data of the curve, the most of any predictor; sensitivities to ``prior`` and
        ``likelihood``; ``discrepancy``, the prior probability of a discrepancy below its posterior
        median (missing without one); ``between_laws``, the largest difference to another law, in
        half-widths of the band, and that ``rival``: 0 and empty where no law is as good, missing
        where none was compared, as on a curve without runs; and a ``sentence`` with all of it.

    Raises
    ------
    ValueError
        If the forecast is not of this fit, or another forecast is not at the same points.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> forecast = bl.forecast(fit, bl.grid(N=[1e9, 1e12]))  # doctest: +SKIP
    >>> bl.forecast_drivers(fit, forecast)["sentence"].tolist()  # doctest: +SKIP
    """
    curve = _curves(fit, forecast)
    mean = forecast["mean"]
    log_mean = xr.apply_ufunc(np.log, mean.where(mean > 0))
    sensitivities = sensitivity(fit, log_mean.fillna(log_mean.min()), curve)
    differences = (
        _differences_by_least_squares(fit, forecast, curve)
        if others is None
        else _differences(forecast, others)
    )
    columns = (
        _decades_beyond_data(fit, forecast, curve),
        sensitivities["prior"].values,
        sensitivities["likelihood"].values,
        _discrepancy_percentile(fit, curve),
    )
    points = [
        PointDrivers(*values, *_largest(differences.iloc[i]))
        for i, values in enumerate(zip(*columns, strict=True))
    ]
    table = pd.DataFrame([point.row() for point in points])
    if not Gate.of(fit.tree).passed:
        why = f"{NOT_EXAMINED.capitalize()}: the fit did not converge."
        table = table.assign(verdict=NOT_EXAMINED, sentence=why)
    return table.set_index(pd.Index(forecast["run"].values, name="run"))


class PointDrivers(NamedTuple):
    """Evidence for what drives one point of a forecast; see the columns of `forecast_drivers`."""

    decades: float
    prior: float
    likelihood: float
    discrepancy: float
    between_laws: float
    rival: str

    @property
    def driver(self) -> str:
        """What drives the forecast there: DATA, PRIOR or LAW."""
        if self.between_laws > LAW_DIFFERENCE or self.discrepancy > LARGE_DISCREPANCY:
            return LAW
        return PRIOR if self.prior > max(SENSITIVE, self.likelihood) else DATA

    @property
    def sentence(self) -> str:
        """The driver with its reasons."""
        where = f"{self.decades:.1f} decades beyond the data" if self.decades else "within the data"
        laws = f"{self.rival} differs by {self.between_laws:.1f} half-widths of the band"
        if not self.rival:
            no_law = (
                "was compared" if math.isnan(self.between_laws) else "describes the runs as well"
            )
            laws = f"no other law {no_law}"
        if self.discrepancy > LARGE_DISCREPANCY:
            laws += "; the runs depart from the law"
        return (
            f"{self.driver.capitalize()}, {where}: sensitivity {self.prior:.2f} to the prior and "
            f"{self.likelihood:.2f} to the likelihood; {laws}."
        )

    def row(self) -> dict[str, Any]:
        """A row of the table."""
        return {
            "verdict": self.driver,
            "decades": self.decades,
            "prior": self.prior,
            "likelihood": self.likelihood,
            "discrepancy": self.discrepancy,
            "between_laws": self.between_laws,
            "rival": self.rival,
            "sentence": self.sentence,
        }


def _largest(differences: pd.Series) -> tuple[float, str]:
    """The largest difference, and the law that it is from."""
    known = differences.dropna()
    return (float(known.max()), str(known.idxmax())) if len(known) else (math.nan, "")


def _curves(fit: Fit, forecast: xr.Dataset) -> np.ndarray:
    """Number of each point's curve among those of the fit, -1 if it is none of them; (run,)."""
    fitted = curves_in(fit.runs)["curve"].values.tolist()
    grouped = with_groups(fit, forecast)
    forecast_curves = curves_in(grouped)
    labels = forecast_curves["curve"].values.tolist()
    number = np.array([fitted.index(label) if label in fitted else -1 for label in labels])
    return number[curve_index(grouped, forecast_curves)]


def _decades_beyond_data(fit: Fit, forecast: xr.Dataset, curve: np.ndarray) -> np.ndarray:
    """Decades beyond the sizes of a point's curve, or of all runs if it has none; (run,)."""
    curve_of_run = curve_index(fit.runs, curves_in(fit.runs))
    beyond = np.zeros(curve.size)
    for number in np.unique(curve):
        rows, runs = curve == number, (curve_of_run == number) | (number < 0)
        for name in fit.model.law.predictors:
            log_size = np.log10(forecast[name].values[rows])
            observed = np.log10(fit.runs[name].values[runs])
            outside = np.maximum(log_size - observed.max(), observed.min() - log_size)
            beyond[rows] = np.maximum(beyond[rows], outside)
    return beyond


def _discrepancy_percentile(fit: Fit, curve: np.ndarray) -> np.ndarray:
    """Prior probability of a discrepancy below its posterior median, at each point; (run,)."""
    model, unconstrained = fit.model, fit.tree["unconstrained_posterior"].to_dataset()
    roles = model.discrepancy.parameters(model.law) if model.discrepancy else {}
    percentile = np.full(curve.size, np.nan)
    for name, role in roles.items():
        prior = link_normal(model.priors.get(name, role.prior), role.link)
        if prior and name in unconstrained["parameter"]:
            of_curve = unconstrained["theta"].sel(parameter=name).median(("chain", "draw")).values
            # New curves are -1, the last entry: the population.
            median = np.append(of_curve, _population_median(unconstrained, name))[curve]
            percentile = np.fmax(percentile, ndtr((median - prior.mean) / prior.sd))
    return percentile


def _population_median(unconstrained: xr.Dataset, name: str) -> float:
    if "center" not in unconstrained:
        return math.nan
    return float(unconstrained["center"].sel(parameter=name).median())


def _half_width(forecast: xr.Dataset) -> np.ndarray:
    """Half-width of the band of the log curve; infinite where the band reaches zero; (run,)."""
    band = interval(forecast[["mean"]], BAND)["mean"]
    lower, upper = (band.sel(bound=bound).values for bound in ("lower", "upper"))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(lower > 0, np.log(upper / lower) / 2, np.inf)


def _differences(forecast: xr.Dataset, others: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Differences to other forecasts in half-widths of the band, by point and name."""
    median, half_width, differences = _median(forecast), _half_width(forecast), {}
    for name, other in others.items():
        if other.sizes["run"] != median.size:
            raise ValueError(
                f"the forecast of {name!r} has {other.sizes['run']} points, and this one has "
                f"{median.size}: forecast the same grid"
            )
        if not any(caveat.startswith(NOT_CONVERGED) for caveat in other.attrs["caveats"]):
            differences[name] = _abs_log_ratio(_median(other), median) / half_width
    return pd.DataFrame(differences, index=range(median.size))


def _median(forecast: xr.Dataset) -> np.ndarray:
    return forecast["mean"].median(("chain", "draw")).values


def _abs_log_ratio(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Absolute log ratio; infinite where only one of the two has a logarithm."""
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.abs(np.log(first / second))
    return np.where((first > 0) == (second > 0), np.nan_to_num(size, posinf=np.inf), np.inf)


def _differences_by_least_squares(
    fit: Fit, forecast: xr.Dataset, curve: np.ndarray
) -> pd.DataFrame:
    """Differences to simple laws that describe the point's curve as well, by point and law."""
    model, half_width = fit.model, _half_width(forecast)
    rows = np.flatnonzero(curve >= 0)
    runs = fit.runs.isel(run=np.isin(curve_index(fit.runs, curves_in(fit.runs)), curve))
    if not rows.size:
        return pd.DataFrame(index=range(curve.size))
    grid = with_groups(fit, forecast.isel(run=rows))
    own = _by_least_squares(model, runs, grid)
    differences = {"": np.zeros(rows.size)}  # where no other law is as good
    for law in RIVALS.get(len(model.law.predictors), ()):
        if law.name != model.law.name:
            rival = _by_least_squares(Model(law.of(*model.law.predictors)), runs, grid)
            difference = _abs_log_ratio(rival.predicted, own.predicted) / half_width[rows]
            is_worse = rival.aic - own.aic > AIC_MARGIN
            differences[law.name] = np.where(is_worse, np.nan, difference)
    return pd.DataFrame(differences, index=rows).reindex(range(curve.size))


class _LeastSquares(NamedTuple):
    """A law by least squares at points (run,): AIC of their curves, and its values."""

    aic: np.ndarray
    predicted: np.ndarray


def _by_least_squares(model: Model, runs: xr.Dataset, grid: xr.Dataset) -> _LeastSquares:
    fixed = {n: Fixed(x) for n, x in model.fixed.items() if n in model.law.parameters}
    bare = Model(model.law, priors=fixed, tie=model.tie)
    fitted = least_squares(bare, runs)
    curves, grid_curves = curves_in(runs), curves_in(grid)
    count = np.bincount(curve_index(runs, curves))
    free = len(coordinates(bare).roles)
    aic = count * np.log(fitted["objective"].to_numpy() / count + EXACT_FIT) + 2 * free
    labels = curves["curve"].values.tolist()
    label_of_row = grid_curves["curve"].values[curve_index(grid, grid_curves)]
    return _LeastSquares(
        aic[[labels.index(label) for label in label_of_row]], predict(model.law, fitted, grid)
    )
