"""Calibration figure: probability integral transform (PIT) and coverage of forecasts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.forecasting.scores import PERCENTS, curve_means, score, standard_error
from bayeslaw.plots.figures import FitFigure
from bayeslaw.plots.layout import figure_with_notes, gate_warnings
from bayeslaw.plots.style import COLUMN_WIDTH, POINT_STYLE, Palette, figure_of, package_style

__all__ = ["FIGURE", "plot_calibration"]

PROBABILITIES = np.linspace(0, 1, 101)
NORMAL_95 = 1.645  # half-width of a 90% interval in standard errors
YLABEL = "share of runs \N{MINUS SIGN} nominal"
CAPTION = (
    "Left: share of runs below each quantile of their forecast (an arch: forecasts too high; a "
    "dip: too low; up, then down: too narrow). Right: runs inside each band, with their share on "
    "top."
)


def plot_calibration(scores: xr.Dataset, *, ax: Axes | None = None) -> Figure:
    """Plot the calibration of forecasts: PIT on the left, coverage of bands on the right.

    On the left is the share of runs below each quantile of their forecast, minus the nominal
    share; on the right, the share inside the 50, 80, 90 and 95% bands. Each is a mean over curves
    of the curve's own share. The 90% intervals come from the differences between curves, so they
    stay valid if the errors of a curve's runs are correlated. Intervals are pointwise. With a
    single curve there are none.

    Parameters
    ----------
    scores : xarray.Dataset
        Scores of runs, with ``pit`` and ``covered_50`` to ``covered_95`` along ``run``, as
        `bayeslaw.score` returns them. Sentences in an attribute ``caveats`` become notes.
    ax : matplotlib.axes.Axes, optional
        Axes for the left part alone.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If a variable that `bayeslaw.score` returns is missing.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> scores = bl.score(bl.forecast(fit, later), later)  # doctest: +SKIP
    >>> bl.plot_calibration(scores).savefig("calibration.png")  # doctest: +SKIP
    """
    names = [f"covered_{percent}" for percent in PERCENTS]
    for name in ("pit", *names):
        if name not in scores:
            raise ValueError(f"the scores have no {name!r}; make them with bayeslaw.score")
    below = scores["pit"] <= xr.DataArray(PROBABILITIES, dims="probability")
    curves = curve_means(scores[names].assign(below=below))
    excess = curves["below"].transpose("curve", "probability").values - PROBABILITIES
    with package_style(ax) as palette:
        if ax is not None:
            _draw_pit(ax, excess, palette)
            return figure_of(ax)
        note = _note(scores.sizes["run"], curves.sizes["curve"])
        notes = [note, *np.atleast_1d(scores.attrs.get("caveats", [])).tolist()]
        figure, body = figure_with_notes(palette, COLUMN_WIDTH, 1.7, notes)
        left, right = body.subplots(1, 2, width_ratios=[3, 2], sharey=True)
        _draw_pit(left, excess, palette)
        _draw_coverage(right, np.stack([curves[name].values for name in names], axis=1), palette)
    return figure


def _draw_pit(axis: Axes, excess: np.ndarray, palette: Palette) -> None:
    """Draw the mean of the excess over curves, (curve, probability), and its interval."""
    mean, half_width = excess.mean(axis=0), NORMAL_95 * np.nan_to_num(standard_error(excess))
    lower, upper = mean - half_width, mean + half_width
    axis.fill_between(PROBABILITIES, lower, upper, color=palette.bands[0.9], lw=0, label="90%")
    axis.axhline(0, color=palette.grey, lw=0.5)
    axis.plot(PROBABILITIES, mean, color=palette.accent, label="mean")
    axis.set(xlim=(0, 1), xlabel="quantile of the forecast", ylabel=YLABEL)
    axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "¼", "½", "¾", "1"])
    axis.yaxis.set_major_locator(MaxNLocator(5))
    axis.yaxis.set_major_formatter(_signed)


def _draw_coverage(axis: Axes, covered: np.ndarray, palette: Palette) -> None:
    """Draw the mean coverage over curves, (curve, band), minus nominal, and its interval."""
    positions, share = range(len(PERCENTS)), covered.mean(axis=0)
    excess = share - np.array(PERCENTS) / 100
    half_width = NORMAL_95 * np.nan_to_num(standard_error(covered))
    axis.axhline(0, color=palette.grey, lw=0.5)
    axis.errorbar(
        positions, excess, yerr=half_width, color=palette.foreground, ls="", **POINT_STYLE
    )
    text_position = {"transform": axis.get_xaxis_transform(), "ha": "center", "va": "bottom"}
    for x, value in zip(positions, share, strict=True):
        axis.text(x, 1, f"{value:.0%}", **text_position, **palette.note_style)
    axis.set(xlim=(-0.5, len(PERCENTS) - 0.5), xlabel="band of a new run")
    axis.set_xticks(positions, [f"{percent}%" for percent in PERCENTS])
    axis.tick_params(axis="y", length=0)


def _note(runs: int, curves: int) -> str:
    interval = f"90% intervals from {curves} curves." if curves > 1 else "none, from one curve."
    return f"{CAPTION} Shading, bars: {interval} {runs} runs."


def _signed(share: float, _: float) -> str:
    return f"{share:+.3g}".replace("-", "\N{MINUS SIGN}") if share else "0"


def _draw_fit(fit: Fit, *, later: xr.Dataset, draw_new: Sequence[str] = ()) -> Figure:
    """Draw the calibration of a fit at held-out runs."""
    scores = score(forecast(fit, later, draw_new=draw_new), later)
    return plot_calibration(scores.assign_attrs(caveats=gate_warnings(fit)))


FIGURE = FitFigure(_draw_fit)
