"""The figure: effective draws per second of all samplers, and the cost of a gradient by runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import bayeslaw as bl
from benchmarks.speed.measure import Row

STYLE = Path(bl.__file__).parent / "bayeslaw.mplstyle"
SIZE = 3.3, 3.6  # inches: one column of a page
OURS, OTHERS = "#0072B2", "#999999"
PEERS, CURVES, LONGER = "min ESS per second", "groups", "12 curves of"


def figure(rows: Sequence[Row]) -> Figure:
    """Draw what was measured.

    Parameters
    ----------
    rows : sequence of Row
        Of the whole benchmark.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with style.context(STYLE):
        drawn = Figure(figsize=SIZE, layout="constrained")
        above, below = drawn.subplots(2)
        _peers(above, [row for row in rows if row.what.startswith(PEERS) and row.numbers])
        _growth(below, [row for row in rows if "ns per row" in row.numbers])
    return drawn


def _peers(ax: Axes, rows: Sequence[Row]) -> None:
    """Effective draws of the slowest quantity, per second of processor."""
    names = [row.what.partition(": ")[2] for row in rows]
    rates = [row.numbers.get("ess", 0) / row.numbers["processor"] for row in rows]
    ax.barh(names, rates, height=0.6, color=[OURS, *[OTHERS] * (len(rows) - 1)])
    for row, name, rate in zip(rows, names, rates, strict=True):
        text = f"{rate:.1f}" + ("" if row.numbers.get("passed") else ", not converged")
        ax.text(rate, name, f" {text if rate else row.measured}", va="center", size=7)
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.5 * max(rates, default=1)), xlabel="effective draws per s of processor")


def _growth(ax: Axes, rows: Sequence[Row]) -> None:
    for what, color, label in ((CURVES, OURS, "more curves"), (LONGER, OTHERS, "longer curves")):
        of = sorted(
            (row.numbers["rows"], row.numbers["us"] / 1e3) for row in rows if what in row.what
        )
        if of:
            ax.loglog(*zip(*of, strict=True), "o-", color=color, markersize=3)
            ax.annotate(
                f" {label}", of[-1], xytext=(3, 0), textcoords="offset points", color=color,
                va="center", size=7,
            )  # fmt: skip
    ax.margins(x=0.2)
    ax.set(xlabel="runs", ylabel="ms per gradient")
