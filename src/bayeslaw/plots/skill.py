"""Backtest figure: scores of extrapolation by horizon, one line per model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayeslaw.comparison.backtest import backtest
from bayeslaw.plots.figures import ResultFigure
from bayeslaw.plots.layout import figure_with_notes
from bayeslaw.plots.style import COLUMN_WIDTH, Palette, figure_of, package_style

__all__ = ["FIGURE", "plot_skill"]

PANELS = {
    "log_score_diff": "log score minus the best",
    "rmsle": "RMSLE (lower is better)",
    "crps": "CRPS (lower is better)",
    "coverage_90": "coverage of the 90% band",
}
NOMINAL = {"coverage_90": 0.9, "log_score_diff": 0.0}
DODGE = 0.07  # between models at one horizon
LABEL_GAP = 0.11  # as a share of the height
MARKERS, DASHES = "os^Dv", [(), (4, 2), (1, 1), (6, 2, 1, 2), (2, 2)]
CAPTION = "Bars: ± standard error across curves."


def plot_skill(table: pd.DataFrame, *, ax: Axes | None = None) -> Figure:
    """Plot scores of models by how far they extrapolate beyond the fitted runs.

    Parameters
    ----------
    table : pandas.DataFrame
        Scores as `bayeslaw.backtest_table` returns them, indexed by ``model`` and ``horizon`` (an
        upper limit, as a multiple of the largest fitted size; infinity is everything beyond). The
        columns are ``log_score_diff``, ``rmsle``, ``crps`` and ``coverage_90``, missing where a
        model has no such score, and optionally their standard errors, such as ``rmsle_se``.
    ax : matplotlib.axes.Axes, optional
        Axes for the differences in log score alone.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If a score is not in the table, or the table is indexed by something else.

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
    with package_style(ax) as palette:
        if ax is not None:
            _draw_scores(ax, table, "log_score_diff", palette)
            return figure_of(ax)
        figure, body = figure_with_notes(palette, COLUMN_WIDTH, 1.25 * len(PANELS) + 0.2, [CAPTION])
        axes = body.subplots(len(PANELS), 1, sharex=True)
        for axis, score in zip(axes, PANELS, strict=True):
            _draw_scores(axis, table, score, palette)
            axis.label_outer()
    return figure


def _draw_scores(axis: Axes, table: pd.DataFrame, score: str, palette: Palette) -> None:
    values, errors = (_by_model(table, name) for name in (score, f"{score}_se"))
    models, count = table.index.unique("model"), values.shape[1]
    if score in NOMINAL:
        axis.axhline(NOMINAL[score], color=palette.grey, lw=0.5)
    colours, ends = [palette.accent, palette.foreground, palette.grey], []
    for i in np.flatnonzero(~np.isnan(values).all(axis=1)):
        positions = np.arange(count) + DODGE * (i - (len(models) - 1) / 2)
        colour, label = colours[min(i, 2)], str(models[i])
        line_style = {"marker": MARKERS[i % len(MARKERS)], "dashes": DASHES[i % len(DASHES)]}
        line_style |= {"ms": 3, "lw": 0.8, "elinewidth": 0.5, "color": colour, "label": label}
        finite = np.where(np.isfinite(values[i]), values[i], np.nan)
        axis.errorbar(positions, finite, yerr=errors[i], **line_style)
        _mark_infinite(axis, positions, values[i], colour)
        ends.append((float(values[i][~np.isnan(values[i])][-1]), label, colour))
    axis.set_title(PANELS[score], loc="left")
    horizons = sorted(table.index.unique("horizon"))
    axis.set_xticks(range(count), _horizon_labels(horizons), parse_math=False)
    axis.set(xlim=(-0.3, count - 0.7), xlabel="size / largest fitted size")
    axis.yaxis.set_major_locator(MaxNLocator(4))
    _label_lines(axis, ends)


def _mark_infinite(axis: Axes, positions: np.ndarray, values: np.ndarray, colour: str) -> None:
    text_style = {"transform": axis.get_xaxis_transform(), "ha": "center", "size": 6}
    for i in np.flatnonzero(np.isinf(values)):
        is_positive = values[i] > 0
        text = "\N{INFINITY}" if is_positive else "\N{MINUS SIGN}\N{INFINITY}"
        alignment = "top" if is_positive else "bottom"
        axis.text(positions[i], is_positive, text, va=alignment, color=colour, **text_style)


def _by_model(table: pd.DataFrame, name: str) -> np.ndarray:
    """A column of the table as an array (model, horizon), NaN where it is missing."""
    wide = table.reindex(columns=[name])[name].unstack("horizon")
    wide = wide.reindex(table.index.unique("model")).sort_index(axis="columns")
    return wide.to_numpy(dtype=float)


def _horizon_labels(horizons: Sequence[float]) -> list[str]:
    finite = [horizon for horizon in horizons if np.isfinite(horizon)]
    last = f"over {finite[-1]:g}" if finite else "any"
    return [f"to {each:g}" if np.isfinite(each) else last for each in horizons]


def _label_lines(axis: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Label the lines at their right ends, without overlap."""
    low, high = axis.get_ylim()
    ends = sorted(ends)
    heights = _separated([float(np.clip((end - low) / (high - low), 0, 1)) for end, *_ in ends])
    for height, (_, name, colour) in zip(heights, ends, strict=True):
        axis.annotate(
            name, (1, height), (3, 0), axis.transAxes, textcoords="offset points",
            va="center", size=6, color=colour, parse_math=False,
        )  # fmt: skip


def _separated(heights: Sequence[float]) -> list[float]:
    """Increasing heights, moved up to keep the gap, and all moved down if the top is exceeded."""
    separated: list[float] = []
    for height in heights:
        lowest = separated[-1] + LABEL_GAP if separated else height
        separated.append(max(height, lowest))
    excess = max(0.0, separated[-1] - 1) if separated else 0.0
    return [height - excess for height in separated]


FIGURE = ResultFigure(backtest)
