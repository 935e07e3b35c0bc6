"""Multiverse figure (specification curve): a forecast under every combination of choices."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayeslaw.comparison.multiverse import Multiverse, multiverse
from bayeslaw.plots.figures import ResultFigure
from bayeslaw.plots.forest import label_rows
from bayeslaw.plots.layout import figure_with_notes, set_title
from bayeslaw.plots.numbers import format_number
from bayeslaw.plots.style import COLUMN_WIDTH, PAGE_WIDTH, Palette, figure_of, package_style

__all__ = ["FIGURE", "plot_multiverse"]

BANDS = ("lower", "median", "upper")
RESULTS = (*BANDS, "sd")  # columns of a forecast that do not say where it is
STATUS = (*BANDS, "runs", "passed", "fault")  # columns of a universe that are not choices
MAX_IN_COLUMN = 40  # universes
CAPTION = "Above: median and 90% band of the curve in each universe, sorted. Below: its choices."


def plot_multiverse(result: Multiverse, *, point: int = 0, ax: Axes | None = None) -> Figure:
    """Plot the forecast of every universe, sorted, with the choices of each universe below.

    Universes that could not be fitted are left out and counted in a note. Only choices that differ
    between the remaining universes are shown.

    Parameters
    ----------
    result : Multiverse
        Universes and their forecasts, as `bayeslaw.multiverse` returns them.
    point : int
        Index of the prediction point to show, from 0.
    ax : matplotlib.axes.Axes, optional
        Axes for the upper part alone.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no such prediction point.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> result = bl.multiverse(runs, laws=laws, at=grid, sampler=bl.Sampler(1))  # doctest: +SKIP
    >>> bl.plot_multiverse(result).savefig("multiverse.png")  # doctest: +SKIP
    """
    points = result.forecasts.index.unique("point").tolist()
    if point not in points:
        raise ValueError(f"point must be one of {points}, got {point}")
    forecasts = result.forecasts.xs(point, level="point")
    rows = result.universes.join(forecasts[[*BANDS]], how="inner")
    rows = rows.sort_values("median", ignore_index=True)
    location = forecasts.iloc[0].drop([*RESULTS])
    where = ", ".join(f"{name} = {_format_value(value)}" for name, value in location.items())
    with package_style(ax) as palette:
        if ax is not None:
            _draw_bands(ax, rows, palette)
            _label_forecast(ax, result.response, where)
            return figure_of(ax)
        options = _headings_and_options(rows)
        heights = [1.5, 0.12 * max(len(options), 1)]
        width = COLUMN_WIDTH if len(rows) <= MAX_IN_COLUMN else PAGE_WIDTH
        notes = _notes(rows, len(result.universes))
        figure, body = figure_with_notes(palette, width, sum(heights) + 0.2, notes)
        upper, lower = body.subplots(2, 1, sharex=True, height_ratios=heights)
        _draw_bands(upper, rows, palette)
        _label_forecast(upper, result.response, where)
        _draw_choices(lower, rows, options, palette)
    return figure


def _format_value(value: object) -> str:
    return format_number(value) if isinstance(value, float) else str(value)


def _notes(rows: pd.DataFrame, count: int) -> list[str]:
    not_passed = "Hollow: fits that did not pass their gate." if not all(rows["passed"]) else ""
    not_fitted = f"{count - len(rows)} of {count} could not be fitted." if len(rows) < count else ""
    return [" ".join(filter(None, [CAPTION, not_passed, not_fitted]))]


def _headings_and_options(rows: pd.DataFrame) -> list[tuple[str, str | None]]:
    """Headings (choice, None), each followed by its options, in order of their lowest median."""
    return [
        (str(name), option)
        for name in rows
        if name not in STATUS and len(set(rows[name])) > 1
        for option in (None, *dict.fromkeys(rows[name]))
    ]


def _label_forecast(axis: Axes, response: str, where: str) -> None:
    """Label the response and the prediction point."""
    axis.set_ylabel(f"forecast of {response}", parse_math=False)
    set_title(axis, where)


def _draw_bands(axis: Axes, rows: pd.DataFrame, palette: Palette) -> None:
    size = min(3.0, 60 / len(rows) + 0.8)
    for passed, colour, fill in (
        (True, palette.accent, palette.accent),
        (False, palette.grey, palette.background),
    ):
        universes = rows[rows["passed"].astype(bool) == passed]
        lower, upper = universes["lower"], universes["upper"]
        axis.vlines(universes.index, lower, upper, colour, lw=size / 3)
        axis.plot(universes.index, universes["median"], "o", ms=size, mew=0.5, mec=colour, mfc=fill)
    axis.set_xlim(-1, len(rows))
    axis.set_xticks([])


def _draw_choices(
    axis: Axes, rows: pd.DataFrame, options: list[tuple[str, str | None]], palette: Palette
) -> None:
    """Mark each universe in the rows of the options that it took."""
    size = min(2.4, 120 / len(rows) + 1)
    for row, (name, option) in enumerate(options):
        if option is None:
            axis.axhline(row - 0.5, color=palette.pale, lw=0.4)
            continue
        taken = np.flatnonzero(rows[name] == option)
        marker_style = {"ms": size, "mew": 0, "color": palette.foreground}
        axis.plot(taken, np.full(taken.size, row), "s", **marker_style)
    labels = [name if option is None else option for name, option in options]
    label_rows(axis, labels, [i for i, (_, option) in enumerate(options) if option is None])
    axis.tick_params(length=0)
    axis.spines[["left", "bottom"]].set_visible(False)


FIGURE = ResultFigure(multiverse)
