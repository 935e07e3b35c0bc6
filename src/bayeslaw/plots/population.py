"""Population figure: a parameter of a new curve, compared with published values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.new_curve import new_curve
from bayeslaw.plots.figures import FitFigure
from bayeslaw.plots.forest import axis_scale, draw_intervals, interval_quantiles, label_rows
from bayeslaw.plots.layout import axes_with_notes, gate_warnings
from bayeslaw.plots.style import Palette, package_style
from bayeslaw.priors import Population

__all__ = ["FIGURE", "plot_population"]

NORMAL_95 = 1.645  # half-width of a 90% interval in standard errors
NEW, TYPICAL, CURVES = "a new curve", "typical curve", "curves, medians"
CAPTION = "Shading and bars: 50% and 90% intervals; of published values the 90% interval, if known."

type Published = Mapping[str, float | tuple[float, float]]


def plot_population(
    source: Fit | Population,
    parameter: str,
    published: Published | None = None,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Plot the distribution of a parameter in a population of curves, with published values.

    A published value describes one curve or a few, so expect it inside the shading, which is the
    interval of a new curve, rather than at the typical curve.

    Parameters
    ----------
    source : Fit or Population
        A pooled fit, or a population for a law of the catalogue.
    parameter : str
        Name of a parameter of the law, the noise or the discrepancy; drawn in the units of the
        runs.
    published : mapping of str to float or (float, float), optional
        Values by name, such as ``{"Hoffmann et al. 2022": (0.34, 0.02)}``: a value, or a value and
        its standard error.
    ax : matplotlib.axes.Axes, optional
        Axes to draw in.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no such parameter, the fit is not pooled, or the population's law is not in
        the catalogue.

    Examples
    --------
    >>> from bayeslaw.fitting.population import load_population
    >>> prior = load_population("small_language_models")
    >>> figure = plot_population(prior, "alpha", {"Kaplan et al. 2020": 0.076})
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['a new curve', 'Kaplan et al. 2020']
    """
    drawn = new_curve(source)
    if parameter not in drawn:
        raise ValueError(f"no parameter {parameter!r} in the population; there are {list(drawn)}")
    posterior = source.tree["posterior"].to_dataset() if isinstance(source, Fit) else {}
    quantiles = {NEW: interval_quantiles(drawn[parameter].values[..., None])}
    if parameter in posterior:
        quantiles[TYPICAL] = interval_quantiles(
            posterior[f"{parameter}_population"].values[..., None]
        )
        quantiles[CURVES] = interval_quantiles(posterior[parameter].values)
    values = {name: np.atleast_1d(value) for name, value in (published or {}).items()}
    names = [*quantiles, *values]
    with package_style(ax) as palette:
        notes = [CAPTION, *(gate_warnings(source) if isinstance(source, Fit) else [])]
        figure, axis = axes_with_notes(palette, ax, 0.45 + 0.15 * len(names), notes)
        points = [np.full((1, 5), value[0]) for value in values.values()]
        axis.set_xscale(axis_scale(np.concatenate([*quantiles.values(), *points])))
        _draw_curves(axis, quantiles, palette)
        _draw_published(axis, list(values.values()), len(quantiles), palette)
        label_rows(axis, names)
        axis.set_xlabel(parameter, parse_math=False)
    return figure


def _draw_curves(axis: Axes, quantiles: Mapping[str, np.ndarray], palette: Palette) -> None:
    [new] = quantiles[NEW]
    for prob, low, high in ((0.9, new[0], new[4]), (0.5, new[1], new[3])):
        axis.axvspan(low, high, color=palette.bands[prob], lw=0, label=f"{prob:.0%}")
    for row, (name, values) in enumerate(quantiles.items()):
        if name == CURVES:
            ticks = {"ms": 5, "mew": 0.6, "color": palette.foreground}
            axis.plot(values[:, 2], np.full(len(values), row), "|", **ticks)
        else:
            draw_intervals(axis, [row], values, palette.accent, palette)


def _draw_published(axis: Axes, values: list[np.ndarray], first: int, palette: Palette) -> None:
    if values:
        transform = axis.get_yaxis_transform()
        axis.hlines([first - 0.5], 0, 1, palette.grey, lw=0.4, transform=transform)
    for row, value in enumerate(values, start=first):
        half_width = NORMAL_95 * value[1] if value.size > 1 else np.nan
        style = {"fmt": "o", "ms": 3.2, "lw": 0.8, "color": palette.foreground}
        axis.errorbar(value[0], row, xerr=half_width, **style)


FIGURE = FitFigure(plot_population)
