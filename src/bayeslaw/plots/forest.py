"""Forest plots: rows of 50% and 90% intervals with their medians."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from bayeslaw.plots.style import Palette

__all__ = ["axis_scale", "draw_intervals", "interval_quantiles", "label_rows"]

PROBABILITIES = 0.05, 0.25, 0.5, 0.75, 0.95
LOG_SCALE_FROM = 20  # ratio of the largest median to the smallest


def interval_quantiles(draws: np.ndarray) -> np.ndarray:
    """Ends of the 90% and 50% intervals and the median, (n, 5), of draws (chain, draw, n)."""
    return np.quantile(draws.reshape(-1, draws.shape[-1]), PROBABILITIES, axis=0).T


def draw_intervals(
    axis: Axes, rows: Sequence[float], quantiles: np.ndarray, colour: str, palette: Palette
) -> None:
    """Draw a thin bar for 90%, a thick one for 50% and a dot for the median in each row."""
    axis.hlines(rows, quantiles[:, 0], quantiles[:, 4], colour, lw=0.7, label="90%")
    axis.hlines(rows, quantiles[:, 1], quantiles[:, 3], colour, lw=2.2, label="50%")
    marker_style = {"ms": 3.2, "mfc": palette.background, "mec": colour, "mew": 0.8}
    axis.plot(quantiles[:, 2], rows, "o", **marker_style, label="median")


def label_rows(axis: Axes, labels: Sequence[str], headings: Sequence[int] = ()) -> None:
    """Label rows from the top; rows that are headings are bold."""
    axis.set_yticks(range(len(labels)), labels, parse_math=False)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    ticks = axis.get_yticklabels()
    for row in headings:
        ticks[row].set(weight="bold")


def axis_scale(quantiles: np.ndarray) -> str:
    """Return "log" if all quantiles are positive and the medians far apart, else "linear"."""
    median = quantiles[:, 2]
    is_log = quantiles.min() > 0 and median.max() > LOG_SCALE_FROM * median.min()
    return "log" if is_log else "linear"
