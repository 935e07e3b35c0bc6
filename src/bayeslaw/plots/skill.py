"""Figure of how well laws extrapolate, by how far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayeslaw.plots.layout import sheet
from bayeslaw.plots.style import COLUMN, Inks, figure_of, house

__all__ = ["plot_skill"]

PANELS = {
    "log_score_diff": "log score less the best",
    "rmsle": "RMSLE (lower is better)",
    "crps": "CRPS (lower is better)",
    "coverage_90": "share in the 90% band",
}
NOMINAL = {"coverage_90": 0.9, "log_score_diff": 0.0}
DODGE, GAP = 0.07, 0.11  # of models beside each other, in rows; of labels, in the height
MARKS, DASHES = "os^Dv", [(), (4, 2), (1, 1), (6, 2, 1, 2), (2, 2)]
KEY = "Bars: ± standard error between curves."


def plot_skill(table: pd.DataFrame, *, ax: Axes | None = None) -> Figure:
    """Draw scores of laws by how far beyond the fitted runs they were asked.

    Parameters
    ----------
    table : pandas.DataFrame
        As of `bayeslaw.backtest_table`: indexed by model and horizon (times the largest fitted
        size, at most; infinity is beyond all others), with ``log_score_diff``, ``rmsle``, ``crps``
        and ``coverage_90``, missing where a model has none, and their errors (``rmsle_se``) where
        they are known.
    ax : matplotlib.axes.Axes, optional
        Where to draw the differences in log score alone.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If a score is not in the table, or it is indexed by something else.

    Examples
    --------
    >>> index = pd.MultiIndex.from_product([["power", "log-linear"], [2, 5]])
    >>> columns = ["log_score_diff", "rmsle", "crps", "coverage_90"]
    >>> table = pd.DataFrame(0.1, index.set_names(["model", "horizon"]), columns)
    >>> len(plot_skill(table).axes)
    4
    """
    if {*table.index.names} != {"model", "horizon"}:
        raise ValueError(
            f"the table must be indexed by model and horizon, as of backtest_table, got "
            f"{[*table.index.names]}"
        )
    for name in PANELS:
        if name not in table:
            raise ValueError(f"no {name!r} in the table; backtest_table gives it")
    with house(ax) as inks:
        if ax is not None:
            _draw(ax, table, "log_score_diff", inks)
            return figure_of(ax)
        figure, body = sheet(inks, COLUMN, 1.25 * len(PANELS) + 0.2, [KEY])
        axes = body.subplots(len(PANELS), 1, sharex=True)
        for axis, score in zip(axes, PANELS, strict=True):
            _draw(axis, table, score, inks)
            axis.label_outer()
    return figure


def _draw(axis: Axes, table: pd.DataFrame, score: str, inks: Inks) -> None:
    values, errors = (_by_model(table, name) for name in (score, f"{score}_se"))
    models, count = table.index.unique("model"), values.shape[1]
    if score in NOMINAL:
        axis.axhline(NOMINAL[score], color=inks.grey, lw=0.5)
    colours, ends = [inks.accent, inks.ink, inks.grey], []
    for i in np.flatnonzero(~np.isnan(values).all(axis=1)):
        places, colour = np.arange(count) + DODGE * (i - (len(models) - 1) / 2), colours[min(i, 2)]
        line = {"marker": MARKS[i % len(MARKS)], "dashes": DASHES[i % len(DASHES)]}
        look = {"ms": 3, "lw": 0.8, "elinewidth": 0.5, "color": colour, "label": str(models[i])}
        finite = np.where(np.isfinite(values[i]), values[i], np.nan)
        axis.errorbar(places, finite, yerr=errors[i], **line, **look)
        _mark_infinite(axis, places, values[i], colour)
        ends.append((float(values[i][~np.isnan(values[i])][-1]), str(models[i]), colour))
    axis.set_title(PANELS[score], loc="left")
    horizons = sorted(table.index.unique("horizon"))
    axis.set_xticks(range(count), _names(horizons), parse_math=False)
    axis.set(xlim=(-0.3, count - 0.7), xlabel="size, times the largest fitted")
    axis.yaxis.set_major_locator(MaxNLocator(4))
    _name(axis, ends)


def _mark_infinite(axis: Axes, places: np.ndarray, values: np.ndarray, colour: str) -> None:
    look = {"transform": axis.get_xaxis_transform(), "ha": "center", "size": 6, "color": colour}
    for i in np.flatnonzero(np.isinf(values)):
        above = values[i] > 0
        text = "\N{INFINITY}" if above else "\N{MINUS SIGN}\N{INFINITY}"
        axis.text(places[i], above, text, va="top" if above else "bottom", **look)


def _by_model(table: pd.DataFrame, name: str) -> np.ndarray:
    """A column as (model, horizon), NaN where there is none."""
    wide = table.reindex(columns=[name])[name].unstack("horizon")
    wide = wide.reindex(table.index.unique("model")).sort_index(axis="columns")
    return wide.to_numpy(dtype=float)


def _names(horizons: Sequence[float]) -> list[str]:
    finite = [horizon for horizon in horizons if np.isfinite(horizon)]
    beyond = f"over {finite[-1]:g}" if finite else "any"
    return [f"to {each:g}" if np.isfinite(each) else beyond for each in horizons]


def _name(axis: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Names right of the lines' ends, apart enough to be read."""
    low, high = axis.get_ylim()
    ends = sorted(ends)
    heights = _apart([float(np.clip((end - low) / (high - low), 0, 1)) for end, *_ in ends])
    for height, (_, name, colour) in zip(heights, ends, strict=True):
        axis.annotate(
            name, (1, height), (3, 0), axis.transAxes, textcoords="offset points",
            va="center", size=6, color=colour, parse_math=False,
        )  # fmt: skip


def _apart(heights: Sequence[float]) -> list[float]:
    """Rising heights, moved up where they would come too near, and down again from the top."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + GAP) if placed else height)
    excess = max(0.0, placed[-1] - 1) if placed else 0.0
    return [height - excess for height in placed]
