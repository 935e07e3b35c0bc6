"""The figure: errors by domain, and coverage of bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

import bayeslaw as bl
from benchmarks.extrapolation.report import BINS, PROBS, ROWS

STYLE = Path(bl.__file__).parent / "bayeslaw.mplstyle"
SIZE = 3.3, 4.8  # inches: one column of a page
# The first configuration in colour, the others distinguished by tone and fill.
INKS = [
    {"color": "#0072B2", "markerfacecolor": "#0072B2"},
    {"color": "#222222", "markerfacecolor": "#222222"},
    {"color": "#222222", "markerfacecolor": "white"},
    {"color": "#999999", "markerfacecolor": "#999999"},
]
LABEL = {"size": 6, "va": "center"}
STAIR = 0.7  # between names, as a share of the distance of rows
GAP = 0.045  # least distance of labels, as a share of coverage


def figure(means: pd.DataFrame, configurations: Sequence[str], domain: str = "all 92") -> Figure:
    """Draw mean errors by domain above the coverage of bands.

    Parameters
    ----------
    means : pandas.DataFrame
        As of `report.summary`.
    configurations : sequence of str
        At most four; the first is drawn in colour. Those without bands are in the upper part only.
    domain : str
        Whose coverage is drawn.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are more than four configurations, or one is not among the means.
    """
    if len(configurations) > len(INKS):
        raise ValueError(
            f"the figure tells {len(INKS)} configurations apart, got {len(configurations)}"
        )
    missing = [name for name in configurations if name not in means.index.unique("configuration")]
    if missing:
        raise ValueError(f"no means of {missing[0]!r}; there are those of {_known(means)}")
    with style.context(STYLE):
        drawn = Figure(figsize=SIZE, layout="constrained")
        upper, lower = drawn.subplots(2, 1, height_ratios=(1.4, 1))
        _draw_errors(upper, means["rmsle"], means["rmsle_se"], configurations)
        _draw_coverage(lower, means, configurations, domain)
        return drawn


def _known(means: pd.DataFrame) -> str:
    return ", ".join(map(repr, means.index.unique("configuration")))


def _draw_errors(
    axis: Axes, mean: pd.Series, error: pd.Series, configurations: Sequence[str]
) -> None:
    """A row for each domain; means that are not finite are left out."""
    table = mean.unstack("domain").loc[[*configurations], [*mean.index.unique("domain")]]
    table = table.where(np.isfinite(table))
    spread = error.unstack("domain").reindex_like(table)
    rows = np.arange(table.shape[1])[::-1]
    axis.set(xscale="log", ylim=(-0.6, rows[0] + 1.1 + STAIR * len(configurations)))
    for name, ink in zip(configurations, INKS, strict=False):
        axis.errorbar(table.loc[name], rows, xerr=spread.loc[name], fmt="o", ms=3.5, lw=0.7, **ink)
    colours = {name: ink["color"] for name, ink in zip(configurations, INKS, strict=False)}
    _name_dots(axis, table.iloc[:, 0].dropna().sort_values(), rows[0], colours)
    axis.set_yticks(rows, table.columns)
    axis.set_title("RMSLE of the median ± standard error")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", color="#EEEEEE", lw=4)
    axis.set_axisbelow(True)


def _name_dots(axis: Axes, dots: pd.Series, row: float, colours: Mapping[str, str]) -> None:
    """Names on stairs above the first row, each left of a line up from its dot."""
    for i, (name, x) in enumerate(dots.items()):
        height = row + 0.8 + STAIR * i
        axis.plot([x, x], [row, height], color=colours[str(name)], lw=0.4, zorder=0)
        offset = {"xytext": (-2, 0), "textcoords": "offset points", "ha": "right"}
        axis.annotate(str(name), (x, height), color=colours[str(name)], **offset, **LABEL)


def _draw_coverage(
    axis: Axes, means: pd.DataFrame, configurations: Sequence[str], domain: str
) -> None:
    """Solid: raw rows; dashed: means of bins."""
    nominal = np.array(PROBS)
    axis.plot([0.5, 1], [0.5, 1], color="#BBBBBB", lw=0.7)
    here = means.xs(domain, level="domain")
    ends = []
    for name, ink in zip(configurations, INKS, strict=False):
        for columns, line in ((ROWS, "-"), (BINS, "--")):
            if name in here.index and here.loc[name, columns].notna().all():
                share = here.loc[name, columns].to_numpy(float)
                axis.plot(nominal, share, line, marker="o", ms=3, **ink)
                ends.append((share[-1], name + (", means" if line == "--" else ""), ink["color"]))
    ends.sort(key=lambda end: end[0])
    for height, (_, text, colour) in zip(_spread_out([end[0] for end in ends]), ends, strict=True):
        axis.text(0.965, height, text, color=colour, **LABEL)
    axis.set(xlim=(0.48, 1.2), xticks=nominal, yticks=nominal, xlabel="nominal, %")
    for ticks in (axis.xaxis, axis.yaxis):
        ticks.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.0f}"))
    axis.set_title(f"Inside the band, %: {domain} (dashed: means of bins)")


def _spread_out(heights: Sequence[float]) -> list[float]:
    """Sorted heights, moved up where they would overlap."""
    spread: list[float] = []
    for height in heights:
        spread.append(max(height, spread[-1] + GAP) if spread else height)
    return spread
