"""Residual figure: residuals along a predictor, with the discrepancy of the law."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayeslaw.data.runs import group_names, predictor_names
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.interval import interval
from bayeslaw.forecasting.residuals import residuals as draw_residuals
from bayeslaw.plots.figures import FitFigure
from bayeslaw.plots.forecast import draw_runs
from bayeslaw.plots.forecast_lines import group_rows
from bayeslaw.plots.layout import evenly_spaced, set_title, small_multiples
from bayeslaw.plots.style import Palette, package_style
from bayeslaw.plots.ticks import log_limits, set_log_scale

__all__ = ["FIGURE", "plot_residuals"]

MAX_PANELS = 12
MAX_NOISE_SIZES = 12  # at which the band of the noise is drawn; more would only look jagged
PARTS = "residual", "discrepancy", "replicate"
DOTS, NOISE = "Dots: median residuals; ", "dashed: 90% of runs, noise included."
DISCREPANCY = "50% and 90% bands of the discrepancy"


def plot_residuals(
    residuals: xr.Dataset,
    *,
    x: str | None = None,
    columns: int | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Plot residuals along a predictor and the discrepancy of the law, one panel per curve.

    At most twelve curves are shown, evenly spaced among all. With several predictors, the
    discrepancy is drawn as a bar at each run, otherwise as bands. A model without a discrepancy
    has neither.

    Parameters
    ----------
    residuals : xarray.Dataset
        Draws of ``residual``, ``discrepancy`` and ``replicate`` with dimensions
        ``(chain, draw, run)``, as `bayeslaw.residuals` returns them.
    x : str, optional
        Predictor on the horizontal axis; by default the first of the law.
    columns : int, optional
        Number of columns of panels; by default the grid is near-square.
    ax : matplotlib.axes.Axes, optional
        Axes to draw in, for residuals of one curve.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If a variable that `bayeslaw.residuals` returns is missing, if `x` is no predictor, or if
        there are several curves for `ax`.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> bl.plot_residuals(bl.residuals(fit)).savefig("residuals.png")  # doctest: +SKIP
    """
    for name in PARTS:
        if name not in residuals:
            raise ValueError(f"there is no {name!r}; make it with bayeslaw.residuals")
    predictors = predictor_names(residuals)
    if x is not None and x not in predictors:
        raise ValueError(f"x must be a predictor of the law, one of {predictors}, got {x!r}")
    residuals = residuals.sortby(x or predictors[0])
    sizes = residuals[x or predictors[0]]
    curves = list(group_rows(residuals, group_names(residuals), range(sizes.size)).items())
    shown = evenly_spaced(curves, MAX_PANELS)
    vertical = xr.DataArray(name=residuals["residual"].attrs["long_name"])
    draw, caption = _drawing(residuals)
    notes = [caption, *np.atleast_1d(residuals.attrs.get("caveats", [])).tolist()]
    counts = len(shown), len(curves)
    with package_style(ax) as palette:
        figure, axes = small_multiples(
            palette, (sizes, vertical), counts, notes, columns=columns, ax=ax
        )
        set_log_scale(axes[0], "x", log_limits(sizes.values, sizes.values, 1))
        for axis, (levels, rows) in zip(axes, shown, strict=True):
            curve = residuals[[*PARTS]].isel(run=rows).reset_coords(drop=True)
            bands = {prob: interval(curve, prob) for prob in palette.bands}
            axis.axhline(0, color=palette.grey, lw=0.5)
            draw(axis, sizes.values[rows], bands, palette)
            median = bands[0.9]["residual"].sel(bound="median").values
            draw_runs(axis, sizes.values[rows], median, palette)
            set_title(axis, " / ".join(levels))
        _centre(axes[0], [line.get_ydata() for axis in axes for line in axis.lines])
    return figure


def _drawing(residuals: xr.Dataset) -> tuple[Callable[..., None], str]:
    """Choose how to draw the discrepancy, and the caption."""
    if not residuals["discrepancy"].fillna(0).any():  # a model without one
        return _draw_bands, DOTS + NOISE
    if len(predictor_names(residuals)) == 1:
        return _draw_bands, f"{DOTS}shades: {DISCREPANCY}; {NOISE}"
    return _draw_bars, f"{DOTS}bars: {DISCREPANCY}."


def _draw_bands(
    axis: Axes, sizes: np.ndarray, bands: dict[float, xr.Dataset], palette: Palette
) -> None:
    """Draw bands by size: runs of one size of a curve share the discrepancy and the noise."""
    first = np.unique(sizes, return_index=True)[1]
    for prob, colour in palette.bands.items():
        lower, upper = _edges(bands[prob]["discrepancy"][:, first])
        axis.fill_between(sizes[first], lower, upper, color=colour, lw=0, label=f"{prob:.0%}")
    selected = evenly_spaced(first.tolist(), MAX_NOISE_SIZES)
    for edge in _edges(bands[0.9]["replicate"][:, selected]):
        line_style = {"color": palette.accent, "lw": 0.5, "dashes": (4, 2)}
        axis.plot(sizes[selected], edge, **line_style, label="replicate")


def _draw_bars(
    axis: Axes, sizes: np.ndarray, bands: dict[float, xr.Dataset], palette: Palette
) -> None:
    """Draw a bar at each run, where the discrepancy depends on more than one predictor."""
    for prob, colour in palette.bands.items():
        axis.vlines(sizes, *_edges(bands[prob]["discrepancy"]), colour, lw=2, label=f"{prob:.0%}")


def _edges(band: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    return band.sel(bound="lower").values, band.sel(bound="upper").values


def _centre(axis: Axes, values: list[Any]) -> None:
    """Put zero in the middle of the vertical axis."""
    magnitudes = np.abs(np.concatenate([np.ravel(value) for value in values]))
    limit = 1.08 * magnitudes[np.isfinite(magnitudes)].max(initial=0) or 1.0
    axis.set_ylim(-limit, limit)
    axis.yaxis.set_major_locator(MaxNLocator(5, symmetric=True))


def _draw_fit(fit: Fit, *, x: str | None = None) -> Figure:
    """Draw the residuals of a fit."""
    return plot_residuals(draw_residuals(fit), x=x)


FIGURE = FitFigure(_draw_fit)
