"""Figure of a forecast: data, curve, bands, and what is extrapolated."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayeslaw.data.runs import response_values
from bayeslaw.plots.forecast_lines import Line, checked, line_of, lines
from bayeslaw.plots.layout import small_multiples, spread, title
from bayeslaw.plots.style import Inks, house, width_of
from bayeslaw.plots.ticks import limits, log_axis

__all__ = ["dots", "plot_forecast"]

MOST_PANELS = 12
KEY = (
    "Line: median curve, dashes its 90% band; shades: 50% and 90% of new runs. "
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
    """Draw a forecast over the runs, one panel per curve.

    Sizes beyond the largest fitted one of the curve are on grey. Of more than twelve curves,
    twelve spread over all are shown; forecast fewer to choose them.

    Parameters
    ----------
    forecast : xarray.Dataset
        Draws, as of `bayeslaw.forecast`.
    runs : xarray.Dataset
        Runs to draw on top: fitted ones as dots, those held out or beyond the fitted range as
        circles. Where predictors are several, the runs within a tenth of the forecast's others.
    x : str, optional
        Predictor on the horizontal axis; by default the first that varies in the forecast.
        Each value of the others has its panel, unless they change along with it.
    columns : int, optional
        Columns of panels; by default a near-square grid.
    ax : matplotlib.axes.Axes, optional
        Where to draw a forecast of one curve. Its caveats are left to you, but a fit that failed
        is marked.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the forecast lacks what `bayeslaw.forecast` gives, the runs are of another response,
        there is no predictor `x`, or there are several curves for `ax`.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> forecast = bl.forecast(fit, bl.grid(N=[1e8, 1e9, 1e10], task="c4"))  # doctest: +SKIP
    >>> bl.plot_forecast(forecast, runs).savefig("forecast.png")  # doctest: +SKIP
    """
    x = checked(forecast, runs, x)
    every = list(lines(forecast, x))
    # netCDF gives a list of one sentence back as the sentence itself.
    notes = [KEY, *np.atleast_1d(forecast.attrs.get("caveats", [])).tolist()]
    with house(ax) as inks:
        probs = list(inks.bands)
        shown = [line_of(forecast, runs, x, line, probs) for line in spread(every, MOST_PANELS)]
        labels, counts = (runs[x], response_values(runs)), (len(shown), len(every))
        figure, axes = small_multiples(inks, labels, counts, notes, columns=columns, ax=ax)
        _frame(axes[0], shown)
        for axis, line in zip(axes, shown, strict=True):
            _draw(axis, line, inks)
        _name_bands(axes[0], shown[0], inks)
    return figure


def dots(axis: Axes, sizes: np.ndarray, responses: np.ndarray, inks: Inks) -> None:
    """Draw observed runs, paler where several share a size.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Where.
    sizes, responses : array
        The runs.
    inks : Inks
        Colours.
    """
    opacity = 0.4 if np.unique(sizes).size < sizes.size else 0.85
    axis.plot(sizes, responses, "o", ms=2, mew=0, color=inks.ink, alpha=opacity, label="fitted")


def _frame(axis: Axes, shown: list[Line]) -> None:
    """Limits that hold all runs and medians."""
    sizes, responses = np.hstack([part for each in shown for part in (each.fitted, each.later)])
    sizes = np.concatenate([sizes, *(line.sizes for line in shown)])
    widest = [line.bands[max(line.bands)] for line in shown]
    medians = [band["mean"].sel(bound="median").values for band in widest]
    edges = [band["new_run"].values.ravel() for band in widest]
    # Room on the right for the names of the bands.
    log_axis(axis, "x", limits(sizes, sizes, 1, margin=1 + 0.2 / width_of(axis)))
    log_axis(axis, "y", limits(np.hstack([responses, *medians]), np.hstack(edges), 3))


def _draw(axis: Axes, line: Line, inks: Inks) -> None:
    low, high = axis.get_ylim()
    left, right = axis.get_xlim()
    sizes, place = line.sizes, slice(None)
    if sizes.size == 1:  # a line of one point is a short bar
        sizes, place = sizes * (right / left) ** np.array([-0.015, 0.015]), [0, 0]

    def edge(prob: float, name: str, bound: str) -> np.ndarray:
        return np.clip(line.bands[prob][name].sel(bound=bound).values, low, high)[place]

    axis.axvspan(np.clip(line.start, left, right), right, color=inks.beyond, lw=0, label="beyond")
    for prob, colour in inks.bands.items():
        lower, upper = edge(prob, "new_run", "lower"), edge(prob, "new_run", "upper")
        axis.fill_between(sizes, lower, upper, color=colour, lw=0, label=f"{prob:.0%}")
    for bound in ("lower", "upper"):
        axis.plot(sizes, edge(0.9, "mean", bound), color=inks.accent, lw=0.5, dashes=(4, 2))
    mark = "." if 1 < line.sizes.size <= 4 else ""
    middle = edge(0.9, "mean", "median")
    axis.plot(sizes, middle, color=inks.accent, marker=mark, ms=3, label="median")
    dots(axis, line.fitted[0], line.fitted[1], inks)
    look = {"ms": 2.2, "mfc": inks.paper, "mec": inks.ink, "mew": 0.4, "alpha": 0.8}
    axis.plot(line.later[0], line.later[1], "o", **look, label="later")
    title(axis, line.title)


def _name_bands(axis: Axes, line: Line, inks: Inks) -> None:
    """Name the bands at their right end, apart enough to be read, and the extrapolation."""
    low, high = axis.get_ylim()
    ends = line.bands[0.9]["new_run"].isel(run=-1).sel(bound=["median", "upper"]).values
    middle, top = np.log(np.clip(np.nan_to_num(ends), low, high) / low) / np.log(high / low)
    middle = np.clip(middle, 0.03, 0.87)
    for text, height in {"50%": middle, "90%": np.clip(top, middle + 0.08, 0.97)}.items():
        look = {"textcoords": "offset points", "va": "center", "size": 5.5, "color": inks.accent}
        axis.annotate(text, (line.sizes[-1], height), (4, 0), axis.get_xaxis_transform(), **look)
    if line.start < line.sizes[-1] * (1 - 1e-9):
        place = {"transform": axis.transAxes, "ha": "right", "va": "top"}
        axis.text(0.98, 1, "extrapolated", **place, **inks.small)
