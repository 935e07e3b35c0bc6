"""Headings, tables and blocks in reStructuredText and Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

__all__ = ["heading", "indented", "markdown_table", "rst_block", "rst_table"]


def heading(title: str, mark: str) -> str:
    """A heading in reStructuredText, underlined by a character."""
    return f"{title}\n{mark * len(title)}\n"


def rst_table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (columns, *rows):
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
    return "\n".join([*lines, ""])


def markdown_table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    every = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in every)


def rst_block(text: str) -> str:
    """A block of reStructuredText inside Markdown."""
    return f"```{{eval-rst}}\n{text}\n```\n"


def indented(text: str) -> Iterator[str]:
    """Lines of the body of a directive."""
    yield from textwrap.indent(text, "   ").split("\n")
