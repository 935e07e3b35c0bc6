"""Figure of a parameter by level of each group, and by curve."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayeslaw.diagnostics.summary import parts_of
from bayeslaw.fitting.fit import Fit
from bayeslaw.plots.forest import bars, label_rows, quantiles, scale_of
from bayeslaw.plots.layout import canvas, failure, spread
from bayeslaw.plots.style import house

__all__ = ["plot_effects"]

MOST_CURVES = 40
KEY = "Dots: medians; bars: 50% and 90% intervals."
POOLED = "Shade: 90% interval of the typical curve; a level of a group is its typical curve."

type Section = tuple[str, list[str], np.ndarray]  # head, labels, draws (chain, draw, label)


def plot_effects(fit: Fit, parameter: str, *, ax: Axes | None = None) -> Figure:
    """Draw a parameter of the population, of each level of a group, and of each curve.

    A level of a group stands for the typical curve of that level. Levels and curves are in the
    order of their medians, the lowest first. Of more than forty curves, forty spread over all are
    shown.

    Parameters
    ----------
    fit : Fit
        The fit.
    parameter : str
        A parameter of law, noise or discrepancy; in the user's units.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no such parameter.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> bl.plot_effects(fit, "alpha").savefig("alpha.png")  # doctest: +SKIP
    """
    roles = fit.model.roles
    if parameter not in roles:
        raise ValueError(f"no parameter {parameter!r} in the fit; there are {list(roles)}")
    every = list(_sections(fit, parameter))
    sections = [_shortened(section) for section in every]
    has_population = f"{parameter}_population" in fit.tree["posterior"]
    notes = [" ".join([KEY, POOLED] if has_population else [KEY]), *failure(fit)]
    if len(every[-1][1]) > MOST_CURVES:
        notes.append(f"{MOST_CURVES} of {len(every[-1][1])} curves shown.")
    count = sum(len(labels) + bool(head) for head, labels, _ in sections)
    with house(ax) as inks:
        figure, axis = canvas(inks, ax, 0.45 + 0.125 * count, notes)
        levels = np.concatenate([quantiles(draws) for *_, draws in sections])
        axis.set_xscale(scale_of(levels))
        if has_population:
            axis.axvspan(levels[0, 0], levels[0, 4], color=inks.bands[0.9], lw=0, label="typical")
        names, heads = [], []
        for head, labels, draws in sections:
            if head:
                heads.append(len(names))
                names.append(head)
            colour = inks.ink if head else inks.accent
            rows = range(len(names), len(names) + len(labels))
            bars(axis, rows, quantiles(draws), colour, inks)
            names += labels
        label_rows(axis, names, heads)
        axis.set_xlabel(f"{parameter}, {roles[parameter].doc}", parse_math=False)
    return figure


def _sections(fit: Fit, parameter: str) -> Iterator[Section]:
    parts = {of: draws for (of, name), draws in parts_of(fit) if name == parameter}
    for of, draws in parts.items():
        order = np.argsort(draws.median(("chain", "draw")).values, kind="stable")
        labels = [str(label) for label in draws["label"].values[order]]
        values = draws.transpose("chain", "draw", "label").values[..., order]
        if of == "population":
            yield "", ["typical curve"], values
        else:
            yield of if "population" in parts else "", labels, values


def _shortened(section: Section) -> Section:
    head, labels, draws = section
    kept = spread(range(len(labels)), MOST_CURVES)
    return head, [labels[i] for i in kept], draws[..., kept]
