"""Forecast figure: runs, median curve, bands, and where the forecast extrapolates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayeslaw.data.runs import response_values
from bayeslaw.data.splits import join_held_out
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.curve_lookup import prediction_grid
from bayeslaw.forecasting.forecast import forecast as draw_forecast
from bayeslaw.forecasting.observed_range import observed_range
from bayeslaw.plots.figures import FitFigure
from bayeslaw.plots.forecast_lines import (
    ForecastLine,
    forecast_line,
    horizontal_predictor,
    split_into_lines,
)
from bayeslaw.plots.layout import evenly_spaced, set_title, small_multiples
from bayeslaw.plots.style import Palette, package_style, width_in_inches
from bayeslaw.plots.ticks import log_limits, set_log_scale

__all__ = ["FIGURE", "draw_runs", "plot_forecast"]

MAX_PANELS = 12
SIZES, EXTENT = 41, 10.0  # of a line: number, and the largest as a multiple of the fitted ones
DRAWS = 1000
CAPTION = (
    "Line: median curve; dashed: its 90% band; shaded: 50% and 90% bands of new runs. "
    "Dots: fitted runs; circles: runs held out or beyond the fitted range."
)


def plot_forecast(
    forecast: xr.Dataset,
    runs: xr.Dataset,
    *,
    x: str | None = None,
    columns: int | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Plot a forecast and the observed runs, one panel per curve.

    Sizes beyond the largest fitted size of the curve are on a grey background. At most twelve
    curves are shown, evenly spaced among all; to choose them, forecast fewer.

    Parameters
    ----------
    forecast : xarray.Dataset
        Draws of ``mean`` and ``new_run`` with dimensions ``(chain, draw, run)``, as
        `bayeslaw.forecast` returns them.
    runs : xarray.Dataset
        Runs to draw on top: dots if they were fitted, circles if they were held out or are beyond
        the fitted range. With several predictors, runs are shown in a panel if their other
        predictors are within about 10% of the panel's.
    x : str, optional
        Predictor on the horizontal axis; by default the first that varies in the forecast. Each
        combination of the others has its own panel, unless they change along with `x`.
    columns : int, optional
        Number of columns of panels; by default the grid is near-square.
    ax : matplotlib.axes.Axes, optional
        Axes to draw in, for a forecast of one curve. Caveats are not written there, but a fit that
        did not converge is marked.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the forecast lacks a variable or attribute that `bayeslaw.forecast` gives, if the runs
        have another response, if `x` is no predictor, or if there are several curves for `ax`.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> forecast = bl.forecast(fit, bl.grid(N=[1e8, 1e9, 1e10], task="c4"))  # doctest: +SKIP
    >>> bl.plot_forecast(forecast, runs).savefig("forecast.png")  # doctest: +SKIP
    """
    x = horizontal_predictor(forecast, runs, x)
    titled_rows = list(split_into_lines(forecast, x))
    # netCDF gives a list of one sentence back as the sentence itself.
    notes = [CAPTION, *np.atleast_1d(forecast.attrs.get("caveats", [])).tolist()]
    with package_style(ax) as palette:
        probs = list(palette.bands)
        selected = evenly_spaced(titled_rows, MAX_PANELS)
        lines = [forecast_line(forecast, runs, x, each, probs) for each in selected]
        variables, counts = (runs[x], response_values(runs)), (len(lines), len(titled_rows))
        figure, axes = small_multiples(palette, variables, counts, notes, columns=columns, ax=ax)
        _set_limits(axes[0], lines)
        for axis, line in zip(axes, lines, strict=True):
            _draw_line(axis, line, palette)
        _label_bands(axes[0], lines[0], palette)
    return figure


def draw_runs(axis: Axes, sizes: np.ndarray, responses: np.ndarray, palette: Palette) -> None:
    """Draw observed runs as dots, more transparent if several share a size."""
    opacity = 0.4 if np.unique(sizes).size < sizes.size else 0.85
    marker_style = {"ms": 2, "mew": 0, "color": palette.foreground, "alpha": opacity}
    axis.plot(sizes, responses, "o", **marker_style, label="fitted")


