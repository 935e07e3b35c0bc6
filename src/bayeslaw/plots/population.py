"""Figure of a population of curves against published values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.new_curve import new_curve
from bayeslaw.plots.forest import bars, label_rows, quantiles, scale_of
from bayeslaw.plots.layout import canvas, failure
from bayeslaw.plots.style import Inks, house
from bayeslaw.priors import Population

__all__ = ["plot_population"]

REACH = 1.645  # standard errors of a 90% interval
NEW, TYPICAL, CURVES = "a new curve", "typical curve", "curves, medians"
KEY = "Shades and bars: 50% and 90% intervals. Published values with 90% intervals, if known."

type Published = Mapping[str, float | tuple[float, float]]


def plot_population(
    source: Fit | Population,
    parameter: str,
    published: Published | None = None,
    *,
    ax: Axes | None = None,
) -> Figure:
    """Draw what is known of a parameter in a population of curves against published values.

    A published value is of one curve or few, so it is expected in the shades, where a new curve
    would be, rather than at the typical curve.

    Parameters
    ----------
    source : Fit or Population
        A pooled fit; or a population, of a law of the catalogue.
    parameter : str
        A parameter of law, noise or discrepancy; in the user's units.
    published : mapping of str to float or (float, float), optional
        Values by name, such as ``{"Hoffmann et al. 2022": (0.34, 0.02)}``: the value, and its
        standard error if it is known.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

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
    told = {NEW: quantiles(drawn[parameter].values[..., None])}
    if parameter in posterior:
        told[TYPICAL] = quantiles(posterior[f"{parameter}_population"].values[..., None])
        told[CURVES] = quantiles(posterior[parameter].values)
    values = {name: np.atleast_1d(value) for name, value in (published or {}).items()}
    names = [*told, *values]
    with house(ax) as inks:
        notes = [KEY, *(failure(source) if isinstance(source, Fit) else [])]
        figure, axis = canvas(inks, ax, 0.45 + 0.15 * len(names), notes)
        axis.set_xscale(
            scale_of(np.concatenate([*told.values(), *map(_as_levels, values.values())]))
        )
        _draw_curves(axis, told, inks)
        _draw_published(axis, list(values.values()), len(told), inks)
        label_rows(axis, names)
        axis.set_xlabel(parameter, parse_math=False)
    return figure


def _as_levels(value: np.ndarray) -> np.ndarray:
    return np.full((1, 5), value[0])


def _draw_curves(axis: Axes, told: Mapping[str, np.ndarray], inks: Inks) -> None:
    [new] = told[NEW]
    for prob, low, high in ((0.9, new[0], new[4]), (0.5, new[1], new[3])):
        axis.axvspan(low, high, color=inks.bands[prob], lw=0, label=f"{prob:.0%}")
    for row, (name, levels) in enumerate(told.items()):
        if name == CURVES:
            axis.plot(levels[:, 2], np.full(len(levels), row), "|", ms=5, mew=0.6, color=inks.ink)
        else:
            bars(axis, [row], levels, inks.accent, inks)


def _draw_published(axis: Axes, values: list[np.ndarray], first: int, inks: Inks) -> None:
    if values:
        place = axis.get_yaxis_transform()
        axis.hlines([first - 0.5], 0, 1, inks.grey, lw=0.4, transform=place)
    for row, value in enumerate(values, start=first):
        reach = REACH * value[1] if value.size > 1 else np.nan
        axis.errorbar(value[0], row, xerr=reach, fmt="o", ms=3.2, lw=0.8, color=inks.ink)
