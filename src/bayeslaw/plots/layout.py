"""Where is drawn: a new figure with notes below and a banner above, or axes that were given."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from bayeslaw._sampling.gate import NOT_CONVERGED, Gate
from bayeslaw.fitting.fit import Fit
from bayeslaw.plots.style import COLUMN, PAGE, Inks, figure_of, width_of

__all__ = ["canvas", "failure", "label_of", "sheet", "small_multiples", "spread", "stamp", "title"]

PER_INCH = 23  # letters of a note
MARGIN = 0.06  # inches, left of notes


def sheet(
    inks: Inks, width: float, height: float, notes: Iterable[str]
) -> tuple[Figure, SubFigure]:
    """Make a figure with notes below, those of a failed gate in a banner above.

    Parameters
    ----------
    inks : Inks
        Colours.
    width, height : float
        Of what is drawn, in inches; notes make the figure higher.
    notes : iterable of str
        Sentences.

    Returns
    -------
    figure : matplotlib.figure.Figure
    body : matplotlib.figure.SubFigure
        Where to draw.
    """
    notes = list(notes)
    failed = " ".join(note for note in notes if note.startswith(NOT_CONVERGED))
    warning = "\n".join(textwrap.wrap(failed, int(width * 15)))
    note = "\n".join(
        line
        for note in notes
        if not note.startswith(NOT_CONVERGED)
        for line in textwrap.wrap(note, int(width * PER_INCH))
    )
    above_height = 0.13 * warning.count("\n") + 0.22 if warning else 0.03
    below_height = 0.1 * note.count("\n") + 0.16 if note else 0.03
    heights = [above_height, height, below_height]
    figure = Figure((width, sum(heights)), layout="constrained")
    above, body, below = figure.subfigures(3, 1, height_ratios=heights, squeeze=False).flat
    above.set_facecolor(inks.ink if warning else inks.paper)
    look = {"color": inks.paper, "weight": "bold", "ha": "center", "va": "center"}
    above.text(0.5, 0.5, warning, parse_math=False, **look)
    below.text(MARGIN / width, 1, note, va="top", linespacing=1.25, parse_math=False, **inks.small)
    return figure, body


def canvas(
    inks: Inks, ax: Axes | None, height: float, notes: Sequence[str], width: float = COLUMN
) -> tuple[Figure, Axes]:
    """Axes of a new figure with notes; or those given, where notes are left out but a failure.

    Parameters
    ----------
    inks : Inks
        Colours.
    ax : matplotlib.axes.Axes or None
        Where to draw.
    height : float
        Of a new figure, in inches, without notes.
    notes : sequence of str
        Sentences.
    width : float
        Of a new figure, in inches.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    if ax is not None:
        stamp(ax, inks, notes)
        return figure_of(ax), ax
    figure, body = sheet(inks, width, height, notes)
    return figure, body.subplots()


def stamp(ax: Axes, inks: Inks, notes: Iterable[str]) -> None:
    """Mark axes as of a fit that failed, if a note says so.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where.
    inks : Inks
        Colours.
    notes : iterable of str
        Sentences.
    """
    if any(note.startswith(NOT_CONVERGED) for note in notes):
        box = {"facecolor": inks.ink, "lw": 0, "pad": 2}
        look = {"color": inks.paper, "weight": "bold", "size": 6, "bbox": box, "zorder": 9}
        place = {"transform": ax.transAxes, "ha": "left", "va": "top"}
        ax.text(0.02, 0.98, NOT_CONVERGED, **place, **look)


def failure(fit: Fit) -> list[str]:
    """The sentence of a fit's gate, if it did not pass.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    list of str
    """
    gate = Gate.of(fit.tree)
    return [] if gate.passed else [gate.sentence]


def small_multiples(
    inks: Inks,
    labels: Sequence[xr.DataArray],
    shown: tuple[int, int],
    notes: Sequence[str],
    *,
    columns: int | None = None,
    ax: Axes | None = None,
) -> tuple[Figure, list[Axes]]:
    """Make panels with shared axes; or take the axes that were given as the only one.

    Parameters
    ----------
    inks : Inks
        Colours.
    labels : sequence of xarray.DataArray
        What is on the horizontal axis and on the vertical one.
    shown : tuple of int
        Panels, and the curves there are.
    notes : sequence of str
        Sentences.
    columns : int, optional
        Of panels; a near-square grid unless given.
    ax : matplotlib.axes.Axes, optional
        Where to draw one panel.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : list of matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there are several panels for `ax`, or `columns` is below 1.
    """
    panels, curves = shown
    across, up = (label_of(variable) for variable in labels)
    if ax is not None:
        if curves > 1:
            raise ValueError(f"ax takes one curve, and there are {curves}; choose one of them")
        stamp(ax, inks, notes)
        ax.set_xlabel(across, parse_math=False)
        ax.set_ylabel(up, parse_math=False)
        return figure_of(ax), [ax]
    if columns is not None and columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")
    columns = min(columns or math.ceil(math.sqrt(panels)), panels)
    rows = math.ceil(panels / columns)
    width = COLUMN if columns == 1 else min(PAGE, 0.6 + 2.2 * columns)
    told = [*notes, f"{panels} of {curves} curves shown."] if panels < curves else notes
    figure, body = sheet(inks, width, rows * (0.35 + 0.6 * (width - 0.4) / columns) + 0.3, told)
    axes = list(body.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for empty in axes[panels:]:
        empty.remove()
    for last in axes[max(0, panels - columns) : panels]:
        last.tick_params(labelbottom=True)  # above an empty cell too
    body.supxlabel(across, parse_math=False)
    body.supylabel(up, parse_math=False)
    return figure, axes[:panels]


def spread[T](items: Sequence[T], most: int) -> list[T]:
    """Return all items, or so many that lie evenly among them.

    Parameters
    ----------
    items : sequence
        The items.
    most : int
        How many at most.

    Returns
    -------
    list

    Examples
    --------
    >>> spread("abcde", 3)
    ['a', 'c', 'e']
    """
    last, count = len(items) - 1, min(len(items), most)
    places = [round(place * last / max(count - 1, 1)) for place in range(count)]
    return [items[place] for place in places]


def label_of(variable: xr.DataArray) -> str:
    """What an axis shows: the name of a variable and its units.

    Parameters
    ----------
    variable : xarray.DataArray
        The variable.

    Returns
    -------
    str

    Examples
    --------
    >>> label_of(xr.DataArray(1.0, name="D", attrs={"units": "tokens"}))
    'D (tokens)'
    """
    units = f" ({variable.attrs['units']})" if "units" in variable.attrs else ""
    return f"{variable.name}{units}"


def title(axis: Axes, text: str) -> None:
    """Write a title in two lines at most.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Of what.
    text : str
        The title.
    """
    lines = textwrap.wrap(text, int(width_of(axis) * 20), max_lines=2, placeholder=" …")
    axis.set_title("\n".join(lines), loc="left", parse_math=False)
