"""The page in a real browser: script, network, keyboard, small screens and contrast."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

READY = "#explorer-figure .main-svg"
FOCUSED = """() => {
  const at = document.activeElement;
  return at.id || at.getAttribute("href") || at.dataset.copy || at.getAttribute("aria-label")
    || at.getAttribute("aria-labelledby") || at.tagName;
}"""


@pytest.fixture(scope="module")
def events() -> list[str]:
    """Requests, console messages and errors of the page."""
    return []


@pytest.fixture(scope="module")
def page(browser: Any, full_report: Path, events: list[str]) -> Iterator[Any]:
    """The report at the width of a laptop."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.on("console", lambda message: events.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: events.append(f"error: {error}"))
    page.on("request", lambda request: events.append(f"request: {request.url}"))
    page.goto(full_report.as_uri())
    page.wait_for_selector(READY)
    yield page
    context.close()


def state(page: Any) -> dict[str, Any]:
    """State of the figure."""
    return page.evaluate(
        """() => {
          const figure = document.getElementById("explorer-figure");
          const median = figure.data.find((trace) => trace.name === "median");
          return {
            last: median.y.at(-1), x: figure.layout.xaxis.type, y: figure.layout.yaxis.type,
            names: figure.data.filter((each) => each.showlegend !== false).map((each) => each.name),
            start: figure.layout.shapes[0].x0,
            sentence: document.getElementById("explorer-sentence").textContent,
          };
        }"""
    )


def test_nothing_is_requested_from_the_network(
    page: Any, full_report: Path, events: list[str]
) -> None:
    page.wait_for_load_state("networkidle")
    requests = [each for each in events if not each.startswith("request: blob:")]
    assert [each for each in requests if "data:" not in each] == [
        f"request: {full_report.as_uri()}"
    ]


def test_links_lead_to_their_sections(page: Any) -> None:
    for link in page.locator("nav a").all():
        link.click()
        name = link.get_attribute("href")
        assert page.evaluate("location.hash") == name
        assert page.locator(f"section{name}").is_visible()


def test_headings_are_in_order(page: Any) -> None:
    levels = page.eval_on_selector_all(
        "h1, h2, h3, h4, h5, h6", "all => all.map(each => Number(each.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_figure_follows_its_controls(page: Any) -> None:
    first = state(page)
    assert first["names"] == [
        "new run, 90%", "new run, 50%", "curve, 90%", "curve, 50%", "median", "fitted", "held out",
    ]  # fmt: skip
    assert (first["x"], first["y"]) == ("log", "log")
    assert first["sentence"].startswith("c4 / web: ")
    assert first["start"] == pytest.approx(1.389e8, rel=1e-3)
    page.select_option("#explorer-line", label="code / news")
    second = state(page)
    assert second["sentence"].startswith("code / news: ")
    assert second["last"] != first["last"]
    page.locator("#explorer-x").uncheck()
    page.locator("#explorer-y").uncheck()
    linear = state(page)
    assert (linear["x"], linear["y"]) == ("linear", "linear")
    page.locator("#explorer-x").check()
    page.locator("#explorer-y").check()
    page.select_option("#explorer-line", label="c4 / web")
    assert state(page) == first


def test_figure_shows_numbers_under_the_pointer(page: Any) -> None:
    figure = page.locator("#explorer-figure .nsewdrag").first
    figure.scroll_into_view_if_needed()
    figure.hover()
    hover = page.locator("#explorer-figure .hoverlayer")
    hover.get_by_text("new run 90%").first.wait_for()


def test_tables_are_copied(page: Any) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator('[data-copy="parameter-alpha"]').click()
    page.locator('[data-copy="parameter-alpha"]', has_text="Copied").wait_for()
    lines = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert lines[0].split("\t") == ["name", "of", "median", "lower", "upper", "sd", "R-hat", "ESS"]
    assert lines[1].split("\t")[:2] == ["all", "population"]
    assert len(lines) == 21
    assert page.locator("#status").inner_text() == "Copied"


def test_tables_are_copied_without_a_clipboard(page: Any) -> None:
    """Without access to the clipboard a table is copied by event, or at least selected."""
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.locator('[data-copy="sizes"]').click()
    page.locator("#status", has_text="Copied").wait_for(state="attached")
    assert page.evaluate("navigator.clipboard.readText()").startswith("variable\tcolumn")
    page.evaluate("() => { document.execCommand = () => false; }")
    page.locator('[data-copy="sizes"]').click()
    page.locator('[data-copy="sizes"]', has_text="Selected").wait_for()
    assert "variable" in page.evaluate("getSelection().toString()")


def test_tab_order_follows_the_page(browser: Any, failed_report: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(failed_report.as_uri())
    page.wait_for_selector(READY)
    order = []
    for _ in range(60):
        page.keyboard.press("Tab")
        order.append(page.evaluate(FOCUSED))
        visible = page.evaluate(
            "() => getComputedStyle(document.activeElement).outlineStyle !== 'none'"
        )
        assert visible or order[-1] == "BODY", order[-1]
        if order[-1] == "BODY":
            break
    assert order[:3] == ["#main", "#answer", "#data"]
    expected = ["#provenance", "sizes", "explorer-line", "explorer-x", "explorer-y", "versions"]
    assert [name for name in order if name in expected] == expected
    page.keyboard.press("Home")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.close()


@pytest.mark.parametrize("width", [375, 768, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_has_the_width_of_its_screen(
    browser: Any, joint_report: Path, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto(joint_report.as_uri())
    page.wait_for_selector(READY)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(21, 24, 27)") == (scheme == "dark")
    page.close()


CONTRAST = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).slice(0, 3).map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor, [, , , alpha = 1] = numbers(colour);
      if (alpha === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const tags = "h1, h2, p, li, a, td, th, button, figcaption, label, aside, code";
  return [...document.querySelectorAll(tags)]
    .filter((element) => element.textContent.trim())
    .map((element) => {
      const pair = [light(getComputedStyle(element).color), light(behind(element))];
      return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(browser: Any, failed_report: Path, scheme: str) -> None:
    """The contrast that WCAG 2 requires of text at level AA."""
    page = browser.new_page(color_scheme=scheme)
    page.goto(failed_report.as_uri())
    ratios = page.evaluate(CONTRAST)
    assert len(ratios) > 100
    assert min(ratios) >= 4.5
    page.close()


def test_print_shows_all(browser: Any, failed_report: Path) -> None:
    page = browser.new_page()
    page.goto(failed_report.as_uri())
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert not page.locator("button.copy").first.is_visible()
    hidden = page.eval_on_selector_all(
        ".table .scroll",
        "all => all.filter(each => each.scrollHeight > each.clientHeight + 2).length",
    )
    assert hidden == 0
    page.close()


def test_page_has_no_errors(page: Any, events: list[str]) -> None:
    assert [each for each in events if not each.startswith("request: ")] == []
