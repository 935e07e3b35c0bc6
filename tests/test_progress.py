"""How far long work is, told where it can be seen."""

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
from bayeslaw._progress import progress


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
    with progress("Counting", 10, done=done) as tell:
        for each in range(done, 10):
            wait(2)
            tell(each + 1, "well" if each else "")


def test_a_log_has_a_line_now_and_then(
    wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    _count(wait)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "Counting: 10%, 18 s left",
        "Counting: 90%, 2 s left, well",
        "Counting: done in 20 s, well",
    ]


def test_time_left_is_by_what_was_done_since(
    wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Fits that a store had took no time, and say nothing of that of the others."""
    _count(wait, done=7)
    assert capsys.readouterr().err.startswith("Counting: 80%, 4 s left, well\n")


def test_what_is_quick_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_an_error_is_told_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="wrong"), progress("Writing", None):
        raise ValueError("wrong")
    assert capsys.readouterr() == ("", "")


def test_nothing_is_told_where_nobody_asks(
    wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("Counting", 9, shown=False) as tell:
        wait(30)
        tell(8)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    _count(lambda _: None)
    told = terminal.getvalue()
    assert "Counting" in told
    assert "100%" in told
    assert "well" in told


def test_a_notebook_has_a_line_that_is_written_over() -> None:
    """Without widgets, which would have to be installed."""
    code = """
    import bayeslaw._progress as module
    module.PATIENCE = module.IN_NOTEBOOK = 0
    with module.progress("Counting", 4) as tell:
        tell(1)
        tell(4)
    """
    cell = nbformat.v4.new_code_cell("\n".join(line.strip() for line in code.splitlines()))
    cell.source = cell.source.replace("\ntell", "\n    tell")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    [line] = notebook.cells[0].outputs
    assert line["data"] == {"text/plain": "Counting: done in 0 s"}
