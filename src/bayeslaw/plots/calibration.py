"""Figure of calibration: whether observed runs fell where forecasts said, and how surely."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayeslaw.forecasting.scores import PERCENTS, curve_means, standard_error
from bayeslaw.plots.layout import sheet
from bayeslaw.plots.style import COLUMN, POINT, Inks, figure_of, house

__all__ = ["plot_calibration"]

RANKS = np.linspace(0, 1, 101)
REACH = 1.645  # standard errors of a 90% interval
YLABEL = "share of runs \N{MINUS SIGN} nominal"
KEY = (
    "Left: runs below each quantile of their forecast (an arch: forecasts too high; a dip: too "
    "low; up, then down: too narrow). Right: runs inside each band, their share on top."
)


def plot_calibration(scores: xr.Dataset, *, ax: Axes | None = None) -> Figure:
    """Draw where observed runs fell in their forecasts, and how many fell into each band.

    Left, the share of runs below each quantile of their forecast, less what it should be; right,
    the share inside the bands of 50, 80, 90 and 95%. Each is a mean over curves of the curve's
    own share; the 90% intervals come from the differences between curves, so that they hold
    although runs of a curve err together. Each interval is for its own point alone. One curve
    has none.

    Parameters
    ----------
    scores : xarray.Dataset
        As of `bayeslaw.score`.
    ax : matplotlib.axes.Axes, optional
        Where to draw the left part alone.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the scores lack what `bayeslaw.score` gives.

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
    below = scores["pit"] <= xr.DataArray(RANKS, dims="rank")
    curves = curve_means(scores[names].assign(below=below))
    excess = curves["below"].transpose("curve", "rank").values - RANKS
    with house(ax) as inks:
        if ax is not None:
            _draw_ranks(ax, excess, inks)
            return figure_of(ax)
        note = _note(scores.sizes["run"], curves.sizes["curve"])
        figure, body = sheet(inks, COLUMN, 1.7, [note])
        left, right = body.subplots(1, 2, width_ratios=[3, 2], sharey=True)
        _draw_ranks(left, excess, inks)
        _draw_coverage(right, np.stack([curves[name].values for name in names], axis=1), inks)
    return figure


def _draw_ranks(axis: Axes, excess: np.ndarray, inks: Inks) -> None:
    """Draw the mean over curves, (curve, rank), and its interval."""
    mean, reach = excess.mean(axis=0), REACH * np.nan_to_num(standard_error(excess))
    axis.fill_between(RANKS, mean - reach, mean + reach, color=inks.bands[0.9], lw=0, label="90%")
    axis.axhline(0, color=inks.grey, lw=0.5)
    axis.plot(RANKS, mean, color=inks.accent, label="mean")
    axis.set(xlim=(0, 1), xlabel="quantile of the forecast", ylabel=YLABEL)
    axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "¼", "½", "¾", "1"])
    axis.yaxis.set_major_locator(MaxNLocator(5))
    axis.yaxis.set_major_formatter(_signed)


def _draw_coverage(axis: Axes, covered: np.ndarray, inks: Inks) -> None:
    """Draw the mean over curves, (curve, band), and its interval, less the nominal share."""
    places, share = range(len(PERCENTS)), covered.mean(axis=0)
    excess, reach = share - np.array(PERCENTS) / 100, REACH * np.nan_to_num(standard_error(covered))
    axis.axhline(0, color=inks.grey, lw=0.5)
    axis.errorbar(places, excess, yerr=reach, color=inks.ink, ls="", **POINT)
    place = {"transform": axis.get_xaxis_transform(), "ha": "center", "va": "bottom"}
    for x, value in zip(places, share, strict=True):
        axis.text(x, 1, f"{value:.0%}", **place, **inks.small)
    axis.set(xlim=(-0.5, len(PERCENTS) - 0.5), xlabel="band of a new run")
    axis.set_xticks(places, [f"{percent}%" for percent in PERCENTS])
    axis.tick_params(axis="y", length=0)


def _note(runs: int, curves: int) -> str:
    interval = f"90% intervals between {curves} curves." if curves > 1 else "none, from one curve."
    return f"{KEY} Shade, bars: {interval} {runs} runs."


def _signed(share: float, _: float) -> str:
    return f"{share:+.3g}".replace("-", "\N{MINUS SIGN}") if share else "0"
