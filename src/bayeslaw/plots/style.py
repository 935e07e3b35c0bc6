"""Figure style: colour palettes for light and dark backgrounds, and figure widths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from matplotlib import rcParams, style
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

__all__ = [
    "COLUMN_WIDTH",
    "DARK",
    "LIGHT",
    "PAGE_WIDTH",
    "POINT_STYLE",
    "Palette",
    "background_style",
    "figure_of",
    "file_formats",
    "package_style",
    "width_in_inches",
]

STYLE, DARK_STYLE = "bayeslaw.bayeslaw", "bayeslaw.dark"  # style files of the package
COLUMN_WIDTH, PAGE_WIDTH = 3.3, 7.0  # inches
POINT_STYLE = {"fmt": "o", "ms": 3.5, "lw": 0.8}
LUMINANCE = 0.2126, 0.7152, 0.0722  # of red, green and blue


@dataclass(frozen=True)
class Palette:
    """A few colours that differ in lightness, so that they can be told apart in a grey print."""

    accent: str  # the subject of the figure
    foreground: str  # data and large text
    muted: str  # small text
    grey: str  # rules, and the third of the things compared
    pale: str  # many faint lines
    extrapolation: str  # background beyond the fitted range
    background: str
    bands: Mapping[float, str]  # by probability, the widest first

    @property
    def note_style(self) -> dict[str, Any]:
        """Text properties of notes."""
        return {"size": 5.5, "color": self.muted}


LIGHT = Palette(
    accent="#0072B2",
    foreground="#222222",
    muted="#444444",
    grey="#777777",
    pale="#C4C4C4",
    extrapolation="#F1F1F1",
    background="#FFFFFF",
    bands={0.9: "#C9DFEE", 0.5: "#8DBDDD"},
)
DARK = Palette(
    accent="#6CC3F5",
    foreground="#E6E6E6",
    muted="#B8B8B8",
    grey="#8C8C8C",
    pale="#5E626B",
    extrapolation="#22252B",
    background="#16181C",
    bands={0.9: "#1E3A4C", 0.5: "#2F6385"},
)


@contextmanager
def package_style(ax: Axes | None = None) -> Iterator[Palette]:
    """Draw in the package's style, dark if the figure of `ax` (or Matplotlib's default) is dark."""
    background = figure_of(ax).get_facecolor() if ax else rcParams["figure.facecolor"]
    red, green, blue = to_rgb(background)
    is_light = LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue > 0.5
    with style.context([STYLE] if is_light else [STYLE, DARK_STYLE]):
        yield LIGHT if is_light else DARK


def background_style(dark: bool) -> AbstractContextManager[None]:
    """Draw on a dark background, or on Matplotlib's own."""
    return style.context([DARK_STYLE] if dark else [])


def file_formats() -> list[str]:
    """Extensions of files that figures can be saved in."""
    return sorted(Figure().canvas.get_supported_filetypes())


def figure_of(ax: Axes) -> Figure:
    """The root figure of axes, which may be in a subfigure."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("ax is in no figure; it was removed from the one it was made in")
    return figure


def width_in_inches(panel: Axes) -> float:
    """Approximate width of axes in inches, before the layout is computed."""
    return panel.bbox.width / figure_of(panel).dpi
