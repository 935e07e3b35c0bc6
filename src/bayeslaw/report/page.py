"""The HTML page: number formats, formulas and the Jinja template."""

from __future__ import annotations

import base64
import gzip
import math
from collections.abc import Iterator
from importlib import resources
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from latex2mathml.converter import convert
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from bayeslaw.plots.numbers import short_exponent
from bayeslaw.report.blocks import Report, Table

__all__ = ["render_page"]

NUMERIC_KINDS = "fiu"
MAX_DECADES = 1.5  # in a column whose numbers all get the same number of decimals


def render_page(report: Report) -> str:
    """Render a report as self-contained HTML, which loads nothing from the network."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"mathml": _mathml, "base64": _base64, "columns": _columns}
    environment.filters |= {"rows": _rows}
    kinds = {block.kind for section in report.sections for block in section.blocks}
    return environment.from_string(_source("report.html.jinja")).render(
        report=report,
        style=Markup(_source("report.css")),
        script=Markup(_source("report.js")),
        plotly=_compressed(get_plotlyjs()) if "explorer" in kinds else "",
    )


def _source(name: str) -> str:
    return resources.files("bayeslaw.report").joinpath(name).read_text(encoding="utf-8")


def _mathml(latex: str) -> Markup:
    return Markup(convert(latex, display="block"))


def _compressed(script: str) -> str:
    """A script as base64 of gzip, which the browser unpacks: a third of its size, reproducible."""
    return _base64(gzip.compress(script.encode(), mtime=0))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _columns(table: Table) -> list[dict[str, str]]:
    """Title of each column and its kind: label, text, number or bar."""
    kinds = {str(name): _kind(column) for name, column in table.frame.items()}
    first = next(iter(kinds))
    kinds[first] = "label" if kinds[first] == "text" else kinds[first]
    columns = [{"title": name.replace("_", " "), "kind": kind} for name, kind in kinds.items()]
    if table.bars:
        columns.insert(1, {"title": "", "kind": "bar"})
    return columns


def _kind(column: pd.Series) -> str:
    return "number" if column.dtype.kind in NUMERIC_KINDS else "text"


def _rows(table: Table) -> Iterator[list[Any]]:
    """Cells of each row: texts, and positions of its bar."""
    cells: list[Any] = [_texts(column) for _, column in table.frame.items()]
    if table.bars:
        cells.insert(1, _bars(table.frame))
    yield from (list(row) for row in zip(*cells, strict=True))


def _texts(column: pd.Series) -> list[str]:
    if column.dtype.kind not in NUMERIC_KINDS:
        return ["" if pd.isna(value) else str(value) for value in column]
    return [_number(value, _decimals(column)) for value in column]


def _decimals(column: pd.Series) -> int | None:
    """Number of decimals for a whole column; None if it spans too many decades."""
    if column.dtype.kind != "f":
        return 0
    sizes = np.abs(column.to_numpy())
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if (
        not sizes.size
        or sizes.max() >= 1e5
        or sizes.max() < 1e-3
        or np.ptp(np.log10(sizes)) > MAX_DECADES
    ):
        return None
    return max(0, 3 - math.floor(math.log10(sizes.max())))


def _number(value: float, decimals: int | None) -> str:
    if math.isnan(value):
        return ""
    if decimals is not None:
        return f"{value:.{decimals}f}"
    return short_exponent(f"{value:.4g}")


def _bars(frame: pd.DataFrame) -> list[dict[str, str] | None]:
    """Positions of lower, median and upper of each row, in percent of the table's range."""
    lower, median, upper = (frame[name].to_numpy() for name in ("lower", "median", "upper"))
    left, width = np.nanmin(lower), np.nanmax(upper) - np.nanmin(lower)
    if not width > 0:
        return [None] * len(frame)
    percent = 100 * (np.stack([lower, median, upper], axis=1) - left) / width
    return [
        {"left": f"{a:.1f}", "width": f"{c - a:.1f}", "middle": f"{b:.1f}"} for a, b, c in percent
    ]
