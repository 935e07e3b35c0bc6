"""Blocks of a report: sections of paragraphs, tables, figures and other kinds of the template."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "UNKNOWN",
    "Block",
    "Code",
    "Explorer",
    "Formula",
    "Items",
    "Paragraph",
    "Picture",
    "Report",
    "Section",
    "Table",
    "figure_png",
]

UNKNOWN = "not recorded"  # the template greys cells with this text
DPI = 200  # of figures; a page is seven inches wide


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    kind: ClassVar[str] = "items"
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Formula:
    """A formula in LaTeX, and as plain text."""

    kind: ClassVar[str] = "formula"
    latex: str
    text: str


@dataclass(frozen=True)
class Table:
    """A table with a caption; `bars` adds a column that draws each row's interval."""

    kind: ClassVar[str] = "table"
    name: str
    caption: str
    frame: pd.DataFrame
    bars: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure as PNG, with a caption and alternative text."""

    kind: ClassVar[str] = "picture"
    png: bytes
    caption: str
    alternative: str

    @property
    def width(self) -> int:
        """Width on the page in CSS pixels, 3/5 of the PNG's."""
        return int.from_bytes(self.png[16:20]) * 3 // 5  # a PNG has its width there


@dataclass(frozen=True)
class Explorer:
    """Data of the interactive forecast figure."""

    kind: ClassVar[str] = "explorer"
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Code:
    """Lines of code."""

    kind: ClassVar[str] = "code"
    text: str


type Block = Paragraph | Items | Formula | Table | Picture | Explorer | Code


@dataclass(frozen=True)
class Section:
    """A section of the report, with a name to link to."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """The content of a page."""

    question: str
    subtitle: str
    warning: str  # above the page, if the fit did not converge
    sections: tuple[Section, ...]


def figure_png(figure: Any) -> bytes:
    """A Matplotlib figure as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
