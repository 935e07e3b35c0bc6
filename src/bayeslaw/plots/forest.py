"""Intervals in rows: the bars that several figures share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from bayeslaw.plots.style import Inks

__all__ = ["bars", "label_rows", "quantiles", "scale_of"]

LEVELS = 0.05, 0.25, 0.5, 0.75, 0.95
WIDE = 20  # a range of medians by more than this factor is drawn on a log axis


def quantiles(draws: np.ndarray) -> np.ndarray:
    """Ends of the 90% and 50% intervals and the median.

    Parameters
    ----------
    draws : array, shape (chain, draw, n)
        Draws of n quantities.

    Returns
    -------
    array, shape (n, 5)
        Increasing.

    Examples
    --------
    >>> quantiles(np.arange(101.0).reshape(1, 101, 1))
    array([[ 5., 25., 50., 75., 95.]])
    """
    return np.quantile(draws.reshape(-1, draws.shape[-1]), LEVELS, axis=0).T


def bars(axis: Axes, rows: Sequence[float], levels: np.ndarray, colour: str, inks: Inks) -> None:
    """Draw a thin bar for 90%, a thick one for 50% and a dot for the median in each row.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Where.
    rows : sequence of float
        Heights.
    levels : array, shape (n, 5)
        As of `quantiles`.
    colour : str
        Of bars.
    inks : Inks
        Colours.
    """
    axis.hlines(rows, levels[:, 0], levels[:, 4], colour, lw=0.7, label="90%")
    axis.hlines(rows, levels[:, 1], levels[:, 3], colour, lw=2.2, label="50%")
    look = {"ms": 3.2, "mfc": inks.paper, "mec": colour, "mew": 0.8}
    axis.plot(levels[:, 2], rows, "o", **look, label="median")


def label_rows(axis: Axes, labels: Sequence[str], heads: Sequence[int] = ()) -> None:
    """Name rows from the top, heads of sections in bold.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Where.
    labels : sequence of str
        A name per row.
    heads : sequence of int
        Rows that are heads.
    """
    axis.set_yticks(range(len(labels)), labels, parse_math=False)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    ticks = axis.get_yticklabels()
    for row in heads:
        ticks[row].set(weight="bold")


def scale_of(levels: np.ndarray) -> str:
    """Name the scale of an axis: ``log`` where values are positive and medians far apart.

    Parameters
    ----------
    levels : array, shape (n, 5)
        As of `quantiles`.

    Returns
    -------
    str
        Else ``linear``.

    Examples
    --------
    >>> scale_of(quantiles(np.array([[[1.0, 100.0]]])))
    'log'
    """
    median = levels[:, 2]
    return "log" if levels.min() > 0 and median.max() > WIDE * median.min() else "linear"
