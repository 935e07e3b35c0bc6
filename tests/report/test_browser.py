"""The page in a real browser: it runs, asks nothing of a network, and serves keys and phones."""

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
def heard() -> list[str]:
    """What the page asked for and complained of."""
    return []


@pytest.fixture(scope="module")
def page(browser: Any, full_report: Path, heard: list[str]) -> Iterator[Any]:
    """The report at the width of a laptop."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.on("console", lambda message: heard.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: heard.append(f"error: {error}"))
    page.on("request", lambda request: heard.append(f"request: {request.url}"))
    page.goto(full_report.as_uri())
    page.wait_for_selector(READY)
    yield page
    context.close()


def shown(page: Any) -> dict[str, Any]:
    """What the figure shows."""
    return page.evaluate(
        """() => {
          const figure = document.getElementById("explorer-figure");
          const median = figure.data.find((trace) => trace.name === "median");
          return {
            last: median.y.at(-1), x: figure.layout.xaxis.type, y: figure.layout.yaxis.type,
            names: figure.data.filter((each) => each.showlegend !== false).map((each) => each.name),
            start: figure.layout.shapes[0].x0,
            told: document.getElementById("explorer-told").textContent,
          };
        }"""
    )


def test_nothing_is_asked_of_a_network(page: Any, full_report: Path, heard: list[str]) -> None:
    page.wait_for_load_state("networkidle")
    requests = [each for each in heard if not each.startswith("request: blob:")]
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
    first = shown(page)
    assert first["names"] == [
        "new run, 90%", "new run, 50%", "curve, 90%", "curve, 50%", "median", "fitted", "held out",
    ]  # fmt: skip
    assert (first["x"], first["y"]) == ("log", "log")
    assert first["told"].startswith("c4 / web: ")
    assert first["start"] == pytest.approx(1.389e8, rel=1e-3)
    page.select_option("#explorer-line", label="code / news")
    second = shown(page)
    assert second["told"].startswith("code / news: ")
    assert second["last"] != first["last"]
    page.locator("#explorer-x").uncheck()
    page.locator("#explorer-y").uncheck()
    linear = shown(page)
    assert (linear["x"], linear["y"]) == ("linear", "linear")
    page.locator("#explorer-x").check()
    page.locator("#explorer-y").check()
    page.select_option("#explorer-line", label="c4 / web")
    assert shown(page) == first


def test_figure_tells_numbers_under_the_pointer(page: Any) -> None:
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
    assert page.locator("#said").inner_text() == "Copied"


def test_tables_are_copied_without_a_clipboard(page: Any) -> None:
    """Where the browser keeps its clipboard to itself a table is copied or at least selected."""
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.locator('[data-copy="sizes"]').click()
    page.locator("#said", has_text="Copied").wait_for(state="attached")
    assert page.evaluate("navigator.clipboard.readText()").startswith("variable\tcolumn")
    page.evaluate("() => { document.execCommand = () => false; }")
    page.locator('[data-copy="sizes"]').click()
    page.locator('[data-copy="sizes"]', has_text="Selected").wait_for()
    assert "variable" in page.evaluate("getSelection().toString()")


def test_keys_go_through_the_page_in_order(browser: Any, failed_report: Path) -> None:
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
    wanted = ["#provenance", "sizes", "explorer-line", "explorer-x", "explorer-y", "versions"]
    assert [name for name in order if name in wanted] == wanted
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
def test_text_stands_out(browser: Any, failed_report: Path, scheme: str) -> None:
    """At least the contrast that WCAG 2 asks of text at its level AA."""
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


def test_page_did_not_complain(page: Any, heard: list[str]) -> None:
    assert [each for each in heard if not each.startswith("request: ")] == []