def _set_limits(axis: Axes, lines: list[ForecastLine]) -> None:
    """Set limits that include all runs and medians."""
    sizes, responses = np.hstack([runs for line in lines for runs in (line.fitted, line.later)])
    sizes = np.concatenate([sizes, *(line.sizes for line in lines)])
    widest = [line.bands[max(line.bands)] for line in lines]
    medians = [band["mean"].sel(bound="median").values for band in widest]
    edges = [band["new_run"].values.ravel() for band in widest]
    # Space on the right for the labels of the bands.
    set_log_scale(axis, "x", log_limits(sizes, sizes, 1, margin=1 + 0.2 / width_in_inches(axis)))
    set_log_scale(axis, "y", log_limits(np.hstack([responses, *medians]), np.hstack(edges), 3))


def _draw_line(axis: Axes, line: ForecastLine, palette: Palette) -> None:
    low, high = axis.get_ylim()
    left, right = axis.get_xlim()
    sizes, rows = line.sizes, slice(None)
    if sizes.size == 1:  # a line of one point is a short bar
        sizes, rows = sizes * (right / left) ** np.array([-0.015, 0.015]), [0, 0]

    def clipped(prob: float, name: str, bound: str) -> np.ndarray:
        return np.clip(line.bands[prob][name].sel(bound=bound).values, low, high)[rows]

    start = np.clip(line.start, left, right)
    axis.axvspan(start, right, color=palette.extrapolation, lw=0, label="beyond")
    for prob, colour in palette.bands.items():
        lower, upper = clipped(prob, "new_run", "lower"), clipped(prob, "new_run", "upper")
        axis.fill_between(sizes, lower, upper, color=colour, lw=0, label=f"{prob:.0%}")
    for bound in ("lower", "upper"):
        axis.plot(sizes, clipped(0.9, "mean", bound), color=palette.accent, lw=0.5, dashes=(4, 2))
    marker = "." if 1 < line.sizes.size <= 4 else ""
    median = clipped(0.9, "mean", "median")
    axis.plot(sizes, median, color=palette.accent, marker=marker, ms=3, label="median")
    draw_runs(axis, line.fitted[0], line.fitted[1], palette)
    colours = {"mfc": palette.background, "mec": palette.foreground, "alpha": 0.8}
    axis.plot(line.later[0], line.later[1], "o", ms=2.2, mew=0.4, **colours, label="later")
    set_title(axis, line.title)


def _label_bands(axis: Axes, line: ForecastLine, palette: Palette) -> None:
    """Label the bands at their right ends, without overlap, and the extrapolated range."""
    low, high = axis.get_ylim()
    ends = line.bands[0.9]["new_run"].isel(run=-1).sel(bound=["median", "upper"]).values
    median, upper = np.log(np.clip(np.nan_to_num(ends), low, high) / low) / np.log(high / low)
    median = np.clip(median, 0.03, 0.87)
    text_style = {"va": "center", "size": 5.5, "color": palette.accent}
    for text, height in {"50%": median, "90%": np.clip(upper, median + 0.08, 0.97)}.items():
        axis.annotate(
            text, (line.sizes[-1], height), (4, 0), axis.get_xaxis_transform(),
            textcoords="offset points", **text_style,
        )  # fmt: skip
    if line.start < line.sizes[-1] * (1 - 1e-9):
        corner = {"transform": axis.transAxes, "ha": "right", "va": "top"}
        axis.text(0.98, 1, "extrapolated", **corner, **palette.note_style)


def _draw_fit(
    fit: Fit,
    *,
    at: Mapping[str, Any] | None = None,
    later: xr.Dataset | None = None,
    x: str | None = None,
    draw_new: Sequence[str] = (),
) -> Figure:
    """Draw a forecast of a fit along a predictor, with the fitted and the held-out runs."""
    points = prediction_grid(fit, {**_line_sizes(fit, at or {}, x), **(at or {})})
    forecast = draw_forecast(fit, points, draw_new=draw_new, draws=DRAWS)
    return plot_forecast(forecast, join_held_out(fit.runs, later), x=x)


def _line_sizes(fit: Fit, at: Mapping[str, Any], x: str | None) -> dict[str, np.ndarray]:
    """Sizes along `x`, or along the first predictor that has no values in `at`."""
    ranges = observed_range(fit.runs)
    names = [name for name in ([x] if x in ranges else ranges) if name not in at]
    return {
        name: np.geomspace(ranges[name][0], EXTENT * ranges[name][1], SIZES) for name in names[:1]
    }


FIGURE = FitFigure(_draw_fit)
