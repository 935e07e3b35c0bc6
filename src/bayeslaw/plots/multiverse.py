"""Figure of a forecast under all choices that a referee would question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayeslaw.plots.forest import label_rows
from bayeslaw.plots.layout import sheet, title
from bayeslaw.plots.style import COLUMN, PAGE, Inks, figure_of, house

if TYPE_CHECKING:
    from bayeslaw.comparison.multiverse import Multiverse

__all__ = ["plot_multiverse"]

BANDS = ("lower", "median", "upper")
TOLD = (*BANDS, "sd")  # what a forecast tells beside its place
STATUS = (*BANDS, "runs", "passed", "fault")  # what a universe tells beside its choices
MOST_IN_COLUMN = 40
KEY = "Above: median and 90% band of the curve in each universe, in order. Below: its choices."


def plot_multiverse(found: Multiverse, *, place: int = 0, ax: Axes | None = None) -> Figure:
    """Draw a forecast in every universe, in order, with the choices that made it below.

    Universes that could not be fitted are left out, and counted; of choices, those that differ
    between the others are marked.

    Parameters
    ----------
    found : Multiverse
        As of `bayeslaw.multiverse`.
    place : int
        Which of the places that a forecast was asked for, from 0.
    ax : matplotlib.axes.Axes, optional
        Where to draw the upper part alone.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no such place.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> found = bl.multiverse(runs, laws=laws, at=bl.grid(N=1e10), random_seed=1)  # doctest: +SKIP
    >>> bl.plot_multiverse(found).savefig("multiverse.png")  # doctest: +SKIP
    """
    places = found.forecasts.index.unique("place").tolist()
    if place not in places:
        raise ValueError(f"place must be one of {places}, got {place}")
    here = found.forecasts.xs(place, level="place")
    rows = found.universes.join(here[[*BANDS]], how="inner")
    rows = rows.sort_values("median", ignore_index=True)
    where = ", ".join(f"{n} = {_short(v)}" for n, v in here.iloc[0].items() if n not in TOLD)
    with house(ax) as inks:
        if ax is not None:
            _draw_bands(ax, rows, inks)
            _name(ax, found.response, where)
            return figure_of(ax)
        options = _options(rows)
        heights = [1.5, 0.12 * max(len(options), 1)]
        width = COLUMN if len(rows) <= MOST_IN_COLUMN else PAGE
        notes = _notes(rows, len(found.universes))
        figure, body = sheet(inks, width, sum(heights) + 0.2, notes)
        upper, lower = body.subplots(2, 1, sharex=True, height_ratios=heights)
        _draw_bands(upper, rows, inks)
        _name(upper, found.response, where)
        _draw_choices(lower, rows, options, inks)
    return figure


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _notes(rows: pd.DataFrame, count: int) -> list[str]:
    failed = "Hollow: fits that did not pass their gate." if not all(rows["passed"]) else ""
    lost = f"{count - len(rows)} of {count} could not be fitted." if len(rows) < count else ""
    return [" ".join(filter(None, [KEY, failed, lost]))]


def _options(rows: pd.DataFrame) -> list[tuple[str, str | None]]:
    """Heads (choice, None) and options (choice, option), that with the lowest median first."""
    return [
        (str(name), option)
        for name in rows
        if name not in STATUS and len(set(rows[name])) > 1
        for option in (None, *dict.fromkeys(rows[name]))
    ]


def _name(axis: Axes, response: str, where: str) -> None:
    """Say what is forecast, and where."""
    axis.set_ylabel(f"forecast of {response}", parse_math=False)
    title(axis, where)


def _draw_bands(axis: Axes, rows: pd.DataFrame, inks: Inks) -> None:
    size = min(3.0, 60 / len(rows) + 0.8)
    for good, colour, fill in ((True, inks.accent, inks.accent), (False, inks.grey, inks.paper)):
        own = rows[rows["passed"].astype(bool) == good]
        axis.vlines(own.index, own["lower"], own["upper"], colour, lw=size / 3)
        axis.plot(own.index, own["median"], "o", ms=size, mew=0.5, mec=colour, mfc=fill)
    axis.set_xlim(-1, len(rows))
    axis.set_xticks([])


def _draw_choices(
    axis: Axes, rows: pd.DataFrame, options: list[tuple[str, str | None]], inks: Inks
) -> None:
    """A mark in the row of each option, where a universe took it."""
    length = min(5.0, 120 / len(rows) + 1)
    for place, (name, option) in enumerate(options):
        if option is None:
            axis.axhline(place - 0.5, color=inks.pale, lw=0.4)
            continue
        taken = np.flatnonzero(rows[name] == option)
        axis.plot(
            taken, np.full(taken.size, place), "s", ms=min(length, 2.4), mew=0, color=inks.ink
        )
    labels = [name if option is None else option for name, option in options]
    label_rows(axis, labels, [i for i, (_, option) in enumerate(options) if option is None])
    axis.tick_params(length=0)
    axis.spines[["left", "bottom"]].set_visible(False)
