"""What a report is made of: sections of blocks, each of a kind that the template knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
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
]


@dataclass(frozen=True)
class Paragraph:
    """Sentences that are read as one."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Items:
    """Sentences that stand for themselves."""

    kind: ClassVar[str] = "items"
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Formula:
    """A formula in LaTeX, and the same as a line of text."""

    kind: ClassVar[str] = "formula"
    latex: str
    text: str


@dataclass(frozen=True)
class Table:
    """A table with a caption; ``bars`` draws lower, median and upper of each row in it."""

    kind: ClassVar[str] = "table"
    name: str
    caption: str
    frame: pd.DataFrame
    bars: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure as PNG, and what it shows in words."""

    kind: ClassVar[str] = "picture"
    png: bytes
    caption: str
    alternative: str

    @property
    def width(self) -> int:
        """Width on the page, in CSS pixels: five dots on three."""
        return int.from_bytes(self.png[16:20]) * 3 // 5  # where a PNG has it


@dataclass(frozen=True)
class Explorer:
    """The numbers of the interactive forecast."""

    kind: ClassVar[str] = "explorer"
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Code:
    """Lines of a program."""

    kind: ClassVar[str] = "code"
    text: str


type Block = Paragraph | Items | Formula | Table | Picture | Explorer | Code


@dataclass(frozen=True)
class Section:
    """A part of the report with a name to link to."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """All that a page tells."""

    question: str
    about: str
    warning: str  # of a fit that did not pass its gate
    sections: tuple[Section, ...]
