"""How numbers, formulas and blocks are set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bayeslaw.report.blocks import Block, Code, Formula, Items, Paragraph, Report, Section, Table
from bayeslaw.report.page import page

type Read = Callable[[Path], Any]


@pytest.fixture
def reading(read: Read, tmp_path: Path) -> Callable[..., Any]:
    """Set blocks, and read the page."""

    def of(*blocks: Block) -> Any:
        report = Report("Why?", "about", "", (Section("one", "One", blocks),))
        path = tmp_path / "page.html"
        path.write_text(page(report), encoding="utf-8")
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
def test_a_column_is_written_alike(
    reading: Callable[..., Any], values: list[Any], texts: list[str]
) -> None:
    frame = pd.DataFrame({"name": ["x"] * len(values), "value": values})
    rows = reading(Table("table", "caption", frame)).table("table")
    assert [row["value"] for row in rows] == texts


def test_bars_lie_on_one_scale(reading: Callable[..., Any]) -> None:
    frame = pd.DataFrame({"name": ["a", "b"], "lower": [0, 5], "median": [1, 6], "upper": [5, 10]})
    bars = reading(Table("table", "caption", frame, bars=True)).all("rect")
    places = [(each.attributes["x"], each.attributes["width"]) for each in bars]
    assert places == [("0.0", "50.0"), ("10.0", "1.2"), ("50.0", "50.0"), ("60.0", "1.2")]
    flat = frame.assign(lower=1, median=1, upper=1)
    assert reading(Table("table", "caption", flat, bars=True)).all("rect") == []


def test_text_is_never_markup(reading: Callable[..., Any]) -> None:
    found = reading(Paragraph("<i>a</i>"), Items(("<u>b</u>",)), Code("<s>c</s>"), Items(()))
    assert "<i>a</i>" in found.by_id("one").text
    assert {"i", "u", "s"}.isdisjoint(each.tag for each in found.elements)
    assert len(found.all("ul")) == 1


def test_formula_is_mathml_and_words(reading: Callable[..., Any]) -> None:
    found = reading(Formula(r"a + \frac{b}{c}", "a + b / c"))
    assert len(found.all("mfrac")) == 1
    assert any(e.attributes.get("aria-label") == "The law: a + b / c" for e in found.elements)


def test_without_a_figure_there_is_no_library(reading: Callable[..., Any]) -> None:
    assert not any(e.attributes.get("id") == "plotly" for e in reading(Paragraph("a")).elements)
