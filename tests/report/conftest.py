"""Fits, their reports, and a browser to read them with."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw.report import write_report

VOID = {"meta", "input", "img"}


@dataclass
class Element:
    """An element of a page: its attributes, all text inside, and the cells of a table."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    rows: list[list[str]] = field(default_factory=list)


class Page(HTMLParser):
    """Elements of a page in order; asserts that each is closed properly."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag == "tr":
            self._table().rows.append([])
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("rect", "mspace")
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        element = self.open.pop()
        assert element.tag == tag
        if tag in ("td", "th") and element.attributes.get("class") != "bar":
            self._table().rows[-1].append(element.text.strip())

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def _table(self) -> Element:
        return next(each for each in reversed(self.open) if each.tag == "table")

    def all(self, tag: str) -> list[Element]:
        """Elements of a tag."""
        return [element for element in self.elements if element.tag == tag]

    def by_id(self, name: str) -> Element:
        """The element with an id."""
        [element] = [each for each in self.elements if each.attributes.get("id") == name]
        return element

    def table(self, name: str) -> list[dict[str, str]]:
        """Rows of the table in the figure with an id."""
        start = self.elements.index(self.by_id(name))
        head, *rows = next(each for each in self.elements[start:] if each.tag == "table").rows
        return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.fixture(scope="session")
def read() -> Callable[[Path], Any]:
    """Parse a page."""

    def parse(path: Path) -> Page:
        page = Page()
        page.feed(path.read_text(encoding="utf-8"))
        page.close()
        assert not page.open
        return page

    return parse


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for reports."""
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="session")
def full_report(
    folder: Path,
    crossed_fit: bl.Fit,
    log_linear_fit: bl.Fit,
    crossed_split: tuple[xr.Dataset, xr.Dataset],
) -> Path:
    """A report with held-out runs, a rival law and an answer of the author."""
    return write_report(
        crossed_fit,
        path=folder / "full.html",
        later=crossed_split[1],
        others={"log-linear": log_linear_fit},
        question="Is 1 < 2 & is <b>the floor</b> real?",
        checklist={"training data": "simulated"},
    )


@pytest.fixture(scope="session")
def failed_report(folder: Path, crossed_fit: bl.Fit) -> Path:
    """A report of a fit that did not converge, on one line."""
    tree = crossed_fit.tree.copy()
    tree.attrs["gate"] = replace(Gate.of(tree), divergences=7).to_json()
    at = bl.grid(N=[1e9, 1e10], task="c4", dataset="web")
    return write_report(replace(crossed_fit, tree=tree), path=folder / "failed.html", at=at)


@pytest.fixture(scope="session")
def joint_fit(known_fit: Callable[..., bl.Fit]) -> bl.Fit:
    """A fit of a law of N and D to two tasks, with given prior and posterior draws."""
    rng = np.random.default_rng(8)
    published = {"E": 1.69, "A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28}
    drawn = {n: v * np.exp(0.05 * rng.standard_normal((2, 50, 2))) for n, v in published.items()}
    rows = [
        {"N": N, "D": D, "loss": bl.laws.chinchilla(N, D, **published), "task": task}
        for task in ("c4", "code")
        for N in (1e8, 1e9, 1e10)
        for D in (1e10, 1e11, 2e11, 1e12)
    ]
    runs = bl.read_runs(pd.DataFrame(rows), predictors=["N", "D"], groups=["task"])
    fit = known_fit(bl.laws.chinchilla, drawn, runs)
    tree = fit.tree.copy()
    tree["prior"] = fit.tree["posterior"].copy()
    tree["unconstrained_prior"] = 3.0 * fit.tree["unconstrained_posterior"].to_dataset()
    for group in ("log_likelihood", "prior_predictive"):
        density = np.exp(0.01 * rng.standard_normal((2, 50, runs.sizes["run"])))
        tree[group] = xr.Dataset({"loss": (("chain", "draw", "run"), density)})
    return replace(fit, tree=tree)


@pytest.fixture(scope="session")
def joint_report(folder: Path, joint_fit: bl.Fit) -> Path:
    """A report of a law of N and D with default options."""
    return write_report(joint_fit, path=folder / "joint.html")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()
