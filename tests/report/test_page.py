"""Rendering of numbers, formulas and blocks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bayeslaw.report.blocks import Block, Code, Formula, Items, Paragraph, Report, Section, Table
from bayeslaw.report.page import render_page

type Read = Callable[[Path], Any]


@pytest.fixture
def render(read: Read, tmp_path: Path) -> Callable[..., Any]:
    """Render blocks, and parse the page."""

    def of(*blocks: Block) -> Any:
        report = Report("Why?", "subtitle", "", (Section("one", "One", blocks),))
        path = tmp_path / "page.html"
        path.write_text(render_page(report), encoding="utf-8")
        return read(path)

    return of


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1, 20, 300000], ["1", "20", "300000"]),
        ([0.31234, 0.2, 0.1], ["0.3123", "0.2000", "0.1000"]),
        ([12.3456, 9.0], ["12.35", "9.00"]),
        ([1e6, 2.5e9], ["1e6", "2.5e9"]),
        ([0.0125, 12.0], ["0.0125", "12"]),
        ([1e-9, 2e-9], ["1e-9", "2e-9"]),
        ([np.nan, 1.5, np.inf], ["", "1.500", "inf"]),
        ([0.0, 0.0], ["0", "0"]),
        ([None, "text"], ["", "text"]),
    ],
)
def test_numbers_of_a_column_have_one_format(
    render: Callable[..., Any], values: list[Any], texts: list[str]
) -> None:
    frame = pd.DataFrame({"name": ["x"] * len(values), "value": values})
    rows = render(Table("table", "caption", frame)).table("table")
    assert [row["value"] for row in rows] == texts


def test_bars_lie_on_one_scale(render: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"name": ["a", "b"], "lower": [0, 5], "median": [1, 6], "upper": [5, 10]})
    bars = render(Table("table", "caption", frame, bars=True)).all("rect")
    positions = [(each.attributes["x"], each.attributes["width"]) for each in bars]
    assert positions == [("0.0", "50.0"), ("10.0", "1.2"), ("50.0", "50.0"), ("60.0", "1.2")]
    flat = frame.assign(lower=1, median=1, upper=1)
    assert render(Table("table", "caption", flat, bars=True)).all("rect") == []


def test_text_is_never_markup(render: Callable[..., Any]) -> None:
    page = render(Paragraph("<i>a</i>"), Items(("<u>b</u>",)), Code("<s>c</s>"), Items(()))
    assert "<i>a</i>" in page.by_id("one").text
    assert {"i", "u", "s"}.isdisjoint(each.tag for each in page.elements)
    assert len(page.all("ul")) == 1


def test_formula_is_mathml_and_words(render: Callable[..., Any]) -> None:
    page = render(Formula(r"a + \frac{b}{c}", "a + b / c"))
    assert len(page.all("mfrac")) == 1
    assert any(e.attributes.get("aria-label") == "The law: a + b / c" for e in page.elements)


def test_plotly_is_omitted_without_a_figure(render: Callable[..., Any]) -> None:
    assert not any(e.attributes.get("id") == "plotly" for e in render(Paragraph("a")).elements)
