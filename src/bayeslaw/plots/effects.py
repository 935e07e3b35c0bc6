"""Forest plot of group effects: a parameter by level of each group, and by curve."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayeslaw.diagnostics.summary import parameter_draws
from bayeslaw.fitting.result import Fit
from bayeslaw.plots.figures import FitFigure
from bayeslaw.plots.forest import axis_scale, draw_intervals, interval_quantiles, label_rows
from bayeslaw.plots.layout import axes_with_notes, evenly_spaced, gate_warnings
from bayeslaw.plots.style import package_style

__all__ = ["FIGURE", "plot_effects"]

MAX_CURVES = 40
CAPTION = "Dots: medians; bars: 50% and 90% intervals."
POOLED = "Shaded: 90% interval of the typical curve; a level stands for its typical curve."

type Section = tuple[str, list[str], np.ndarray]  # heading, labels, draws (chain, draw, label)


def plot_effects(fit: Fit, parameter: str, *, ax: Axes | None = None) -> Figure:
    """Plot a parameter of the population, of each level of each group, and of each curve.

    A level stands for the typical curve of that level. Levels and curves are sorted by their
    medians, the lowest first. At most forty curves are shown, evenly spaced in that order.

    Parameters
    ----------
    fit : Fit
        A fitted model.
    parameter : str
        Name of a parameter of the law, the noise or the discrepancy; drawn in the units of the
        runs.
    ax : matplotlib.axes.Axes, optional
        Axes to draw in.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the fit has no such parameter.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> bl.plot_effects(fit, "alpha").savefig("alpha.png")  # doctest: +SKIP
    """
    roles = fit.model.roles
    if parameter not in roles:
        raise ValueError(f"no parameter {parameter!r} in the fit; there are {list(roles)}")
    all_sections = list(_sections(fit, parameter))
    sections = [_shortened(section) for section in all_sections]
    has_population = f"{parameter}_population" in fit.tree["posterior"]
    notes = [" ".join([CAPTION, POOLED] if has_population else [CAPTION]), *gate_warnings(fit)]
    if len(all_sections[-1][1]) > MAX_CURVES:
        notes.append(f"{MAX_CURVES} of {len(all_sections[-1][1])} curves shown.")
    count = sum(len(labels) + bool(heading) for heading, labels, _ in sections)
    with package_style(ax) as palette:
        figure, axis = axes_with_notes(palette, ax, 0.45 + 0.125 * count, notes)
        quantiles = np.concatenate([interval_quantiles(draws) for *_, draws in sections])
        axis.set_xscale(axis_scale(quantiles))
        if has_population:
            low, high = quantiles[0, [0, 4]]
            axis.axvspan(low, high, color=palette.bands[0.9], lw=0, label="typical")
        names, headings = [], []
        for heading, labels, draws in sections:
            if heading:
                headings.append(len(names))
                names.append(heading)
            colour = palette.foreground if heading else palette.accent
            rows = range(len(names), len(names) + len(labels))
            draw_intervals(axis, rows, interval_quantiles(draws), colour, palette)
            names += labels
        label_rows(axis, names, headings)
        axis.set_xlabel(f"{parameter}, {roles[parameter].doc}", parse_math=False)
    return figure


def _sections(fit: Fit, parameter: str) -> Iterator[Section]:
    parts = {of: draws for (of, name), draws in parameter_draws(fit) if name == parameter}
    for of, draws in parts.items():
        order = np.argsort(draws.median(("chain", "draw")).values, kind="stable")
        labels = [str(label) for label in draws["label"].values[order]]
        values = draws.transpose("chain", "draw", "label").values[..., order]
        if of == "population":
            yield "", ["typical curve"], values
        else:
            yield of if "population" in parts else "", labels, values


def _shortened(section: Section) -> Section:
    heading, labels, draws = section
    shown = evenly_spaced(range(len(labels)), MAX_CURVES)
    return heading, [labels[i] for i in shown], draws[..., shown]


FIGURE = FitFigure(plot_effects)
