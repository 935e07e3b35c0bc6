"""Figure of residuals along a predictor, with what the law gets wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayeslaw.data.runs import group_names, predictor_names
from bayeslaw.forecasting.forecast import interval
from bayeslaw.plots.forecast import dots
from bayeslaw.plots.forecast_lines import rows_by
from bayeslaw.plots.layout import small_multiples, spread, title
from bayeslaw.plots.style import Inks, house
from bayeslaw.plots.ticks import limits, log_axis

__all__ = ["plot_residuals"]

MOST_PANELS = 12
MOST_ENDS = 12  # sizes at which the ends of a band of noise are drawn: between, they only flicker
PARTS = "residual", "discrepancy", "replicate"
DOTS, NOISE = "Dots: median residuals; ", "dashes: 90% of runs, noise included."
WRONG = "50% and 90% bands of what the law gets wrong"


def plot_residuals(
    residuals: xr.Dataset,
    *,
    x: str | None = None,
    columns: int | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw residuals along a predictor, and what the law gets wrong, one panel per curve.

    Of more than twelve curves, twelve spread over all are shown. Where other predictors vary
    within a curve, the bands are bars at each run. A model without a discrepancy has neither.

    Parameters
    ----------
    residuals : xarray.Dataset
        Draws, as of `bayeslaw.residuals`.
    x : str, optional
        Predictor on the horizontal axis; the first of the law unless given.
    columns : int, optional
        Columns of panels; by default a near-square grid.
    ax : matplotlib.axes.Axes, optional
        Where to draw residuals of one curve.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the dataset lacks what `bayeslaw.residuals` gives, there is no predictor `x`, or there
        are several curves for `ax`.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> bl.plot_residuals(bl.residuals(fit)).savefig("residuals.png")  # doctest: +SKIP
    """
    for name in PARTS:
        if name not in residuals:
            raise ValueError(f"there is no {name!r}; make it with bayeslaw.residuals")
    known = predictor_names(residuals)
    if x is not None and x not in known:
        raise ValueError(f"x must be a predictor of the law, one of {known}, got {x!r}")
    residuals = residuals.sortby(x or known[0])
    sizes = residuals[x or known[0]]
    curves = list(rows_by(residuals, group_names(residuals), range(sizes.size)).items())
    shown = spread(curves, MOST_PANELS)
    up = xr.DataArray(name=residuals["residual"].attrs["long_name"])
    draw, key = _manner(residuals)
    notes = [key, *np.atleast_1d(residuals.attrs.get("caveats", [])).tolist()]
    with house(ax) as inks:
        counts = len(shown), len(curves)
        figure, axes = small_multiples(inks, (sizes, up), counts, notes, columns=columns, ax=ax)
        log_axis(axes[0], "x", limits(sizes.values, sizes.values, 1))
        for axis, (groups, rows) in zip(axes, shown, strict=True):
            own = residuals[[*PARTS]].isel(run=rows).reset_coords(drop=True)
            bands = {prob: interval(own, prob) for prob in inks.bands}
            axis.axhline(0, color=inks.grey, lw=0.5)
            draw(axis, sizes.values[rows], bands, inks)
            median = bands[0.9]["residual"].sel(bound="median").values
            dots(axis, sizes.values[rows], median, inks)
            title(axis, " / ".join(groups))
        _centre(axes[0], [line.get_ydata() for axis in axes for line in axis.lines])
    return figure


def _manner(residuals: xr.Dataset) -> tuple[Callable[..., None], str]:
    """How to draw bands, and the key to them."""
    if not residuals["discrepancy"].fillna(0).any():  # of a model without
        return _draw_bands, DOTS + NOISE
    if len(predictor_names(residuals)) == 1:
        return _draw_bands, f"{DOTS}shades: {WRONG}; {NOISE}"
    return _draw_bars, f"{DOTS}bars: {WRONG}."


def _draw_bands(axis: Axes, sizes: np.ndarray, bands: dict[float, xr.Dataset], inks: Inks) -> None:
    """Runs of one size of one curve share what the law gets wrong, and the noise of a new run."""
    first = np.unique(sizes, return_index=True)[1]
    for prob, colour in inks.bands.items():
        lower, upper = _ends(bands[prob]["discrepancy"][:, first])
        axis.fill_between(sizes[first], lower, upper, color=colour, lw=0, label=f"{prob:.0%}")
    some = spread(first.tolist(), MOST_ENDS)
    for edge in _ends(bands[0.9]["replicate"][:, some]):
        axis.plot(sizes[some], edge, color=inks.accent, lw=0.5, dashes=(4, 2), label="replicate")


def _draw_bars(axis: Axes, sizes: np.ndarray, bands: dict[float, xr.Dataset], inks: Inks) -> None:
    """What the law gets wrong at each run, where it depends on more than the size."""
    for prob, colour in inks.bands.items():
        axis.vlines(sizes, *_ends(bands[prob]["discrepancy"]), colour, lw=2, label=f"{prob:.0%}")


def _ends(band: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    return band.sel(bound="lower").values, band.sel(bound="upper").values


def _centre(axis: Axes, values: list[Any]) -> None:
    """Zero in the middle."""
    every = np.abs(np.concatenate([np.ravel(value) for value in values]))
    reach = 1.08 * every[np.isfinite(every)].max(initial=0) or 1.0
    axis.set_ylim(-reach, reach)
    axis.yaxis.set_major_locator(MaxNLocator(5, symmetric=True))
