"""The look of figures: inks, sizes, and on which ground."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from matplotlib import rcParams, style
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

__all__ = ["COLUMN", "DARK", "LIGHT", "PAGE", "POINT", "Inks", "figure_of", "house", "width_of"]

LOOK, DARK_LOOK = "bayeslaw.bayeslaw", "bayeslaw.dark"  # style files of the package
COLUMN, PAGE = 3.3, 7.0  # widths in inches
POINT = {"fmt": "o", "ms": 3.5, "lw": 0.8}
LUMINANCE = 0.2126, 0.7152, 0.0722  # of red, green and blue


@dataclass(frozen=True)
class Inks:
    """Few colours that differ in lightness, so that a grey print and any eye tell them apart.

    Parameters
    ----------
    accent : str
        What the figure is about.
    ink : str
        Data.
    soft : str
        Small text.
    grey : str
        Rules, and the third of what is compared.
    pale : str
        What is many and weighs little.
    beyond : str
        Ground on which nothing was measured.
    paper : str
        The ground.
    bands : mapping of float to str
        Bands by their probability, the widest first.
    """

    accent: str
    ink: str
    soft: str
    grey: str
    pale: str
    beyond: str
    paper: str
    bands: Mapping[float, str]

    @property
    def small(self) -> dict[str, Any]:
        """Text of notes."""
        return {"size": 5.5, "color": self.soft}


LIGHT = Inks(
    accent="#0072B2",
    ink="#222222",
    soft="#444444",
    grey="#777777",
    pale="#C4C4C4",
    beyond="#F1F1F1",
    paper="#FFFFFF",
    bands={0.9: "#C9DFEE", 0.5: "#8DBDDD"},
)
DARK = Inks(
    accent="#6CC3F5",
    ink="#E6E6E6",
    soft="#B8B8B8",
    grey="#8C8C8C",
    pale="#5E626B",
    beyond="#22252B",
    paper="#16181C",
    bands={0.9: "#1E3A4C", 0.5: "#2F6385"},
)


@contextmanager
def house(ax: Axes | None = None) -> Iterator[Inks]:
    """Draw in the style of the package, dark where the figure of `ax` or Matplotlib's are.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
        Where is drawn; a new figure unless given.

    Yields
    ------
    Inks
    """
    ground = figure_of(ax).get_facecolor() if ax else rcParams["figure.facecolor"]
    red, green, blue = to_rgb(ground)
    light = LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue > 0.5
    with style.context([LOOK] if light else [LOOK, DARK_LOOK]):
        yield LIGHT if light else DARK


def figure_of(ax: Axes) -> Figure:
    """The figure that axes are in, of whatever subfigure.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The axes.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If they were removed from their figure.
    """
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("ax is in no figure; it was removed from the one it was made in")
    return figure


def width_of(panel: Axes) -> float:
    """Width of axes in inches, about: before the layout.

    Parameters
    ----------
    panel : matplotlib.axes.Axes
        The axes.

    Returns
    -------
    float
    """
    return panel.bbox.width / figure_of(panel).dpi
