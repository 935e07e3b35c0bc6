"""Printed results: text for people, JSON for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bayeslaw.cli.console import print_answer, printable


def test_infinities_are_text_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    values = [np.inf, -np.inf, np.nan, 0.1]
    print_answer({"table": pd.DataFrame({"size": values, "name": list("abcd")})}, True)
    rows = json.loads(capsys.readouterr().out)["table"]
    assert [row["size"] for row in rows] == ["inf", "-inf", None, 0.1]
    assert [row["name"] for row in rows] == list("abcd")


@pytest.fixture
def terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[int], list[str]]:
    """Print a table in a terminal of a given width."""
    frame = pd.DataFrame({"loss": [3.5], "new_run_median": [123456.0], "task": ["c4 of web"]})

    def show(columns: int) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(Console, "is_terminal", columns < 1000)
        print_answer({"table": frame}, False)
        text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        return [line.strip() for line in text.splitlines() if line.strip()]

    return show


def test_empty_lists_print_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_answer({"caveats": [], "sentences": ["All is well."]}, as_json=False)
    assert capsys.readouterr().out == "All is well.\n"


def test_a_table_has_the_width_of_its_terminal(terminal: Callable[[int], list[str]]) -> None:
    """Numbers do not wrap: titles are stacked first, then there is a line for each value."""
    assert terminal(80)[1] == "loss   new run median   task"
    assert terminal(80)[3] == "3.5        1.235e+05   c4 of web"
    assert terminal(1000)[1] == terminal(80)[1]
    stacked = terminal(30)
    assert stacked[1:4] == ["new", "run", "loss      median   task"]
    assert stacked[5:] == ["3.5   1.235e+05   c4 of web"]
    assert terminal(20)[1:] == ["loss: 3.5", "new run median:", "1.235e+05", "task: c4 of web"]


NASTY = [
    ("[red]x", "[red]x"),
    ("[/red]", "[/red]"),
    ("x\\[bold]", "x\\[bold]"),
    (":smile:", ":smile:"),
    ("\x1b[31mred", "\\x1b[31mred"),
    ("a\x07\u202eb", "a\\x07\\u202eb"),
    ("a\u2028b\x85c", "a\\u2028b\\x85c"),
    ("tab\there", "tab\\there"),
    ("Ωmega, 数据", "Ωmega, 数据"),
]


@pytest.mark.parametrize(("label", "printed"), NASTY)
@pytest.mark.parametrize("width", [20, 80, 1000])
def test_labels_are_printed_as_they_are_without_commanding_the_terminal(
    label: str,
    printed: str,
    width: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    frame = pd.DataFrame({"task": [label], "all": [[label]], "of": [{label: 1}], label: [0.5]})
    print_answer({"one": label, "sentences": [f"{label} fell."], "table": frame}, False)
    out = capsys.readouterr().out
    assert not {each for each in out if not each.isprintable()} - {"\n"}
    assert out.startswith(f"one: {printed}\n{printed} fell.\n") or width == 20
    assert "".join(out.split()).count("".join(printed.split())) >= 4


@pytest.mark.parametrize(("label", "printed"), NASTY)
def test_labels_with_an_index_are_printed_as_they_are(
    label: str, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame({"x": [0.5]}, index=pd.Index([label], name="task"))
    print_answer({"table": frame}, False)
    assert printed in capsys.readouterr().out


def test_half_a_character_is_printed() -> None:
    assert printable("a\ud800\nb") == "a\\ud800\nb"
