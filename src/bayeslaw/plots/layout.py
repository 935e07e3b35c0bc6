"""Figure layout: a banner above, notes below, small multiples, titles and axis labels."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from bayeslaw._arguments import COUNT
from bayeslaw._sampling.gate import NOT_CONVERGED, Gate
from bayeslaw.fitting.result import Fit
from bayeslaw.plots.style import COLUMN_WIDTH, PAGE_WIDTH, Palette, figure_of, width_in_inches

__all__ = [
    "axes_with_notes",
    "axis_label",
    "evenly_spaced",
    "figure_with_notes",
    "gate_warnings",
    "mark_not_converged",
    "set_title",
    "small_multiples",
]

NOTE_LETTERS, BANNER_LETTERS, TITLE_LETTERS = 23, 15, 20  # per inch
MARGIN = 0.06  # inches, left of notes


def figure_with_notes(
    palette: Palette, width: float, height: float, notes: Iterable[str]
) -> tuple[Figure, SubFigure]:
    """Make a figure and its body to draw in: notes go below, a failed gate's in a banner above.

    `width` and `height` are those of the body, in inches; notes and banner come on top.
    """
    notes = list(notes)
    failed = " ".join(note for note in notes if note.startswith(NOT_CONVERGED))
    banner = "\n".join(textwrap.wrap(failed, int(width * BANNER_LETTERS)))
    footnotes = "\n".join(
        line
        for note in notes
        if not note.startswith(NOT_CONVERGED)
        for line in textwrap.wrap(note, int(width * NOTE_LETTERS))
    )
    above_height = 0.13 * banner.count("\n") + 0.22 if banner else 0.03
    below_height = 0.1 * footnotes.count("\n") + 0.16 if footnotes else 0.03
    heights = [above_height, height, below_height]
    figure = Figure((width, sum(heights)), layout="constrained")
    above, body, below = figure.subfigures(3, 1, height_ratios=heights, squeeze=False).flat
    above.set_facecolor(palette.foreground if banner else palette.background)
    text_style = {"color": palette.background, "weight": "bold", "ha": "center", "va": "center"}
    above.text(0.5, 0.5, banner, parse_math=False, **text_style)
    below.text(
        MARGIN / width, 1, footnotes, va="top", linespacing=1.25, parse_math=False,
        **palette.note_style,
    )  # fmt: skip
    return figure, body


def axes_with_notes(
    palette: Palette,
    ax: Axes | None,
    height: float,
    notes: Sequence[str],
    width: float = COLUMN_WIDTH,
) -> tuple[Figure, Axes]:
    """Make a figure of one panel with notes; or return the given axes, marked if a fit failed."""
    if ax is not None:
        mark_not_converged(ax, palette, notes)
        return figure_of(ax), ax
    figure, body = figure_with_notes(palette, width, height, notes)
    return figure, body.subplots()


def mark_not_converged(ax: Axes, palette: Palette, notes: Iterable[str]) -> None:
    """Write "NOT CONVERGED" into a corner of the axes if a note says so."""
    if any(note.startswith(NOT_CONVERGED) for note in notes):
        box = {"facecolor": palette.foreground, "lw": 0, "pad": 2}
        text_style = {"color": palette.background, "weight": "bold", "size": 6, "bbox": box}
        corner = {"transform": ax.transAxes, "ha": "left", "va": "top", "zorder": 9}
        ax.text(0.02, 0.98, NOT_CONVERGED, **corner, **text_style)


def gate_warnings(fit: Fit) -> list[str]:
    """The sentence of a fit's convergence gate, if it did not pass."""
    gate = Gate.of(fit.tree)
    return [] if gate.passed else [gate.sentence]


def small_multiples(
    palette: Palette,
    variables: Sequence[xr.DataArray],
    counts: tuple[int, int],
    notes: Sequence[str],
    *,
    columns: int | None = None,
    ax: Axes | None = None,
) -> tuple[Figure, list[Axes]]:
    """Make panels with shared axes; or take the given axes as the only panel.

    `variables` are those on the horizontal and vertical axis, `counts` the number of panels and
    of all curves.
    """
    panels, curves = counts
    x_label, y_label = (axis_label(variable) for variable in variables)
    if ax is not None:
        if curves > 1:
            raise ValueError(f"ax takes one curve, and there are {curves}; choose one of them")
        mark_not_converged(ax, palette, notes)
        ax.set_xlabel(x_label, parse_math=False)
        ax.set_ylabel(y_label, parse_math=False)
        return figure_of(ax), [ax]
    if panels < curves:
        notes = [*notes, f"{panels} of {curves} curves shown."]
    figure, body, axes = _panel_grid(palette, panels, columns, notes)
    body.supxlabel(x_label, parse_math=False)
    body.supylabel(y_label, parse_math=False)
    return figure, axes


def _panel_grid(
    palette: Palette, panels: int, columns: int | None, notes: Sequence[str]
) -> tuple[Figure, SubFigure, list[Axes]]:
    """Make a near-square grid of panels, or one of so many columns."""
    if columns is not None:
        columns = COUNT.check("columns", columns)
    columns = min(columns or math.ceil(math.sqrt(panels)), panels)
    rows = math.ceil(panels / columns)
    width = COLUMN_WIDTH if columns == 1 else min(PAGE_WIDTH, 0.6 + 2.2 * columns)
    height = rows * (0.35 + 0.6 * (width - 0.4) / columns) + 0.3
    figure, body = figure_with_notes(palette, width, height, notes)
    axes = list(body.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for empty in axes[panels:]:
        empty.remove()
    for last in axes[max(0, panels - columns) : panels]:
        last.tick_params(labelbottom=True)  # above an empty cell too
    return figure, body, axes[:panels]


def evenly_spaced[T](items: Sequence[T], at_most: int) -> list[T]:
    """All items, or `at_most` of them at even distances, the first and the last among them."""
    last, count = len(items) - 1, min(len(items), at_most)
    indices = [round(index * last / max(count - 1, 1)) for index in range(count)]
    return [items[index] for index in indices]


def axis_label(variable: xr.DataArray) -> str:
    """The name of a variable and its units, such as "D (tokens)"."""
    units = f" ({variable.attrs['units']})" if "units" in variable.attrs else ""
    return f"{variable.name}{units}"


def set_title(axis: Axes, text: str) -> None:
    """Write a title of at most two lines, left-aligned."""
    width = int(width_in_inches(axis) * TITLE_LETTERS)
    lines = textwrap.wrap(text, width, max_lines=2, placeholder=" …")
    axis.set_title("\n".join(lines), loc="left", parse_math=False)
