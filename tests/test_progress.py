"""Progress reports: in a log, in a terminal and in a notebook."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable

import nbformat
import pytest
from nbclient import NotebookClient

from bayeslaw import _progress as module
from bayeslaw._progress import Pace, progress


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let seconds pass."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def later(seconds: float) -> None:
        now[0] += seconds

    return later


def _count(wait: Callable[[float], None], done: int = 0) -> None:
    """To ten, with two seconds for each."""
    with progress("Counting", 10, done=done) as update:
        for each in range(done, 10):
            wait(2)
            update(each + 1, "well" if each else "")


def test_a_log_gets_occasional_lines(
    wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    _count(wait)
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.splitlines() == [
        "Counting: 10%, 18 s left",
        "Counting: 90%, 2 s left, well",
        "Counting: done in 20 s, well",
    ]


def test_time_left_is_estimated_from_what_was_done_since_the_start(
    wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Fits that a store had took no time, and say nothing about how long the others take."""
    _count(wait, done=7)
    assert capsys.readouterr().err.startswith("Counting: 80%, 4 s left, well\n")


def _sample(wait: Callable[[float], None]) -> None:
    """Two thousand steps, the first half at a tenth of the pace of the second."""
    pace = Pace(seconds=10.0, least=100, left="left in this round")
    with progress("Sampling", 2000, pace=pace) as update:
        for done in range(10, 2010, 10):
            wait(1.0 if done <= 1000 else 0.1)
            update(done)


def test_time_left_at_the_pace_of_late_once_enough_is_done(
    wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    _sample(wait)
    assert capsys.readouterr().err.splitlines() == [
        "Sampling: 5%, 3 min left in this round",
        "Sampling: 12%, 3 min left in this round",
        "Sampling: 20%, 3 min left in this round",
        "Sampling: 28%, 2 min left in this round",
        "Sampling: 35%, 2 min left in this round",
        "Sampling: 42%, 115 s left in this round",
        "Sampling: 50%, 100 s left in this round",
        "Sampling: done in 110 s",
    ]


def test_slow_tasks_are_reported_before_the_time_left_is_known(
    wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("Sampling", 2000, pace=Pace(least=100)) as update:
        for done in (20, 40, 60, 120):
            wait(10)
            update(done)
    assert capsys.readouterr().err.splitlines() == [
        "Sampling: 2%", "Sampling: 6%, 10 min left", "Sampling: done in 40 s",
    ]  # fmt: skip


def test_quick_tasks_are_not_reported(capsys: pytest.CaptureFixture[str]) -> None:
    _count(lambda _: None)
    assert capsys.readouterr() == ("", "")


def test_work_of_unknown_length(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    with progress("Compiling", None):
        time.sleep(0.5)
        assert capsys.readouterr().err == "Compiling\n"
    assert re.fullmatch(r"Compiling: done in \d+ s\n", capsys.readouterr().err)


def test_a_failed_task_is_not_reported_as_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="invalid"), progress("Writing", None):
        raise ValueError("invalid")
    assert capsys.readouterr() == ("", "")


def test_nothing_is_reported_unless_shown(
    wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("Counting", 9, shown=False) as update:
        wait(30)
        update(8)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_a_bar(
    monkeypatch: pytest.MonkeyPatch, wait: Callable[[float], None]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    _count(lambda _: None)
    _sample(wait)
    output = terminal.getvalue()
    assert "s left in this round" in output
    assert "Counting" in output
    assert "100%" in output
    assert "well" in output


def test_a_notebook_has_a_line_that_is_overwritten() -> None:
    """Without widgets, which would have to be installed."""
    code = """
    import bayeslaw._progress as module
    module.PATIENCE = module.IN_NOTEBOOK = 0
    with module.progress("Counting", 4) as update:
        update(1)
        update(4)
    """
    cell = nbformat.v4.new_code_cell("\n".join(line.strip() for line in code.splitlines()))
    cell.source = cell.source.replace("\nupdate", "\n    update")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    [line] = notebook.cells[0].outputs
    assert line["data"] == {"text/plain": "Counting: done in 0 s"}
